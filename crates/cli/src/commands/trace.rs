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
    /// A labels directory or a clip
    path: PathBuf,
    /// Clip that the labels should have been made from, if it is not where it was then; its content is compared
    #[arg(long, value_name = "CLIP.mcap")]
    clip: Option<PathBuf>,
}

pub(crate) fn run(arguments: &TraceArguments, common: &Common) -> Result<ExitCode, Failure> {
    let mut steps = Vec::new();
    if arguments.path.is_dir() {
        let labels = Labels::open(&arguments.path)?;
        let manifest = labels.manifest();
        steps.push(json!({
            "kind": "labels",
            "path": arguments.path,
            "made_from": { "clip": manifest.clip.id, "content_hash": manifest.clip.content_hash },
            "stages": manifest.stages,
            "provenance": manifest.provenance,
        }));
        if let Some(clip) = &arguments.clip {
            let reader = ClipReader::open(clip)?;
            if reader.content_hash() != manifest.clip.content_hash {
                let (found, made_from) = (reader.content_hash(), manifest.clip.content_hash);
                return Err(Failure::input(format!(
                    "{}: has content {found}, but the labels were made from {made_from}",
                    clip.display()
                )));
            }
            steps.push(clip_step(clip, &reader));
        } else if let Some(clip) = super::label::noted_clip(&arguments.path)
            && let Ok(reader) = ClipReader::open(&clip)
            && reader.content_hash() == manifest.clip.content_hash
        {
            steps.push(clip_step(&clip, &reader));
        }
    } else {
        steps.push(clip_step(&arguments.path, &ClipReader::open(&arguments.path)?));
    }
    let result = json!({ "trace": steps });
    output::print(common, &result, || human(&steps))
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
