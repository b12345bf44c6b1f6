//! Depth maps and sweeps into a moving map; occupancy and surface out of it.

use std::collections::BTreeMap;

use nalgebra::Point3;
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{CameraSensor, Rig, Skipped, Trajectory};
use ommatidia_store::labels::{DepthRow, SurfaceRow, Table, TableReader, VoxelsRow};
use serde_json::json;

use super::frame_log::{FrameLog, FrameNote};
use super::{Context, Outcome, Pass, StageSpec};
use crate::Error;
use crate::stages::occupancy::{CameraRays, DepthNoise, OccupancyMap, PosedDepth};
use crate::stages::{depth, surface};

/// Frames that are mapped together. A killed run starts again at the first frame of the segment it was in.
const SEGMENT_FRAMES: usize = 100;
/// Frames before and after a frame whose evidence it is labelled with, at least.
const MARGIN_FRAMES: usize = 20;
/// Beyond the grid's reach, what is kept of the map, metres.
const KEEP_MARGIN_M: f64 = 15.0;

/// Occupancy and surface in one walk.
pub(super) struct Mapping;

const STAGES: &[StageSpec] = &[
    StageSpec {
        name: "occupancy",
        version: 1,
        needs: &["odometry", "depth"],
        table: Table::Voxels,
        config: |config| json!({ "occupancy": config.occupancy, "grid": config.grid, "use_lidar": config.use_lidar }),
    },
    StageSpec {
        name: "surface",
        version: 1,
        needs: &["odometry", "depth"],
        table: Table::Surface,
        config: |config| {
            json!({
                "occupancy": config.occupancy, "surface": config.surface,
                "grid": config.surface_grid, "use_lidar": config.use_lidar,
            })
        },
    },
];

impl Pass for Mapping {
    fn stages(&self) -> &'static [StageSpec] {
        STAGES
    }

    fn run(&self, context: &Context<'_>, wanted: &[&'static str]) -> Result<Vec<Outcome>, Error> {
        let mut outputs = Vec::new();
        for stage in STAGES.iter().filter(|stage| wanted.contains(&stage.name)) {
            outputs.push(Output::open(context, stage)?);
        }
        let walk = Walk::new(context)?;
        let frames = context.frames();
        for first in (0..frames).step_by(SEGMENT_FRAMES) {
            walk.segment(first..(first + SEGMENT_FRAMES).min(frames), &mut outputs)?;
        }
        outputs.into_iter().map(|output| output.finish(context)).collect()
    }
}

/// One of the tables being made.
struct Output {
    stage: &'static StageSpec,
    log: FrameLog,
    done: Vec<u32>,
}

impl Output {
    fn open(context: &Context<'_>, stage: &'static StageSpec) -> Result<Self, Error> {
        let log = FrameLog::open(context.labels, stage.name)?;
        Ok(Self { stage, log, done: context.labels.parts(stage.table)? })
    }

    fn has(&self, frame: usize) -> bool {
        self.done.binary_search(&(frame as u32)).is_ok()
    }

    fn finish(self, context: &Context<'_>) -> Result<Outcome, Error> {
        let (confidence, skipped) = self.log.summary(context.frames())?;
        let output = context.labels.assemble(self.stage.table)?;
        Ok(Outcome {
            stage: self.stage.name,
            confidence,
            skipped,
            output,
            trajectory: None,
            rig: None,
        })
    }
}

/// A camera as the map sees it.
struct Eye<'a> {
    sensor: &'a CameraSensor,
    rays: CameraRays,
    noise: DepthNoise,
}

/// What stays the same over the segments.
struct Walk<'a> {
    context: &'a Context<'a>,
    trajectory: &'a Trajectory,
    depth: TableReader<DepthRow>,
    eyes: Vec<Eye<'a>>,
    radius_m: f64,
}

impl<'a> Walk<'a> {
    fn new(context: &'a Context<'a>) -> Result<Self, Error> {
        let rig = &context.rig;
        let eye = |(index, sensor): (usize, &'a CameraSensor)| Eye {
            sensor,
            rays: CameraRays::new(
                &sensor.intrinsics,
                sensor.width as usize,
                sensor.height as usize,
            ),
            noise: noise(rig, index),
        };
        let grid = &context.config.grid;
        let corners = [0, 1].map(|axis| {
            let far = grid.min_corner_m[axis] + f64::from(grid.size[axis]) * grid.voxel_m;
            grid.min_corner_m[axis].abs().max(far.abs())
        });
        Ok(Self {
            context,
            trajectory: context.trajectory.as_ref().expect("the odometry runs first"),
            depth: context.labels.read_table()?,
            eyes: rig.cameras.iter().enumerate().map(eye).collect(),
            // The grid turns with the vehicle.
            radius_m: corners[0].hypot(corners[1]) + KEEP_MARGIN_M,
        })
    }

    /// Makes what is not there yet of a segment's frames.
    fn segment(&self, frames: std::ops::Range<usize>, outputs: &mut [Output]) -> Result<(), Error> {
        if frames.clone().all(|frame| outputs.iter().all(|output| output.has(frame))) {
            return self.context.advance(frames.end);
        }
        let mut map = OccupancyMap::new(self.context.config.occupancy)?;
        let mut integrated = frames.start.saturating_sub(MARGIN_FRAMES);
        let mut skipped = BTreeMap::new();
        for frame in frames {
            let ahead = (frame + MARGIN_FRAMES + 1).min(self.context.frames());
            for next in integrated..ahead {
                skipped.insert(next, self.integrate(&mut map, next)?);
            }
            integrated = ahead.max(integrated);
            let skipped = skipped.remove(&frame).unwrap_or_default();
            self.emit(&mut map, (frame, skipped), outputs)?;
            self.context.advance(frame + 1)?;
        }
        Ok(())
    }

