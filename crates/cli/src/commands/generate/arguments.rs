//! What to generate, resolved and checked.

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use ommatidia_scene::{Provenance, Rig};
use ommatidia_store::formats;
use ommatidia_world::roads::{Network, Setting};
use ommatidia_world::scenario::Scenario;
use ommatidia_world::trace::Observed;
use ommatidia_world::{DriveOptions, rig};
use serde_json::{Value, json};

use crate::args::Common;
use crate::failure::Failure;
use crate::rendered::{Rendered, Shoot};

const MAX_RATE_HZ: f64 = 200.0;

/// Make drives through procedural worlds, with exact truth for everything
///
/// Per seed one clip and beside it, in NAME.truth, the labels: occupancy with flow, surface, objects,
/// lanes, and per pixel depth, normal, class, instance and optical flow. The same seed and version give
/// the same bytes; clips that are there already are not made again.
#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// Directory for clips and labels
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// A scenario by name (see --list), or a TOML file (docs/worlds.md); left out, the seed decides everything
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
    /// Roads of an OpenDRIVE file in the place of the scenario's; of its `place` only `setting` and `works` count
    #[arg(long, value_name = "FILE.xodr")]
    roads: Option<PathBuf>,
    /// Seeds, from A up to but not including B [default: the one of --seed]
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<Range<u64>>,
    /// Rig by name (stereo, nuscenes6, surround8, fisheye4), or a TOML file (docs/rig.md)
    #[arg(long, default_value = "surround8", value_name = "PRESET|FILE")]
    rig: String,
    /// Size of all images, pixels [default: the rig's own]
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    size: Option<[u32; 2]>,
    /// Frames a second
    #[arg(long, default_value_t = 10.0, value_name = "HZ", allow_negative_numbers = true)]
    rate: f64,
    /// Length of each clip [default: the scenario's]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Which voxels of the truth count as observed: those that a camera or lidar sees in the frame, or all
    #[arg(long, default_value = "frame", value_name = "frame|complete", value_parser = parse_observed)]
    observed: Observed,
    /// Let the sensors sit a little off their calibration: the clip carries the calibration, the truth
    /// where they really are
    #[arg(long)]
    drift: bool,
    /// Print the named scenarios and make nothing
    #[arg(long)]
    pub(super) list: bool,
}

/// What will be generated.
pub(super) struct Plan {
    pub(super) out: PathBuf,
    pub(super) seeds: Range<u64>,
    name: String,
    scenario: Scenario,
    roads: Option<Roads>,
    rig_name: String,
    /// As calibrated.
    pub(super) rig: Rig,
    drift: bool,
    options: DriveOptions,
}

/// Roads of a file.
struct Roads {
    network: Network,
    /// Name of the file and hash of its content: the clip depends on them.
    config: Value,
}

impl GenerateArguments {
    pub(super) fn resolve(&self, common: &Common) -> Result<Plan, Failure> {
        let Some(out) = self.out.clone() else {
            return Err(Failure::input("--out is missing; give a directory for the clips"));
        };
        if !(self.rate > 0.0 && self.rate <= MAX_RATE_HZ) {
            return Err(Failure::input(format!(
                "--rate is {}; choose it from above 0 to {MAX_RATE_HZ} frames a second",
                self.rate
            )));
        }
        let (name, mut scenario) = scenario_of(self.scenario.as_deref())?;
        let seconds = self.seconds.unwrap_or(scenario.duration_s());
        if self.seconds.is_some() {
            scenario.duration_s = self.seconds;
            scenario.check().map_err(|cause| Failure::input(format!("--seconds: {cause}")))?;
        }
        let roads = match &self.roads {
            Some(path) => Some(roads_of(path, scenario.place.setting.unwrap_or_default())?),
            None => None,
        };
        let frames = ((seconds * self.rate).round() as usize).max(1);
        let options = DriveOptions {
            frames,
            rate_hz: self.rate,
            observed: self.observed,
            ..DriveOptions::default()
        };
        let seeds = match &self.seeds {
            Some(seeds) => seeds.clone(),
            None => only(common.seed)?,
        };
        let rig = rig_of(&self.rig, self.size)?;
        let rig_name = self.rig.clone();
        Ok(Plan { out, seeds, name, scenario, roads, rig_name, rig, drift: self.drift, options })
    }
}

