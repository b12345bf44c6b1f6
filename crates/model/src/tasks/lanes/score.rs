//! How well centrelines cover centrelines.

use ommatidia_metrics::reconstruction::{CloudProtocol, Surfel, compare_clouds};
use ommatidia_scene::{GridSpec, VectorSpace};

use super::raster::{along, inside};

/// F-score, precision and recall at 1 m of points along centrelines inside the grid, and their chamfer
/// distance cut off at 10 m (Knapitsch et al. 2017, equations (4) to (6), on lines in the plane): however
/// either side cuts its lanes. Nothing without true lanes.
pub(in crate::tasks) fn scores(
    predicted: &[VectorSpace],
    truth: &[VectorSpace],
    grid: &GridSpec,
) -> Vec<(String, f64)> {
    let pairs = predicted.iter().zip(truth).filter(|(_, truth)| truth.lanes.is_some());
    let (predicted, truth): (Vec<_>, Vec<_>) = pairs.unzip();
    let (predicted, truth) = (cloud(&predicted, grid), cloud(&truth, grid));
    if truth.is_empty() {
        return Vec::new();
    }
    let names = ["lane_f_at_1m", "lane_precision", "lane_recall"].map(str::to_owned);
    if predicted.is_empty() {
        return names.into_iter().zip([0.0; 3]).collect();
    }
    let protocol = CloudProtocol { thresholds_m: vec![1.0], max_distance_m: Some(10.0) };
    let report = compare_clouds(&truth, &predicted, &protocol).expect("finite points");
    let at = report.f_scores[0];
    let mut scores: Vec<_> = names.into_iter().zip([at.f_score, at.precision, at.recall]).collect();
    scores.push(("lane_chamfer_m".to_owned(), report.chamfer_m));
    scores
}

/// Points along centrelines, half a metre apart; each moment far from the others.
fn cloud(spaces: &[&VectorSpace], grid: &GridSpec) -> Vec<Surfel> {
    const STEP_M: f32 = 0.5;
    const APART_M: f64 = 1e5;
    let mut cloud = Vec::new();
    for (i, space) in spaces.iter().enumerate() {
        let lanes = space.lanes.iter().flat_map(|graph| &graph.lanes);
        for [x, y, _] in lanes.flat_map(|lane| along(&lane.centreline_m, STEP_M)) {
            if inside(grid, [x, y]) {
                let position_m = [f64::from(x) + APART_M * i as f64, f64::from(y), 0.0];
                cloud.push(Surfel { position_m, normal: None });
            }
        }
    }
    cloud
}
