//! `omma info FILE|DIR`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ommatidia_scene::Clip;
use ommatidia_store::ClipReader;
use ommatidia_store::labels::Labels;
use serde_json::{Value, json};

use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Show what a clip or a labels directory holds
#[derive(Debug, Args)]
pub(crate) struct InfoArguments {
    /// A clip (.mcap) or a labels directory
    path: PathBuf,
    /// Also read every payload and check it against its checksum
    #[arg(long)]
    verify: bool,
}

pub(crate) fn run(arguments: &InfoArguments, common: &Common) -> Result<ExitCode, Failure> {
    let info = if arguments.path.is_dir() { labels(arguments)? } else { clip(arguments)? };
    output::print(common, &info, || human(&info))
}

fn clip(arguments: &InfoArguments) -> Result<Value, Failure> {
    let reader = ClipReader::open(&arguments.path)?;
    if arguments.verify {
        reader.verify()?;
    }
    let clip = reader.clip();
    let cameras: Vec<Value> = clip.rig.cameras.iter().map(|camera| json!(camera)).collect();
    let lidars: Vec<Value> = clip.rig.lidars.iter().map(|lidar| json!(lidar)).collect();
    Ok(json!({
        "kind": "clip",
        "id": clip.id,
        "format": clip.format,
        "frames": clip.frames.len(),
        "images": images(clip),
        "duration_s": clip.duration_s(),
        "cameras": cameras,
        "lidars": lidars,
        "poses": clip.trajectory.as_ref().map(|t| json!({
            "source": t.source, "scale": t.scale, "samples": t.samples().len(), "path_m": t.path_m(),
        })),
        "taxonomy": clip.taxonomy,
        "content_hash": reader.content_hash(),
        "provenance": clip.provenance,
        "verified": arguments.verify,
    }))
}

fn images(clip: &Clip) -> usize {
    clip.frames.iter().map(|frame| frame.images.iter().flatten().count()).sum()
}

fn labels(arguments: &InfoArguments) -> Result<Value, Failure> {
    let labels = Labels::open(&arguments.path)?;
    if arguments.verify {
        labels.verify()?;
    }
    let mut info = serde_json::to_value(labels.manifest()).map_err(Failure::input)?;
    info["kind"] = json!("labels");
    info["verified"] = json!(arguments.verify);
    Ok(info)
}

/// The interesting lines; `--json` has everything.
fn human(info: &Value) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text += &format!("{name:<12} {value}\n");
    for key in [
        "kind",
        "id",
        "clip",
        "format",
        "frames",
        "images",
        "duration_s",
        "taxonomy",
        "content_hash",
    ] {
        match &info[key] {
            Value::Null => {}
            Value::String(value) => line(key, value.clone()),
            Value::Array(values) => line(key, values.len().to_string()),
            value => line(key, value.to_string()),
        }
    }
    for camera in info["cameras"].as_array().into_iter().flatten() {
        let model = camera["intrinsics"]["model"].as_str().unwrap_or("?");
        let name = camera["name"].as_str().unwrap_or("?");
        line("camera", format!("{name}: {model}, {} x {} px", camera["width"], camera["height"]));
    }
    for lidar in info["lidars"].as_array().into_iter().flatten() {
        line("lidar", lidar["name"].as_str().unwrap_or("?").to_owned());
    }
    if let Some(poses) = info["poses"].as_object() {
        let path_m = poses["path_m"].as_f64().unwrap_or(0.0);
        line("poses", format!("{} from {}, {path_m:.1} m", poses["samples"], poses["source"]));
    }
    for stage in info["stages"].as_array().into_iter().flatten() {
        let confidence = stage["confidence"].as_f64().unwrap_or(0.0);
        let name = stage["name"].as_str().unwrap_or("?");
        line("stage", format!("{name}: confidence {confidence:.2}"));
    }
    text
}
