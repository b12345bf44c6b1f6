//! `omma eval tracking`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ommatidia_metrics::statistics::{MetricRule, Parts, Record, Run, Share};
use ommatidia_metrics::tracking::mot_challenge::{PredictedBox, TrueBox, frame};
use ommatidia_metrics::tracking::nuscenes::{
    self as amota, AmotaProtocol, AmotaReport, PredictedTracks, TrackedBox, TrackedSample,
};
use ommatidia_metrics::tracking::similarity::{by_center, table};
use ommatidia_metrics::tracking::{
    Frame, Sequence, TrackingFigures, TrackingProtocol, TrackingReport, evaluate,
};
use ommatidia_scene::{Object, Taxonomy};
use ommatidia_store::results::mot::{self, MotRow};
use ommatidia_store::results::nuscenes_submission::{self, Names, Task};
use ommatidia_store::results::nuscenes_truth::{self, Truth};
use serde::Serialize;

use super::detection::{class_of_category, no_frames, racks, require_all};
use super::pairs::{FilePair, stem};
use super::protocol::resolve;
use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct TrackingArguments {
    /// Predicted tracks: a submission (nuScenes JSON), MOT text (a file, or a folder of SEQUENCE.txt), or a labels
    /// directory
    #[arg(long, visible_alias = "labels", value_name = "FILE|DIR")]
    predictions: PathBuf,
    /// True tracks: a folder with nuScenes' tables, MOT text (a file, or a folder of SEQUENCE/gt/gt.txt), or a labels
    /// directory
    #[arg(long, value_name = "FILE|DIR")]
    truth: PathBuf,
    /// How predictions and truth are written; told by the predictions if not given
    #[arg(long)]
    format: Option<TrackFormat>,
    /// Settings: a name (tracking_nips_2019 of nuScenes and labels; mot_challenge, mot20 of MOT) or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: Option<String>,
}

/// How tracks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TrackFormat {
    /// nuScenes: a JSON submission against its tables
    Nuscenes,
    /// MOTChallenge text
    Mot,
    /// Labels of ours against labels of ours
    Labels,
}

/// The figures that one looks at first, then all.
#[derive(Debug, Serialize)]
struct TrackingResult {
    hota: f64,
    deta: f64,
    assa: f64,
    mota: f64,
    idf1: f64,
    amota: Option<f64>,
    amotp: Option<f64>,
    sequences: usize,
    /// Boxes of classes that the protocol does not have.
    other_classes: u64,
    /// Frames that only one side has objects of.
    skipped_frames: usize,
    /// Sequences with their figures, and all as one. nuScenes and labels: similar by centre, classes apart.
    #[serde(flatten)]
    tracks: TrackingReport,
    /// nuScenes' own figures.
    nuscenes: Option<AmotaReport>,
}

pub(super) fn run(arguments: &TrackingArguments) -> Result<Evaluated, Failure> {
    let (mut result, keys) = match format_of(arguments) {
        TrackFormat::Mot => mot_text(arguments)?,
        TrackFormat::Nuscenes => {
            let protocol: AmotaProtocol = resolve(arguments.protocol.as_deref())?;
            let (pair, other) = nuscenes(arguments, &protocol)?;
            both(&pair, &protocol, arguments, other)?
        }
        TrackFormat::Labels => {
            let protocol: AmotaProtocol = resolve(arguments.protocol.as_deref())?;
            let (pair, other, skipped) = labels(arguments, &protocol)?;
            let (mut result, keys) = both(&pair, &protocol, arguments, other)?;
            result.skipped_frames = skipped;
            (result, keys)
        }
    };
    let mut run = Run::new("tracking", RULES);
    let sequences = result.tracks.per_sequence.iter();
    run.records = sequences.zip(keys).map(|((_, found), key)| record(found, key)).collect();
    run.parts = Some(Parts::Tracking { sequences: std::mem::take(&mut result.tracks.parts) });
    let text = describe(&result);
    Ok(Evaluated { result: serde_json::to_value(&result).map_err(Failure::input)?, text, run })
}

/// What a run's sequences are compared by.
const RULES: &[(&str, MetricRule)] = &[
    ("mota", MetricRule::SCORE),
    ("idf1", MetricRule::SCORE),
    ("recall", MetricRule::SCORE),
    ("precision", MetricRule::SCORE),
];

