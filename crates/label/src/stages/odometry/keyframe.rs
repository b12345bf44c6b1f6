//! What happens at a keyframe: sightings are recorded, new points found and triangulated, and the
//! window adjusted.

use nalgebra::Vector3;
use ommatidia_geometry::{Pose, World};
use ommatidia_kernels::flow::{Corner, CornerOptions, corners};
use rayon::prelude::*;

use super::adjust::Adjuster;
use super::follow::{Follower, Partnered};
use super::ground;
use super::roles::Roles;
use super::shutter;
use super::state::{Depth, Sighting, State, Track};
use super::triangulate::{Again, triangulate};
use super::view::{Views, inverse_distance_from, landmark_at, ray, to_point};

/// A point is measured once its inverse distance is this precise, as a share of itself,
const MAX_RELATIVE_SIGMA: f64 = 0.25;
/// or absolutely, 1/m: points beyond some hundred metres still fix the rotation.
const MAX_SIGMA: f64 = 0.004;
/// A triangulated point's sightings may be this far from it, pixels.
const MAX_WORST_PX: f64 = 1.5;
/// Assumed distance where nothing is known and the ground is out of sight, metres.
const ASSUMED_M: f64 = 30.0;
/// Keyframes at which partners' images are searched for a point of unknown distance.
const MAX_SEARCHES: usize = 3;
/// Corners found per cell, so that one is left where tracks are near others.
const CORNERS_PER_CELL: usize = 3;
/// Distance of corners from the image's rim, pixels.
const BORDER_PX: usize = 8;

/// Works on the state at a keyframe.
pub(super) struct Keyframer<'a> {
    pub follower: Follower<'a>,
    pub roles: &'a Roles,
    pub adjuster: Adjuster<'a>,
}

