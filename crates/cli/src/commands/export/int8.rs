//! The network in 8 bits, and what that costs.

use std::path::PathBuf;
use std::time::Instant;

use ommatidia_model::Sample;
use ommatidia_onnx::check::{self, Difference};
use ommatidia_onnx::engines::{self, Engine, Numbers, Value};
use ommatidia_onnx::proto::{Entry, Model};
use ommatidia_onnx::quantise::quantise;
use ommatidia_onnx::{Error, Feed, encode};
use ommatidia_scene::{Input, VectorSpace};
use ommatidia_train::data::{Dataset, Source, fit};
use serde::Serialize;
use serde_json::json;

use super::{ExportArguments, work};
use crate::args::Common;
use crate::commands::predict::Trained;
use crate::failure::Failure;
use crate::progress;

/// Runs of which the median is the time of one.
const REPEATS: usize = 5;

/// What 8 bits are and cost.
#[derive(Serialize)]
pub(super) struct Int8 {
    bytes: usize,
    float_bytes: usize,
    layers: usize,
    float_layers: usize,
    calibrated_on: usize,
    engines: Vec<InEngine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
}

/// An engine's answer in 8 bits beside its answer in float.
#[derive(Serialize)]
struct InEngine {
    engine: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    float_ms: f64,
    int8_ms: f64,
    outputs: Vec<Difference>,
}

/// Scores on samples with labels.
#[derive(Serialize)]
struct Cost {
    engine: String,
    samples: usize,
    scores: Vec<Score>,
    outputs: Vec<Noise>,
}

#[derive(Serialize)]
struct Score {
    name: String,
    float: f64,
    int8: f64,
}

/// Root mean square of what 8 bits change, over that of the output.
#[derive(Serialize, Default, Clone)]
struct Noise {
    output: String,
    share: f64,
    #[serde(skip)]
    sums: [f64; 2],
}

/// Which samples of which sources are looked at.
struct Chosen {
    sources: Vec<Box<dyn Source>>,
    places: Vec<(usize, usize)>,
}

impl Chosen {
    /// At most so many, spread evenly.
    fn of(sources: Vec<Box<dyn Source>>, most: usize) -> Self {
        let counts = sources.iter().enumerate();
        let all: Vec<(usize, usize)> =
            counts.flat_map(|(s, source)| (0..source.len()).map(move |i| (s, i))).collect();
        let count = all.len().min(most.max(1));
        let places = (0..count).map(|index| all[index * all.len() / count]).collect();
        Self { sources, places }
    }

    fn read(&self, trained: &Trained, index: usize) -> Result<Sample, ommatidia_train::Error> {
        let image = &trained.config.network.image;
        let (source, place) = self.places[index];
        Ok(fit(self.sources[source].read(place)?, [image.width, image.height]))
    }
}

/// The file in 8 bits, and how it compares with the one in float in these engines.
pub(super) fn run(
    trained: &Trained,
    arguments: &ExportArguments,
    (model, file): (&Model, &[u8]),
    (names, common): (&[&str], &Common),
) -> Result<(Vec<u8>, Int8), Failure> {
    let open = |path: &PathBuf| work::source(path, trained);
    let sources = arguments.calibrate.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let inputs: Vec<Vec<Input>> =
        sources.iter().map(|source| source.inputs()).collect::<Result<_, _>>()?;
    let chosen = Chosen::of(sources, arguments.samples);
    let bar = progress::bar(common, "calibrate", Some(2 * chosen.places.len() as u64));
    let mut failure = None;
    let mut feed = |index: usize| -> Result<Option<Vec<Value>>, Error> {
        if index == chosen.places.len() {
            return Ok(None);
        }
        bar.inc(1);
        match values(trained, &chosen, index) {
            Ok(values) => Ok(Some(values)),
            Err(cause) => {
                failure = Some(cause);
                Err(Error::File("a calibration sample cannot be read".to_owned()))
            }
        }
    };
    let made = quantise(model, &mut feed);
    let (mut small, summary) = match (made, failure) {
        (_, Some(failure)) => return Err(failure),
        (made, None) => made?,
    };
    bar.finish_and_clear();
    let about = json!({
        "layers": summary.layers, "float_layers": summary.float_layers,
        "calibrated_on": chosen.places.len(), "calibration": inputs.concat(),
    });
    small.metadata_props.push(Entry { key: "omma.int8".to_owned(), value: about.to_string() });
    let bytes = encode(&small);
    let example = values(trained, &chosen, chosen.places.len() / 2)?;
    let engines: Vec<InEngine> =
        names.iter().map(|name| compare(name, file, &bytes, &example, common)).collect();
    if engines.iter().all(|engine| engine.why_not.is_some()) {
        let why = |of: &InEngine| Some(format!("{}: {}", of.engine, of.why_not.as_ref()?));
        let why: Vec<String> = engines.iter().filter_map(why).collect();
        return Err(Failure::Environment(miette::miette!(
            "no engine of this build runs the 8-bit file, so it is not written: {}",
            why.join("; ")
        )));
    }
    let cost = cost(trained, arguments, &bytes, &engines, common)?;
    let int8 = Int8 {
        bytes: bytes.len(),
        float_bytes: file.len(),
        layers: summary.layers,
        float_layers: summary.float_layers,
        calibrated_on: chosen.places.len(),
        engines,
        cost,
    };
    Ok((bytes, int8))
}

fn values(trained: &Trained, chosen: &Chosen, index: usize) -> Result<Vec<Value>, Failure> {
    let sample = chosen.read(trained, index)?;
    Ok(Feed::of(&trained.network, &sample, &trained.device)?.values())
}

