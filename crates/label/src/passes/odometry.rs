//! Images in order to the odometry; its state to disk now and then.

use std::fs;
use std::path::Path;

use nalgebra::UnitQuaternion;
use ommatidia_geometry::Pose;
use ommatidia_scene::{PoseSample, PoseSource, Scale, Trajectory, TrajectoryError};
use ommatidia_store::atomic;
use ommatidia_store::labels::Table;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, Outcome, Pass, StageSpec};
use crate::Error;
use crate::pipeline::{Images, scratch};
use crate::stages::odometry::{self, OdometryInput};

/// Frames between two saved states at the beginning. Saving takes milliseconds, a frame some tens of
/// them. Later a save comes after this share of the frames so far, so that saving a state that grows
/// with them costs no more per frame in a long clip than in a short one.
const SAVE_EVERY: (usize, usize) = (8, 32);

/// The ego trajectory.
pub(super) struct Odometry;

const STAGES: &[StageSpec] = &[StageSpec {
    name: "odometry",
    version: 2,
    needs: &[],
    table: Table::Trajectory,
    config: |config| json!({ "odometry": config.odometry, "use_poses": config.use_poses }),
}];

/// A saved state and the frame that comes next.
#[derive(Serialize, Deserialize)]
struct Saved {
    next: usize,
    state: Vec<u8>,
}

impl Pass for Odometry {
    fn stages(&self) -> &'static [StageSpec] {
        STAGES
    }

    fn run(&self, context: &Context<'_>, _: &[&'static str]) -> Result<Vec<Outcome>, Error> {
        let clip = context.reader.clip();
        let satellites = satellites(context)?;
        let prior = clip.trajectory.as_ref().or(satellites.as_ref());
        let prior = prior.filter(|_| context.config.use_poses);
        let file = scratch::path(context.labels, "odometry", scratch::STATE);
        let mut images = Images::new(context.reader);
        let (mut next, mut odometry) = start(context, &file, &mut images)?;
        let mut saved = next;
        while next < context.frames() {
            let frame = images.frame(next)?;
            let timestamp = clip.frames[next].timestamp;
            odometry.step(&OdometryInput { timestamp, images: &frame, prior })?;
            images.forget_before(next);
            next += 1;
            if next >= saved + SAVE_EVERY.0.max(saved / SAVE_EVERY.1) {
                save(&file, next, odometry.checkpoint()?)?;
                saved = next;
            }
            context.advance(next)?;
        }
        let result = odometry.finish();
        let trajectory: &Trajectory = &result.trajectory;
        context.labels.write_part(0, trajectory.samples())?;
        let output = context.labels.assemble(Table::Trajectory)?;
        Ok(vec![Outcome {
            stage: "odometry",
            confidence: f64::from(result.confidence),
            trajectory: Some((trajectory.source, trajectory.scale)),
            skipped: result.skipped,
            output,
            rig: Some(result.rig),
        }])
    }
}

/// Positions that a receiver recorded, for a clip without poses; their orientations say nothing.
fn satellites(context: &Context<'_>) -> Result<Option<Trajectory>, Error> {
    let clip = context.reader.clip();
    if clip.trajectory.is_some() || !context.config.use_poses {
        return Ok(None);
    }
    let mut samples: Vec<PoseSample> = Vec::new();
    for frame in &clip.frames {
        for fix in context.reader.motion(frame)?.gnss {
            let world_from_ego = Pose::new(UnitQuaternion::identity(), fix.p_in_world_m.into());
            // Readings may be listed with two frames.
            if samples.last().is_none_or(|last| last.timestamp < fix.timestamp) {
                samples.push(PoseSample { timestamp: fix.timestamp, world_from_ego });
            }
        }
    }
    let path = |samples| Trajectory::new(PoseSource::Gnss, Scale::Metric, samples);
    let wrong = |cause: TrajectoryError| Error::Input {
        stage: "odometry",
        what: format!("readings of satellite navigation: {cause}"),
    };
    if samples.is_empty() { Ok(None) } else { path(samples).map(Some).map_err(wrong) }
}

/// From the saved state, if there is one.
fn start(
    context: &Context<'_>,
    file: &Path,
    images: &mut Images<'_>,
) -> Result<(usize, odometry::Odometry), Error> {
    let rig = &context.reader.clip().rig;
    let config = &context.config.odometry;
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((0, odometry::Odometry::new(rig, config)?));
        }
        Err(cause) => return Err(ommatidia_store::Error::read(file, cause).into()),
    };
    let damaged = |reason: String| Error::Checkpoint { stage: "odometry", reason };
    let saved: Saved = postcard::from_bytes(&bytes).map_err(|cause| damaged(cause.to_string()))?;
    if saved.next == 0 || saved.next > context.frames() {
        return Err(damaged(format!("frame {} of {}", saved.next, context.frames())));
    }
    let reference = match odometry::Odometry::checkpoint_reference(&saved.state)? {
        Some(frame) if frame >= context.frames() => {
            return Err(damaged(format!("reference frame {frame}")));
        }
        Some(frame) => images.frame(frame)?.to_vec(),
        None => Vec::new(),
    };
    Ok((saved.next, odometry::Odometry::resume(rig, config, &saved.state, &reference)?))
}

fn save(file: &Path, next: usize, state: Vec<u8>) -> Result<(), Error> {
    let bytes = postcard::to_allocvec(&Saved { next, state })
        .map_err(|cause| Error::Checkpoint { stage: "odometry", reason: cause.to_string() })?;
    Ok(atomic::write_bytes(file, &bytes)?)
}
