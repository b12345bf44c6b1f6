//! `omma fleet campaigns`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_scene::Trajectory;
use ommatidia_store::{Error as StoreError, labels::Labels};
use ommatidia_trigger::{Campaigns, Counts, FRAME_SIGNALS, OBJECT_SIGNALS, Signal, Signals, Watch};
use serde::Serialize;

use super::train::plan::read_taxonomy;
use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Check campaigns, and try them on labels as if a vehicle had seen them
#[derive(Debug, Args)]
pub(super) struct CampaignArguments {
    /// Campaigns (TOML, docs/triggers.md); without it, what triggers can ask about
    file: Option<PathBuf>,
    /// Labels to try them on
    #[arg(long, num_args = 1.., value_name = "DIR")]
    labels: Vec<PathBuf>,
    /// Classes: a taxonomy's name, or its file
    #[arg(long, value_name = "NAME|FILE", default_value = "driving")]
    taxonomy: String,
    /// The vehicle that looks: decides who takes part where a campaign asks for a share
    #[arg(long, value_name = "NAME", default_value = "VIN1")]
    vehicle: String,
}

#[derive(Serialize)]
struct Checked {
    campaigns: Vec<One>,
    /// Parts that one frame evaluates at most.
    cost: usize,
    /// How far back a vehicle keeps its frames.
    before_s: f64,
    frames: usize,
}

#[derive(Serialize)]
struct One {
    name: String,
    cost: usize,
    takes_part: bool,
    /// Frames of which the trigger is true.
    fired: usize,
    /// Frames of which it is not known.
    unknown: usize,
    asks: Vec<Asked>,
}

#[derive(Serialize)]
struct Asked {
    labels: PathBuf,
    from_s: f64,
    at_s: f64,
    to_s: f64,
}

pub(super) fn run(arguments: &CampaignArguments, common: &Common) -> Result<ExitCode, Failure> {
    let Some(path) = &arguments.file else {
        let names = |all: Vec<(&str, String)>| -> Vec<serde_json::Value> {
            let one = |(name, kind)| serde_json::json!({ "name": name, "type": kind });
            all.into_iter().map(one).collect()
        };
        let result = serde_json::json!({
            "frame": names(named(FRAME_SIGNALS)),
            "object": names(named(OBJECT_SIGNALS)),
        });
        return output::print(common, &result, signals);
    };
    let taxonomy = read_taxonomy(&arguments.taxonomy)?;
    let text = std::fs::read_to_string(path).map_err(|cause| StoreError::read(path, cause))?;
    let campaigns = Campaigns::parse(&text, &taxonomy)
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    let one =
        |(campaign, trigger): (&ommatidia_trigger::Campaign, &ommatidia_trigger::Trigger)| One {
            name: campaign.name.clone(),
            cost: trigger.cost(),
            takes_part: campaign.includes(&arguments.vehicle),
            fired: 0,
            unknown: 0,
            asks: Vec::new(),
        };
    let mut checked = Checked {
        campaigns: campaigns.iter().map(one).collect(),
        cost: campaigns.cost(),
        before_s: campaigns.longest_before_s(),
        frames: 0,
    };
    let mut counts = Counts::default();
    for directory in &arguments.labels {
        counts = on(directory, &campaigns, (&arguments.vehicle, counts), &mut checked)?;
    }
    output::print(common, &checked, || describe(&checked, !arguments.labels.is_empty()))
}

/// One drive after another, by one vehicle.
fn on(
    directory: &Path,
    campaigns: &Campaigns,
    (vehicle, counts): (&str, Counts),
    checked: &mut Checked,
) -> Result<Counts, Failure> {
    let labels = Labels::open(directory)?;
    let path = labels.trajectory()?;
    let mut watch = Watch::new(campaigns, vehicle, counts);
    let mut states: Vec<_> = campaigns.iter().map(|(_, trigger)| trigger.start()).collect();
    let mut before: Option<(Timestamp, Pose<World, Ego>)> = None;
    for &at in labels.frames() {
        let mut signals = Signals::of(&labels.vector_space(at)?);
        let pose = path.as_ref().and_then(|path| path.near(at, Trajectory::REACH));
        if let (Some(before), Some(pose)) = (before, pose) {
            signals.moved(before, (at, pose));
        }
        before = pose.map(|pose| (at, pose));
        let triggers = campaigns.iter().map(|(_, trigger)| trigger).zip(&mut states);
        for ((trigger, state), one) in triggers.zip(&mut checked.campaigns) {
            match trigger.step(state, at, &signals) {
                Some(true) => one.fired += 1,
                Some(false) => {}
                None => one.unknown += 1,
            }
        }
        for ask in watch.step(at, &signals) {
            let one = checked.campaigns.iter_mut().find(|one| one.name == ask.campaign);
            one.expect("it is one of them").asks.push(Asked {
                labels: directory.to_owned(),
                from_s: ask.from.as_secs_f64(),
                at_s: ask.at.as_secs_f64(),
                to_s: ask.to.as_secs_f64(),
            });
        }
        checked.frames += 1;
    }
    Ok(watch.counts().clone())
}

fn named<T>(signals: &[Signal<T>]) -> Vec<(&'static str, String)> {
    signals.iter().map(|signal| (signal.name, signal.kind.to_string())).collect()
}

fn signals() -> String {
    fn rows<T>(of: &str, signals: &[Signal<T>]) -> Vec<Vec<String>> {
        let row = |signal: &Signal<T>| {
            vec![
                of.to_owned(),
                signal.name.to_owned(),
                signal.kind.to_string(),
                signal.about.to_owned(),
            ]
        };
        signals.iter().map(row).collect()
    }
    let all = [rows("frame", FRAME_SIGNALS), rows("object", OBJECT_SIGNALS)].concat();
    output::table(&["of", "signal", "type", "what"], all)
}

fn describe(checked: &Checked, tried: bool) -> String {
    let row = |one: &One| {
        let mut row = vec![one.name.clone(), one.cost.to_string()];
        if tried {
            let part =
                if one.takes_part { one.asks.len().to_string() } else { "not its turn".to_owned() };
            row.extend([one.fired.to_string(), one.unknown.to_string(), part]);
        }
        row
    };
    let titles: &[&str] = match tried {
        true => &["campaign", "cost", "frames fired", "not known", "clips asked"],
        false => &["campaign", "cost"],
    };
    let mut text = output::table(titles, checked.campaigns.iter().map(row));
    let _ =
        writeln!(text, "at most {} parts a frame; {} s are kept", checked.cost, checked.before_s);
    if tried {
        let _ = writeln!(text, "{} frames", checked.frames);
    }
    text
}
