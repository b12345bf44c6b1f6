//! When and where each pixel was exposed, for cameras with a rolling shutter.
//!
//! An image's lines are exposed one after the other while the vehicle moves on, so each sighting has
//! a mounting of its own: that of the camera at its line's time, in the ego frame at the frame's
//! time. Hedborg, Forssén, Felsberg and Ringaby 2012, *Rolling shutter bundle adjustment*.

use nalgebra::Vector6;
use ommatidia_geometry::camera::RollingShutter;
use ommatidia_geometry::{Camera, Ego, Pose, World};
use ommatidia_scene::{CameraSensor, Rig, Shutter};

use super::state::{Keyframe, Sighting};
use super::view::to_point;

/// Whether a camera's lines are exposed at different times.
pub(super) fn is_rolling(camera: &CameraSensor) -> bool {
    matches!(camera.shutter, Shutter::Rolling { .. })
}

/// Where a camera was when a pixel was exposed, in the ego frame at the frame's time. `mounted`: at
/// the middle of its exposure; `velocity`: of the vehicle, right tangent per second.
pub(super) fn mount_at(
    camera: &CameraSensor,
    mounted: Pose<Ego, Camera>,
    velocity: &Vector6<f64>,
    pixel: [f32; 2],
) -> Pose<Ego, Camera> {
    let Shutter::Rolling { readout_ns, direction } = camera.shutter else { return mounted };
    let shutter = RollingShutter {
        readout: readout_ns,
        direction,
        width: camera.width,
        height: camera.height,
    };
    let later: Pose<Ego, Ego> = Pose::exp(&(velocity * shutter.offset_s(&to_point(pixel))));
    later * mounted
}

/// The vehicle's velocity at a keyframe, right tangent per second, from the keyframes next to it;
/// zero where nothing connects it to one.
pub(super) fn velocity(keyframes: &[Keyframe], index: usize) -> Vector6<f64> {
    let this = &keyframes[index];
    let before = index.checked_sub(1).map(|i| &keyframes[i]).filter(|_| !this.restarted);
    let after = keyframes.get(index + 1).filter(|after| !after.restarted);
    let (from, to) = (before.unwrap_or(this), after.unwrap_or(this));
    let elapsed_s = (to.timestamp - from.timestamp).as_secs_f64();
    if elapsed_s <= 0.0 {
        return Vector6::zeros();
    }
    (from.world_from_ego.inverse() * to.world_from_ego).log() / elapsed_s
}

/// Where the camera of a sighting was when it saw its point, in the ego frame of the keyframe.
pub(super) fn mount_of(rig: &Rig, keyframes: &[Keyframe], seen: &Sighting) -> Pose<Ego, Camera> {
    let (index, number) = (seen.keyframe as usize, usize::from(seen.camera));
    let camera = &rig.cameras[number];
    let mounted = keyframes[index].mounts.get(number).copied().unwrap_or(camera.ego_from_camera);
    if !is_rolling(camera) {
        return mounted;
    }
    mount_at(camera, mounted, &velocity(keyframes, index), seen.pixel)
}

