//! `omma generate --out DIR`.

mod arguments;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use ommatidia_store::{ClipReader, Labels, atomic};
use ommatidia_world::scenario::{NAMED, Scenario};
use serde::Serialize;

pub(crate) use arguments::GenerateArguments;
use arguments::Plan;

use super::import::bring_in;
use crate::args::Common;
use crate::failure::Failure;
use crate::{interrupt, output};

#[derive(Debug, Default, Serialize)]
struct Generated {
    clips: Vec<PathBuf>,
    labels: Vec<PathBuf>,
    /// Clips that were there already.
    cached: usize,
    frames: usize,
    primary_rays_per_s: f64,
    frames_per_s: f64,
}

#[derive(Serialize)]
struct Listed {
    scenarios: Vec<ListedScenario>,
}

#[derive(Serialize)]
struct ListedScenario {
    name: &'static str,
    description: String,
}

pub(crate) fn run(arguments: &GenerateArguments, common: &Common) -> Result<ExitCode, Failure> {
    if arguments.list {
        return list(common);
    }
    let plan = arguments.resolve(common)?;
    atomic::create_directory(&plan.out)?;
    let mut generated = Generated::default();
    let (mut rays, mut seconds) = (0_u64, 0.0);
    for seed in plan.seeds.clone() {
        if interrupt::asked() {
            return Err(Failure::Interrupted);
        }
        let clip = plan.clip(seed);
        if let Some(labels) = finished(&plan, seed, &clip) {
            generated.cached += 1;
            generated.labels.push(labels);
        } else {
            let start = Instant::now();
            let made = generate(&plan, seed, &clip, common)?;
            seconds += start.elapsed().as_secs_f64();
            rays += made.primary_rays;
            generated.frames += made.frames;
            generated.labels.extend(made.labels);
        }
        generated.clips.push(clip);
    }
    if seconds > 0.0 {
        generated.primary_rays_per_s = rays as f64 / seconds;
        generated.frames_per_s = generated.frames as f64 / seconds;
    }
    output::print(common, &generated, || describe(&generated))
}

struct Made {
    labels: Option<PathBuf>,
    frames: usize,
    primary_rays: u64,
}

fn generate(plan: &Plan, seed: u64, clip: &Path, common: &Common) -> Result<Made, Failure> {
    let mut source = plan.start(seed)?;
    let pixels =
        |camera: &ommatidia_scene::CameraSensor| u64::from(camera.width) * u64::from(camera.height);
    let rays_per_frame: u64 = plan.rig.cameras.iter().map(pixels).sum();
    let frames = source.frames();
    let imported = bring_in(&mut source, clip, (&plan.id(seed), Some(frames)), common)?;
    Ok(Made { labels: imported.truth, frames, primary_rays: rays_per_frame * frames as u64 })
}

/// The labels of a clip that an earlier run made with the same settings.
fn finished(plan: &Plan, seed: u64, clip: &Path) -> Option<PathBuf> {
    let reader = ClipReader::open(clip).ok()?;
    let labels = clip.with_extension("truth");
    let truth = Labels::open(&labels).ok()?;
    let same = reader.clip().provenance == plan.provenance(seed)
        && truth.manifest().clip.content_hash == reader.content_hash();
    same.then_some(labels)
}

fn list(common: &Common) -> Result<ExitCode, Failure> {
    let one = |named: &ommatidia_world::scenario::Named| {
        let scenario = Scenario::parse(named.toml).map_err(Failure::input)?;
        Ok(ListedScenario { name: named.name, description: scenario.description })
    };
    let scenarios = NAMED.iter().map(one).collect::<Result<_, Failure>>()?;
    let listed = Listed { scenarios };
    output::print(common, &listed, || {
        let row = |scenario: &ListedScenario| {
            vec![scenario.name.to_owned(), scenario.description.clone()]
        };
        output::table(&["scenario", "what happens"], listed.scenarios.iter().map(row))
    })
}

fn describe(generated: &Generated) -> String {
    let mut text = String::new();
    for (clip, labels) in generated.clips.iter().zip(&generated.labels) {
        text += &format!("{}, truth {}\n", clip.display(), labels.display());
    }
    if generated.cached > 0 {
        text += &format!("{} of them were there already\n", generated.cached);
    }
    if generated.frames > 0 {
        text += &format!(
            "{} frames, {:.2} a second, {:.2} million primary rays a second\n",
            generated.frames,
            generated.frames_per_s,
            generated.primary_rays_per_s / 1e6
        );
    }
    text
}
