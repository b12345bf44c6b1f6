//! Waymo detection of frames given as rows.

use ommatidia_metrics::Protocol;
use ommatidia_metrics::detection::rotated::UprightBox;
use ommatidia_metrics::detection::waymo::{WaymoBox, WaymoFrame, WaymoProtocol, evaluate};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    frames: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    truth: Vec<Row>,
    predicted: Vec<Row>,
}

/// Class, centre x y z, size l w h, heading, score or points, whether said to be hard.
type Row = (String, [f64; 3], [f64; 3], f64, f64, bool);

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let protocol = WaymoProtocol::named("waymo_detection").map_err(|e| e.to_string())?;
    let boxes = |rows: Vec<Row>| -> Result<Vec<WaymoBox>, String> {
        rows.into_iter().map(|row| waymo_box(row, &protocol)).collect()
    };
    let mut frames = Vec::new();
    for (i, given) in input.frames.into_iter().enumerate() {
        frames.push(WaymoFrame {
            name: i.to_string(),
            truth: boxes(given.truth)?,
            predicted: boxes(given.predicted)?,
        });
    }
    let report = evaluate(&frames, &protocol).map_err(|cause| cause.to_string())?;
    let mut figures = Figures::new();
    for (class, levels) in &report {
        for (level, found) in (1..).zip(levels) {
            figures.insert(format!("{class} LEVEL_{level} AP"), found.ap);
            figures.insert(format!("{class} LEVEL_{level} APH"), found.aph);
        }
    }
    Ok(figures)
}

fn waymo_box(row: Row, protocol: &WaymoProtocol) -> Result<WaymoBox, String> {
    let (class, [x, y, z], [length, width, height], yaw_rad, last, hard) = row;
    let place = protocol.classes.iter().position(|known| known.name == class);
    Ok(WaymoBox {
        class: place.ok_or_else(|| format!("no class {class}"))? as u16,
        upright: UprightBox {
            center_m: [x, y],
            size_m: [length, width],
            yaw_rad,
            vertical_m: [z - height / 2.0, z + height / 2.0],
        },
        score: last,
        points: last.max(0.0) as u32,
        hard,
    })
}
