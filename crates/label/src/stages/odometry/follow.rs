//! Points followed from the reference keyframe's images into new ones, and between cameras.

use nalgebra::{Vector3, Vector6};
use ommatidia_geometry::{Camera, CameraModel, Ego, Intrinsics, Pose, World};
use ommatidia_kernels::flow::{LkOptions, Pyramid, Warp, correlate, track};
use ommatidia_kernels::simd::Simd;
use ommatidia_scene::Rig;
use rayon::prelude::*;

use super::config::OdometryConfig;
use super::shutter;
use super::state::{Depth, Track};
use super::triangulate::{Again, Distance, triangulate};
use super::view::{Facing, Transfer, View, Views, inverse_distance_from, ray, to_point, transfer};

/// Nearest distance at which a partner's view is searched, metres.
const NEAREST_M: f64 = 1.5;
/// Level at which epipolar lines are searched.
const SEARCH_LEVEL: usize = 1;
/// Steps of that search, pixels of the full image.
const SEARCH_STEP_PX: f64 = 2.0;
/// Best and second-best places along a line must differ by this in correlation.
const UNIQUE: f32 = 0.02;
/// Farthest that two cameras' sightings may be from a common point, pixels.
const MAX_EPIPOLAR_PX: f64 = 1.0;

/// Points this near to the vehicle's ground plane, metres, are taken to lie on ground.
const GROUND_M: f64 = 0.25;

/// What following needs to know.
pub(super) struct Follower<'a> {
    pub rig: &'a Rig,
    pub config: &'a OdometryConfig,
    pub simd: Simd,
    /// Of the vehicle at the current images, right tangent per second.
    pub velocity: Vector6<f64>,
}

/// A point's sighting by a partner of its host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partnered {
    pub camera: usize,
    pub pixel: [f32; 2],
    pub distance: Distance,
}