/// Both files in one engine.
fn compare(name: &str, float: &[u8], small: &[u8], inputs: &[Value], common: &Common) -> InEngine {
    let threads = common.threads.unwrap_or(0);
    let both = || -> Result<_, Error> {
        let mut float = engines::load(name, float, threads)?;
        let mut small = engines::load(name, small, threads)?;
        let expected = float.run(inputs)?;
        let outputs = check::compare(&mut *small, inputs, &expected)?;
        Ok((median_ms(&mut *float, inputs)?, median_ms(&mut *small, inputs)?, outputs))
    };
    let engine = name.to_owned();
    match both() {
        Ok((float_ms, int8_ms, outputs)) => {
            InEngine { engine, why_not: None, float_ms, int8_ms, outputs }
        }
        Err(cause) => {
            let why_not = Some(cause.to_string());
            InEngine { engine, why_not, float_ms: 0.0, int8_ms: 0.0, outputs: Vec::new() }
        }
    }
}

fn median_ms(engine: &mut dyn Engine, inputs: &[Value]) -> Result<f64, Error> {
    let mut times = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        let start = Instant::now();
        engine.run(inputs)?;
        times.push(1e3 * start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[REPEATS / 2])
}

/// Scores of the network in float and in 8 bits, in the first engine that takes both.
fn cost(
    trained: &Trained,
    arguments: &ExportArguments,
    small: &[u8],
    engines: &[InEngine],
    common: &Common,
) -> Result<Option<Cost>, Failure> {
    if arguments.evaluate.is_empty() {
        return Ok(None);
    }
    let Some(engine) = engines.iter().find(|engine| engine.why_not.is_none()) else {
        return Err(Failure::Environment(miette::miette!(
            "no engine of this build runs the file in 8 bits"
        )));
    };
    let mut runs = engines::load(&engine.engine, small, common.threads.unwrap_or(0))?;
    let set = Dataset::open(&arguments.evaluate, "val", work::window(trained)?, &trained.taxonomy)?;
    let chosen = Chosen::of(vec![Box::new(set)], arguments.samples);
    let bar = progress::bar(common, "evaluate", Some(chosen.places.len() as u64));
    let mut spaces: [Vec<VectorSpace>; 2] = Default::default();
    let mut truth = Vec::new();
    let mut noise: Vec<Noise> = Vec::new();
    for index in 0..chosen.places.len() {
        let sample = chosen.read(trained, index)?;
        let feed = Feed::of(&trained.network, &sample, &trained.device)?;
        let (float, _) = trained.network.step_with(&feed.moment, feed.past.as_ref());
        let found = runs.run(&feed.values())?;
        add_noise(&mut noise, &check::expected(&trained.network, &feed), &found);
        let small = check::outputs(trained.network.heads(), &float, &found, &trained.device)?;
        let samples = [sample];
        for (spaces, outputs) in spaces.iter_mut().zip([&float, &small]) {
            spaces.extend(trained.network.decode(outputs, &samples));
        }
        truth.extend(
            samples.map(|mut sample| sample.moments.pop().expect("a sample holds a moment").truth),
        );
        bar.inc(1);
    }
    bar.finish_and_clear();
    let [float, small] = spaces.map(|spaces| trained.network.scores(&spaces, &truth));
    let score =
        |((name, float), (_, int8)): ((String, f64), (String, f64))| Score { name, float, int8 };
    let scores = float.into_iter().zip(small).map(score).collect();
    let samples = truth.len();
    Ok(Some(Cost { engine: engine.engine.clone(), samples, scores, outputs: noise }))
}

fn add_noise(noise: &mut Vec<Noise>, expected: &[Value], found: &[Value]) {
    for wanted in expected {
        let got = found.iter().find(|value| value.name == wanted.name);
        let (Some(Numbers::Floats(got)), Numbers::Floats(wanted_data)) =
            (got.map(|value| &value.data), &wanted.data)
        else {
            continue;
        };
        let place = noise.iter().position(|entry| entry.output == wanted.name);
        let place = place.unwrap_or_else(|| {
            noise.push(Noise { output: wanted.name.clone(), ..Noise::default() });
            noise.len() - 1
        });
        let entry = &mut noise[place];
        for (a, b) in got.iter().zip(wanted_data) {
            entry.sums[0] += f64::from(a - b).powi(2);
            entry.sums[1] += f64::from(*b).powi(2);
        }
        entry.share = (entry.sums[0] / entry.sums[1].max(f64::MIN_POSITIVE)).sqrt();
    }
}

impl Int8 {
    pub(super) fn describe(&self) -> String {
        let [small, float] = [self.bytes, self.float_bytes].map(|bytes| bytes / 1024);
        let Self { layers, float_layers, calibrated_on, .. } = self;
        let mut text = format!(
            "8 bits: {layers} layers, {float_layers} in float, {small} KiB of {float}, calibrated on {calibrated_on} samples\n"
        );
        for engine in &self.engines {
            let InEngine { engine: name, why_not, float_ms, int8_ms, outputs } = engine;
            text += &match why_not {
                Some(why) => format!("{name:12} does not take it: {why}\n"),
                None => {
                    let off = outputs.iter().map(|output| output.max_abs).fold(0.0, f64::max);
                    format!(
                        "{name:12} float {float_ms:.1} ms, 8 bits {int8_ms:.1} ms, max difference {off:.2}\n"
                    )
                }
            };
        }
        let Some(cost) = &self.cost else { return text };
        text += &format!("on {} samples, in {}:\n", cost.samples, cost.engine);
        for Score { name, float, int8 } in &cost.scores {
            text += &format!("  {name:36} float {float:.4}, 8 bits {int8:.4}\n");
        }
        for Noise { output, share, .. } in &cost.outputs {
            text += &format!("  {output:36} changes by {:.2} %\n", 100.0 * share);
        }
        text
    }
}