    /// Adds what was seen at a frame; what of it was left out.
    fn integrate(&self, map: &mut OccupancyMap, frame: usize) -> Result<Vec<Skipped>, Error> {
        let clip = self.context.reader.clip();
        let clip_frame = &clip.frames[frame];
        let mut unplaced = Vec::new();
        for row in self.depth.at(clip_frame.timestamp)? {
            let Some(index) = clip.rig.camera_index(&row.camera) else { continue };
            let taken =
                clip_frame.images[index].map_or(clip_frame.timestamp, |image| image.timestamp);
            let Some(world_from_ego) = self.trajectory.near(taken, Trajectory::REACH) else {
                unplaced.push(outside_trajectory("depth map"));
                continue;
            };
            let depth = row.map().map_err(|reason| Error::Checkpoint { stage: "depth", reason })?;
            let eye = &self.eyes[index];
            map.integrate(&PosedDepth {
                timestamp: clip_frame.timestamp,
                world_from_camera: world_from_ego * eye.sensor.ego_from_camera,
                rays: &eye.rays,
                depth: &depth,
                noise: eye.noise,
            });
        }
        let clouds = if self.context.config.use_lidar { clip_frame.clouds.as_slice() } else { &[] };
        for (cloud, lidar) in clouds.iter().zip(&clip.rig.lidars) {
            let Some(cloud) = cloud else { continue };
            let Some(world_from_ego) = self.trajectory.near(cloud.timestamp, Trajectory::REACH)
            else {
                unplaced.push(outside_trajectory("lidar sweep"));
                continue;
            };
            let points = self.context.reader.cloud(cloud)?;
            map.integrate_cloud(
                clip_frame.timestamp,
                &(world_from_ego * lidar.ego_from_lidar),
                &points,
            );
        }
        unplaced.extend(map.take_skipped());
        Ok(unplaced)
    }

    fn emit(
        &self,
        map: &mut OccupancyMap,
        (frame, skipped): (usize, Vec<Skipped>),
        outputs: &mut [Output],
    ) -> Result<(), Error> {
        let frames = &self.context.reader.clip().frames;
        let timestamp = frames[frame].timestamp;
        let world_from_ego =
            self.trajectory.near(timestamp, Trajectory::REACH).unwrap_or_else(|| {
                panic!("the odometry places every frame, and so the one at {timestamp} s")
            });
        let since = frames[frame.saturating_sub(MARGIN_FRAMES)].timestamp;
        map.forget(&Point3::from(world_from_ego.translation), self.radius_m, since);
        for output in outputs.iter().filter(|output| !output.has(frame)) {
            let noted = (frame, skipped.clone());
            match output.stage.table {
                Table::Voxels => self.emit_voxels(map, noted, &world_from_ego, output)?,
                _ => self.emit_surface(map, noted, &world_from_ego, output)?,
            }
        }
        Ok(())
    }

    fn emit_voxels(
        &self,
        map: &OccupancyMap,
        (frame, skipped): (usize, Vec<Skipped>),
        world_from_ego: &Pose<World, Ego>,
        output: &Output,
    ) -> Result<(), Error> {
        let timestamp = self.context.reader.clip().frames[frame].timestamp;
        let occupancy = map.extract(timestamp, world_from_ego, &self.context.config.grid);
        let observed = occupancy.observed.count();
        let confidence = Some(observed as f64 / occupancy.grid.len().max(1) as f64);
        output.log.write(frame, &FrameNote { confidence, skipped })?;
        Ok(self.context.labels.write_part(frame as u32, &[VoxelsRow { timestamp, occupancy }])?)
    }

    fn emit_surface(
        &self,
        map: &OccupancyMap,
        (frame, skipped): (usize, Vec<Skipped>),
        world_from_ego: &Pose<World, Ego>,
        output: &Output,
    ) -> Result<(), Error> {
        let timestamp = self.context.reader.clip().frames[frame].timestamp;
        let config = self.context.config;
        let surface =
            surface::estimate(map, world_from_ego, &config.surface_grid, &config.surface)?;
        let seen: Vec<u64> =
            surface.confidence.iter().filter(|c| **c > 0).map(|&c| u64::from(c)).collect();
        let confidence = (!seen.is_empty())
            .then(|| seen.iter().sum::<u64>() as f64 / (255.0 * seen.len() as f64));
        output.log.write(frame, &FrameNote { confidence, skipped })?;
        Ok(self.context.labels.write_part(frame as u32, &[SurfaceRow { timestamp, surface }])?)
    }
}

fn outside_trajectory(what: &str) -> Skipped {
    let why = "taken more than 0.2 s before or after the trajectory";
    Skipped { what: what.to_owned(), why: why.to_owned(), count: 1 }
}

/// Standard deviation of a disparity that the matcher is confident of, pixels.
const DISPARITY_SIGMA_PX: f64 = 0.5;
/// Baseline that motion gives a camera without a partner, metres: some frames of slow driving.
const MOTION_BASELINE_M: f64 = 0.5;

/// Of a camera's depth, as its pair or its own motion measures it.
fn noise(rig: &Rig, camera: usize) -> DepthNoise {
    DepthNoise::disparity(
        rig.cameras[camera].intrinsics.focal_px().0,
        depth::pair_baseline_m(rig, camera).unwrap_or(MOTION_BASELINE_M),
        DISPARITY_SIGMA_PX,
    )
}
