//! `omma demo`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_store::ClipReader;
use ommatidia_store::formats::{self, ImportOptions};
use ommatidia_world::scenario::Scenario;
use ommatidia_world::{DriveOptions, rig};
use serde_json::json;

use super::import::bring_in;
use super::{eval, label, report};
use crate::args::Common;
use crate::failure::Failure;
use crate::output;
use crate::rendered::{Rendered, Shoot};

/// What a drive without --drive goes through.
const SCENARIO: &str = "parked_rows";
const RATE_HZ: f64 = 10.0;

/// Take a drive all the way: import or render it, label it, measure it, write a report
///
/// Without --drive, the program renders a small stereo drive itself: a street with houses, trees, parked
/// cars and traffic, with exact truth.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// A recorded drive of any known format; rendered if not given
    #[arg(long, value_name = "PATH")]
    drive: Option<PathBuf>,
    /// Where everything is written
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    /// Fewer and smaller frames
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(arguments: &DemoArguments, common: &Common) -> Result<ExitCode, Failure> {
    let out = &arguments.out;
    ommatidia_store::atomic::create_directory(out)?;
    let clip = out.join("drive.mcap");
    let imported = match &arguments.drive {
        Some(source) => {
            let format = formats::find("auto", source)?;
            let mut drive = format.open(source, &ImportOptions::default())?;
            bring_in(drive.as_mut(), &clip, ("import", None), common)?
        }
        None => {
            let mut drive = rendered(arguments.quick, common.seed)?;
            let frames = drive.frames();
            bring_in(&mut drive, &clip, ("render", Some(frames)), common)?
        }
    };
    // A rendered drive knows its exact poses: labels must earn theirs.
    let labelled = label::label_clip(
        &clip,
        out,
        &label::Settings::for_demo(arguments.drive.is_none()),
        common,
    )?;
    let measured = match &imported.truth {
        Some(truth) => eval::against_truth(&labelled.labels, &clip, truth),
        None => eval::against_clip(&labelled.labels, &clip),
    }?;
    let page = out.join("report.html");
    let reader = ClipReader::open(&clip)?;
    report::write(&reader, &labelled.labels, &measured, (&page, 3))?;
    let result = json!({
        "clip": clip, "labels": labelled.labels, "truth": imported.truth, "report": page,
        "stages": labelled.stages, "metrics": measured,
    });
    output::print(common, &result, || describe(&page, &labelled, &measured))
}

/// A stereo drive through the world of [`SCENARIO`].
fn rendered(quick: bool, seed: u64) -> Result<Rendered, Failure> {
    let (size, frames) = if quick { ([480, 176], 12) } else { ([800, 288], 40) };
    let mut scenario = Scenario::named(SCENARIO).map_err(Failure::input)?;
    scenario.duration_s = Some(frames as f64 / RATE_HZ);
    let rig = rig::preset("stereo", Some(size)).map_err(Failure::input)?;
    let options = DriveOptions { seed, frames, rate_hz: RATE_HZ, ..DriveOptions::default() };
    let config = json!({
        "world": SCENARIO, "seed": seed, "cameras": rig, "frames": frames, "rate_hz": RATE_HZ,
    });
    let shoot = Shoot { scenario: &scenario, roads: None, rig: &rig, drift: false, options };
    let id = format!("{SCENARIO}-{seed:04}");
    Rendered::start(&shoot, (id, config)).map_err(Failure::input)
}

fn describe(page: &Path, labelled: &label::LabelledClip, measured: &eval::Measured) -> String {
    let mut text = label::describe(labelled);
    text += &measured.describe();
    text + &format!("\nlook at {}\n", page.display())
}
