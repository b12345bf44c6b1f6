//! Images, poses and sweeps to the depth stage; depth maps to disk, one part a frame.

use std::sync::Arc;

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{DepthMap, PointCloud};
use ommatidia_store::labels::{DepthRow, Table};
use rayon::prelude::*;
use serde_json::json;

use super::frame_log::{FrameLog, FrameNote};
use super::{Context, Outcome, Pass, StageSpec};
use crate::Error;
use crate::pipeline::{FrameImages, Images};
use crate::stages::depth::{self, DepthInput, DepthOutput};

/// Frames before and after a frame that its depth may be estimated from.
const NEIGHBOURS: usize = 2;

/// Depth per frame and camera.
pub(super) struct Depth;

const STAGES: &[StageSpec] = &[StageSpec {
    name: "depth",
    version: 2,
    needs: &["odometry"],
    table: Table::Depth,
    config: |config| json!({ "depth": config.depth, "use_lidar": config.use_lidar }),
}];

impl Pass for Depth {
    fn stages(&self) -> &'static [StageSpec] {
        STAGES
    }

    fn run(&self, context: &Context<'_>, _: &[&'static str]) -> Result<Vec<Outcome>, Error> {
        let mut stage = depth::Depth::new(&context.rig, &context.config.depth)?;
        let log = FrameLog::open(context.labels, "depth")?;
        let done = context.labels.parts(Table::Depth)?;
        let mut images = Images::new(context.reader);
        for frame in 0..context.frames() {
            if done.binary_search(&(frame as u32)).is_err() {
                let output = step(context, &mut stage, &mut images, frame)?;
                commit(context, &log, frame, &output)?;
            }
            context.advance(frame + 1)?;
        }
        let (confidence, skipped) = log.summary(context.frames())?;
        let output = context.labels.assemble(Table::Depth)?;
        Ok(vec![Outcome {
            stage: "depth",
            confidence,
            skipped,
            output,
            trajectory: None,
            rig: None,
        }])
    }
}

fn step(
    context: &Context<'_>,
    stage: &mut depth::Depth,
    images: &mut Images<'_>,
    frame: usize,
) -> Result<DepthOutput, Error> {
    let first = frame.saturating_sub(NEIGHBOURS);
    let last = (frame + NEIGHBOURS).min(context.frames() - 1);
    images.forget_before(first);
    let current = images.frame(frame)?;
    // Nearest first.
    let mut around: Vec<usize> = (first..=last).filter(|&other| other != frame).collect();
    around.sort_by_key(|&other| other.abs_diff(frame));
    let around: Vec<Arc<FrameImages>> =
        around.into_iter().map(|other| images.frame(other)).collect::<Result<_, _>>()?;
    let neighbours: Vec<&FrameImages> = around.iter().map(Arc::as_ref).collect();
    let neighbours: Vec<&depth::Images> =
        neighbours.iter().map(|images| images.as_slice()).collect();
    let clouds = if context.config.use_lidar { clouds(context, frame)? } else { Vec::new() };
    let trajectory = context.trajectory.as_ref();
    Ok(stage.step(&DepthInput {
        current: &current,
        neighbours: &neighbours,
        trajectory,
        clouds: &clouds,
    }))
}

fn clouds(
    context: &Context<'_>,
    frame: usize,
) -> Result<Vec<Option<(Timestamp, PointCloud)>>, Error> {
    let clouds = &context.reader.clip().frames[frame].clouds;
    let read = |cloud: &Option<ommatidia_scene::CloudRef>| match cloud {
        Some(cloud) => Ok(Some((cloud.timestamp, context.reader.cloud(cloud)?))),
        None => Ok(None),
    };
    clouds.iter().map(read).collect()
}

fn commit(
    context: &Context<'_>,
    log: &FrameLog,
    frame: usize,
    output: &DepthOutput,
) -> Result<(), Error> {
    let clip = context.reader.clip();
    let timestamp = clip.frames[frame].timestamp;
    let row = |(camera, map): (&ommatidia_scene::CameraSensor, &Option<DepthMap>)| {
        map.as_ref().map(|map| DepthRow::new(timestamp, camera.name.clone(), map)).transpose()
    };
    let rows: Vec<Option<DepthRow>> = clip
        .rig
        .cameras
        .par_iter()
        .zip(&output.maps)
        .map(row)
        .collect::<Result<_, _>>()
        .unwrap_or_else(|what| {
            panic!("the depth stage makes finite maps of the cameras' sizes: {what}")
        });
    let rows: Vec<DepthRow> = rows.into_iter().flatten().collect();
    log.write(
        frame,
        &FrameNote { confidence: confidence(&output.maps), skipped: output.skipped.clone() },
    )?;
    Ok(context.labels.write_part(frame as u32, &rows)?)
}

/// Mean over the pixels that have depth.
fn confidence(maps: &[Option<DepthMap>]) -> Option<f64> {
    let (mut sum, mut count) = (0u64, 0u64);
    for map in maps.iter().flatten() {
        for (_, &confidence) in
            map.depth_m.iter().zip(&map.confidence).filter(|(depth, _)| **depth > 0.0)
        {
            sum += u64::from(confidence);
            count += 1;
        }
    }
    (count > 0).then(|| sum as f64 / (255.0 * count as f64))
}
