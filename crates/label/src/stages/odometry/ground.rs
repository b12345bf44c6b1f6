//! Scale from the known height of the cameras over the ground, for rigs that measure none.

use nalgebra::{Matrix3, Point3, Vector3};
use ommatidia_geometry::Pose;
use ommatidia_geometry::bundle::{GroundPrior, Landmark};
use ommatidia_scene::Rig;

use super::state::{Depth, Keyframe, State, Track};

/// Ground is looked for where it is seen under at least this slope: nearer than ten camera heights.
const MIN_SLOPE: f64 = 0.1;
/// Points this near to the ground belong to it, share of the camera's height.
const TOLERANCE: f64 = 0.08;
/// Width of the bin that the most common height is sought with, in its logarithm. A degree of pitch
/// changes the height of ground ten metres ahead by a tenth of a camera's.
const BIN: f64 = 0.16;
/// Points, and share of all seen below the horizon, that make a ground.
const MIN_SUPPORT: (usize, f64) = (12, 0.3);
/// The scale is set anew when it is off by more, in its logarithm; below, the priors suffice.
const MAX_OFF: f64 = 0.05;
/// Standard deviation of the ground's slope against the vehicle before it is seen, radians.
const SLOPE_SIGMA: f64 = 0.02;
/// Weight of a new keyframe in the mean slope.
const NEWS: f64 = 0.1;
/// Reweighted fits of the ground.
const FITS: usize = 10;

/// The host's position, and that of a point from it, both in the ego frame of a keyframe, if the
/// point is seen steeply enough below the horizon.
fn below(rig: &Rig, keyframe: &Keyframe, track: &Track) -> Option<(Vector3<f64>, Vector3<f64>)> {
    let host = usize::from(track.host);
    let mount = keyframe.mounts.get(host).copied();
    let camera = mount.unwrap_or(rig.cameras[host].ego_from_camera).translation;
    let in_ego = keyframe.world_from_ego.inverse() * track.landmark.point_in_world()?;
    let offset = in_ego.coords - camera;
    let steep = -offset.z > MIN_SLOPE * offset.xy().norm() && camera.z > 0.2;
    (track.depth == Depth::Measured && steep).then_some((camera, offset))
}

/// A prior that a track's point lies on the ground, if it about does. `slope`: of the ground, along
/// x and y of the vehicle; `slot`: the pose that the keyframe has in the problem.
pub(super) fn prior(
    rig: &Rig,
    keyframe: &Keyframe,
    track: &Track,
    slope: [f64; 2],
    (slot, landmark, sigma_m): (u32, u32, f64),
) -> Option<GroundPrior> {
    let (camera, offset) = below(rig, keyframe, track)?;
    let height_m = slope[0] * offset.x + slope[1] * offset.y;
    let near = (camera.z + offset.z - height_m).abs() <= TOLERANCE * camera.z;
    near.then_some(GroundPrior { pose: slot, landmark, height_m, sigma_m })
}

/// The ground under the cameras as estimated: how many times too low, and its slope along x and y.
struct Ground {
    ratio: f64,
    slope: [f64; 2],
}

/// The plane that most points below the horizon lie on.
fn fit(rig: &Rig, state: &State) -> Option<Ground> {
    let keyframe = state.keyframes.last()?;
    let all = state.tracks.iter().chain(&state.ended);
    let seen: Vec<(Vector3<f64>, Vector3<f64>)> =
        all.filter_map(|track| below(rig, keyframe, track)).collect();
    // In camera heights, below each point's own camera.
    let points: Vec<Vector3<f64>> = seen.iter().map(|(camera, offset)| offset / camera.z).collect();
    let level = most_common(points.iter().map(|p| -p.z).collect())?;
    // z = plane . (1, x, y), the slope held near that of other keyframes.
    let mut plane = Vector3::new(-level, state.slope[0], state.slope[1]);
    let mut support = 0;
    for _ in 0..FITS {
        let stiffness = (TOLERANCE * level / SLOPE_SIGMA).powi(2);
        let mut normal = Matrix3::from_diagonal(&Vector3::new(0.0, stiffness, stiffness));
        let mut right = Vector3::new(0.0, stiffness * state.slope[0], stiffness * state.slope[1]);
        support = 0;
        for p in &points {
            let row = Vector3::new(1.0, p.x, p.y);
            let off = (p.z - plane.dot(&row)) / (TOLERANCE * level);
            let weight = (1.0 - off * off).max(0.0).powi(2);
            support += usize::from(weight > 0.0);
            normal += row * row.transpose() * weight;
            right += row * (weight * p.z);
        }
        plane = normal.cholesky()?.solve(&right);
    }
    let enough = support >= MIN_SUPPORT.0 && support as f64 >= MIN_SUPPORT.1 * points.len() as f64;
    let ratio = -1.0 / plane.x;
    (enough && ratio.is_finite() && ratio > 0.0)
        .then_some(Ground { ratio, slope: [plane.y, plane.z] })
}

