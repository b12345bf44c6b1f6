//! KITTI object detection of images given as rows of label files.

use ommatidia_metrics::Protocol;
use ommatidia_metrics::detection::kitti::{KittiImage, KittiObject, KittiProtocol, evaluate};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    images: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    truth: Vec<Row>,
    predicted: Vec<Row>,
}

/// Class, truncation, occlusion, alpha, bounds, size (h w l), location, rotation, score.
type Row = (String, f64, i32, f64, [f64; 4], [f64; 3], [f64; 3], f64, f64);

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let objects = |rows: Vec<Row>| rows.into_iter().map(object).collect();
    let images: Vec<KittiImage> = input
        .images
        .into_iter()
        .enumerate()
        .map(|(i, given)| KittiImage {
            name: i.to_string(),
            truth: objects(given.truth),
            predicted: objects(given.predicted),
        })
        .collect();
    let protocol = KittiProtocol::named("kitti_object").map_err(|e| e.to_string())?;
    let report = evaluate(&images, &protocol).map_err(|cause| cause.to_string())?;
    let mut figures = Figures::new();
    for (class, overlaps) in &report {
        for (overlap, difficulties) in overlaps {
            for (difficulty, found) in difficulties {
                let at = format!("{class} {overlap} {difficulty}");
                figures.insert(format!("{at} AP11"), found.ap11);
                figures.insert(format!("{at} AP40"), found.ap40);
                for (name, value) in [("AOS11", found.aos11), ("AOS40", found.aos40)] {
                    figures.extend(value.map(|value| (format!("{at} {name}"), value)));
                }
            }
        }
    }
    Ok(figures)
}

fn object(row: Row) -> KittiObject {
    let (class, truncation, occlusion, alpha_rad, bounds_px, size_m, location_m, rotation, score) =
        row;
    KittiObject {
        class,
        truncation,
        occlusion,
        alpha_rad,
        bounds_px,
        size_m,
        location_m,
        rotation_y_rad: rotation,
        score,
    }
}
