//! `omma eval detection`.

mod kitti;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use ommatidia_metrics::detection::nuscenes::{
    DetectionBox, DetectionProtocol, DetectionReport, OrientedBox, SampleCounts, SamplePredictions,
    SampleTruth, evaluate, yaw_of,
};
use ommatidia_metrics::statistics::{MetricRule, Parts, Record, Run, Share};
use ommatidia_scene::{Object, Taxonomy};
use ommatidia_store::Labels;
use ommatidia_store::results::nuscenes_submission::{self, Names, ResultBox, Task};
use ommatidia_store::results::nuscenes_truth::{self, Truth, TruthSample};
use serde::Serialize;

use super::protocol::resolve;
use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct DetectionArguments {
    /// Predicted boxes: a submission (nuScenes JSON), a folder of KITTI text, or a labels directory
    #[arg(long, visible_alias = "labels", value_name = "FILE|DIR")]
    predictions: PathBuf,
    /// True boxes: a folder with nuScenes' tables, KITTI's label_2, or a labels directory
    #[arg(long, value_name = "DIR")]
    truth: PathBuf,
    /// How predictions and truth are written; told by the predictions if not given
    #[arg(long)]
    format: Option<BoxFormat>,
    /// Settings: a name (detection_cvpr_2019 of nuScenes and labels; kitti_object of KITTI) or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: Option<String>,
}

/// How boxes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BoxFormat {
    /// nuScenes: a JSON submission against its tables
    Nuscenes,
    /// KITTI text: a file per image, scores last in the predictions
    Kitti,
    /// Labels of ours against labels of ours
    Labels,
}

impl BoxFormat {
    /// A file is a submission, a directory holds labels or KITTI's text.
    fn of(given: Option<Self>, predictions: &Path) -> Self {
        given.unwrap_or_else(|| {
            if !predictions.is_dir() {
                Self::Nuscenes
            } else if !predictions.join("manifest.json").is_file()
                && super::files::under(predictions, &[".txt"]).is_ok()
            {
                Self::Kitti
            } else {
                Self::Labels
            }
        })
    }
}

/// The metric, and over what it is.
#[derive(Debug, Serialize)]
struct DetectionResult {
    #[serde(flatten)]
    report: DetectionReport,
    samples: usize,
    scenes: usize,
    seconds: Seconds,
    /// Scene and place in it of each sample, in the order of the predictions.
    #[serde(skip)]
    samples_in_order: Vec<[String; 2]>,
    /// Boxes of classes that the protocol does not have.
    other_classes: u64,
    /// Frames that only one side has objects of.
    skipped_frames: usize,
}

/// What a run's samples are compared by: at the distance that errors are taken at, all classes as one.
const RULES: &[(&str, MetricRule)] =
    &[("recall", MetricRule::SCORE), ("precision", MetricRule::SCORE)];

fn record((place, counts): (&[String; 2], &SampleCounts)) -> Record {
    let [scene, frame] = place;
    let [truths, predictions, matched] =
        [counts.truths, counts.predictions, counts.matched].map(|n| n as f64);
    Record::new(scene, frame)
        .with("recall", Share { sum: matched, weight: truths })
        .with("precision", Share { sum: matched, weight: predictions })
}

/// Where the time went.
#[derive(Debug, Serialize)]
struct Seconds {
    read: f64,
    evaluate: f64,
}

/// The figures, and how long reading until `read` and evaluating took.
fn timed(
    start: Instant,
    truth: &[SampleTruth],
    predicted: &[SamplePredictions],
    protocol: &DetectionProtocol,
    arguments: &DetectionArguments,
) -> Result<(DetectionReport, Seconds), Failure> {
    let read = start.elapsed().as_secs_f64();
    let report = evaluate(truth, predicted, protocol)
        .map_err(super::between(&arguments.truth, &arguments.predictions))?;
    if report.truth.given == 0 {
        let truth = arguments.truth.display();
        return Err(Failure::input(format!(
            "{truth}: no sample has a box of the protocol's classes; there is nothing to find"
        )));
    }
    Ok((report, Seconds { read, evaluate: start.elapsed().as_secs_f64() - read }))
}

