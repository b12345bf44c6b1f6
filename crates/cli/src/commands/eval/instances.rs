//! `omma eval instances`: COCO's average precision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ommatidia_metrics::coco::{CocoCounts as FoundCounts, CocoProtocol};
use ommatidia_metrics::instances::{
    Mask, Overlap, PredictedInstance, Region, TrueInstance, average_precision,
};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_store::results::coco::{self, CocoCounts, CocoMask, CocoTruth};
use serde_json::{Value, json};

use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct InstancesArguments {
    /// COCO results: a JSON list with image_id, category_id, segmentation or bbox, and score
    #[arg(long, visible_alias = "labels", value_name = "FILE")]
    predictions: PathBuf,
    /// COCO annotations (instances_*.json); run lengths, polygons or boxes
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// What is compared
    #[arg(long, default_value = "masks")]
    overlap: OverlapKind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OverlapKind {
    /// Pixels
    Masks,
    /// The boxes given, else those around the masks
    Boxes,
}

/// An image's instances on both sides.
#[derive(Debug, Default)]
struct Image {
    size: (u32, u32),
    truth: Vec<TrueInstance>,
    predicted: Vec<PredictedInstance>,
}

pub(super) fn run(arguments: &InstancesArguments) -> Result<Evaluated, Failure> {
    let mut truth = coco::read_truth(&arguments.truth)?;
    truth.categories.sort_by_key(|category| category.id);
    let images = images(arguments, &truth)?;
    let overlap = match arguments.overlap {
        OverlapKind::Masks => Overlap::Masks,
        OverlapKind::Boxes => Overlap::Boxes,
    };
    let pairs = images.values().map(|image| (&image.truth[..], &image.predicted[..]));
    let classes = truth.categories.len();
    let (report, shares) = average_precision(pairs, classes, overlap, CocoProtocol::default())
        .map_err(super::between(&arguments.truth, &arguments.predictions))?;
    let names = truth.categories.iter().map(|category| category.name.clone());
    let per_class: BTreeMap<String, Option<f64>> = names.zip(report.ap_per_class).collect();
    let result = json!({
        "ap": report.ap,
        "ap50": report.ap_at[0],
        "ap75": report.ap_at[5],
        "ap_small": report.ap_by_area[1],
        "ap_medium": report.ap_by_area[2],
        "ap_large": report.ap_by_area[3],
        "ar1": report.ar[0],
        "ar10": report.ar[1],
        "ar100": report.ar[2],
        "ar_small": report.ar_by_area[1],
        "ar_medium": report.ar_by_area[2],
        "ar_large": report.ar_by_area[3],
        "per_class": per_class,
        "images": images.len(),
    });
    // Precision over images is no mean of theirs: a run compares what was found in each.
    let mut run = Run::new("instances", RULES);
    run.records = images.keys().zip(&shares).map(|(&image, share)| record(image, share)).collect();
    Ok(Evaluated { text: describe(&result), result, run })
}

const RULES: &[(&str, MetricRule)] = &[
    ("ar", MetricRule::SCORE),
    ("recall50", MetricRule::SCORE),
    ("precision50", MetricRule::SCORE),
];

/// An image's part: images are independent, so each is a scene.
fn record(image: i64, share: &FoundCounts) -> Record {
    let (objects, found) = (share.objects as f64, share.found_at_first as f64);
    Record::new(image.to_string(), "")
        .with("ar", Share { sum: share.found, weight: objects })
        .with("recall50", Share { sum: found, weight: objects })
        .with("precision50", Share { sum: found, weight: found + share.wrong_at_first as f64 })
}

/// By the images' numbers.
fn images(
    arguments: &InstancesArguments,
    truth: &CocoTruth,
) -> Result<BTreeMap<i64, Image>, Failure> {
    let mut images: BTreeMap<i64, Image> = BTreeMap::new();
    for image in &truth.images {
        images.insert(image.id, Image { size: (image.width, image.height), ..Image::default() });
    }
    let class_of = |path: &Path, row: usize, category: i64| {
        let found = truth.categories.binary_search_by_key(&category, |known| known.id);
        found.map_err(|_| fail(path, row, &format!("category {category} is not in the truth")))
    };
    let path = &arguments.truth;
    for (row, annotation) in truth.annotations.iter().enumerate() {
        let class = class_of(path, row, annotation.category_id)?;
        let unknown = || fail(path, row, &format!("there is no image {}", annotation.image_id));
        let image = images.get_mut(&annotation.image_id).ok_or_else(unknown)?;
        let region = region(
            annotation.segmentation.as_ref(),
            annotation.bbox,
            arguments.overlap,
            image.size,
        );
        let region = region.map_err(|what| fail(path, row, &what))?;
        let crowd = annotation.iscrowd != 0;
        image.truth.push(TrueInstance { class, region, area: annotation.area, crowd });
    }
    let path = &arguments.predictions;
    for (row, found) in coco::read_results(path)?.iter().enumerate() {
        let class = class_of(path, row, found.category_id)?;
        let unknown = || fail(path, row, &format!("image {} is not in the truth", found.image_id));
        let image = images.get_mut(&found.image_id).ok_or_else(unknown)?;
        let region = region(found.segmentation.as_ref(), found.bbox, arguments.overlap, image.size);
        let region = region.map_err(|what| fail(path, row, &what))?;
        image.predicted.push(PredictedInstance { class, region, score: found.score });
    }
    Ok(images)
}

fn fail(path: &Path, row: usize, what: &str) -> Failure {
    Failure::input(format!("{}: row {row}: {what}", path.display()))
}

/// What is compared of an instance.
fn region(
    segmentation: Option<&CocoMask>,
    bbox: Option<[f64; 4]>,
    overlap: OverlapKind,
    size: (u32, u32),
) -> Result<Region, String> {
    match (overlap, bbox, segmentation) {
        (OverlapKind::Boxes, Some(bounds), _) => Ok(Region::Box(bounds)),
        (_, _, Some(given)) => Ok(Region::Mask(mask(given, size)?)),
        (OverlapKind::Masks, Some(_), None) => {
            Err("has a bbox and no segmentation; compare boxes with --overlap boxes".into())
        }
        (_, None, None) => Err("has neither segmentation nor bbox".into()),
    }
}

fn mask(given: &CocoMask, (width, height): (u32, u32)) -> Result<Mask, String> {
    let (size, counts) = match given {
        CocoMask::Runs { size, counts } => (size, counts),
        CocoMask::Polygons(polygons) => {
            return Mask::from_polygons(width, height, polygons).map_err(|cause| cause.to_string());
        }
    };
    if *size != [height, width] {
        let [h, w] = size;
        return Err(format!("the mask is {w} x {h} pixels and its image {width} x {height}"));
    }
    let mask = match counts {
        CocoCounts::Text(text) => Mask::from_text(width, height, text.as_bytes()),
        CocoCounts::Numbers(runs) => Mask::from_runs(width, height, runs.clone()),
    };
    mask.map_err(|cause| cause.to_string())
}

fn describe(result: &Value) -> String {
    const ROWS: [&str; 12] = [
        "ap",
        "ap50",
        "ap75",
        "ap_small",
        "ap_medium",
        "ap_large",
        "ar1",
        "ar10",
        "ar100",
        "ar_small",
        "ar_medium",
        "ar_large",
    ];
    let row = |key: &str| Some(vec![key.to_owned(), format!("{:.4}", result[key].as_f64()?)]);
    output::table(&["instances", "value"], ROWS.into_iter().filter_map(row))
}