impl Follower<'_> {
    fn intrinsics(&self, camera: usize) -> &Intrinsics {
        &self.rig.cameras[camera].intrinsics
    }

    /// Where a camera was when a pixel was exposed, in the ego frame at the frame's time.
    pub(super) fn mount(&self, camera: usize, view: &View, pixel: [f32; 2]) -> Pose<Ego, Camera> {
        let sensor = &self.rig.cameras[camera];
        shutter::mount_at(sensor, view.ego_from_camera, &self.velocity, pixel)
    }

    /// Where each track is in the current images, `None` if it is lost or not `wanted`.
    pub(super) fn follow(
        &self,
        tracks: &[Track],
        (reference, world_from_reference): (&Views, &Pose<World, Ego>),
        (current, world_from_ego): (&Views, &Pose<World, Ego>),
        wanted: impl Fn(usize) -> bool + Sync,
    ) -> Vec<Option<[f32; 2]>> {
        let one = |(index, point): (usize, &Track)| {
            if !wanted(index) {
                return None;
            }
            let host = usize::from(point.host);
            let (before, now) = (reference[host].as_ref()?, current[host].as_ref()?);
            let world_from_before: Pose<World, Camera> =
                *world_from_reference * before.ego_from_camera;
            let now_from_before =
                (*world_from_ego * now.ego_from_camera).inverse() * world_from_before;
            let intrinsics = self.intrinsics(host);
            let inverse = inverse_distance_from(&point.landmark, &world_from_before);
            let facing = facing(point, before, world_from_reference);
            let expected =
                transfer((intrinsics, intrinsics), &now_from_before, point.pixel, inverse, facing)?;
            let guessed = point.depth == Depth::Guessed;
            let expected = if guessed { expected.undeformed() } else { expected };
            let coarsest = self.config.pyramid_levels - 1;
            self.there_and_back((before, now), point.pixel, &expected, coarsest)
        };
        tracks.par_iter().enumerate().map(one).collect()
    }

    /// Tracks to the other image and back again.
    fn there_and_back(
        &self,
        (from, to): (&View, &View),
        pixel: [f32; 2],
        expected: &Transfer,
        coarsest: usize,
    ) -> Option<[f32; 2]> {
        let options = LkOptions { coarsest, ..LkOptions::default() };
        let (from, to) = (&from.pyramid, &to.pyramid);
        let there = track(self.simd, (from, to), pixel, expected.pixel, &expected.warp, &options)?;
        if there.correlation < self.config.min_correlation {
            return None;
        }
        let options = LkOptions { coarsest: 1, ..options };
        let back = track(self.simd, (to, from), there.position, pixel, &expected.back, &options)?;
        let off = (back.position[0] - pixel[0]).hypot(back.position[1] - pixel[1]);
        (off <= self.config.max_round_trip_px).then_some(there.position)
    }

    /// Sightings of a host's point by partner cameras at the same time. `expected`: one over its
    /// distance from the host, where known; else the partners' images are searched along its ray.
    pub(super) fn partners(
        &self,
        views: &Views,
        (host, pixel): (usize, [f32; 2]),
        partners: &[usize],
        expected: Option<f64>,
    ) -> Vec<Partnered> {
        let find = |&camera: &usize| {
            let (own, other) = (views[host].as_ref()?, views[camera].as_ref()?);
            let mounted = self.mount(host, own, pixel);
            let other_from_own = other.ego_from_camera.inverse() * mounted;
            let models = (self.intrinsics(host), self.intrinsics(camera));
            let inverse = match expected {
                Some(inverse) => inverse,
                None => self.search((own, other), models, &other_from_own, pixel)?,
            };
            let start = transfer(models, &other_from_own, pixel, inverse, Facing::Camera)?;
            let coarsest = if expected.is_some() { 2 } else { 1 };
            let found = self.there_and_back((own, other), pixel, &start, coarsest)?;
            let again = Again {
                intrinsics: models.1,
                here_from_first: self.mount(camera, other, found).inverse() * mounted,
                pixel: to_point(found),
            };
            let distance = triangulate((models.0, pixel), &[again], inverse)?;
            let consistent = distance.worst_px <= MAX_EPIPOLAR_PX
                && distance.inverse > -2.0 * distance.sigma
                && distance.inverse < 1.0 / NEAREST_M;
            consistent.then_some(Partnered { camera, pixel: found, distance })
        };
        partners.iter().filter_map(find).collect()
    }

    /// The inverse distance at which the other camera's image looks most like the pixel's
    /// surroundings, if that is clear.
    fn search(
        &self,
        (own, other): (&View, &View),
        models: (&Intrinsics, &Intrinsics),
        other_from_own: &Pose<Camera, Camera>,
        pixel: [f32; 2],
    ) -> Option<f64> {
        let size = &other.pyramid.levels[0];
        let at = |inverse: f64| transfer(models, other_from_own, pixel, inverse, Facing::Camera);
        let length = match (at(0.0), at(1.0 / NEAREST_M)) {
            (Some(far), Some(near)) => {
                f64::from((near.pixel[0] - far.pixel[0]).hypot(near.pixel[1] - far.pixel[1]))
            }
            _ => (size.width + size.height) as f64,
        };
        let steps = (length / SEARCH_STEP_PX).ceil().clamp(8.0, 400.0) as usize;
        // Equal steps of inverse distance are about equal steps along the line.
        let inverse = |step: usize| step as f64 / steps as f64 / NEAREST_M;
        let bearing = ray(models.0, pixel)?;
        let place = |step: usize| {
            let moved = other_from_own.translation * inverse(step);
            let there = models.1.project(&(other_from_own.rotation * bearing + moved).into());
            there.map_or([f32::NAN; 2], |p| [p.x as f32, p.y as f32])
        };
        let places: Vec<[f32; 2]> = (0..=steps).map(place).collect();
        let warp = at(0.0).map_or(Warp::IDENTITY, |far| far.warp);
        let pyramids: (&Pyramid, &Pyramid) = (&own.pyramid, &other.pyramid);
        let levels = pyramids.0.levels.len().min(pyramids.1.levels.len());
        let level = SEARCH_LEVEL.min(levels - 1);
        let scores: Vec<f32> = correlate(self.simd, pyramids, level, (pixel, &places), &warp)
            .into_iter()
            .map(|score| score.unwrap_or(-1.0))
            .collect();
        let best = (0..=steps).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)))?;
        let rival = (0..=steps)
            .filter(|&step| step.abs_diff(best) > 3)
            .map(|step| scores[step])
            .fold(-1.0, f32::max);
        let clear =
            scores[best] >= self.config.min_correlation - 0.1 && rival < scores[best] - UNIQUE;
        clear.then(|| inverse(best))
    }
}

/// Points of the ground lie in a level plane, others are taken to face the camera.
fn facing(point: &Track, view: &View, world_from_ego: &Pose<World, Ego>) -> Facing {
    let height = point.landmark.point_in_world().map(|p| (world_from_ego.inverse() * p).z);
    let on_ground = point.depth == Depth::Measured && height.is_some_and(|z| z.abs() < GROUND_M);
    if on_ground {
        Facing::Along(view.ego_from_camera.inverse().rotate(&Vector3::z()))
    } else {
        Facing::Camera
    }
}