pub(super) fn run(arguments: &DetectionArguments) -> Result<Evaluated, Failure> {
    let given = arguments.protocol.as_deref();
    let (mut result, protocol) = match BoxFormat::of(arguments.format, &arguments.predictions) {
        BoxFormat::Kitti => return kitti::run(&arguments.truth, &arguments.predictions, given),
        BoxFormat::Nuscenes => {
            let protocol = resolve(given)?;
            (nuscenes(arguments, &protocol)?, protocol)
        }
        BoxFormat::Labels => {
            let protocol = resolve(given)?;
            (labels(arguments, &protocol)?, protocol)
        }
    };
    let mut run = Run::new("detection", RULES);
    run.records =
        result.samples_in_order.iter().zip(&result.report.per_sample).map(record).collect();
    let samples = std::mem::take(&mut result.report.parts);
    run.parts = Some(Parts::Detection { protocol: Box::new(protocol), samples });
    let text = describe(&result);
    Ok(Evaluated { result: serde_json::to_value(&result).map_err(Failure::input)?, text, run })
}

fn nuscenes(
    arguments: &DetectionArguments,
    protocol: &DetectionProtocol,
) -> Result<DetectionResult, Failure> {
    let start = Instant::now();
    let names = Names {
        classes: protocol.classes.iter().map(|class| class.name.clone()).collect(),
        attributes: protocol.attributes.clone(),
    };
    let given = nuscenes_submission::read(&arguments.predictions, Task::Detection, &names)?;
    let predicted: Vec<SamplePredictions> = given
        .into_iter()
        .map(|sample| SamplePredictions {
            sample: sample.sample,
            boxes: sample.boxes.iter().map(predicted_box).collect(),
        })
        .collect();
    let wanted: HashSet<&str> = predicted.iter().map(|sample| sample.sample.as_str()).collect();
    let tables = nuscenes_truth::read(&arguments.truth, &wanted)?;
    require_all(&arguments.predictions, &wanted, &tables)?;
    let scenes = tables.scenes;
    let places: HashMap<String, [String; 2]> = tables
        .samples
        .iter()
        .map(|s| (s.sample.clone(), [s.scene.clone(), format!("{:019}", s.timestamp_us)]))
        .collect();
    let (truth, other_classes) = nuscenes_samples(tables, protocol)?;
    let (report, seconds) = timed(start, &truth, &predicted, protocol, arguments)?;
    // Evaluated without error, each predicted sample has a truth.
    let place =
        |sample: &SamplePredictions| places.get(&sample.sample).cloned().unwrap_or_default();
    let samples_in_order = predicted.iter().map(place).collect();
    let samples = truth.len();
    let skipped_frames = 0;
    Ok(DetectionResult {
        report,
        samples,
        scenes,
        seconds,
        samples_in_order,
        other_classes,
        skipped_frames,
    })
}

/// Every sample of the split must be predicted, as the devkit asserts.
///
/// # Errors
/// Names the first that is missing.
pub(super) fn require_all(
    predictions: &Path,
    given: &HashSet<&str>,
    truth: &Truth,
) -> Result<(), Failure> {
    let missing: Vec<&TruthSample> =
        truth.samples.iter().filter(|s| !given.contains(s.sample.as_str())).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let scenes: HashSet<&str> = missing.iter().map(|sample| sample.scene.as_str()).collect();
    Err(Failure::input(format!(
        "{}: lacks {} of the {} samples of the {} split, in {} of {} scenes; the first is {} of scene {}. A sample without \
         objects needs an empty list",
        predictions.display(),
        missing.len(),
        truth.samples.len(),
        truth.split.name(),
        scenes.len(),
        truth.scenes,
        first.sample,
        first.scene,
    )))
}

