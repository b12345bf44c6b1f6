//! The measurement: points followed into a frame, and the motion they agree on.

use nalgebra::Vector6;
use ommatidia_geometry::bundle::RigCamera;
use ommatidia_geometry::{Ego, Pose, World};

use super::Odometry;
use super::account::Reason;
use super::adjust;
use super::motion::{self, Match, Motion};
use super::prepare::Predicted;
use super::shutter;
use super::state::Depth;
use super::view::{Views, to_point};

/// No road vehicle is faster, m/s.
const MAX_SPEED_M_S: f64 = 90.0;
/// Frames are at least this far apart, or no velocity is taken from them, seconds.
const SHORTEST_S: f64 = 1e-4;
/// Share of followed points that must agree on a motion.
const MIN_SHARE: f64 = 0.2;

/// Where each track is found in a frame.
pub(super) type Found = Vec<Option<[f32; 2]>>;

impl Odometry {
    /// Follows all points into the new images and finds the motion they agree on.
    pub(super) fn measure(
        &self,
        predicted: &Predicted,
        views: &Views,
    ) -> Result<(Motion, Found), Reason> {
        let state = &self.state;
        let Some(keyframe) = state.keyframes.last() else { return Err(Reason::NothingToFollow) };
        let follower = self.follower();
        let reference = (&self.reference, &keyframe.world_from_ego);
        let now = (views, &predicted.world_from_ego);
        let mut pixels = follower.follow(&state.tracks, reference, now, |_| true);
        let stood = state.last_pose().unwrap_or(keyframe.world_from_ego);
        let starts = [predicted.world_from_ego, stood];
        let rough = self.agree(&pixels, views, &starts, &predicted.velocity);
        // Points the prediction did not lead to are looked for again where the others say.
        let Ok(rough) = rough else { return rough.map(|motion| (motion, pixels)) };
        let now = (views, &rough.world_from_ego);
        let lost: Vec<bool> = pixels.iter().map(Option::is_none).collect();
        let again = follower.follow(&state.tracks, reference, now, |i| lost[i]);
        for (pixel, again) in pixels.iter_mut().zip(again) {
            *pixel = pixel.or(again);
        }
        let moved = stood.inverse() * rough.world_from_ego;
        let velocity = moved.log() / predicted.elapsed_s.max(SHORTEST_S);
        let motion = self.agree(&pixels, views, &[rough.world_from_ego], &velocity)?;
        let moved = (stood.inverse() * motion.world_from_ego).translation.norm();
        if predicted.elapsed_s > 0.0 && moved > MAX_SPEED_M_S * predicted.elapsed_s {
            return Err(Reason::NoCommonMotion);
        }
        Ok((motion, pixels))
    }

    /// The motion that followed points agree on; its inliers are indexed as the tracks. `velocity`:
    /// of the vehicle, right tangent per second, for what cameras with a rolling shutter saw.
    fn agree(
        &self,
        pixels: &[Option<[f32; 2]>],
        views: &Views,
        starts: &[Pose<World, Ego>],
        velocity: &Vector6<f64>,
    ) -> Result<Motion, Reason> {
        let tracks = &self.state.tracks;
        let found = |i: &usize| pixels[*i].is_some();
        let measured = |i: &usize| tracks[*i].depth == Depth::Measured;
        let mut chosen: Vec<usize> = (0..tracks.len()).filter(found).filter(measured).collect();
        if chosen.len() < 2 * self.config.min_inliers {
            chosen = (0..tracks.len()).filter(found).collect();
        }
        if chosen.len() < self.config.min_inliers {
            return Err(Reason::NothingToFollow);
        }
        let mounts: Vec<_> = views
            .iter()
            .zip(&self.rig.cameras)
            .map(|(view, camera)| {
                view.as_ref().map_or(camera.ego_from_camera, |v| v.ego_from_camera)
            })
            .collect();
        let mut cameras = adjust::cameras(&self.rig, &mounts);
        let matches: Vec<Match> = chosen
            .iter()
            .filter_map(|&i| {
                let (seen, landmark) = (pixels[i]?, tracks[i].landmark);
                let mut camera = usize::from(tracks[i].host);
                let sensor = &self.rig.cameras[camera];
                if shutter::is_rolling(sensor) {
                    let ego_from_camera = shutter::mount_at(sensor, mounts[camera], velocity, seen);
                    camera = cameras.len();
                    cameras.push(RigCamera { intrinsics: sensor.intrinsics, ego_from_camera });
                }
                Some(Match { camera, pixel: to_point(seen), landmark })
            })
            .collect();
        let seed = self.config.seed ^ (self.state.frames.len() as u64).wrapping_mul(0x9e37_79b9);
        let limits = (self.config.min_inliers, seed);
        let motion = motion::estimate(&cameras, &matches, starts, self.config.sigma_px, limits)
            .filter(|motion| motion.count as f64 >= MIN_SHARE * matches.len() as f64)
            .ok_or(Reason::NoCommonMotion)?;
        let mut inliers = vec![false; tracks.len()];
        chosen.iter().zip(&motion.inliers).for_each(|(&i, &agrees)| inliers[i] = agrees);
        Ok(Motion { inliers, ..motion })
    }
}
