//! `omma demo`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_scene::{PoseSample, Provenance, Scale, Skipped, Taxonomy};
use ommatidia_store::formats::{self, Drive as Source, ImportOptions};
use ommatidia_store::{ClipHeader, ClipReader, Error, FrameData, image, import};
use ommatidia_world::{StreetDrive as Drive, StreetDriveOptions as DriveOptions};
use serde_json::json;

use super::{eval, label, report};
use crate::args::Common;
use crate::failure::Failure;
use crate::{output, progress};

/// Take a drive all the way: import or render it, label it, measure it, write a report
///
/// Without --drive, the program renders a small stereo drive itself: a textured street with houses,
/// trees, parked cars and one that moves, with exact truth.
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
            bring_in(drive.as_mut(), &clip, None, common)?
        }
        None => {
            let mut drive = Rendered::new(options(arguments.quick, common.seed));
            let frames = drive.drive.options.frames;
            bring_in(&mut drive, &clip, Some(frames), common)?
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

fn options(quick: bool, seed: u64) -> DriveOptions {
    let full = DriveOptions { seed, ..DriveOptions::default() };
    if quick { DriveOptions { width: 480, height: 176, frames: 12, ..full } } else { full }
}

fn bring_in(
    source: &mut dyn Source,
    clip: &Path,
    frames: Option<usize>,
    common: &Common,
) -> Result<import::Imported, Failure> {
    let what = if frames.is_some() { "render" } else { "import" };
    let bar = progress::bar(common, what, frames.map(|frames| frames as u64));
    let imported = import::import(source, clip, |frames| bar.set_position(frames as u64))?;
    bar.finish_and_clear();
    Ok(imported)
}

fn describe(page: &Path, labelled: &label::LabelledClip, measured: &eval::Measured) -> String {
    let mut text = label::describe(labelled);
    text += &measured.describe();
    text + &format!("\nlook at {}\n", page.display())
}

/// A rendered drive in the place of a recorded one.
struct Rendered {
    drive: Drive,
    header: ClipHeader,
    next: usize,
}

impl Rendered {
    fn new(options: DriveOptions) -> Self {
        let drive = Drive::new(options);
        let trajectory = drive.trajectory();
        let config = json!({
            "world": "street", "seed": options.seed, "width": options.width, "height": options.height,
            "frames": options.frames, "rate_hz": options.rate_hz,
        });
        let header = ClipHeader {
            id: format!("street-{}", options.seed),
            format: "world".to_owned(),
            rig: drive.rig.clone(),
            taxonomy: Taxonomy::driving().name,
            trajectory: Some((trajectory.source, Scale::Metric)),
            provenance: Provenance::new(Vec::new(), config),
        };
        Self { drive, header, next: 0 }
    }
}

impl Source for Rendered {
    fn header(&self) -> &ClipHeader {
        &self.header
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        if self.next == self.drive.options.frames {
            return Ok(None);
        }
        let index = self.next;
        self.next += 1;
        let frame = self.drive.frame(index);
        let timestamp = frame.timestamp;
        let picture =
            |picture| Some((timestamp, image::encode(picture, &format!("rendered frame {index}"))));
        Ok(Some(FrameData {
            timestamp,
            images: frame.images.iter().map(picture).collect(),
            clouds: frame.clouds.into_iter().map(|cloud| Some((timestamp, cloud))).collect(),
            poses: vec![PoseSample { timestamp, world_from_ego: self.drive.world_from_ego(index) }],
            truth: Some(frame.truth),
            ..FrameData::default()
        }))
    }

    fn skipped(&self) -> Vec<Skipped> {
        Vec::new()
    }
}
