//! Reconstructed points against true ones.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::KdTree;
use crate::Error;

/// A point of a surface.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Surfel {
    /// Position in any one frame, metres.
    pub position_m: [f64; 3],
    /// Unit normal, where it is known; its sign does not matter.
    pub normal: Option<[f64; 3]>,
}

/// Settings of the comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudProtocol {
    /// Distances of the F-scores, metres.
    pub thresholds_m: Vec<f64>,
    /// Longer distances count as this, metres: what lies beyond the truth's edge does not decide.
    pub max_distance_m: Option<f64>,
}

impl Default for CloudProtocol {
    /// Street scenes: 5, 10 and 20 cm; nothing cut off.
    fn default() -> Self {
        Self { thresholds_m: vec![0.05, 0.1, 0.2], max_distance_m: None }
    }
}

/// F-score at one threshold. Knapitsch et al. 2017 (Tanks and Temples), Eq. (4) to (6).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ThresholdReport {
    /// The threshold.
    pub threshold_m: f64,
    /// Share of estimated points that are nearer to the truth than it.
    pub precision: f64,
    /// Share of true points that are nearer to the estimate than it.
    pub recall: f64,
    /// Harmonic mean of both; 0 where both are.
    pub f_score: f64,
}

/// Distances between two clouds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CloudReport {
    /// Mean distance from the estimate to the truth.
    pub accuracy_m: f64,
    /// Mean distance from the truth to the estimate.
    pub completeness_m: f64,
    /// Median distance from the estimate to the truth; the mean of the middle two where even.
    pub accuracy_median_m: f64,
    /// Median distance from the truth to the estimate.
    pub completeness_median_m: f64,
    /// Mean of accuracy and completeness.
    pub chamfer_m: f64,
    /// Sum of both mean squared distances, square metres: Fan et al. 2017's chamfer distance.
    pub chamfer_squared_m2: f64,
    /// F-scores.
    pub f_scores: Vec<ThresholdReport>,
    /// Mean absolute cosine between normals of nearest points, over both directions; `None` where a side has
    /// no normals. Mescheder et al. 2019 (Occupancy Networks), section 4.
    pub normal_consistency: Option<f64>,
    /// Points of the truth.
    pub truth_points: usize,
    /// Points of the estimate.
    pub points: usize,
}

/// Compares clouds. Symmetric up to which direction is called what.
///
/// # Errors
/// A side without points, a point or normal that is not finite, a threshold or longest distance that is not positive.
pub fn compare_clouds(
    truth: &[Surfel],
    estimate: &[Surfel],
    protocol: &CloudProtocol,
) -> Result<CloudReport, Error> {
    check(truth, estimate, protocol)?;
    let (there, back) = (Nearest::of(estimate, truth), Nearest::of(truth, estimate));
    let cut = |distances: &[f64]| -> Vec<f64> {
        let most = protocol.max_distance_m.unwrap_or(f64::INFINITY);
        distances.iter().map(|d| d.min(most)).collect()
    };
    let (to_truth, to_estimate) = (cut(&there.distances_m), cut(&back.distances_m));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let squared = |values: &[f64]| values.iter().map(|d| d * d).sum::<f64>() / values.len() as f64;
    let (accuracy_m, completeness_m) = (mean(&to_truth), mean(&to_estimate));
    let at = |&threshold_m: &f64| {
        let share = |values: &[f64]| {
            values.iter().filter(|&&d| d < threshold_m).count() as f64 / values.len() as f64
        };
        let (precision, recall) = (share(&there.distances_m), share(&back.distances_m));
        let sum = precision + recall;
        let f_score = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        ThresholdReport { threshold_m, precision, recall, f_score }
    };
    Ok(CloudReport {
        accuracy_m,
        completeness_m,
        accuracy_median_m: median(&to_truth),
        completeness_median_m: median(&to_estimate),
        chamfer_m: (accuracy_m + completeness_m) / 2.0,
        chamfer_squared_m2: squared(&to_truth) + squared(&to_estimate),
        f_scores: protocol.thresholds_m.iter().map(at).collect(),
        normal_consistency: there.cosine.zip(back.cosine).map(|(a, b)| (a + b) / 2.0),
        truth_points: truth.len(),
        points: estimate.len(),
    })
}

