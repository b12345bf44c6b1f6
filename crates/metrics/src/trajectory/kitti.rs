//! KITTI's odometry errors over segments.

use super::{EgoPose, path};

/// Segment lengths of the odometry benchmark, metres.
const LENGTHS_M: [f64; 8] = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0];
/// Poses between the starts of segments.
const STEP: usize = 10;

/// Mean error over all segments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmentError {
    /// Translation error in percent of the segment's length.
    pub t_rel_percent: f64,
    /// Rotation error in degrees per 100 m.
    pub r_rel_deg_per_100m: f64,
    /// Segments compared.
    pub segments: usize,
}

/// KITTI's `t_rel` and `r_rel` of paired poses; `None` where the true path is shorter than 100 m.
///
/// As `evaluate_odometry.cpp` of the official development kit: a segment of 100, 200 … 800 m starts at
/// every tenth pose and ends at the first pose that is farther along the true path.
pub fn segment_error(truth: &[EgoPose], estimate: &[EgoPose]) -> Option<SegmentError> {
    assert_eq!(truth.len(), estimate.len(), "poses are paired");
    let distances_m = path::distances_m(truth);
    let (mut translation, mut rotation_rad_per_m, mut segments) = (0.0, 0.0, 0);
    for first in (0..truth.len()).step_by(STEP) {
        for length_m in LENGTHS_M {
            let last = distances_m.partition_point(|&d| d <= distances_m[first] + length_m);
            if last == truth.len() {
                continue;
            }
            let true_motion = truth[first].inverse() * truth[last];
            let motion = estimate[first].inverse() * estimate[last];
            let error = motion.inverse() * true_motion;
            translation += error.translation.norm() / length_m;
            rotation_rad_per_m += error.rotation.angle() / length_m;
            segments += 1;
        }
    }
    let n = f64::from(segments);
    (segments > 0).then(|| SegmentError {
        t_rel_percent: 100.0 * translation / n,
        r_rel_deg_per_100m: 100.0 * (rotation_rad_per_m / n).to_degrees(),
        segments: segments as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::testing::{helix, straight};

    fn steps_of(step_m: f64, poses: usize) -> Vec<EgoPose> {
        straight(&(0..poses).map(|i| i as f64 * step_m).collect::<Vec<f64>>())
    }

    #[test]
    fn a_scale_error_is_its_own_percentage_of_the_driven_segment() {
        // 1 m steps: a "100 m" segment is the first beyond it, 101 m, and is divided by 100 m.
        let error = segment_error(&steps_of(1.0, 150), &steps_of(1.02, 150)).unwrap();
        assert!((error.t_rel_percent - 2.02).abs() < 1e-9, "{error:?}");
        assert_eq!((error.r_rel_deg_per_100m, error.segments), (0.0, 5));
    }

    #[test]
    fn too_short_has_no_value() {
        assert_eq!(segment_error(&steps_of(1.0, 101), &steps_of(1.0, 101)), None);
        assert!(segment_error(&steps_of(1.0, 102), &steps_of(1.0, 102)).is_some());
        assert_eq!(segment_error(&[], &[]), None);
    }

    #[test]
    fn identical_is_zero() {
        let path = helix(400);
        let error = segment_error(&path, &path).unwrap();
        assert!(error.t_rel_percent < 1e-12 && error.r_rel_deg_per_100m < 1e-9);
    }
}