fn predicted_box(given: &ResultBox) -> DetectionBox {
    DetectionBox {
        class: given.class,
        attribute: given.attribute,
        points: given.points,
        center_m: given.translation_m,
        size_m: given.size_m,
        yaw_rad: yaw_of(given.rotation),
        velocity_m_s: given.velocity_m_s,
        score: given.score,
    }
}

/// The protocol's class of a nuScenes category. `category_to_detection_name` and `category_to_tracking_name` of the
/// devkit: both map alike, the latter to fewer classes.
pub(super) fn class_of_category(category: &str) -> Option<&'static str> {
    Some(match category {
        "movable_object.barrier" => "barrier",
        "vehicle.bicycle" => "bicycle",
        "vehicle.bus.bendy" | "vehicle.bus.rigid" => "bus",
        "vehicle.car" => "car",
        "vehicle.construction" => "construction_vehicle",
        "vehicle.motorcycle" => "motorcycle",
        "human.pedestrian.adult"
        | "human.pedestrian.child"
        | "human.pedestrian.construction_worker"
        | "human.pedestrian.police_officer" => "pedestrian",
        "movable_object.trafficcone" => "traffic_cone",
        "vehicle.trailer" => "trailer",
        "vehicle.truck" => "truck",
        _ => return None,
    })
}

/// Bicycle racks of a sample.
pub(super) fn racks(sample: &TruthSample, categories: &[String]) -> Vec<OrientedBox> {
    let is_rack = |category: u16| categories[usize::from(category)] == "static_object.bicycle_rack";
    let found = sample.annotations.iter().filter(|given| is_rack(given.category));
    let rack = |given: &nuscenes_truth::Annotation| OrientedBox {
        center_m: given.translation_m,
        size_m: given.size_m,
        wxyz: given.rotation,
    };
    found.map(rack).collect()
}

fn nuscenes_samples(
    tables: Truth,
    protocol: &DetectionProtocol,
) -> Result<(Vec<SampleTruth>, u64), Failure> {
    let place = |name: &str| protocol.classes.iter().position(|class| class.name == name);
    let classes: Vec<Option<usize>> =
        tables.categories.iter().map(|name| class_of_category(name).and_then(place)).collect();
    let mut other_classes = 0;
    let mut samples = Vec::with_capacity(tables.samples.len());
    for sample in tables.samples {
        let mut boxes = Vec::with_capacity(sample.annotations.len());
        for given in &sample.annotations {
            let Some(class) = classes[usize::from(given.category)] else {
                other_classes += 1;
                continue;
            };
            let attribute = protocol.attributes.iter().position(|name| *name == given.attribute);
            if attribute.is_none() && !given.attribute.is_empty() {
                return Err(Failure::input(format!(
                    "truth: an annotation of sample {} has the attribute {:?}, which the protocol does not have",
                    sample.sample, given.attribute
                )));
            }
            boxes.push(DetectionBox {
                class: class as u16,
                attribute: attribute.map(|place| place as u16),
                points: Some(given.points),
                center_m: given.translation_m,
                size_m: given.size_m,
                yaw_rad: yaw_of(given.rotation),
                velocity_m_s: given.velocity_m_s,
                score: 0.0,
            });
        }
        let bicycle_racks = racks(&sample, &tables.categories);
        samples.push(SampleTruth {
            sample: sample.sample,
            ego_m: sample.ego_m,
            boxes,
            bicycle_racks,
        });
    }
    Ok((samples, other_classes))
}

