//! Exports and checks.

use std::path::Path;
use std::process::ExitCode;

use ommatidia_model::Sample;
use ommatidia_onnx::check::{self, Difference};
use ommatidia_onnx::engines::{self, Engine, Value};
use ommatidia_onnx::{Feed, OPSET, encode, export, metadata, trial};
use ommatidia_store::{Error as StoreError, atomic};
use ommatidia_train::data::{ClipSource, Pictures, Source, Window, fit};
use ommatidia_train::run as folder;
use serde::Serialize;

use super::{ExportArguments, int8, replay};
use crate::args::Common;
use crate::commands::predict::{Trained, load};
use crate::commands::train::plan::DeviceName;
use crate::failure::{EXIT_WORSE, Failure};
use crate::output;

#[derive(Serialize)]
struct ExportResult {
    out: std::path::PathBuf,
    opset: i64,
    bytes: usize,
    nodes: usize,
    sample: String,
    max_abs_diff: f64,
    engine_checked: Vec<String>,
    checks: Vec<Check>,
    skipped: Vec<Skip>,
    inputs: Vec<Named>,
    outputs: Vec<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    int8: Option<int8::Int8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<replay::Written>,
}

/// What one engine computed.
#[derive(Serialize)]
struct Check {
    engine: String,
    max_abs_diff: f64,
    within_tolerance: bool,
    outputs: Vec<Difference>,
}

#[derive(Serialize)]
struct Skip {
    engine: String,
    why: String,
}

#[derive(Serialize)]
struct Named {
    name: String,
    shape: Vec<usize>,
}

impl From<ommatidia_onnx::Error> for Failure {
    fn from(error: ommatidia_onnx::Error) -> Self {
        match error {
            ommatidia_onnx::Error::Store(error) => error.into(),
            ommatidia_onnx::Error::Engine { .. } => Self::Environment(miette::miette!("{error}")),
            other => Self::input(other),
        }
    }
}

pub(super) fn run(arguments: &ExportArguments, common: &Common) -> Result<ExitCode, Failure> {
    if !(arguments.tolerance > 0.0 && arguments.tolerance.is_finite()) {
        let tolerance = arguments.tolerance;
        return Err(Failure::input(format!("--tolerance {tolerance}: give a positive number")));
    }
    let trained = load(&arguments.run, arguments.weights, DeviceName::Cpu)?;
    let sample = sample(arguments, &trained)?;
    let feed = Feed::of(&trained.network, &sample, &trained.device)?;
    let entries = metadata::entries(&trained.config.network, &trained.taxonomy, &trained.weights);
    let model = export(&trained.network, &feed, &entries)?;
    let file = encode(&model);

    let (inputs, expected) = (feed.values(), check::expected(&trained.network, &feed));
    let (checks, skipped) = check_all(arguments, &file, (&inputs, &expected), common)?;
    let good = checks.iter().all(|check| check.within_tolerance);
    let engines: Vec<&str> = checks.iter().map(|check| check.engine.as_str()).collect();
    let small = (good && arguments.int8)
        .then(|| int8::run(&trained, arguments, (&model, &file), (&engines, common)))
        .transpose()?;
    let (small, int8) = small.unzip();
    let file = small.unwrap_or(file);
    let replay = if good { replay::write(&trained, arguments, &file, common)? } else { None };
    let result = ExportResult {
        out: arguments.out.clone(),
        opset: OPSET,
        bytes: file.len(),
        nodes: model.graph.as_ref().map_or(0, |graph| graph.node.len()),
        sample: sample.name,
        max_abs_diff: checks.iter().map(|check| check.max_abs_diff).fold(0.0, f64::max),
        engine_checked: checks.iter().map(|check| check.engine.clone()).collect(),
        skipped,
        inputs: named(&inputs),
        outputs: named(&expected),
        int8,
        replay,
        checks,
    };
    if good {
        atomic::write_bytes(&arguments.out, &file)?;
    }
    output::print(common, &result, || describe(&result, arguments.tolerance))?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(EXIT_WORSE) })
}

/// Runs the file in every engine that is asked for, or there.
fn check_all(
    arguments: &ExportArguments,
    file: &[u8],
    (inputs, expected): (&[Value], &[Value]),
    common: &Common,
) -> Result<(Vec<Check>, Vec<Skip>), Failure> {
    let wanted = |engine: &&str| {
        arguments.engine.is_empty() || arguments.engine.iter().any(|name| name == engine)
    };
    if let Some(unknown) =
        arguments.engine.iter().find(|name| !engines::BUILT.contains(&name.as_str()))
    {
        let built = engines::BUILT.join(", ");
        return Err(Failure::input(format!(
            "--engine {unknown}: not in this build, which has {built}"
        )));
    }
    let (mut checks, mut skipped) = (Vec::new(), Vec::new());
    for &name in engines::BUILT.iter().filter(|name| wanted(name)) {
        let differences = engines::load(name, file, common.threads.unwrap_or(0))
            .and_then(|mut engine| differences(&mut *engine, inputs, expected));
        match differences {
            Ok(outputs) => checks.push(judge(name, outputs, arguments.tolerance)),
            Err(cause) if arguments.engine.is_empty() && name != engines::BUILT[0] => {
                tracing::warn!("{cause}");
                skipped.push(Skip { engine: name.to_owned(), why: cause.to_string() });
            }
            Err(cause) => return Err(cause.into()),
        }
    }
    Ok((checks, skipped))
}