/// The range of one seed.
fn only(seed: u64) -> Result<Range<u64>, Failure> {
    let end = seed.checked_add(1).ok_or_else(|| {
        Failure::input(format!("--seed is {seed}; choose one up to {}", u64::MAX - 1))
    })?;
    Ok(seed..end)
}

fn scenario_of(name: Option<&str>) -> Result<(String, Scenario), Failure> {
    let Some(name) = name else { return Ok(("any".to_owned(), Scenario::default())) };
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Ok((name.to_owned(), Scenario::named(name).map_err(Failure::input)?));
    }
    let text = ommatidia_store::results::text::read_settings(path)?;
    let scenario = Scenario::parse(&text)
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok((stem.into_owned(), scenario))
}

fn roads_of(path: &Path, setting: Setting) -> Result<Roads, Failure> {
    let text = ommatidia_store::results::text::read(path)?;
    let network = Network::from_opendrive(&text, setting)
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hash = ommatidia_store::hash::of_bytes(text.as_bytes()).to_string();
    Ok(Roads { network, config: json!({ "file": name, "content_hash": hash }) })
}

fn rig_of(name: &str, size: Option<[u32; 2]>) -> Result<Rig, Failure> {
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        return rig::preset(name, size).map_err(Failure::input);
    }
    let given = formats::read_rig(path)?;
    match size {
        Some(size) => rig::resized(&given, size).map_err(Failure::input),
        None => Ok(given),
    }
}

impl Plan {
    /// The clip's identity.
    pub(super) fn id(&self, seed: u64) -> String {
        format!("{}-{seed:04}", self.name)
    }

    pub(super) fn clip(&self, seed: u64) -> PathBuf {
        self.out.join(format!("{}.mcap", self.id(seed)))
    }

    /// Builds the world of a seed and starts the drive through it.
    pub(super) fn start(&self, seed: u64) -> Result<Rendered, Failure> {
        let options = DriveOptions { seed, ..self.options };
        let roads = self.roads.as_ref().map(|roads| &roads.network);
        let (scenario, rig, drift) = (&self.scenario, &self.rig, self.drift);
        let shoot = Shoot { scenario, roads, rig, drift, options };
        Rendered::start(&shoot, (self.id(seed), self.config(seed)))
            .map_err(|cause| Failure::input(format!("{} with seed {seed}: {cause}", self.name)))
    }

    /// Everything that the clip of a seed depends on.
    pub(super) fn config(&self, seed: u64) -> Value {
        let mut config = json!({
            "world": self.name, "scenario": self.scenario, "seed": seed, "rig": self.rig_name,
            "cameras": self.rig, "frames": self.options.frames, "rate_hz": self.options.rate_hz,
            "observed": format!("{:?}", self.options.observed).to_lowercase(), "drift": self.drift,
        });
        if let Some(roads) = &self.roads {
            config["roads"] = roads.config.clone();
        }
        config
    }

    pub(super) fn provenance(&self, seed: u64) -> Provenance {
        Provenance::new(Vec::new(), self.config(seed))
    }
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let range = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    match range {
        Some(range) if range.start < range.end => Ok(range),
        _ => Err("give A..B with A below B, as 0..100".to_owned()),
    }
}

fn parse_observed(text: &str) -> Result<Observed, String> {
    match text {
        "frame" => Ok(Observed::Frame),
        "complete" => Ok(Observed::Complete),
        _ => Err("give frame or complete".to_owned()),
    }
}

fn parse_size(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    sides.ok_or_else(|| "give WxH in pixels, as 704x396".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seed_has_no_range() {
        assert_eq!(only(7).unwrap(), 7..8);
        assert!(only(u64::MAX - 1).is_ok() && only(u64::MAX).is_err());
    }

    #[test]
    fn seeds_are_a_range_that_is_not_empty() {
        assert_eq!(parse_seeds("0..100"), Ok(0..100));
        for bad in ["5..5", "6..5", "5", "a..b", "-1..3", ""] {
            assert!(parse_seeds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_two_numbers() {
        assert_eq!(parse_size("704x396"), Ok([704, 396]));
        for bad in ["704", "704x", "x396", "7.5x3", "-1x4"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
