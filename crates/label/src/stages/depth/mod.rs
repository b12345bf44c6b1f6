//! Dense depth of each camera: from stereo pairs, from motion, from lidar.

pub mod confidence;
mod config;
mod lidar;
mod pairs;
mod stereo;
mod sweep;

use ommatidia_geometry::{Camera, Lidar, Pose, Timestamp, World};
use ommatidia_kernels::simd::Simd;
use ommatidia_kernels::stereo::Sweeper;
use ommatidia_scene::{DepthMap, GrayImage, PointCloud, Rig, Skipped, Trajectory};

pub use config::DepthConfig;

use crate::Error;
use stereo::PairDepth;
use sweep::{Eye, Posed, sweep};

/// Images of one frame, one entry per camera of the rig, each at its own time.
pub type Images = [Option<(Timestamp, GrayImage)>];

/// What one step works on.
#[derive(Debug, Clone, Copy)]
pub struct DepthInput<'a> {
    /// The frame whose depth is wanted.
    pub current: &'a Images,
    /// Frames around it, nearest first. May be empty.
    pub neighbours: &'a [&'a Images],
    /// Where the vehicle was. Without it nothing is estimated from motion.
    pub trajectory: Option<&'a Trajectory>,
    /// Sweeps of this frame, one entry per lidar of the rig; empty to estimate from images alone.
    pub clouds: &'a [Option<(Timestamp, PointCloud)>],
}

/// What one step found.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthOutput {
    /// One entry per camera of the rig; `None` where nothing could be estimated.
    pub maps: Vec<Option<DepthMap>>,
    /// Cameras left out, and why.
    pub skipped: Vec<Skipped>,
}

/// The depth stage. Holds tables that follow from the rig, and scratch memory; no result depends on
/// earlier steps.
#[derive(Debug)]
pub struct Depth {
    rig: Rig,
    config: DepthConfig,
    simd: Simd,
    pairs: Vec<PairDepth>,
    eyes: Vec<Eye>,
    sweeper: Sweeper,
}

/// Neighbouring frames that a camera without a partner is swept through.
const MOST_NEIGHBOURS: usize = 2;

impl Depth {
    /// For one rig.
    ///
    /// # Errors
    /// A configuration value out of bounds, or a rig that is not usable.
    pub fn new(rig: &Rig, config: &DepthConfig) -> Result<Self, Error> {
        config.check()?;
        rig.check().map_err(|cause| Error::Rig { stage: "depth", what: cause.to_string() })?;
        let pairs = pairs::stereo_pairs(rig).into_iter();
        let pairs = pairs.map(|pair| PairDepth::new(rig, pair, config)).collect();
        Ok(Self {
            rig: rig.clone(),
            config: config.clone(),
            simd: Simd::detect(),
            pairs,
            eyes: rig.cameras.iter().map(Eye::new).collect(),
            sweeper: Sweeper::default(),
        })
    }

    /// Depth of every camera that can have one at this frame.
    pub fn step(&mut self, input: &DepthInput<'_>) -> DepthOutput {
        let mut maps = vec![None; self.rig.cameras.len()];
        let mut reasons = vec!["it delivered no image"; self.rig.cameras.len()];
        for index in 0..self.pairs.len() {
            self.match_pair(index, input, &mut maps, &mut reasons);
        }
        for camera in 0..maps.len() {
            if maps[camera].is_none() && reasons[camera] != PARTNER_SEES_IT {
                match self.sweep_camera(camera, input) {
                    Ok(map) => maps[camera] = Some(map),
                    Err(reason) => reasons[camera] = reason,
                }
            }
        }
        self.fuse_lidar(input, &mut maps);
        let skipped = maps.iter().zip(reasons).zip(&self.rig.cameras);
        let skipped = skipped.filter(|((map, _), _)| map.is_none()).map(|((_, why), camera)| {
            Skipped { what: format!("depth of {}", camera.name), why: why.to_owned(), count: 1 }
        });
        DepthOutput { skipped: skipped.collect(), maps }
    }