/// The scene of a sequence, and its class as a frame: classes of a scene are seen together.
type Key = (String, String);

fn record(found: &TrackingFigures, (scene, class): Key) -> Record {
    let (clear, identity) = (&found.clear, &found.identity);
    let [tp, misses, extra, switches] =
        [clear.tp, clear.fn_, clear.fp, clear.idsw].map(|n| n as f64);
    let [idtp, idfn, idfp] = [identity.idtp, identity.idfn, identity.idfp].map(|n| n as f64);
    Record::new(scene, class)
        .with("mota", Share { sum: tp - extra - switches, weight: tp + misses })
        .with("idf1", Share { sum: idtp, weight: idtp + 0.5 * idfn + 0.5 * idfp })
        .with("recall", Share { sum: tp, weight: tp + misses })
        .with("precision", Share { sum: tp, weight: tp + extra })
}

fn format_of(arguments: &TrackingArguments) -> TrackFormat {
    let predictions = &arguments.predictions;
    let ends = |path: &Path, ending: &str| path.extension().is_some_and(|found| found == ending);
    arguments.format.unwrap_or_else(|| {
        if predictions.join("manifest.json").is_file() {
            TrackFormat::Labels
        } else if predictions.is_dir() || ends(predictions, "txt") {
            TrackFormat::Mot
        } else {
            TrackFormat::Nuscenes
        }
    })
}

fn result(
    tracks: TrackingReport,
    nuscenes: Option<AmotaReport>,
    other_classes: u64,
) -> TrackingResult {
    let all = &tracks.combined;
    TrackingResult {
        hota: all.hota.hota,
        deta: all.hota.deta,
        assa: all.hota.assa,
        mota: nuscenes.as_ref().map_or(all.clear.mota, |found| found.all.mota),
        idf1: all.identity.idf1,
        amota: nuscenes.as_ref().map(|found| found.all.amota),
        amotp: nuscenes.as_ref().map(|found| found.all.amotp),
        sequences: tracks.per_sequence.len(),
        other_classes,
        skipped_frames: 0,
        tracks,
        nuscenes,
    }
}

/// Without truth every figure is perfect or nothing.
fn nothing_to_track(truth: &Path) -> Failure {
    let truth = truth.display();
    Failure::input(format!("{truth}: holds no track of the protocol's classes to compare with"))
}

/// MOT text: one file against one file, or folders of sequences.
fn mot_text(arguments: &TrackingArguments) -> Result<(TrackingResult, Vec<Key>), Failure> {
    let protocol: TrackingProtocol = resolve(arguments.protocol.as_deref())?;
    let pairs = mot_pairs(&arguments.truth, &arguments.predictions)?;
    let keys = pairs.keys().map(|name| (name.clone(), String::new())).collect();
    let mut sequences = Vec::with_capacity(pairs.len());
    for (name, files) in pairs {
        let (truth, predicted) = (mot::read(&files.truth)?, mot::read(&files.predicted)?);
        sequences.push(Sequence { name, frames: mot_frames(&truth, &predicted, &protocol) });
    }
    if sequences.iter().all(|s| s.frames.iter().all(|frame| frame.truth.is_empty())) {
        return Err(nothing_to_track(&arguments.truth));
    }
    let fail = super::between(&arguments.truth, &arguments.predictions);
    let tracks = evaluate(&sequences, &protocol).map_err(fail)?;
    Ok((result(tracks, None, 0), keys))
}

/// The files of each sequence of the truth, which all must be predicted, by its name.
fn mot_pairs(truth: &Path, predictions: &Path) -> Result<BTreeMap<String, FilePair>, Failure> {
    if !predictions.is_dir() {
        let (name, truth) = (mot_name(truth), truth.to_owned());
        let pair = FilePair { name: name.clone(), truth, predicted: predictions.to_owned() };
        return Ok([(name, pair)].into());
    }
    let mut extra: BTreeSet<String> =
        ommatidia_store::results::kitti::names(predictions)?.into_iter().collect();
    let mut pairs = BTreeMap::new();
    for name in mot_sequences(truth)? {
        let predicted = predictions.join(format!("{name}.txt"));
        let truth = truth.join(&name).join("gt").join("gt.txt");
        if !extra.remove(&name) {
            return Err(Failure::input(format!(
                "{}: is missing, and {} is its truth; an empty file predicts nothing",
                predicted.display(),
                truth.display()
            )));
        }
        pairs.insert(name.clone(), FilePair { name, truth, predicted });
    }
    if let Some(name) = extra.first() {
        let (file, truth) = (predictions.join(format!("{name}.txt")), truth.display());
        let what = format!("{}: {truth} has no {name}/gt/gt.txt; remove it", file.display());
        return Err(Failure::input(what));
    }
    if pairs.is_empty() {
        return Err(Failure::input(format!("{}: holds no SEQUENCE/gt/gt.txt", truth.display())));
    }
    Ok(pairs)
}

