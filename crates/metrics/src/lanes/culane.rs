//! CULane's F1 of lanes in the image.
//!
//! Definitions are those of the official `lane_evaluation` of the data set: lanes are splines drawn 30 pixels
//! wide, compared by the pixels that they share, and assigned to each other.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::assignment::assign;
use super::drawing::Mask;
use super::spline::culane_spline;
use crate::Error;

/// Settings of the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CulaneProtocol {
    /// Width of the images, pixels.
    pub width: usize,
    /// Height of the images, pixels.
    pub height: usize,
    /// Width of a drawn lane, pixels.
    pub lane_width: u32,
    /// A lane is found where the IoU is above this.
    pub iou: f64,
}

impl Default for CulaneProtocol {
    /// `Run.sh` of the official evaluation.
    fn default() -> Self {
        Self { width: 1640, height: 590, lane_width: 30, iou: 0.5 }
    }
}

/// Lanes counted over images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CulaneCounts {
    /// Found.
    pub tp: usize,
    /// Predicted and none.
    pub fp: usize,
    /// Missed.
    pub fn_: usize,
}

impl CulaneCounts {
    /// Sums counts of several images.
    pub fn add(&mut self, other: &Self) {
        self.tp += other.tp;
        self.fp += other.fp;
        self.fn_ += other.fn_;
    }

    /// Share of predictions that are lanes; `None` without predictions.
    pub fn precision(&self) -> Option<f64> {
        let predicted = self.tp + self.fp;
        (predicted > 0).then(|| self.tp as f64 / predicted as f64)
    }

    /// Share of lanes found; `None` without lanes.
    pub fn recall(&self) -> Option<f64> {
        let lanes = self.tp + self.fn_;
        (lanes > 0).then(|| self.tp as f64 / lanes as f64)
    }

    /// Harmonic mean of precision and recall; `None` where neither side has lanes.
    pub fn f1(&self) -> Option<f64> {
        let both = 2 * self.tp + self.fp + self.fn_;
        (both > 0).then(|| 2.0 * self.tp as f64 / both as f64)
    }
}

/// Counts of one image; lanes are points `x, y` in pixels, in order.
///
/// A lane with fewer than two points is like no other and counts as missed or false, as in the official program.
///
/// # Errors
/// A point that is not finite, or a protocol that draws nothing.
pub fn culane_image(
    truth: &[Vec<[f32; 2]>],
    predicted: &[Vec<[f32; 2]>],
    protocol: &CulaneProtocol,
) -> Result<CulaneCounts, Error> {
    check(truth, predicted, protocol)?;
    // The official program leaves before assigning where a side is empty.
    if truth.is_empty() || predicted.is_empty() {
        return Ok(CulaneCounts { tp: 0, fp: predicted.len(), fn_: truth.len() });
    }
    let draw = |lanes: &[Vec<[f32; 2]>]| -> Vec<Option<Mask>> {
        lanes.par_iter().map(|lane| drawn(lane, protocol)).collect()
    };
    let (truth, predicted) = (draw(truth), draw(predicted));
    let similarity: Vec<Vec<f64>> =
        truth.iter().map(|t| predicted.iter().map(|p| mask_iou(t, p)).collect()).collect();
    let (rows, columns) = (truth.len(), predicted.len());
    let chosen: Vec<f64> = if rows <= columns {
        assign(&similarity, columns).iter().enumerate().map(|(t, &p)| similarity[t][p]).collect()
    } else {
        let turned: Vec<Vec<f64>> =
            (0..columns).map(|p| (0..rows).map(|t| similarity[t][p]).collect()).collect();
        assign(&turned, rows).iter().enumerate().map(|(p, &t)| similarity[t][p]).collect()
    };
    let tp = chosen.iter().filter(|&&iou| iou > protocol.iou).count();
    Ok(CulaneCounts { tp, fp: columns - tp, fn_: rows - tp })
}

/// IoU of two drawn lanes; 0 where one has fewer than two points or none is inside the image.
pub fn lane_iou(a: &[[f32; 2]], b: &[[f32; 2]], protocol: &CulaneProtocol) -> f64 {
    mask_iou(&drawn(a, protocol), &drawn(b, protocol))
}