fn differences(
    engine: &mut dyn Engine,
    inputs: &[Value],
    expected: &[Value],
) -> Result<Vec<Difference>, ommatidia_onnx::Error> {
    check::compare(engine, inputs, expected)
}

fn judge(engine: &str, outputs: Vec<Difference>, tolerance: f64) -> Check {
    let within = |output: &Difference| output.max_abs <= tolerance * output.magnitude.max(1.0);
    Check {
        engine: engine.to_owned(),
        max_abs_diff: outputs.iter().map(|output| output.max_abs).fold(0.0, f64::max),
        within_tolerance: outputs.iter().all(within),
        outputs,
    }
}

/// What the file is sized by and checked on.
fn sample(arguments: &ExportArguments, trained: &Trained) -> Result<Sample, Failure> {
    let network = &trained.config.network;
    let Some(path) = arguments.sample.as_ref().or(arguments.calibrate.first()) else {
        let cameras = match arguments.cameras {
            Some(0) => return Err(Failure::input("--cameras 0: give 1 or more")),
            Some(cameras) => cameras,
            None => cameras_of(&arguments.run, network.space.is_some())?,
        };
        return Ok(trial::sample(network, cameras));
    };
    let source = source(path, trained)?;
    // Not the first one, where there are more: by then something is remembered.
    let index = source.len().saturating_sub(1).min(trained.config.data.moments);
    let size = [network.image.width, network.image.height];
    Ok(fit(source.read(index)?, size))
}

/// Samples of a clip or a folder of pictures.
pub(super) fn source(path: &Path, trained: &Trained) -> Result<Box<dyn Source>, Failure> {
    let source: Box<dyn Source> = if path.is_dir() {
        Box::new(Pictures::unlabelled(path)?)
    } else {
        Box::new(ClipSource::unlabelled(path, window(trained)?)?)
    };
    match source.is_empty() {
        true => Err(Failure::input(format!("{} holds no frame", path.display()))),
        false => Ok(source),
    }
}

/// As it was trained, with as much before it as it remembers.
pub(super) fn window(trained: &Trained) -> Result<Window, Failure> {
    let window = Window::of(&trained.config).map_err(Failure::input)?;
    Ok(Window { moments: window.moments.max(1 + trained.network.remembered()), ..window })
}

/// Cameras that a run was trained with.
fn cameras_of(run: &Path, has_space: bool) -> Result<usize, Failure> {
    if !has_space {
        return Ok(1);
    }
    let path = run.join(folder::RUN);
    let text = std::fs::read_to_string(&path).map_err(|cause| StoreError::read(&path, cause))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    let cameras = value["cameras"].as_u64().and_then(|cameras| usize::try_from(cameras).ok());
    cameras.filter(|&cameras| cameras > 0).ok_or_else(|| {
        let path = path.display();
        Failure::input(format!(
            "{path} does not say how many cameras there were; give --cameras N or --sample CLIP"
        ))
    })
}

fn named(values: &[Value]) -> Vec<Named> {
    let named = |value: &Value| Named { name: value.name.clone(), shape: value.shape.clone() };
    values.iter().map(named).collect()
}

fn describe(result: &ExportResult, tolerance: f64) -> String {
    let mut text = format!("checked on {}\n", result.sample);
    for check in &result.checks {
        for output in &check.outputs {
            text += &format!(
                "{:12} {:24} max difference {:.2e} of {:.2e}\n",
                check.engine, output.output, output.max_abs, output.magnitude
            );
        }
    }
    let (out, kib, nodes) = (result.out.display(), result.bytes / 1024, result.nodes);
    for skip in &result.skipped {
        text += &format!("skipped {}\n", skip.why);
    }
    if let Some(int8) = &result.int8 {
        text += &int8.describe();
    }
    if let Some(replay) = &result.replay {
        text += &replay.describe();
    }
    if result.checks.iter().all(|check| check.within_tolerance) {
        text + &format!("{out}: {kib} KiB, {nodes} nodes, opset {}\n", result.opset)
    } else {
        text + &format!("not written: beyond the tolerance of {tolerance}\n")
    }
}