    /// Depth of the first camera of a pair, its left margin from the motion.
    fn match_pair(
        &mut self,
        index: usize,
        input: &DepthInput<'_>,
        maps: &mut [Option<DepthMap>],
        reasons: &mut [&'static str],
    ) {
        let pair = &mut self.pairs[index];
        let (first, second) = (pair.pair.first, pair.pair.second);
        let (Some(left), Some(right)) = (image(input, first), image(input, second)) else { return };
        let mut map = pair.step(self.simd, left, right, &self.config);
        reasons[second] = PARTNER_SEES_IT;
        let margin = pair.margin_px();
        if let Some(target) = self.posed(input.current, first, input.trajectory) {
            let views = self.margin_views(input, first, second);
            let scene = (&target, views.as_slice());
            let eye = &self.eyes[first];
            let part = (&mut map, margin);
            // Where nothing moves enough, or the poses are off, the margin stays as it is.
            sweep(self.simd, &mut self.sweeper, eye, scene, part, &self.config);
        }
        maps[first] = Some(map);
    }

    /// Depth of a camera on its own.
    fn sweep_camera(
        &mut self,
        camera: usize,
        input: &DepthInput<'_>,
    ) -> Result<DepthMap, &'static str> {
        let image = image(input, camera).ok_or("it delivered no image")?;
        if !self.config.temporal {
            return Err("no partner sees what it sees, and depth from motion is off");
        }
        let target = self.posed(input.current, camera, input.trajectory);
        let target = target.ok_or("no partner sees what it sees, and the pose is not known")?;
        let neighbours = input.neighbours.iter().take(MOST_NEIGHBOURS);
        let posed = |images: &&Images| self.posed(images, camera, input.trajectory);
        let views: Vec<_> = neighbours.filter_map(posed).collect();
        if views.is_empty() {
            return Err("no partner sees what it sees, and no posed frame is next to it");
        }
        let mut map = DepthMap::empty(image.width, image.height);
        let part = (&mut map, image.width);
        let scene = (&target, views.as_slice());
        let eye = &self.eyes[camera];
        if sweep(self.simd, &mut self.sweeper, eye, scene, part, &self.config) {
            Ok(map)
        } else {
            Err("no partner sees what it sees, and it moved too little for parallax")
        }
    }

    /// Both cameras of a pair at the nearest earlier frame, which shows more of the left margin than
    /// a later one when driving forwards; without one, at the nearest later frame.
    fn margin_views(&self, input: &DepthInput<'_>, first: usize, second: usize) -> Vec<Posed> {
        if !self.config.temporal {
            return Vec::new();
        }
        let time = |images: &Images| images[first].as_ref().map(|(time, _)| *time);
        let now = time(input.current);
        let is_earlier = |images: &&&Images| time(images).is_some_and(|t| Some(t) < now);
        let neighbour = input.neighbours.iter().find(is_earlier).or(input.neighbours.first());
        let posed = |camera| self.posed(neighbour?, camera, input.trajectory);
        [posed(first), posed(second)].into_iter().flatten().collect()
    }

    fn posed(
        &self,
        images: &Images,
        camera: usize,
        trajectory: Option<&Trajectory>,
    ) -> Option<Posed> {
        let (time, image) = images.get(camera)?.as_ref()?;
        Some(self.eyes[camera].pose(image, self.world_from_camera(camera, *time, trajectory)?))
    }

    fn world_from_camera(
        &self,
        camera: usize,
        time: Timestamp,
        trajectory: Option<&Trajectory>,
    ) -> Option<Pose<World, Camera>> {
        Some(trajectory?.at(time)? * self.rig.cameras[camera].ego_from_camera)
    }

    fn fuse_lidar(&self, input: &DepthInput<'_>, maps: &mut [Option<DepthMap>]) {
        for (index, camera) in self.rig.cameras.iter().enumerate() {
            let Some(Some((time, image))) = input.current.get(index) else { continue };
            for (lidar, cloud) in self.rig.lidars.iter().zip(input.clouds) {
                let Some((cloud_time, cloud)) = cloud else { continue };
                let map =
                    maps[index].get_or_insert_with(|| DepthMap::empty(image.width, image.height));
                let world_from_camera = self.world_from_camera(index, *time, input.trajectory);
                let world_from_ego = input.trajectory.and_then(|path| path.at(*cloud_time));
                // Without poses the two are taken to be simultaneous.
                let camera_from_lidar: Pose<Camera, Lidar> =
                    match (world_from_camera, world_from_ego) {
                        (Some(world_from_camera), Some(world_from_ego)) => {
                            world_from_camera.inverse() * world_from_ego * lidar.ego_from_lidar
                        }
                        _ => camera.ego_from_camera.inverse() * lidar.ego_from_lidar,
                    };
                lidar::fuse(map, cloud, camera, &camera_from_lidar);
            }
        }
    }
}

/// Distance between the cameras of the stereo pair that a camera's depth comes from, metres; `None` if
/// it is in no pair.
pub fn pair_baseline_m(rig: &Rig, camera: usize) -> Option<f64> {
    let pairs = pairs::stereo_pairs(rig);
    let pair = pairs.iter().find(|pair| pair.first == camera || pair.second == camera)?;
    Some(pair.rectification.baseline_m)
}

const PARTNER_SEES_IT: &str = "its stereo partner's depth covers what it sees";

fn image<'a>(input: &DepthInput<'a>, camera: usize) -> Option<&'a GrayImage> {
    input.current.get(camera)?.as_ref().map(|(_, image)| image)
}
