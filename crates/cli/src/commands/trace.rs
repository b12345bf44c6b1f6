//! `omma trace ANYTHING`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_scene::Provenance;
use ommatidia_store::ClipReader;
use ommatidia_store::labels::Labels;
use serde_json::{Value, json};

use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Walk from an artefact back to the recordings it was made from
#[derive(Debug, Args)]
pub(crate) struct TraceArguments {
    /// A labels directory, one of its tables, or a clip
    path: PathBuf,
    /// Clip that the labels should have been made from, if it is not where it was then; its content is compared
    #[arg(long, value_name = "CLIP.mcap")]
    clip: Option<PathBuf>,
}

pub(crate) fn run(arguments: &TraceArguments, common: &Common) -> Result<ExitCode, Failure> {
    let path = &arguments.path;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let steps = match ending {
        _ if path.is_dir() => labels_steps(path, arguments.clip.as_deref())?,
        "parquet" => table_steps(path, arguments.clip.as_deref())?,
        "html" | "htm" => {
            return Err(Failure::input(format!(
                "{}: is a page for readers; it names its clip under \"Provenance\": trace the labels it shows",
                path.display()
            )));
        }
        _ => vec![clip_step(path, &ClipReader::open(path)?)],
    };
    let result = json!({ "trace": steps });
    output::print(common, &result, || human(&steps))
}

/// A table of a labels directory, and then as the directory.
fn table_steps(path: &Path, clip: Option<&Path>) -> Result<Vec<Value>, Failure> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let labels = Labels::open(directory).map_err(|cause| {
        let path = path.display();
        Failure::input(format!("{path}: is not a table of a labels directory: {cause}"))
    })?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let made = labels.manifest().stages.iter().find_map(|stage| {
        let output = stage.outputs.iter().find(|output| output.table.file_name() == name)?;
        Some((stage, output))
    });
    let Some((stage, output)) = made else {
        return Err(Failure::input(format!("{}: is not in its labels' manifest", path.display())));
    };
    if ommatidia_store::hash::of_file(path)? != output.blake3 {
        return Err(Failure::input(format!(
            "{}: is not what its labels' manifest says it is; run omma label again",
            path.display()
        )));
    }
    let step = json!({
        "kind": "table",
        "path": path,
        "content_hash": output.blake3,
        "made_by": { "stage": stage.name, "key": stage.key },
    });
    Ok(std::iter::once(step).chain(labels_steps(directory, clip)?).collect())
}

/// Labels, and the clip they were made from where it is found. `clip`: where it should be looked for.
fn labels_steps(directory: &Path, clip: Option<&Path>) -> Result<Vec<Value>, Failure> {
    let labels = Labels::open(directory)?;
    let manifest = labels.manifest();
    let mut steps = vec![json!({
        "kind": "labels",
        "path": directory,
        "made_from": { "clip": manifest.clip.id, "content_hash": manifest.clip.content_hash },
        "stages": manifest.stages,
        "provenance": manifest.provenance,
    })];
    if let Some(clip) = clip {
        let reader = ClipReader::open(clip)?;
        if reader.content_hash() != manifest.clip.content_hash {
            let (found, made_from) = (reader.content_hash(), manifest.clip.content_hash);
            return Err(Failure::input(format!(
                "{}: has content {found}, but the labels were made from {made_from}",
                clip.display()
            )));
        }
        steps.push(clip_step(clip, &reader));
    } else if let Some(clip) = super::label::noted_clip(directory)
        && let Ok(reader) = ClipReader::open(&clip)
        && reader.content_hash() == manifest.clip.content_hash
    {
        steps.push(clip_step(&clip, &reader));
    }
    Ok(steps)
}

fn clip_step(path: &Path, reader: &ClipReader) -> Value {
    let clip = reader.clip();
    json!({
        "kind": "clip",
        "path": path,
        "id": clip.id,
        "format": clip.format,
        "content_hash": reader.content_hash(),
        "provenance": clip.provenance,
    })
}

fn human(steps: &[Value]) -> String {
    let mut text = String::new();
    for step in steps {
        let kind = step["kind"].as_str().unwrap_or("?");
        text += &format!("{kind} {}\n", step["path"].as_str().unwrap_or("?"));
        if let Some(hash) = step["content_hash"].as_str() {
            text += &format!("  content {hash}\n");
        }
        if let Some(stage) = step["made_by"]["stage"].as_str() {
            text += &format!("  made by stage {stage}\n");
        }
        if let Some(clip) = step["made_from"]["clip"].as_str() {
            text += &format!(
                "  made from clip {clip}, content {}\n",
                step["made_from"]["content_hash"].as_str().unwrap_or("?")
            );
        }
        let Ok(provenance) = serde_json::from_value::<Provenance>(step["provenance"].clone())
        else {
            continue;
        };
        text += &format!("  by {}\n", provenance.code);
        for input in &provenance.inputs {
            text += &format!("  from {} {}\n", input.blake3, input.name);
        }
    }
    text
}