impl Keyframer<'_> {
    /// Finishes the newest keyframe, whose sightings by hosts are recorded already.
    pub(super) fn complete(&self, state: &mut State, views: &Views) {
        self.add_partners(state, views);
        self.add_points(state, views);
        self.measure(state);
        self.adjust_window(state);
        self.retire(state);
    }

    fn newest(state: &State) -> u32 {
        state.keyframes.len() as u32 - 1
    }

    /// Sightings of followed points by partner cameras.
    fn add_partners(&self, state: &mut State, views: &Views) {
        let world_from_ego = state.keyframes[Self::newest(state) as usize].world_from_ego;
        let newest = Self::newest(state);
        let seen: Vec<Vec<Partnered>> = state
            .tracks
            .par_iter()
            .map(|track| {
                let host = usize::from(track.host);
                let Some(view) = views[host].as_ref() else { return Vec::new() };
                let world_from_camera = world_from_ego * view.ego_from_camera;
                let known = (track.depth == Depth::Measured)
                    .then(|| inverse_distance_from(&track.landmark, &world_from_camera));
                // What a partner did not show at once it seldom shows later.
                if known.is_none() && track.sightings.len() > MAX_SEARCHES {
                    return Vec::new();
                }
                let partners = &self.roles.partners[host];
                self.follower.partners(views, (host, track.pixel), partners, known)
            })
            .collect();
        for (track, seen) in state.tracks.iter_mut().zip(seen) {
            for partnered in seen {
                state.partnered += 1;
                track.sightings.push(sighting(newest, &partnered));
            }
        }
    }

    /// New points where none is followed.
    fn add_points(&self, state: &mut State, views: &Views) {
        for &host in &self.roles.hosts {
            let Some(view) = views[host].as_ref() else { continue };
            let level = &view.pyramid.levels[0];
            let area = (level.width * level.height) as f64;
            let wanted = self.follower.config.features_per_camera as f64;
            let cell_px = (area / wanted).sqrt().ceil() as usize;
            let options = CornerOptions {
                cell_px,
                per_cell: CORNERS_PER_CELL,
                min_strength: self.follower.config.min_strength,
                border_px: BORDER_PX,
            };
            let found = corners(self.follower.simd, level, &options);
            let mut taken = Taken::new(level.width, level.height, cell_px);
            state
                .tracks
                .iter()
                .filter(|t| usize::from(t.host) == host)
                .for_each(|t| taken.add(t.pixel));
            let fresh: Vec<Corner> = found
                .into_iter()
                .filter_map(|cell| cell.into_iter().find(|corner| taken.is_free(corner.position)))
                .collect();
            self.start(state, views, host, &fresh);
        }
    }

    fn start(&self, state: &mut State, views: &Views, host: usize, fresh: &[Corner]) {
        let Some(view) = views[host].as_ref() else { return };
        let newest = Self::newest(state);
        let world_from_ego = state.keyframes[newest as usize].world_from_ego;
        let intrinsics = &self.follower.rig.cameras[host].intrinsics;
        let partners = &self.roles.partners[host];
        let started: Vec<Option<Track>> = fresh
            .par_iter()
            .map(|corner| {
                let pixel = corner.position;
                let seen = self.follower.partners(views, (host, pixel), partners, None);
                let distance =
                    seen.iter().map(|p| p.distance).min_by(|a, b| a.sigma.total_cmp(&b.sigma));
                let measured = distance.filter(|d| self.is_precise(d.inverse, d.sigma));
                let towards = view.ego_from_camera.rotate(&ray(intrinsics, pixel)?);
                let inverse = distance.map_or_else(
                    || assumed_inverse_distance(&view.ego_from_camera.translation, &towards),
                    |d| d.inverse,
                );
                let depth = if measured.is_some() { Depth::Measured } else { Depth::Guessed };
                let mount = self.follower.mount(host, view, pixel);
                let world_from_camera = world_from_ego * mount;
                let landmark = landmark_at(intrinsics, &world_from_camera, pixel, inverse)?;
                let own = Sighting { keyframe: newest, camera: host as u16, pixel };
                let sightings =
                    std::iter::once(own).chain(seen.iter().map(|p| sighting(newest, p))).collect();
                Some(Track { host: host as u16, pixel, landmark, depth, sightings })
            })
            .collect();
        for track in started.into_iter().flatten() {
            state.partnered += track.sightings.len() as u64 - 1;
            state.tracks.push(track);
        }
    }

    fn is_precise(&self, inverse: f64, sigma: f64) -> bool {
        let sigma = sigma * self.follower.config.sigma_px;
        sigma <= MAX_SIGMA || sigma <= MAX_RELATIVE_SIGMA * inverse
    }

    /// Triangulates points whose distance is only guessed, from all their sightings.
    fn measure(&self, state: &mut State) {
        let rig = self.follower.rig;
        let keyframes = &state.keyframes;
        let world_from_camera = |s: &Sighting| shutter::world_from_camera(rig, keyframes, s);
        state.tracks.par_iter_mut().filter(|t| t.depth == Depth::Guessed).for_each(|track| {
            let Some((first, rest)) = track.sightings.split_first() else { return };
            if rest.is_empty() {
                return;
            }
            let world_from_first: Pose<World, _> = world_from_camera(first);
            let again: Vec<Again<'_>> = rest
                .iter()
                .map(|s| Again {
                    intrinsics: &rig.cameras[usize::from(s.camera)].intrinsics,
                    here_from_first: world_from_camera(s).inverse() * world_from_first,
                    pixel: to_point(s.pixel),
                })
                .collect();
            let own = &rig.cameras[usize::from(first.camera)].intrinsics;
            let start = inverse_distance_from(&track.landmark, &world_from_first);
            let starts = [start, 0.3, 0.05, 0.005];
            let solved = starts
                .iter()
                .filter_map(|&start| triangulate((own, first.pixel), &again, start))
                .min_by(|a, b| a.worst_px.total_cmp(&b.worst_px));
            let Some(distance) = solved else { return };
            let plausible = distance.worst_px <= MAX_WORST_PX
                && distance.inverse > -2.0 * distance.sigma
                && distance.inverse < 2.0;
            if plausible && self.is_precise(distance.inverse, distance.sigma) {
                let landmark = landmark_at(own, &world_from_first, first.pixel, distance.inverse);
                if let Some(landmark) = landmark {
                    track.landmark = landmark;
                    track.depth = Depth::Measured;
                }
            }
        });
    }

    fn adjust_window(&self, state: &mut State) {
        let config = self.follower.config;
        let end = state.keyframes.len();
        let start = end.saturating_sub(config.window);
        let held = if start == 0 { 1 } else { config.held };
        if end - start >= 2 {
            if self.adjuster.ground_slope.is_some() {
                ground::hold_scale(self.follower.rig, state, start);
            }
            let mut tracks: Vec<&mut Track> =
                state.ended.iter_mut().chain(state.tracks.iter_mut()).collect();
            self.adjuster.adjust(&mut state.keyframes, start..end, held, &mut tracks, 8);
        }
    }

    /// Ends points that lost their newest sighting, and files those the window has left behind.
    fn retire(&self, state: &mut State) {
        let newest = Self::newest(state);
        let tracks = std::mem::take(&mut state.tracks);
        for track in tracks {
            let current = |s: &Sighting| s.keyframe == newest && s.camera == track.host;
            if track.sightings.iter().any(current) {
                state.tracks.push(track);
            } else if track.sightings.len() >= 2 && track.depth == Depth::Measured {
                state.ended.push(track);
            }
        }
        let start = state.keyframes.len().saturating_sub(self.follower.config.window) as u32;
        let inside = |t: &Track| t.sightings.last().is_some_and(|s| s.keyframe >= start);
        let (kept, mut left): (Vec<Track>, Vec<Track>) =
            std::mem::take(&mut state.ended).into_iter().partition(inside);
        state.ended = kept;
        left.sort_by_key(|track| std::cmp::Reverse(track.sightings.len()));
        left.truncate(self.follower.config.smoothing_points);
        state.archive.extend(left.into_iter().filter(|track| track.sightings.len() >= 3));
    }
}

