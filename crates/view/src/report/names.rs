//! What people call the figures that `omma eval` prints.

/// Names of keys, without their units.
const NAMES: &[(&str, &str)] = &[
    ("abs_rel", "relative error"),
    ("aligned", "aligned by"),
    ("ate_max_m", "absolute trajectory error, largest"),
    ("ate_mean_m", "absolute trajectory error, mean"),
    ("ate_median_m", "absolute trajectory error, median"),
    ("ate_rmse_m", "absolute trajectory error, RMSE"),
    ("d1", "D1, estimated pixels"),
    ("d1_all", "D1, all pixels"),
    ("delta1", "within a factor of 1.25"),
    ("delta2", "within a factor of 1.25²"),
    ("delta3", "within a factor of 1.25³"),
    ("density", "share of pixels with depth"),
    ("drivable_iou", "IoU of drivable ground"),
    ("end_drift_percent", "drift at the end, of the path"),
    ("estimate_poses", "estimated poses"),
    ("estimated", "pixels with depth"),
    ("focal_baseline_px_m", "focal length times baseline"),
    ("free_violation_rate", "free voxels with a return"),
    ("free_voxels", "free voxels"),
    ("independent", "truth had no part in the labels"),
    ("iou", "IoU of occupied voxels"),
    ("lidar_hit_rate", "returns in or next to an occupied voxel"),
    ("mae_m", "mean error of height"),
    ("miou", "mean IoU over classes"),
    ("observed_voxels", "observed voxels"),
    ("p95_m", "error of height, 95th percentile"),
    ("pairs", "poses compared"),
    ("path_m", "length of the path"),
    ("points", "points compared"),
    ("r_rel_deg_per_100m", "rotation error over 100 to 800 m"),
    ("range_m", "range"),
    ("refuted_rate", "voxels with returns that were called free"),
    ("resampled", "labels looked up on the truth's grid"),
    ("returns", "lidar returns"),
    ("rmse_log", "RMSE of the logarithm"),
    ("rmse_m", "RMSE"),
    ("rpe_rot_deg", "relative pose error, rotation"),
    ("rpe_trans_m", "relative pose error, translation"),
    ("scale", "scale of the alignment"),
    ("sq_rel", "squared relative error"),
    ("t_rel_percent", "translation error over 100 to 800 m"),
    ("truth", "compared with"),
    ("truth_poses", "true poses"),
];

/// The name of a key; of one that is not known, its words.
pub(super) fn name_of(key: &str) -> String {
    if let Some(class) = key.strip_prefix("per_class.") {
        return format!("IoU of {}", class.replace('_', " "));
    }
    if let Some(range) = key.strip_prefix("ray_iou.") {
        return format!("IoU along rays, within {}", range.replace('m', " m"));
    }
    match NAMES.binary_search_by(|(known, _)| known.cmp(&key)) {
        Ok(found) => NAMES[found].1.to_owned(),
        Err(_) => key.replace(['_', '.'], " "),
    }
}

/// Units by the naming of `omma eval`'s keys.
pub(super) fn unit_of(key: &str) -> &'static str {
    const BY_SUFFIX: [(&str, &str); 8] = [
        ("_deg_per_100m", "deg/100 m"),
        ("_percent", "%"),
        ("_px_m", "px m"),
        ("_deg", "deg"),
        ("_m", "m"),
        ("_s", "s"),
        ("_px", "px"),
        ("sq_rel", "m"),
    ];
    BY_SUFFIX.iter().find(|(suffix, _)| key.ends_with(suffix)).map_or("", |&(_, unit)| unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0), "they are searched by halving");
        for (key, expected) in [
            ("d1_all", "D1, all pixels"),
            ("per_class.traffic_light", "IoU of traffic light"),
            ("ray_iou.2m", "IoU along rays, within 2 m"),
            ("some.new_figure", "some new figure"),
        ] {
            assert_eq!(name_of(key), expected);
        }
    }
}