fn check(truth: &[Surfel], estimate: &[Surfel], protocol: &CloudProtocol) -> Result<(), Error> {
    if let Some(bad) = protocol.thresholds_m.iter().find(|t| !(**t > 0.0 && t.is_finite())) {
        let what = format!("threshold {bad} m must be positive");
        return Err(Error::Protocol { name: "cloud".to_owned(), what });
    }
    // At 0 every distance would count as 0, and any cloud would be perfect.
    if let Some(bad) = protocol.max_distance_m.filter(|most| !(*most > 0.0 && most.is_finite())) {
        let what = format!("the longest distance is {bad} m; it must be positive");
        return Err(Error::Protocol { name: "cloud".to_owned(), what });
    }
    for (side, cloud) in [("truth", truth), ("prediction", estimate)] {
        if cloud.is_empty() {
            return Err(Error::row(side, "cloud", "has no points"));
        }
        let is_bad = |s: &Surfel| {
            let normal = s.normal.unwrap_or_default();
            s.position_m.iter().chain(&normal).any(|x| !x.is_finite())
        };
        if let Some(row) = cloud.iter().position(is_bad) {
            return Err(Error::row(side, format!("point {row}"), "is not finite"));
        }
    }
    Ok(())
}

/// From each point of one cloud to the nearest of the other.
struct Nearest {
    distances_m: Vec<f64>,
    /// Mean absolute cosine of the normals.
    cosine: Option<f64>,
}

impl Nearest {
    fn of(from: &[Surfel], onto: &[Surfel]) -> Self {
        let tree = KdTree::new(&onto.iter().map(|s| s.position_m).collect::<Vec<_>>());
        let found: Vec<(f64, Option<f64>)> = from
            .par_iter()
            .map(|surfel| {
                let (index, squared) =
                    tree.nearest(&surfel.position_m).expect("the cloud was checked to have points");
                let pair = surfel.normal.zip(onto[index].normal);
                let cosine = pair.map(|(n, m)| (0..3).map(|i| n[i] * m[i]).sum::<f64>().abs());
                (squared.sqrt(), cosine)
            })
            .collect();
        let cosines: Option<Vec<f64>> = found.iter().map(|(_, cosine)| *cosine).collect();
        Self {
            distances_m: found.iter().map(|(distance, _)| *distance).collect(),
            cosine: cosines.map(|all| all.iter().sum::<f64>() / all.len() as f64),
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cloud() -> impl Strategy<Value = Vec<Surfel>> {
        let surfel =
            (proptest::array::uniform3(-2.0..2.0f64), 0.0..6.0f64).prop_map(|(p, turn)| Surfel {
                position_m: p,
                normal: Some([turn.cos(), turn.sin(), 0.0]),
            });
        proptest::collection::vec(surfel, 1..60)
    }

    proptest! {
        #[test]
        fn symmetric_and_exact_with_itself(a in cloud(), b in cloud()) {
            let protocol = CloudProtocol::default();
            let same = compare_clouds(&a, &a, &protocol).unwrap();
            prop_assert_eq!((same.chamfer_m, same.f_scores[0].f_score), (0.0, 1.0));
            prop_assert!((same.normal_consistency.unwrap() - 1.0).abs() < 1e-12);
            let (ab, ba) = (compare_clouds(&a, &b, &protocol), compare_clouds(&b, &a, &protocol));
            let (ab, ba) = (ab.unwrap(), ba.unwrap());
            prop_assert_eq!((ab.accuracy_m, ab.chamfer_m), (ba.completeness_m, ba.chamfer_m));
            prop_assert_eq!(ab.normal_consistency, ba.normal_consistency);
            for (f, g) in ab.f_scores.iter().zip(&ba.f_scores) {
                prop_assert_eq!((f.precision, f.f_score), (g.recall, g.f_score));
            }
        }

        #[test]
        fn a_point_far_off_never_helps(a in cloud(), mut b in cloud()) {
            let protocol = CloudProtocol::default();
            let before = compare_clouds(&a, &b, &protocol).unwrap();
            b.push(Surfel { position_m: [50.0; 3], normal: None });
            let after = compare_clouds(&a, &b, &protocol).unwrap();
            prop_assert!(after.accuracy_m >= before.accuracy_m);
            prop_assert!(after.f_scores[2].f_score <= before.f_scores[2].f_score);
            prop_assert_eq!(after.normal_consistency, None);
        }
    }

    #[test]
    fn by_hand() {
        let at = |x: f64| Surfel { position_m: [x, 0.0, 0.0], normal: None };
        let protocol = CloudProtocol { thresholds_m: vec![0.5], max_distance_m: Some(3.0) };
        let report = compare_clouds(&[at(0.0), at(1.0)], &[at(0.25), at(9.0)], &protocol).unwrap();
        assert_eq!((report.accuracy_m, report.completeness_m), (1.625, 0.5));
        assert_eq!(report.f_scores[0].precision, 0.5);
        assert_eq!(report.f_scores[0].recall, 0.5);
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let good = [Surfel::default()];
        let bad = [good[0], Surfel { position_m: [f64::NAN; 3], normal: None }];
        let protocol = CloudProtocol::default();
        let message =
            |a: &[Surfel], b: &[Surfel]| compare_clouds(a, b, &protocol).unwrap_err().to_string();
        assert!(message(&good, &[]).contains("prediction cloud: has no points"));
        assert!(message(&bad, &good).contains("truth point 1: is not finite"));
    }
}