fn sighting(keyframe: u32, partnered: &Partnered) -> Sighting {
    Sighting { keyframe, camera: partnered.camera as u16, pixel: partnered.pixel }
}

/// One over the distance to flat ground along a ray, or to something far where it does not meet it.
/// `camera`, `towards` in the ego frame, whose origin is on the ground.
fn assumed_inverse_distance(camera: &Vector3<f64>, towards: &Vector3<f64>) -> f64 {
    let descending = -towards.z;
    if camera.z > 0.2 && descending > camera.z / (2.0 * ASSUMED_M) {
        descending / camera.z
    } else {
        1.0 / ASSUMED_M
    }
}

/// Where points are followed already.
struct Taken {
    columns: usize,
    cell_px: f32,
    cells: Vec<Vec<[f32; 2]>>,
}

impl Taken {
    fn new(width: usize, height: usize, cell_px: usize) -> Self {
        let (columns, rows) = (width.div_ceil(cell_px), height.div_ceil(cell_px));
        Self { columns, cell_px: cell_px as f32, cells: vec![Vec::new(); columns * rows] }
    }

    fn cell(&self, pixel: [f32; 2]) -> (usize, usize) {
        let rows = self.cells.len() / self.columns;
        let column = ((pixel[0] / self.cell_px).max(0.0) as usize).min(self.columns - 1);
        (column, ((pixel[1] / self.cell_px).max(0.0) as usize).min(rows - 1))
    }

    fn add(&mut self, pixel: [f32; 2]) {
        let (column, row) = self.cell(pixel);
        self.cells[row * self.columns + column].push(pixel);
    }

    /// No followed point is nearer than about half a cell.
    fn is_free(&self, pixel: [f32; 2]) -> bool {
        let (column, row) = self.cell(pixel);
        let rows = self.cells.len() / self.columns;
        let near = |p: &[f32; 2]| (p[0] - pixel[0]).hypot(p[1] - pixel[1]) < 0.55 * self.cell_px;
        (row.saturating_sub(1)..=(row + 1).min(rows - 1)).all(|row| {
            (column.saturating_sub(1)..=(column + 1).min(self.columns - 1))
                .all(|column| !self.cells[row * self.columns + column].iter().any(near))
        })
    }
}
