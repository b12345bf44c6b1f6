//! KITTI object detection: average precision over 11 and 40 recalls, in the image, on the ground and in space, and
//! orientation similarity.
//!
//! Geiger et al. 2012; the rules of the development kit's `evaluate_object_3d_offline.cpp`: a true box takes the surest
//! prediction for finding scores, the best overlapping one for counting; `DontCare` regions, neighbouring classes and
//! boxes too low, occluded or truncated are neither right nor wrong.

mod matching;
mod protocol;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

pub use protocol::{Difficulty, KittiClass, KittiProtocol};

use super::rotated::UprightBox;
use crate::Error;
use matching::{Counts, Image};

/// An object as KITTI writes it. Camera frame: x right, y down, z forward.
#[derive(Debug, Clone, PartialEq)]
pub struct KittiObject {
    /// `Car`, `DontCare` and so on.
    pub class: String,
    /// 0 to 1.
    pub truncation: f64,
    /// 0 to 3.
    pub occlusion: i32,
    /// Observation angle, radians.
    pub alpha_rad: f64,
    /// Left, top, right, bottom, pixels.
    pub bounds_px: [f64; 4],
    /// Height, width, length, metres.
    pub size_m: [f64; 3],
    /// Middle of the bottom, metres.
    pub location_m: [f64; 3],
    /// About the y axis, radians.
    pub rotation_y_rad: f64,
    /// Confidence of a prediction.
    pub score: f64,
}

impl KittiObject {
    /// The box in the ground plane (x, z); y points down, so the location is the largest y.
    fn upright(&self) -> UprightBox {
        let ([height, width, length], [x, y, z]) = (self.size_m, self.location_m);
        UprightBox {
            center_m: [x, z],
            size_m: [length, width],
            // Turning about y, which points down, turns from z to x.
            yaw_rad: -self.rotation_y_rad,
            vertical_m: [y - height, y],
        }
    }
}

/// One image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KittiImage {
    /// Its name.
    pub name: String,
    /// True objects, with `DontCare` regions.
    pub truth: Vec<KittiObject>,
    /// Predicted objects.
    pub predicted: Vec<KittiObject>,
}

/// What overlaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Bounds in the image (2D).
    Image,
    /// Rectangles on the ground (bird's-eye view).
    Ground,
    /// Volumes (3D).
    Volume,
}

impl Overlap {
    const ALL: [Self; 3] = [Self::Image, Self::Ground, Self::Volume];

    fn name(self) -> &'static str {
        match self {
            Self::Image => "2d",
            Self::Ground => "bev",
            Self::Volume => "3d",
        }
    }
}

/// Average precisions, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KittiFigures {
    /// Mean precision at recalls 0, 0.1, ..., 1.
    pub ap11: f64,
    /// Mean precision at recalls 1/40, 2/40, ..., 1.
    pub ap40: f64,
    /// Orientation similarity at the 11 recalls; in the image only.
    pub aos11: Option<f64>,
    /// Orientation similarity at the 40 recalls; in the image only.
    pub aos40: Option<f64>,
}

/// Figures by class, overlap (`2d`, `bev`, `3d`) and difficulty.
pub type KittiReport = BTreeMap<String, BTreeMap<&'static str, BTreeMap<String, KittiFigures>>>;

/// Figures of all images.
///
/// # Errors
/// An image that occurs twice, a number that is not finite.
pub fn evaluate(images: &[KittiImage], protocol: &KittiProtocol) -> Result<KittiReport, Error> {
    let mut names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let row = format!("image {}", pair[0]);
        return Err(Error::row("truth", row, "occurs twice; images must be unique"));
    }
    images.iter().try_for_each(check)?;
    let mut cells = Vec::new();
    for class in &protocol.classes {
        for overlap in Overlap::ALL {
            cells.extend(
                protocol.difficulties.iter().map(|difficulty| (class, overlap, difficulty)),
            );
        }
    }
    let figures: Vec<KittiFigures> = cells
        .par_iter()
        .map(|&(class, overlap, difficulty)| {
            let images: Vec<Image<'_>> = images
                .iter()
                .map(|i| Image::new(&i.truth, &i.predicted, class, difficulty, overlap))
                .collect();
            figures(&images, overlap, protocol.recall_steps)
        })
        .collect();
    let mut report = KittiReport::new();
    for ((class, overlap, difficulty), figures) in cells.into_iter().zip(figures) {
        let of_class = report.entry(class.name.clone()).or_default();
        of_class.entry(overlap.name()).or_default().insert(difficulty.name.clone(), figures);
    }
    Ok(report)
}

fn check(image: &KittiImage) -> Result<(), Error> {
    for (side, objects) in [("truth", &image.truth), ("prediction", &image.predicted)] {
        for (row, object) in objects.iter().enumerate() {
            let mut numbers = vec![object.truncation, object.alpha_rad, object.rotation_y_rad];
            numbers.extend(object.bounds_px);
            numbers.extend(object.size_m);
            numbers.extend(object.location_m);
            numbers.push(object.score);
            if !numbers.iter().all(|x| x.is_finite()) {
                let row = format!("{row} of image {}", image.name);
                return Err(Error::row(side, row, "holds a number that is not finite"));
            }
        }
    }
    Ok(())
}

fn figures(images: &[Image<'_>], overlap: Overlap, steps: usize) -> KittiFigures {
    let mut scores = Vec::new();
    images.iter().for_each(|image| image.scores(&mut scores));
    let truths = images.iter().map(Image::truths).sum();
    let thresholds = thresholds(scores, truths, steps);
    let mut precision = vec![0.0; steps + 1];
    let mut similarity = vec![0.0; steps + 1];
    for (i, &least_score) in thresholds.iter().take(steps + 1).enumerate() {
        let mut sum = Counts::default();
        for counts in images.iter().map(|image| image.counts(least_score)) {
            sum.tp += counts.tp;
            sum.fp += counts.fp;
            sum.similarity += counts.similarity;
        }
        let found = ((sum.tp + sum.fp) as f64).max(1.0);
        precision[i] = sum.tp as f64 / found;
        similarity[i] = sum.similarity / found;
    }
    for curve in [&mut precision, &mut similarity] {
        for i in (0..steps).rev() {
            curve[i] = f64::max(curve[i], curve[i + 1]);
        }
    }
    let at11 = |curve: &[f64]| (0..=10).map(|i| curve[i * steps / 10]).sum::<f64>() / 11.0;
    let at40 = |curve: &[f64]| curve[1..].iter().sum::<f64>() / steps as f64;
    let in_image = overlap == Overlap::Image;
    KittiFigures {
        ap11: at11(&precision),
        ap40: at40(&precision),
        aos11: in_image.then(|| at11(&similarity)),
        aos40: in_image.then(|| at40(&similarity)),
    }
}

/// Scores at which the recall is nearest to each step; `getThresholds` of the development kit.
fn thresholds(mut scores: Vec<f64>, truths: u64, steps: usize) -> Vec<f64> {
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut thresholds = Vec::new();
    let mut recall = 0.0;
    for (i, &score) in scores.iter().enumerate() {
        let last = i + 1 == scores.len();
        let left = (i + 1) as f64 / truths as f64;
        let right = if last { left } else { (i + 2) as f64 / truths as f64 };
        if right - recall < recall - left && !last {
            continue;
        }
        thresholds.push(score);
        recall += 1.0 / steps as f64;
    }
    thresholds
}