/// Our labels, in the ego frame. They have no attributes: where the truth has none either, mAAE is 1.
fn labels(
    arguments: &DetectionArguments,
    protocol: &DetectionProtocol,
) -> Result<DetectionResult, Failure> {
    let start = Instant::now();
    let sides = [&arguments.truth, &arguments.predictions];
    let [truth, predicted] = sides.map(|path| super::open_labels(path));
    let (truth, predicted) = (truth?, predicted?);
    super::same_drive(&arguments.truth, &truth, &predicted)?;
    let (mut all, mut found) = (Vec::new(), Vec::new());
    let (mut other_classes, mut skipped_frames) = (0, 0);
    for timestamp in super::all_frames(&truth, &predicted) {
        let pair = (truth.objects(timestamp)?, predicted.objects(timestamp)?);
        skipped_frames += usize::from(pair.0.is_some() != pair.1.is_some());
        let (Some(objects), Some(given)) = pair else { continue };
        let sample = timestamp.0.to_string();
        let boxes = boxes_of(&objects, protocol, &mut other_classes);
        all.push(SampleTruth { sample: sample.clone(), boxes, ..SampleTruth::default() });
        let boxes = boxes_of(&given, protocol, &mut other_classes);
        found.push(SamplePredictions { sample, boxes });
    }
    no_frames(&truth, all.len())?;
    let (report, seconds) = timed(start, &all, &found, protocol, arguments)?;
    let drive = truth.manifest().clip.id.to_string();
    let place = |sample: &SamplePredictions| [drive.clone(), format!("{:0>19}", sample.sample)];
    let samples_in_order = found.iter().map(place).collect();
    let samples = all.len();
    Ok(DetectionResult {
        report,
        samples,
        scenes: 1,
        seconds,
        samples_in_order,
        other_classes,
        skipped_frames,
    })
}

/// Nothing to compare is an error, not a score.
pub(super) fn no_frames(truth: &Labels, frames: usize) -> Result<(), Failure> {
    if frames > 0 {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{}: no frame has objects on both sides; label the objects, or give labels that have them",
        truth.directory().display()
    )))
}

fn boxes_of(
    objects: &[Object],
    protocol: &DetectionProtocol,
    other_classes: &mut u64,
) -> Vec<DetectionBox> {
    let taxonomy = Taxonomy::driving();
    let mut boxes = Vec::with_capacity(objects.len());
    for object in objects {
        let name = taxonomy.class(object.class).map(|class| class.name.as_str());
        let place = protocol.classes.iter().position(|class| Some(class.name.as_str()) == name);
        let Some(class) = place else {
            *other_classes += 1;
            continue;
        };
        let [length, width, height] = object.size_m;
        let q = object.ego_from_object.rotation;
        let velocity = object.velocity_m_s.unwrap_or([f64::NAN; 3]);
        boxes.push(DetectionBox {
            class: class as u16,
            attribute: None,
            points: object.lidar_points,
            center_m: object.ego_from_object.translation.into(),
            size_m: [width, length, height],
            yaw_rad: yaw_of([q.w, q.i, q.j, q.k]),
            velocity_m_s: [velocity[0], velocity[1]],
            score: f64::from(object.confidence),
        });
    }
    boxes
}

fn describe(result: &DetectionResult) -> String {
    let report = &result.report;
    let number = |value: f64| if value.is_nan() { "-".to_owned() } else { format!("{value:.4}") };
    let row = |name: &str, values: [f64; 6]| {
        let mut row = vec![name.to_owned()];
        row.extend(values.map(number));
        row
    };
    let classes = report.per_class.iter();
    let mut rows: Vec<Vec<String>> =
        classes.map(|(name, c)| row(name, [c.ap, c.ate, c.ase, c.aoe, c.ave, c.aae])).collect();
    rows.push(row(
        "mean",
        [report.map, report.mate, report.mase, report.maoe, report.mave, report.maae],
    ));
    rows.extend(super::skipped_row(result.skipped_frames));
    let counts = format!(
        "NDS {:.4} over {} samples of {} scenes; {} true and {} predicted boxes, of which {} and {} out of range\n",
        report.nds,
        result.samples,
        result.scenes,
        report.truth.given,
        report.predictions.given,
        report.truth.out_of_range,
        report.predictions.out_of_range,
    );
    output::table(&["class", "AP", "ATE", "ASE", "AOE", "AVE", "AAE"], rows) + &counts
}
