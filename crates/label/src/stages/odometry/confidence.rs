//! How far a frame's pose can be trusted, from 0 to 1.

use super::motion::Motion;

/// Points that agree, at which their number is no reason for doubt any more.
const PLENTY: f64 = 80.0;
/// Share of followed points that agree: below the first nothing is trusted, above the second all.
const SHARE: (f64, f64) = (0.2, 0.7);
/// Standard deviation of a frame's position, metres, and orientation, radians, at which trust is
/// half gone.
const HALF: (f64, f64) = (0.1, 0.005);
/// Of a frame whose motion was measured from `followed` points.
pub(super) fn of_motion(motion: &Motion, followed: usize) -> f32 {
    let number = (motion.count as f64 / PLENTY).min(1.0);
    let share = motion.count as f64 / followed.max(1) as f64;
    let share = ((share - SHARE.0) / (SHARE.1 - SHARE.0)).clamp(0.0, 1.0);
    let spread =
        |from: usize| (from..from + 3).map(|i| motion.covariance[(i, i)]).fold(0.0, f64::max);
    let precision = |variance: f64, half: f64| 1.0 / (1.0 + variance / (half * half));
    let precise = precision(spread(0), HALF.0) * precision(spread(3), HALF.1);
    (number * share * precise) as f32
}

/// Of the clip's first frame. It is where the world begins, so only the number of points counts.
pub(super) fn of_start(measured: usize) -> f32 {
    (measured as f64 / PLENTY).min(1.0) as f32
}

/// Of a clip: the mean, held down by its worst tenth, since a path is as good as its weakest part.
pub(super) fn of_clip(frames: &[f32]) -> f32 {
    if frames.is_empty() {
        return 0.0;
    }
    let mut sorted = frames.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let mean = |values: &[f32]| {
        (values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64) as f32
    };
    let worst = mean(&sorted[..sorted.len().div_ceil(10)]);
    (mean(&sorted) * worst).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Matrix6;
    use ommatidia_geometry::Pose;

    fn motion(count: usize, sigma: f64) -> Motion {
        Motion {
            world_from_ego: Pose::identity(),
            inliers: Vec::new(),
            count,
            covariance: Matrix6::identity() * sigma * sigma,
        }
    }

    #[test]
    fn falls_with_number_share_and_precision() {
        let good = of_motion(&motion(300, 1e-4), 320);
        assert!(good > 0.95, "{good}");
        assert!(of_motion(&motion(20, 1e-4), 22) < 0.3);
        assert!(of_motion(&motion(100, 1e-4), 400) < 0.15);
        assert!(of_motion(&motion(300, 0.1), 320) < 0.1);
    }

    #[test]
    fn a_clip_is_held_down_by_its_worst_part() {
        assert_eq!(of_clip(&[]), 0.0);
        assert!((of_clip(&[0.9; 20]) - 0.9).abs() < 1e-6);
        let mut frames = vec![0.9; 20];
        frames[3] = 0.0;
        frames[4] = 0.0;
        assert_eq!(of_clip(&frames), 0.0);
    }
}
