//! What people call the scores of a training.

/// A score, `task.score`, as people call it.
pub(super) fn words(name: &str) -> String {
    let known = [
        ("miou", "mean IoU over classes"),
        ("iou", "IoU, occupied or free"),
        ("map", "mean average precision"),
        ("mate_m", "centre distance error, m"),
        ("mase", "size error, 1 - IoU"),
        ("maoe_rad", "heading error, rad"),
        ("mave_m_s", "velocity error, m/s"),
        ("depth_delta1", "depth within a factor of 1.25"),
        ("depth_abs_rel", "depth, relative error"),
        ("depth_rmse_m", "depth, RMSE, m"),
        ("drivable_iou", "IoU of drivable ground"),
        ("height_mae_m", "height error, mean, m"),
        ("height_rmse_m", "height error, RMSE, m"),
        ("height_p95_m", "height error, 95th percentile, m"),
        ("height_coverage", "share of cells with a height"),
        ("surface_miou", "mean IoU over kinds of ground"),
        ("flow_explained", "motion explained"),
        ("flow_error_m_s", "velocity error of moving voxels, m/s"),
        ("flow_found", "moving voxels found"),
        ("lane_f_at_1m", "centrelines, F-score at 1 m"),
        ("lane_precision", "centrelines, precision"),
        ("lane_recall", "centrelines, recall"),
        ("lane_chamfer_m", "centrelines, chamfer distance, m"),
        ("pixel_accuracy", "pixels right"),
    ];
    let score = name.split_once('.').map_or(name, |(_, score)| score);
    if let Some((_, text)) = known.iter().find(|(key, _)| *key == score) {
        return (*text).to_owned();
    }
    let class = score.strip_prefix("iou_class_").or_else(|| score.strip_prefix("ap_class_"));
    class.unwrap_or(score).replace('_', " ")
}

/// A number as short as it may be to be told from another.
pub(super) fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