fn check(
    truth: &[Vec<[f32; 2]>],
    predicted: &[Vec<[f32; 2]>],
    protocol: &CulaneProtocol,
) -> Result<(), Error> {
    if protocol.width == 0 || protocol.height == 0 || protocol.lane_width < 2 {
        let what = "the image must have pixels and a lane two or more of width".to_owned();
        return Err(Error::Protocol { name: "culane".to_owned(), what });
    }
    for (side, lanes) in [("truth", truth), ("prediction", predicted)] {
        if let Some(lane) =
            lanes.iter().position(|lane| lane.iter().flatten().any(|x| !x.is_finite()))
        {
            return Err(Error::row(side, format!("lane {lane}"), "a point is not finite"));
        }
    }
    Ok(())
}

/// The pixels of a lane; `None` below two points.
fn drawn(lane: &[[f32; 2]], protocol: &CulaneProtocol) -> Option<Mask> {
    if lane.len() < 2 {
        return None;
    }
    let mut mask = Mask::new(protocol.width, protocol.height);
    let pixel = |p: &[f32; 2]| p.map(|x| i64::from(x.round_ties_even() as i32));
    let points = culane_spline(lane);
    for pair in points.windows(2).filter(|pair| pair.iter().flatten().all(|x| x.is_finite())) {
        mask.thick_line(pixel(&pair[0]), pixel(&pair[1]), protocol.lane_width);
    }
    Some(mask)
}

fn mask_iou(a: &Option<Mask>, b: &Option<Mask>) -> f64 {
    let (Some(a), Some(b)) = (a, b) else { return 0.0 };
    let both = a.common(b);
    let either = a.count() + b.count() - both;
    if either == 0 { 0.0 } else { both as f64 / either as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lane(x: f32) -> Vec<[f32; 2]> {
        (0..6).map(|k| [x + 12.0 * k as f32, 580.0 - 50.0 * k as f32]).collect()
    }

    fn counts(truth: &[f32], predicted: &[f32]) -> (usize, usize, usize) {
        let lanes = |xs: &[f32]| xs.iter().map(|&x| lane(x)).collect::<Vec<_>>();
        let found =
            culane_image(&lanes(truth), &lanes(predicted), &CulaneProtocol::default()).unwrap();
        (found.tp, found.fp, found.fn_)
    }

    #[test]
    fn by_hand() {
        assert_eq!(counts(&[300.0, 700.0], &[303.0, 720.0]), (1, 1, 1));
        assert_eq!(counts(&[300.0, 700.0], &[700.0]), (1, 0, 1));
        assert_eq!(counts(&[], &[1.0, 2.0]), (0, 2, 0));
        assert_eq!(counts(&[1.0, 2.0], &[]), (0, 0, 2));
        let total = CulaneCounts { tp: 2, fp: 1, fn_: 3 };
        assert_eq!((total.precision(), total.recall()), (Some(2.0 / 3.0), Some(0.4)));
        assert_eq!(total.f1(), Some(0.5));
        assert_eq!(CulaneCounts::default().f1(), None);
    }

    #[test]
    fn degenerate_lanes_count_and_are_like_no_other() {
        let protocol = CulaneProtocol::default();
        let point = vec![vec![[100.0, 100.0]]];
        let found = culane_image(&point, &point, &protocol).unwrap();
        assert_eq!((found.tp, found.fp, found.fn_), (0, 1, 1));
        let twice = vec![vec![[100.0, 100.0], [100.0, 100.0]]];
        assert_eq!(culane_image(&twice, &twice, &protocol).unwrap().tp, 1);
        let broken = vec![vec![[f32::NAN, 1.0], [2.0, 3.0]]];
        assert!(
            culane_image(&point, &broken, &protocol).unwrap_err().to_string().contains("lane 0")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn symmetric_and_1_with_itself(a in 0.0..1600.0f32, b in 0.0..1600.0f32) {
            let protocol = CulaneProtocol::default();
            let (one, other) = (lane(a), lane(b));
            prop_assert_eq!(lane_iou(&one, &one, &protocol), 1.0);
            prop_assert_eq!(lane_iou(&one, &other, &protocol), lane_iou(&other, &one, &protocol));
        }
    }
}
