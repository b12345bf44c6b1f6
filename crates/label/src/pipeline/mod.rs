//! From a clip on disk to labels on disk: passes over the clip in order, cached by content, resumed after
//! a kill.
//!
//! A stage's key is the hash of the clip's content, the program's and the stage's version, the stage's
//! configuration, and the keys of the stages it needs. A stage whose key stands in the manifest is not run
//! again; results of other keys are removed before the first stage runs, since the manifest would misstate
//! how they were made. While a stage runs, each frame's result lies in a part of its own; a killed run finds them and
//! goes on behind the last. The parts are removed once the manifest vouches for the table made of them.

mod config;
mod images;
mod key;
mod manifest;
mod observer;
pub(crate) mod scratch;

pub use config::LabelConfig;
pub use images::{FrameImages, Images};
pub use observer::{Observer, Unobserved};

use std::collections::BTreeSet;
use std::path::Path;

use ommatidia_scene::Skipped;
use ommatidia_store::ClipReader;
use ommatidia_store::labels::{Labels, LabelsWriter, Manifest};

use crate::Error;
use crate::passes::{Context, PASSES, StageSpec};

/// What a run should make.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelOptions {
    /// Names of stages; those they need are run too. Empty for all.
    pub stages: Vec<String>,
    /// Settings.
    pub config: LabelConfig,
}

/// What one stage did.
#[derive(Debug, Clone, PartialEq)]
pub struct StageReport {
    /// The stage.
    pub name: &'static str,
    /// Its result was there already.
    pub cached: bool,
    /// 0 to 1; what it means is the stage's to say.
    pub confidence: f64,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// Names of all stages, in order.
pub fn stage_names() -> Vec<&'static str> {
    PASSES.iter().flat_map(|pass| pass.stages()).map(|stage| stage.name).collect()
}

/// Whether a stage of that name is among [`stage_names`].
fn is_stage(name: &str) -> bool {
    stage_names().contains(&name)
}

/// Labels a clip into a directory. Interrupted or killed, the same call goes on where it stopped and the
/// labels end up with the same bytes.
///
/// # Errors
/// [`Error::UnknownStage`]; [`Error::Config`]; [`Error::OtherClip`] and [`Error::NotMade`] if something else lies in the
/// directory; [`Error::Interrupted`] if the observer says so; whatever a stage cannot cope with; [`Error::Store`] where the
/// clip cannot be read, the labels not written, or another process is writing them.
pub fn label(
    reader: &ClipReader,
    directory: &Path,
    options: &LabelOptions,
    observer: &dyn Observer,
) -> Result<Vec<StageReport>, Error> {
    options.config.check()?;
    let wanted = with_needs(&options.stages)?;
    let keys = key::all(reader.content_hash(), &options.config);
    let labels = LabelsWriter::open(directory)?;
    let mut manifest = manifest::current(reader, directory, &options.config)?;
    let mut ran: Vec<&'static str> = Vec::new();
    for pass in PASSES {
        let holds =
            |stage: &&StageSpec| manifest::holds(&manifest, directory, stage, keys[stage.name]);
        let (held, mut missing): (Vec<&StageSpec>, Vec<&StageSpec>) =
            pass.stages().iter().partition(holds);
        // A kill behind the manifest leaves the parts of what it vouches for.
        scratch::clear(&labels, &held)?;
        missing.retain(|stage| wanted.contains(stage.name));
        if missing.is_empty() {
            continue;
        }
        if ran.is_empty() {
            manifest::drop_stale(&mut manifest, &labels, &keys)?;
        }
        for stage in &missing {
            scratch::claim(&labels, stage, keys[stage.name])?;
        }
        // A pass that needs no trajectory is about to make it, whatever lies there of it.
        let trajectory = if missing.iter().any(|stage| !stage.needs.is_empty()) {
            Labels::open(directory)?.trajectory()?
        } else {
            None
        };
        let (rig, config) = (manifest.rig.clone(), &options.config);
        let context = Context { reader, labels: &labels, config, trajectory, rig, observer };
        let names: Vec<&'static str> = missing.iter().map(|stage| stage.name).collect();
        observer.begin(&names.join("+"), context.frames());
        let outcomes = pass.run(&context, &names).inspect_err(|_| {
            scratch::leave(&labels, &missing);
        })?;
        for outcome in outcomes {
            manifest::record(&mut manifest, outcome, &keys);
        }
        labels.finish(&manifest)?;
        scratch::clear(&labels, &missing)?;
        observer.end(&names.join("+"));
        ran.extend(names);
    }
    Ok(reports(&manifest, &wanted, &ran))
}

/// The stages asked for and all that they need; all stages if none is named.
fn with_needs(asked: &[String]) -> Result<BTreeSet<&'static str>, Error> {
    let known: Vec<&StageSpec> = PASSES.iter().flat_map(|pass| pass.stages()).collect();
    if let Some(stage) =
        asked.iter().find(|name| known.iter().all(|stage| stage.name != name.as_str()))
    {
        return Err(Error::UnknownStage { stage: stage.clone(), known: stage_names().join(", ") });
    }
    let mut wanted = BTreeSet::new();
    // From the last to the first, so that what is needed is found by one walk.
    for stage in known.iter().rev() {
        let asked = asked.is_empty() || asked.iter().any(|name| name == stage.name);
        if asked || wanted.contains(stage.name) {
            wanted.insert(stage.name);
            wanted.extend(stage.needs);
        }
    }
    Ok(wanted)
}

fn reports(
    manifest: &Manifest,
    wanted: &BTreeSet<&'static str>,
    ran: &[&'static str],
) -> Vec<StageReport> {
    let report = |name: &'static str| {
        let record = manifest.stages.iter().find(|record| record.name == name)?;
        let (confidence, skipped) = (record.confidence, record.skipped.clone());
        Some(StageReport { name, cached: !ran.contains(&name), confidence, skipped })
    };
    stage_names().into_iter().filter(|name| wanted.contains(name)).filter_map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_bring_what_they_need() {
        let names = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|&name| name.to_owned()).collect();
            with_needs(&asked).map(|wanted| wanted.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(names(&["odometry"]).unwrap(), ["odometry"]);
        assert_eq!(names(&["surface"]).unwrap(), ["depth", "odometry", "surface"]);
        assert_eq!(names(&[]).unwrap(), ["depth", "occupancy", "odometry", "surface"]);
        assert!(names(&["teleport"]).unwrap_err().to_string().contains("teleport"));
    }
}
