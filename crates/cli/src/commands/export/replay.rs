//! Replay cases: what the exported file computes on recorded moments, for a bundle's gate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ommatidia_onnx::Feed;
use ommatidia_onnx::engines::{self, Numbers, Value};
use ommatidia_store::{atomic, hash};
use ommatidia_train::data::fit;
use serde::Serialize;

use super::{ExportArguments, work};
use crate::args::Common;
use crate::commands::predict::Trained;
use crate::failure::Failure;
use crate::progress;

/// What was written.
#[derive(Serialize)]
pub(super) struct Written {
    /// To be named under `include` in a bundle's plan.
    plan: PathBuf,
    cases: usize,
    files: usize,
    bytes: u64,
}

/// A part of a bundle's plan.
#[derive(Serialize, Default)]
struct Plan {
    files: Vec<File>,
    replay: Vec<Case>,
}

#[derive(Serialize)]
struct File {
    path: String,
    role: &'static str,
    from: String,
}

#[derive(Serialize)]
struct Case {
    name: String,
    inputs: BTreeMap<String, String>,
    expected: Vec<Expected>,
}

#[derive(Serialize)]
struct Expected {
    output: String,
    path: String,
    absolute: f64,
    relative: f64,
}

/// Files of tensors, each content once: cases share tables.
struct Tensors<'a> {
    folder: &'a Path,
    plan: Plan,
    bytes: u64,
}

impl Tensors<'_> {
    /// Writes a tensor as 32-bit floats and returns its name in the bundle.
    fn add(&mut self, value: &Value) -> Result<String, Failure> {
        let bytes: Vec<u8> = match &value.data {
            Numbers::Floats(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
            // Rows and cells, which a float holds exactly below 2^24.
            Numbers::Integers(data) => {
                if data.iter().any(|value| value.unsigned_abs() > 1 << 24) {
                    let name = &value.name;
                    return Err(Failure::input(format!("--replay: {name} is too large a table")));
                }
                data.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect()
            }
        };
        let name = hash::of_bytes(&bytes).to_string();
        let name = format!("{}.bin", &name[..16]);
        let path = format!("replay/{name}");
        if !self.plan.files.iter().any(|file| file.path == path) {
            atomic::write_bytes(&self.folder.join(&name), &bytes)?;
            self.bytes += bytes.len() as u64;
            let folder = self.folder.file_name().unwrap_or_default().to_string_lossy();
            let from = format!("{folder}/{name}");
            self.plan.files.push(File { path: path.clone(), role: "replay", from });
        }
        Ok(path)
    }
}

/// Writes the cases beside the exported file: `MODEL.replay/` and `MODEL.replay.toml`.
pub(super) fn write(
    trained: &Trained,
    arguments: &ExportArguments,
    file: &[u8],
    common: &Common,
) -> Result<Option<Written>, Failure> {
    let Some(clip) = &arguments.replay else { return Ok(None) };
    let (folder, path) =
        (arguments.out.with_extension("replay"), arguments.out.with_extension("replay.toml"));
    atomic::create_directory(&folder)?;
    let source = work::source(clip, trained)?;
    let cases = arguments.cases.clamp(1, source.len());
    let mut engine = engines::load(engines::BUILT[0], file, common.threads.unwrap_or(0))?;
    let mut tensors = Tensors { folder: &folder, plan: Plan::default(), bytes: 0 };
    let bar = progress::bar(common, "replay", Some(cases as u64));
    for case in 0..cases {
        // Spread evenly; the last ones of their share, by when something is remembered.
        let index = (case + 1) * source.len() / cases - 1;
        let image = &trained.config.network.image;
        let sample = fit(source.read(index)?, [image.width, image.height]);
        let values = Feed::of(&trained.network, &sample, &trained.device)?.values();
        let inputs = values.iter().map(|value| Ok((value.name.clone(), tensors.add(value)?)));
        let inputs = inputs.collect::<Result<_, Failure>>()?;
        let mut expected = Vec::new();
        for output in engine.run(&values)? {
            let Numbers::Floats(data) = &output.data else { continue };
            let largest = data.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
            let absolute = arguments.tolerance * f64::from(largest);
            let path = tensors.add(&output)?;
            expected.push(Expected { output: output.name, path, absolute, relative: 0.0 });
        }
        let name = format!("case_{case:03}");
        tensors.plan.replay.push(Case { name, inputs, expected });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let text = toml::to_string(&tensors.plan).map_err(Failure::input)?;
    atomic::write_bytes(&path, text.as_bytes())?;
    let (files, bytes) = (tensors.plan.files.len(), tensors.bytes);
    Ok(Some(Written { plan: path, cases, files, bytes }))
}

impl Written {
    pub(super) fn describe(&self) -> String {
        let plan = self.plan.display();
        format!("{plan}: {} replay cases, {} KiB\n", self.cases, self.bytes >> 10)
    }
}