/// The middle of the bin, of equal width in the logarithm, that most positive values are in.
fn most_common(values: Vec<f64>) -> Option<f64> {
    let mut logs: Vec<f64> = values.into_iter().map(f64::ln).collect();
    logs.sort_unstable_by(f64::total_cmp);
    let within = |i: usize| logs[i..].partition_point(|&l| l <= logs[i] + BIN);
    let best = (0..logs.len()).max_by_key(|&i| (within(i), std::cmp::Reverse(i)))?;
    Some(logs[best + within(best) / 2].exp())
}

/// Notes whether the ground is seen at the newest keyframe, and scales the keyframes from `start`
/// and all their points where the cameras' height is clearly wrong.
pub(super) fn hold_scale(rig: &Rig, state: &mut State, start: usize) {
    let Some(Ground { ratio, slope }) = fit(rig, state) else { return };
    state.grounded += 1;
    for (mean, new) in state.slope.iter_mut().zip(slope) {
        *mean += NEWS * (new - *mean);
    }
    if ratio.ln().abs() <= MAX_OFF {
        return;
    }
    let count = rig.cameras.len() as f64;
    let lever =
        rig.cameras.iter().map(|c| c.ego_from_camera.translation).sum::<Vector3<f64>>() / count;
    let origin = (state.keyframes[start].world_from_ego * Point3::from(lever)).coords;
    let scaled = |p: Vector3<f64>| origin + (p - origin) * ratio;
    for keyframe in &mut state.keyframes[start..] {
        let centre = (keyframe.world_from_ego * Point3::from(lever)).coords;
        let turned = keyframe.world_from_ego.rotate(&lever);
        keyframe.world_from_ego =
            Pose::new(keyframe.world_from_ego.rotation, scaled(centre) - turned);
    }
    for track in state.tracks.iter_mut().chain(&mut state.ended) {
        let landmark = track.landmark;
        track.landmark = Landmark {
            anchor_in_world: scaled(landmark.anchor_in_world.coords).into(),
            inverse_distance: landmark.inverse_distance / ratio,
            ..landmark
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Unit, UnitQuaternion};
    use ommatidia_geometry::camera::Pinhole;
    use ommatidia_geometry::{Intrinsics, Timestamp};
    use ommatidia_scene::{CameraSensor, Shutter};

    const HEIGHT_M: f64 = 1.6;

    fn rig() -> Rig {
        let axes = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
        let position = Vector3::new(1.0, 0.0, HEIGHT_M);
        let camera = CameraSensor {
            name: "front".into(),
            width: 1200,
            height: 400,
            intrinsics: Intrinsics::Pinhole(Pinhole { fx: 700.0, fy: 700.0, cx: 600.0, cy: 200.0 }),
            ego_from_camera: Pose::new(UnitQuaternion::from_matrix(&axes), position),
            shutter: Shutter::Global,
        };
        Rig { cameras: vec![camera], ..Rig::default() }
    }

    /// A road of some slope with boxes beside it, all shrunk about the camera.
    fn state(shrink: f64, slope: f64) -> State {
        let camera = Vector3::new(1.0, 0.0, HEIGHT_M);
        let track = |i: usize| {
            let (ahead, aside) = (3.0 + (i % 20) as f64 * 0.5, (i / 20) as f64 - 3.0);
            let height = if i.is_multiple_of(3) { 0.3 + 0.02 * i as f64 } else { slope * ahead };
            let offset = Vector3::new(ahead, aside, height - HEIGHT_M) * shrink;
            Track {
                host: 0,
                pixel: [0.0; 2],
                landmark: Landmark {
                    anchor_in_world: camera.into(),
                    bearing_in_world: Unit::new_normalize(offset),
                    inverse_distance: 1.0 / offset.norm(),
                    fixed: false,
                },
                depth: Depth::Measured,
                sightings: Vec::new(),
            }
        };
        let keyframe = Keyframe {
            frame: 0,
            timestamp: Timestamp(0),
            world_from_ego: Pose::identity(),
            mounts: Vec::new(),
            restarted: false,
            prior: None,
            fix: None,
        };
        State {
            keyframes: vec![keyframe],
            tracks: (0..140).map(track).collect(),
            ..State::default()
        }
    }

    #[test]
    fn height_and_slope_of_the_road_are_found_beside_boxes() {
        for (shrink, slope) in [(1.0, 0.0), (0.7, 0.02), (1.4, -0.02)] {
            let found = fit(&rig(), &state(shrink, slope)).unwrap();
            let off = (found.ratio * shrink).ln().abs();
            assert!(off < 0.02, "{} instead of {}", found.ratio, 1.0 / shrink);
            assert!((found.slope[0] - slope).abs() < 0.005, "{:?}", found.slope);
        }
    }

    #[test]
    fn a_wrong_scale_is_set_right() {
        let mut state = state(0.5, 0.0);
        hold_scale(&rig(), &mut state, 0);
        let found = fit(&rig(), &state).unwrap();
        assert!(found.ratio.ln().abs() < 0.02, "{}", found.ratio);
        assert_eq!(state.grounded, 1);
    }
}
