//! `omma bundle create PLAN.toml --out FILE.omma`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_scene::{Input, Provenance};
use ommatidia_store::{atomic, hash};
use ommatidia_update::bundle::{
    self, Expected, Metric, Need, Plan, PlannedFile, ReplayCase, Requirements, Role,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Put a network and everything that must fit to it into one file
#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// What to put in (docs/deploy.md); paths in it are relative to it
    plan: PathBuf,
    /// Bundle to write
    #[arg(long, value_name = "FILE.omma")]
    out: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    name: String,
    release: u64,
    /// A JSON file that is a provenance or has one: `run.json` of a training.
    provenance: Option<PathBuf>,
    requires: Requirements,
    #[serde(default)]
    files: Vec<FileEntry>,
    /// Releases of other bundles that it goes together with, both ends included.
    #[serde(default)]
    needs: Vec<Need>,
    #[serde(default)]
    metrics: Vec<Metric>,
    #[serde(default)]
    replay: Vec<Case>,
    /// Files with more of files, metrics and replay cases.
    #[serde(default)]
    include: Vec<PathBuf>,
}

/// More of a plan; paths in it are relative to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    #[serde(default)]
    files: Vec<FileEntry>,
    #[serde(default)]
    metrics: Vec<Metric>,
    #[serde(default)]
    replay: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    path: String,
    role: Role,
    from: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    inputs: BTreeMap<String, String>,
    expected: Vec<Expected>,
}

pub(super) fn run(arguments: &CreateArguments, common: &Common) -> Result<ExitCode, Failure> {
    let path = &arguments.plan;
    let mut plan: PlanFile = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for included in std::mem::take(&mut plan.include) {
        let part: Part = read(&folder.join(&included))?;
        let beside = included.parent().unwrap_or(Path::new(""));
        let moved = |file: FileEntry| FileEntry { from: beside.join(&file.from), ..file };
        plan.files.extend(part.files.into_iter().map(moved));
        plan.metrics.extend(part.metrics);
        plan.replay.extend(part.replay);
    }
    let provenance = provenance(&plan, folder)?;
    let mut files = Vec::new();
    for FileEntry { path, role, from } in plan.files {
        let source = Box::new(super::open(&folder.join(from))?);
        files.push(PlannedFile { path, role, source });
    }
    let replay = plan.replay.into_iter().map(|case| {
        let Case { name, inputs, expected } = case;
        ReplayCase { name, inputs, expected }
    });
    let plan = Plan {
        name: plan.name,
        release: plan.release,
        files,
        requires: plan.requires,
        needs: plan.needs,
        metrics: plan.metrics,
        replay: replay.collect(),
        provenance,
    };
    let mut out = atomic::AtomicFile::create(&arguments.out)?;
    let manifest = bundle::write(plan, &mut out)?;
    let bytes = out.written_bytes();
    out.commit()?;
    let result = json!({
        "bundle": arguments.out,
        "name": manifest.name,
        "release": manifest.release,
        "files": manifest.files.len(),
        "replay_cases": manifest.replay.len(),
        "bytes": bytes,
        "blake3": hash::of_file(&arguments.out)?,
    });
    output::print(common, &result, || {
        format!(
            "{}: {} release {}, {} files, {bytes} bytes",
            arguments.out.display(),
            manifest.name,
            manifest.release,
            manifest.files.len()
        )
    })
}

/// A file in TOML.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let about =
        |cause: &dyn std::fmt::Display| Failure::input(format!("{}: {cause}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|cause| about(&cause))?;
    toml::from_str(&text).map_err(|cause| about(&cause))
}

/// That of the training, and every file that goes in.
fn provenance(plan: &PlanFile, folder: &Path) -> Result<Provenance, Failure> {
    let mut provenance = match &plan.provenance {
        None => Provenance::new(Vec::new(), Value::Null),
        Some(path) => {
            let path = folder.join(path);
            let about = |cause: &dyn std::fmt::Display| {
                Failure::input(format!("{}: {cause}", path.display()))
            };
            let text = std::fs::read_to_string(&path).map_err(|cause| about(&cause))?;
            let value: Value = serde_json::from_str(&text).map_err(|cause| about(&cause))?;
            let value = value.get("provenance").cloned().unwrap_or(value);
            serde_json::from_value(value).map_err(|cause| about(&cause))?
        }
    };
    for file in &plan.files {
        let blake3 = hash::of_file(&folder.join(&file.from))?;
        provenance.inputs.push(Input { name: file.from.display().to_string(), blake3 });
    }
    Ok(provenance)
}
