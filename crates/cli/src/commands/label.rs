//! `omma label CLIP… --out DIR`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use ommatidia_label::pipeline::{self, LabelConfig, LabelOptions, StageReport};
use ommatidia_scene::Skipped;
use ommatidia_store::{ClipReader, Error as StoreError, atomic};
use serde::Serialize;

use crate::args::Common;
use crate::failure::Failure;
use crate::progress::StageBars;
use crate::{interrupt, output};

/// Make labels of clips: ego trajectory, depth, occupancy, surface
///
/// Results are cached by content: what is there is not made again. Interrupted or killed, the same
/// command goes on where it stopped and ends with the same bytes.
#[derive(Debug, Args)]
pub(crate) struct LabelArguments {
    /// Clips (.mcap)
    #[arg(required = true)]
    clips: Vec<PathBuf>,
    /// Where labels are written: a directory per clip, named after it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    settings: Settings,
    /// Every N-th clip from the I-th on (from 0), for arrays of jobs
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    shard: Option<Shard>,
}

/// What to make and how.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Settings {
    /// Stages to run, with those they need; all if not given
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    stages: Vec<String>,
    /// Use the clip's poses as priors (the default)
    #[arg(long, conflicts_with = "ignore_poses")]
    use_poses: bool,
    /// Estimate the trajectory from the images alone
    #[arg(long)]
    ignore_poses: bool,
    /// Keep lidar sweeps out of the labels, so that they can be measured against them
    #[arg(long)]
    ignore_lidar: bool,
    /// Settings of the stages in TOML; what it leaves out stays at its default
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
}

impl Settings {
    /// For a demonstration; a rendered drive is labelled without its exact poses and lidar.
    pub(crate) fn for_demo(rendered: bool) -> Self {
        Self { ignore_poses: rendered, ignore_lidar: rendered, ..Self::default() }
    }

    fn resolve(&self) -> Result<LabelOptions, Failure> {
        let mut config = match &self.config {
            Some(path) => {
                let text = ommatidia_store::results::text::read_settings(path)?;
                toml::from_str::<LabelConfig>(&text)
                    .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?
            }
            None => LabelConfig::default(),
        };
        config.use_poses &= !self.ignore_poses;
        config.use_poses |= self.use_poses;
        config.use_lidar &= !self.ignore_lidar;
        Ok(LabelOptions { stages: self.stages.clone(), config })
    }
}

/// Which of the clips this process labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
    index: usize,
    count: usize,
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((index, count)) if index < count => Ok(Shard { index, count }),
        _ => Err("give I/N with I from 0 to N - 1, as 3/16".to_owned()),
    }
}

/// One clip's labels.
#[derive(Debug, Serialize)]
pub(crate) struct LabelledClip {
    clip: PathBuf,
    pub(crate) labels: PathBuf,
    pub(crate) stages: Vec<StageResult>,
}

/// One stage of one clip.
#[derive(Debug, Serialize)]
pub(crate) struct StageResult {
    name: &'static str,
    seconds: f64,
    cached: bool,
    confidence: f64,
    skipped: Vec<Skipped>,
}

#[derive(Serialize)]
struct LabelResult {
    clips: Vec<LabelledClip>,
    core_seconds: f64,
}

pub(crate) fn run(arguments: &LabelArguments, common: &Common) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    let shard = arguments.shard.unwrap_or(Shard { index: 0, count: 1 });
    check_names(&arguments.clips)?;
    let mine = arguments.clips.iter().enumerate().filter(|(i, _)| i % shard.count == shard.index);
    let mut clips = Vec::new();
    for (_, clip) in mine {
        clips.push(label_clip(clip, &arguments.out, &arguments.settings, common)?);
    }
    let core_seconds = interrupt::cpu_seconds().unwrap_or_else(|| start.elapsed().as_secs_f64());
    let result = LabelResult { clips, core_seconds };
    output::print(common, &result, || result.clips.iter().map(describe).collect())
}

/// Two clips of one name would write into one directory.
fn check_names(clips: &[PathBuf]) -> Result<(), Failure> {
    let mut names: Vec<_> = clips.iter().map(|clip| clip.file_stem()).collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            let name = pair[0].unwrap_or_default().display();
            Err(Failure::input(format!(
                "two clips are named {name}; label them into different --out directories"
            )))
        }
        None => Ok(()),
    }
}

/// Labels one clip into `out/NAME`.
pub(crate) fn label_clip(
    clip: &Path,
    out: &Path,
    settings: &Settings,
    common: &Common,
) -> Result<LabelledClip, Failure> {
    let options = settings.resolve()?;
    let reader = ClipReader::open(clip)?;
    let Some(name) = clip.file_stem() else {
        return Err(Failure::input(format!("{}: is not a file name", clip.display())));
    };
    let labels = out.join(name);
    let bars = StageBars::new(common);
    let reports = pipeline::label(&reader, &labels, &options, &bars)?;
    note_clip(clip, &labels)?;
    let stage = |report: StageReport| StageResult {
        name: report.name,
        seconds: bars.seconds(report.name),
        cached: report.cached,
        confidence: report.confidence,
        skipped: report.skipped,
    };
    Ok(LabelledClip {
        clip: clip.to_owned(),
        labels,
        stages: reports.into_iter().map(stage).collect(),
    })
}

/// File in a labels directory that says where the clip was. No label depends on it.
const NOTE: &str = ".clip";

fn note_clip(clip: &Path, labels: &Path) -> Result<(), Failure> {
    let absolute = std::path::absolute(clip).map_err(|cause| StoreError::read(clip, cause))?;
    let note = labels.join(NOTE);
    let bytes = absolute.as_os_str().as_encoded_bytes();
    if std::fs::read(&note).is_ok_and(|noted| noted == bytes) {
        return Ok(());
    }
    Ok(atomic::write_bytes(&note, bytes)?)
}

/// Where the clip of some labels was when they were made.
pub(crate) fn noted_clip(labels: &Path) -> Option<PathBuf> {
    std::fs::read_to_string(labels.join(NOTE)).ok().map(PathBuf::from)
}

pub(crate) fn describe(clip: &LabelledClip) -> String {
    let row = |stage: &StageResult| {
        let time =
            if stage.cached { "cached".to_owned() } else { format!("{:.2} s", stage.seconds) };
        vec![stage.name.to_owned(), time, format!("{:.2}", stage.confidence)]
    };
    let skipped: String = clip.stages.iter().map(|stage| output::skipped(&stage.skipped)).collect();
    let table = output::table(&["stage", "time", "confidence"], clip.stages.iter().map(row));
    format!("{}\n{table}{skipped}", clip.labels.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_numbered_from_zero() {
        assert_eq!(parse_shard("0/1"), Ok(Shard { index: 0, count: 1 }));
        assert_eq!(parse_shard("15/16"), Ok(Shard { index: 15, count: 16 }));
        for bad in ["16/16", "1", "a/b", "-1/3", "0/0", "/"] {
            assert!(parse_shard(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn clips_of_one_name_are_refused() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(check_names(&paths(&["a/x.mcap", "b/y.mcap"])).is_ok());
        assert!(check_names(&paths(&["a/x.mcap", "b/x.mcap"])).is_err());
    }
}