/// Folders of `gt/gt.txt`, sorted.
fn mot_sequences(truth: &Path) -> Result<BTreeSet<String>, Failure> {
    let fail = |cause| ommatidia_store::Error::read(truth, cause);
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(truth).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.path().join("gt").join("gt.txt").is_file() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// The sequence that a file is the truth of: the folder of its `gt/gt.txt`, else the file.
fn mot_name(truth: &Path) -> String {
    let folder = truth.parent().filter(|_| truth.ends_with("gt/gt.txt"));
    let name = folder.and_then(Path::parent).and_then(Path::file_name);
    name.map_or_else(|| stem(truth), |name| name.to_string_lossy().into_owned())
}

fn mot_frames(truth: &[MotRow], predicted: &[MotRow], protocol: &TrackingProtocol) -> Vec<Frame> {
    let mut frames: BTreeMap<u32, (Vec<TrueBox>, Vec<PredictedBox>)> = BTreeMap::new();
    for row in truth {
        frames.entry(row.frame).or_default().0.push(TrueBox {
            id: row.id,
            bounds_px: row.bounds_px,
            class: row.class,
            counts: row.confidence != 0.0,
        });
    }
    for row in predicted {
        let given = PredictedBox { id: row.id, bounds_px: row.bounds_px };
        frames.entry(row.frame).or_default().1.push(given);
    }
    let classes = (protocol.counted_class, &protocol.distractor_classes);
    frames
        .values()
        .map(|(truth, predicted)| frame(truth, predicted, classes.0, classes.1))
        .collect()
}

/// Truth and predictions of the same samples.
type Pair = (Vec<TrackedSample>, Vec<PredictedTracks>);

fn nuscenes(
    arguments: &TrackingArguments,
    protocol: &AmotaProtocol,
) -> Result<(Pair, u64), Failure> {
    let classes = protocol.classes.iter().map(|class| class.name.clone()).collect();
    let names = Names { classes, attributes: Vec::new() };
    let given = nuscenes_submission::read(&arguments.predictions, Task::Tracking, &names)?;
    let predicted: Vec<PredictedTracks> = given
        .into_iter()
        .map(|sample| PredictedTracks {
            sample: sample.sample,
            boxes: sample
                .boxes
                .iter()
                .map(|given| TrackedBox {
                    class: given.class,
                    track: u64::from(given.track.unwrap_or_default()),
                    points: given.points,
                    center_m: given.translation_m,
                    score: given.score,
                })
                .collect(),
        })
        .collect();
    let wanted: HashSet<&str> = predicted.iter().map(|sample| sample.sample.as_str()).collect();
    let tables = nuscenes_truth::read(&arguments.truth, &wanted)?;
    require_all(&arguments.predictions, &wanted, &tables)?;
    let (truth, other) = tracked_samples(tables, protocol);
    Ok(((truth, predicted), other))
}

fn tracked_samples(tables: Truth, protocol: &AmotaProtocol) -> (Vec<TrackedSample>, u64) {
    let place = |name: &str| protocol.classes.iter().position(|class| class.name == name);
    let classes: Vec<Option<usize>> =
        tables.categories.iter().map(|name| class_of_category(name).and_then(place)).collect();
    let mut other = 0;
    let mut samples = Vec::with_capacity(tables.samples.len());
    for sample in tables.samples {
        let mut boxes = Vec::with_capacity(sample.annotations.len());
        for given in &sample.annotations {
            match classes[usize::from(given.category)] {
                Some(class) => boxes.push(TrackedBox {
                    class: class as u16,
                    track: u64::from(given.instance),
                    points: Some(given.points),
                    center_m: given.translation_m,
                    score: 0.0,
                }),
                None => other += 1,
            }
        }
        samples.push(TrackedSample {
            bicycle_racks: racks(&sample, &tables.categories),
            sample: sample.sample,
            scene: sample.scene,
            timestamp_us: sample.timestamp_us,
            ego_m: sample.ego_m,
            boxes,
        });
    }
    (samples, other)
}

/// Our labels as one scene, in the world of the truth's trajectory where there is one.
fn labels(
    arguments: &TrackingArguments,
    protocol: &AmotaProtocol,
) -> Result<(Pair, u64, usize), Failure> {
    let truth = super::open_labels(&arguments.truth)?;
    let predicted = super::open_labels(&arguments.predictions)?;
    super::same_drive(&arguments.truth, &truth, &predicted)?;
    let trajectory = truth.trajectory()?;
    let (mut all, mut found) = (Vec::new(), Vec::new());
    let (mut other, mut skipped) = (0, 0);
    for timestamp in super::all_frames(&truth, &predicted) {
        let pair = (truth.objects(timestamp)?, predicted.objects(timestamp)?);
        skipped += usize::from(pair.0.is_some() != pair.1.is_some());
        let (Some(objects), Some(given)) = pair else { continue };
        let pose = trajectory.as_ref().and_then(|trajectory| trajectory.at(timestamp));
        let in_world = |object: &Object| -> [f64; 3] {
            let center = object.ego_from_object.translation;
            pose.map_or(center, |pose| pose.rotation * center + pose.translation).into()
        };
        let sample = timestamp.0.to_string();
        all.push(TrackedSample {
            sample: sample.clone(),
            scene: truth.manifest().clip.id.to_string(),
            timestamp_us: timestamp.0 / 1000,
            ego_m: pose.map_or([0.0; 3], |pose| pose.translation.into()),
            boxes: tracked(&objects, protocol, &in_world, &mut other),
            bicycle_racks: Vec::new(),
        });
        let boxes = tracked(&given, protocol, &in_world, &mut other);
        found.push(PredictedTracks { sample, boxes });
    }
    no_frames(&truth, all.len())?;
    Ok(((all, found), other, skipped))
}

/// Objects of the protocol's classes that are tracked.
fn tracked(
    objects: &[Object],
    protocol: &AmotaProtocol,
    in_world: &impl Fn(&Object) -> [f64; 3],
    other: &mut u64,
) -> Vec<TrackedBox> {
    let taxonomy = Taxonomy::driving();
    let mut boxes = Vec::with_capacity(objects.len());
    for object in objects {
        let name = taxonomy.class(object.class).map(|class| class.name.as_str());
        let place = protocol.classes.iter().position(|class| Some(class.name.as_str()) == name);
        let (Some(class), Some(track)) = (place, object.track) else {
            *other += 1;
            continue;
        };
        boxes.push(TrackedBox {
            class: class as u16,
            track: track.0,
            points: object.lidar_points,
            center_m: in_world(object),
            score: f64::from(object.confidence),
        });
    }
    boxes
}

/// nuScenes' figures, and HOTA, CLEAR MOT and identities of all boxes, similar by centre.
fn both(
    (truth, predicted): &Pair,
    protocol: &AmotaProtocol,
    arguments: &TrackingArguments,
    other: u64,
) -> Result<(TrackingResult, Vec<Key>), Failure> {
    if truth.iter().all(|sample| sample.boxes.is_empty()) {
        return Err(nothing_to_track(&arguments.truth));
    }
    let fail = super::between(&arguments.truth, &arguments.predictions);
    let report = amota::evaluate(truth, predicted, protocol).map_err(&fail)?;
    let settings: TrackingProtocol = resolve(None)?;
    let (sequences, keys) = by_class(truth, predicted, protocol, settings.zero_distance_m);
    let tracks = evaluate(&sequences, &settings).map_err(fail)?;
    Ok((result(tracks, Some(report), other), keys))
}

/// A sequence for each scene and class that occurs in it, of the boxes within the class's range.
fn by_class(
    truth: &[TrackedSample],
    predicted: &[PredictedTracks],
    protocol: &AmotaProtocol,
    zero_distance_m: f64,
) -> (Vec<Sequence>, Vec<Key>) {
    let found: BTreeMap<&str, &PredictedTracks> =
        predicted.iter().map(|sample| (sample.sample.as_str(), sample)).collect();
    let mut scenes: BTreeMap<&str, Vec<&TrackedSample>> = BTreeMap::new();
    for sample in truth {
        scenes.entry(&sample.scene).or_default().push(sample);
    }
    let (mut sequences, mut keys) = (Vec::new(), Vec::new());
    for (scene, samples) in &mut scenes {
        samples.sort_by_key(|sample| sample.timestamp_us);
        for (class, settings) in protocol.classes.iter().enumerate() {
            let counted = |sample: &TrackedSample, boxes: &[TrackedBox]| -> Vec<TrackedBox> {
                let near = |given: &&TrackedBox| {
                    let [dx, dy] = [0, 1].map(|i| given.center_m[i] - sample.ego_m[i]);
                    usize::from(given.class) == class && dx.hypot(dy) < settings.range_m
                };
                boxes.iter().filter(near).copied().collect()
            };
            let frames: Vec<Frame> = samples
                .iter()
                .map(|sample| {
                    let given = found.get(sample.sample.as_str()).map_or(&[][..], |s| &s.boxes);
                    frame_by_center(
                        &counted(sample, &sample.boxes),
                        &counted(sample, given),
                        zero_distance_m,
                    )
                })
                .collect();
            let is_empty = |frame: &Frame| frame.truth.is_empty() && frame.predicted.is_empty();
            if !frames.iter().all(is_empty) {
                let name = format!("{scene} {}", settings.name);
                sequences.push(Sequence { name, frames });
                keys.push(((*scene).to_owned(), settings.name.clone()));
            }
        }
    }
    (sequences, keys)
}

fn frame_by_center(truth: &[TrackedBox], predicted: &[TrackedBox], zero_distance_m: f64) -> Frame {
    let similar = |a: &TrackedBox, b: &TrackedBox| {
        let flat = |given: &TrackedBox| [given.center_m[0], given.center_m[1]];
        by_center(&flat(a), &flat(b), zero_distance_m)
    };
    Frame {
        truth: truth.iter().map(|given| given.track).collect(),
        predicted: predicted.iter().map(|given| given.track).collect(),
        similarity: table(truth, predicted, similar),
    }
}

fn describe(result: &TrackingResult) -> String {
    let all = &result.tracks.combined;
    let mut rows = vec![
        ("HOTA", result.hota),
        ("DetA", result.deta),
        ("AssA", result.assa),
        ("LocA", all.hota.loca),
        ("MOTA", result.mota),
        ("IDF1", result.idf1),
    ];
    rows.extend(result.amota.map(|value| ("AMOTA", value)));
    rows.extend(result.amotp.map(|value| ("AMOTP, m", value)));
    let rows = rows.iter().map(|(name, value)| vec![(*name).to_owned(), format!("{value:.4}")]);
    let rows = rows.chain(super::skipped_row(result.skipped_frames));
    output::table(&["tracking", "value"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_true_sequence_needs_a_prediction() {
        let folder = tempfile::tempdir().unwrap();
        let (truth, predicted) = (folder.path().join("t"), folder.path().join("p"));
        let write = |path: PathBuf| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        let check = |expected: &str| {
            let Failure::Input(report) = mot_pairs(&truth, &predicted).unwrap_err() else {
                panic!("bad input is the user's");
            };
            assert!(report.to_string().contains(expected), "{report}");
        };
        write(truth.join("a/gt/gt.txt"));
        write(truth.join("b/gt/gt.txt"));
        write(predicted.join("a.txt"));
        check("b.txt: is missing");
        write(predicted.join("b.txt"));
        let pairs = mot_pairs(&truth, &predicted).unwrap();
        assert_eq!(pairs.keys().collect::<Vec<_>>(), ["a", "b"]);
        write(predicted.join("c.txt"));
        check("has no c/gt/gt.txt");
    }

    #[test]
    fn a_single_file_is_named_by_its_sequence() {
        let check = |path: &str, expected: &str| assert_eq!(mot_name(Path::new(path)), expected);
        check("MOT17-02/gt/gt.txt", "MOT17-02");
        check("x/MOT17-04.txt", "MOT17-04");
        check("gt/gt.txt", "gt");
    }
}
