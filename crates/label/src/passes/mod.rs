//! Passes: what feeds the pure stages from a clip, and commits what they make frame by frame.

mod depth;
mod frame_log;
mod mapping;
mod odometry;

use ommatidia_scene::{PoseSource, Rig, Scale, Skipped, Trajectory};
use ommatidia_store::ClipReader;
use ommatidia_store::labels::{LabelsWriter, Table, TableRecord};
use serde_json::Value;

use crate::Error;
use crate::pipeline::{LabelConfig, Observer};

/// Every pass, in order: a stage stands behind those it needs.
pub(crate) const PASSES: &[&dyn Pass] = &[&odometry::Odometry, &depth::Depth, &mapping::Mapping];

/// What the pipeline knows of a stage.
pub(crate) struct StageSpec {
    /// Its name on the command line and in the manifest.
    pub(crate) name: &'static str,
    /// Raised when the same configuration gives other results than before.
    pub(crate) version: u32,
    /// Stages whose results it reads.
    pub(crate) needs: &'static [&'static str],
    /// The table it writes.
    pub(crate) table: Table,
    /// The part of the configuration that its result depends on.
    pub(crate) config: fn(&LabelConfig) -> Value,
}

/// One walk over a clip that makes the results of one or more stages.
pub(crate) trait Pass: Sync {
    /// The stages it makes.
    fn stages(&self) -> &'static [StageSpec];

    /// Makes the wanted ones of them. Each frame's result is committed as soon as it is there; frames whose
    /// results lie there from an earlier run are not made again.
    fn run(&self, context: &Context<'_>, wanted: &[&'static str]) -> Result<Vec<Outcome>, Error>;
}

/// What a pass works with.
pub(crate) struct Context<'a> {
    pub(crate) reader: &'a ClipReader,
    pub(crate) labels: &'a LabelsWriter,
    pub(crate) config: &'a LabelConfig,
    /// Of the odometry, once it has run.
    pub(crate) trajectory: Option<Trajectory>,
    /// The clip's, its cameras where the odometry found them.
    pub(crate) rig: Rig,
    pub(crate) observer: &'a dyn Observer,
}

impl Context<'_> {
    /// Number of frames of the clip.
    pub(crate) fn frames(&self) -> usize {
        self.reader.clip().frames.len()
    }

    /// Tells how far the stage is.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the run should stop here.
    pub(crate) fn advance(&self, frames_done: usize) -> Result<(), Error> {
        self.observer.advance(frames_done);
        if self.observer.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// A stage's result, but for what lies on disk.
pub(crate) struct Outcome {
    pub(crate) stage: &'static str,
    pub(crate) confidence: f64,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) output: TableRecord,
    /// Of a stage that makes the trajectory.
    pub(crate) trajectory: Option<(PoseSource, Scale)>,
    /// Of a stage that corrects where the cameras are.
    pub(crate) rig: Option<Rig>,
}