/// As [`mount_of`], in the world.
pub(super) fn world_from_camera(
    rig: &Rig,
    keyframes: &[Keyframe],
    seen: &Sighting,
) -> Pose<World, Camera> {
    keyframes[seen.keyframe as usize].world_from_ego * mount_of(rig, keyframes, seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Matrix3, Point3, UnitQuaternion, Vector3};
    use ommatidia_geometry::bundle::Landmark;
    use ommatidia_geometry::camera::{Pinhole, ReadoutDirection, project_rolling};
    use ommatidia_geometry::ransac::Random;
    use ommatidia_geometry::{Duration, Intrinsics, Timestamp};

    use super::super::OdometryConfig;
    use super::super::adjust::Adjuster;
    use super::super::state::{Depth, State, Track};

    const COUNT: usize = 24;
    const STEP_S: f64 = 0.1;
    const READOUT: Duration = Duration(30_000_000);

    fn rig(shutter: Shutter) -> Rig {
        let axes = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
        let camera = |(name, y_m): (&str, f64)| CameraSensor {
            name: name.into(),
            width: 1200,
            height: 400,
            intrinsics: Intrinsics::Pinhole(Pinhole { fx: 700.0, fy: 700.0, cx: 600.0, cy: 200.0 }),
            ego_from_camera: Pose::new(
                UnitQuaternion::from_matrix(&axes),
                Vector3::new(1.0, y_m, 1.6),
            ),
            shutter,
        };
        Rig { cameras: [("left", 0.25), ("right", -0.25)].map(camera).into(), ..Rig::default() }
    }

    /// Faster and faster round bends that change their side, m and s.
    fn truth(time_s: f64) -> Pose<World, Ego> {
        let along = 8.0 * time_s + 2.0 * time_s * time_s;
        let yaw = 0.3 * (1.5 * time_s).sin();
        let rotation = UnitQuaternion::from_euler_angles(0.0, 0.01 * (9.0 * time_s).sin(), yaw);
        Pose::new(rotation, Vector3::new(along, 2.0 * (0.8 * time_s).sin(), 0.0))
    }

    /// Keyframes off their true poses, and points as a rolling shutter sees them.
    fn seen() -> State {
        let rolling =
            rig(Shutter::Rolling { readout_ns: READOUT, direction: ReadoutDirection::TopToBottom });
        let mut random = Random::new(11);
        let keyframe = |i: usize| {
            let off = Vector6::new(0.03, -0.02, 0.02, 0.002, -0.002, 0.003) * (i as f64).sin();
            let world_from_ego = truth(i as f64 * STEP_S);
            Keyframe {
                frame: i as u32,
                timestamp: Timestamp((i as f64 * STEP_S * 1e9) as i64),
                world_from_ego: if i == 0 { world_from_ego } else { world_from_ego.retract(&off) },
                mounts: Vec::new(),
                restarted: false,
                prior: None,
                fix: None,
            }
        };
        let mut tracks = Vec::new();
        for _ in 0..900 {
            let mut around = |half: f64| half * (2.0 * random.uniform() - 1.0);
            let p = Point3::new(35.0 + around(35.0), around(15.0), 1.5 + around(2.5));
            let mut sightings = Vec::new();
            for keyframe in 0..COUNT as u32 {
                for (camera, sensor) in rolling.cameras.iter().enumerate() {
                    let Shutter::Rolling { readout_ns: readout, direction } = sensor.shutter else {
                        continue;
                    };
                    let (width, height) = (sensor.width, sensor.height);
                    let shutter = RollingShutter { readout, direction, width, height };
                    let time_s = f64::from(keyframe) * STEP_S;
                    let camera_at = |late_s: f64| truth(time_s + late_s) * sensor.ego_from_camera;
                    let found = project_rolling(&sensor.intrinsics, &shutter, camera_at, &p);
                    let Some((pixel, _)) = found else { continue };
                    let inside = (0.0..f64::from(width)).contains(&pixel.x)
                        && (0.0..f64::from(height)).contains(&pixel.y);
                    if inside {
                        let pixel = [pixel.x as f32, pixel.y as f32];
                        sightings.push(Sighting { keyframe, camera: camera as u16, pixel });
                    }
                }
            }
            if sightings.len() >= 4 {
                let anchor = truth(f64::from(sightings[0].keyframe) * STEP_S).translation.into();
                let landmark = Landmark::from_point(anchor, p).unwrap();
                let pixel = sightings[0].pixel;
                let depth = Depth::Measured;
                tracks.push(Track { host: 0, pixel, landmark, depth, sightings });
            }
        }
        State { keyframes: (0..COUNT).map(keyframe).collect(), tracks, ..State::default() }
    }

    /// Largest errors of position, metres, and of orientation, radians, after adjustment.
    fn errors(shutter: Shutter) -> (f64, f64) {
        let mut state = seen();
        state.partnered = 1000 * COUNT as u64;
        let (rig, config) = (rig(shutter), OdometryConfig { sigma_px: 1.0, ..Default::default() });
        let adjuster = Adjuster::new(&rig, &config, &state);
        let State { keyframes, tracks, .. } = &mut state;
        for _ in 0..4 {
            let mut all: Vec<&mut Track> = tracks.iter_mut().collect();
            adjuster.adjust(keyframes, 0..COUNT, 1, &mut all, 20).unwrap();
        }
        let worst = |(metres, radians): (f64, f64), (i, k): (usize, &Keyframe)| {
            let off = truth(i as f64 * STEP_S).inverse() * k.world_from_ego;
            (metres.max(off.translation.norm()), radians.max(off.rotation.angle()))
        };
        keyframes.iter().enumerate().fold((0.0, 0.0), worst)
    }

    #[test]
    fn lines_at_their_own_times_place_a_fast_vehicle() {
        let rolling = errors(Shutter::Rolling {
            readout_ns: READOUT,
            direction: ReadoutDirection::TopToBottom,
        });
        let global = errors(Shutter::Global);
        println!("rolling: {rolling:?}, taken as global: {global:?}");
        assert!(rolling.0 < 0.01 && rolling.1 < 5e-4, "{rolling:?}");
        assert!(global.0 > 5.0 * rolling.0, "{global:?} against {rolling:?}");
    }
}
