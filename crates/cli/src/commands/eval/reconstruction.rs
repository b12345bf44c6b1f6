//! `omma eval reconstruction`: point clouds as PLY, or pictures.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use ommatidia_metrics::reconstruction::{
    CloudProtocol, Lpips, Picture, SsimConfig, Surfel, compare_clouds, mean_squared_error, psnr,
    ssim,
};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_scene::{ImageEncoding, RgbImage};
use ommatidia_store::results::{ply, safetensors};
use ommatidia_store::{EncodedImage, image};
use serde_json::json;

use super::files::{scene_and_frame, under};
use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

/// Samples of 8 bits.
const RANGE: f64 = 255.0;
/// Names of AlexNet's convolutions in torchvision's weights.
const ALEXNET: [&str; 5] = ["0", "3", "6", "8", "10"];

#[derive(Debug, Args)]
pub(super) struct ReconstructionArguments {
    /// Reconstructed: a PLY cloud, a picture, or a folder of pictures
    #[arg(long, value_name = "FILE|DIR")]
    predictions: PathBuf,
    /// True: the same; pictures of folders pair by name
    #[arg(long, value_name = "FILE|DIR")]
    truth: PathBuf,
    /// Distances of the F-scores of clouds, metres
    #[arg(
        long,
        value_name = "METRES",
        value_delimiter = ',',
        default_values_t = [0.05, 0.1, 0.2],
        allow_negative_numbers = true
    )]
    thresholds: Vec<f64>,
    /// Longer distances between clouds count as this
    #[arg(long, value_name = "METRES", allow_negative_numbers = true)]
    max_distance: Option<f64>,
    /// Weights for LPIPS: safetensors with torchvision's AlexNet (`features.N.weight`, `.bias`) and the channel
    /// weights of the package lpips (`linN.model.1.weight`)
    #[arg(long, value_name = "FILE.safetensors")]
    lpips: Option<PathBuf>,
}

pub(super) fn run(arguments: &ReconstructionArguments) -> Result<Evaluated, Failure> {
    let is_cloud =
        |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("ply"));
    match (is_cloud(&arguments.truth), is_cloud(&arguments.predictions)) {
        (true, true) => clouds(arguments),
        (false, false) => pictures(arguments),
        _ => {
            Err(Failure::input("one side is a PLY cloud and the other is not; give two of a kind"))
        }
    }
}

fn clouds(arguments: &ReconstructionArguments) -> Result<Evaluated, Failure> {
    let read = |path: &Path| -> Result<Vec<Surfel>, Failure> {
        let cloud = ply::read(path)?;
        let normal = |i: usize| cloud.normals.as_ref().map(|normals| normals[i]);
        let surfel = |(i, &position_m)| Surfel { position_m, normal: normal(i) };
        Ok(cloud.positions.iter().enumerate().map(surfel).collect())
    };
    let (truth, estimate) = (read(&arguments.truth)?, read(&arguments.predictions)?);
    let protocol = CloudProtocol {
        thresholds_m: arguments.thresholds.clone(),
        max_distance_m: arguments.max_distance,
    };
    let fail = super::between(&arguments.truth, &arguments.predictions);
    let report = compare_clouds(&truth, &estimate, &protocol).map_err(fail)?;
    let (share_a, share_c) = (report.points as f64, report.truth_points as f64);
    let rules = [
        ("accuracy_m", MetricRule::ERROR),
        ("completeness_m", MetricRule::ERROR),
        ("chamfer_m", MetricRule::ERROR),
    ];
    let mut run = Run::new("reconstruction", &rules);
    let name = arguments.truth.file_name().unwrap_or_default().to_string_lossy();
    run.records = vec![
        Record::new(name, "")
            .with("accuracy_m", Share::mean(report.accuracy_m, share_a))
            .with("completeness_m", Share::mean(report.completeness_m, share_c))
            .with("chamfer_m", Share::mean(report.chamfer_m, 1.0)),
    ];
    let mut rows = vec![
        ("accuracy, m".to_owned(), Some(report.accuracy_m)),
        ("completeness, m".to_owned(), Some(report.completeness_m)),
        ("chamfer, m".to_owned(), Some(report.chamfer_m)),
        ("normal consistency".to_owned(), report.normal_consistency),
    ];
    rows.extend(
        report.f_scores.iter().map(|f| (format!("F-score, {} m", f.threshold_m), Some(f.f_score))),
    );
    let result = serde_json::to_value(&report).map_err(Failure::input)?;
    Ok(Evaluated { result, text: table(rows), run })
}

fn pictures(arguments: &ReconstructionArguments) -> Result<Evaluated, Failure> {
    let network = arguments.lpips.as_deref().map(network).transpose()?;
    let rules = [
        ("psnr", MetricRule::SCORE),
        ("ssim", MetricRule::SCORE),
        ("lpips", MetricRule::ERROR),
        ("mse", MetricRule::ERROR),
    ];
    let mut run = Run::new("reconstruction", &rules);
    for (truth, estimate, record) in pairs(arguments)? {
        run.records.push(compare(&truth, &estimate, network.as_ref(), record)?);
    }
    let mean = |metric: &str| run.value(metric);
    let result = json!({
        "psnr": mean("psnr"),
        "ssim": mean("ssim"),
        "lpips": mean("lpips"),
        "mse": mean("mse"),
        "pictures": run.records.len(),
        // A picture without any difference has no finite ratio and is left out of the mean.
        "equal_pictures": run.records.iter().filter(|r| r.shares["psnr"].weight == 0.0).count(),
    });
    let rows = ["psnr", "ssim", "lpips", "mse"].map(|name| (name.to_owned(), mean(name)));
    let text = table(rows.to_vec());
    Ok(Evaluated { result, text, run })
}

/// Paths of true and reconstructed pictures, and a record for each.
fn pairs(arguments: &ReconstructionArguments) -> Result<Vec<(PathBuf, PathBuf, Record)>, Failure> {
    let (truth, estimate) = (&arguments.truth, &arguments.predictions);
    if !truth.is_dir() {
        let name = truth.file_name().unwrap_or_default().to_string_lossy();
        return Ok(vec![(truth.clone(), estimate.clone(), Record::new(name, ""))]);
    }
    let names = under(truth, &[".png", ".jpg", ".jpeg"])?;
    let pair = |name: PathBuf| {
        let (scene, frame) = scene_and_frame(&name);
        let other = estimate.join(&name);
        if !other.is_file() {
            let what = "is missing; every true picture needs one";
            return Err(Failure::input(format!("{}: {what}", other.display())));
        }
        Ok((truth.join(&name), other, Record::new(scene, frame)))
    };
    names.into_iter().map(pair).collect()
}

fn compare(
    truth: &Path,
    estimate: &Path,
    network: Option<&Lpips>,
    record: Record,
) -> Result<Record, Failure> {
    let (true_pixels, pixels) = (decode(truth)?, decode(estimate)?);
    let samples =
        |image: &RgbImage| -> Vec<f64> { image.data.iter().map(|&v| f64::from(v)).collect() };
    let (a, b) = (samples(&true_pixels), samples(&pixels));
    let size = |image: &RgbImage| (image.width, image.height);
    let ((width, height), (other_width, other_height)) = (size(&true_pixels), size(&pixels));
    let a = Picture { width, height, channels: 3, samples: &a };
    let b = Picture { width: other_width, height: other_height, channels: 3, samples: &b };
    let fail = |cause| Failure::input(format!("{}: {cause}", estimate.display()));
    let ratio = psnr(&a, &b, RANGE).map_err(fail)?;
    let similarity = ssim(&a, &b, &SsimConfig::wang_2004(RANGE)).map_err(fail)?;
    let learned =
        network.map(|network| network.distance(&a, &b, RANGE)).transpose().map_err(fail)?;
    Ok(record
        .with("psnr", Share::of(Some(ratio)))
        .with("ssim", Share::of(Some(similarity)))
        .with("lpips", Share::of(learned))
        .with("mse", Share::of(Some(mean_squared_error(&a, &b).map_err(fail)?))))
}

fn decode(path: &Path) -> Result<RgbImage, Failure> {
    let bytes = fs::read(path).map_err(|cause| ommatidia_store::Error::read(path, cause))?;
    let encoding =
        if bytes.starts_with(b"\x89PNG") { ImageEncoding::Png } else { ImageEncoding::Jpeg };
    let encoded =
        EncodedImage { encoding, bytes: bytes.into(), origin: path.display().to_string() };
    Ok(image::rgb(&encoded)?)
}

fn network(path: &Path) -> Result<Lpips, Failure> {
    let mut tensors = safetensors::read(path)?;
    let mut take = |name: String| {
        let tensor = tensors.remove(&name);
        tensor.map(|tensor| tensor.values).ok_or_else(|| {
            Failure::input(format!("{}: has no tensor {name:?} of 32 or 64 bits", path.display()))
        })
    };
    let mut convolutions = Vec::new();
    let mut channels = Vec::new();
    for (layer, name) in ALEXNET.iter().enumerate() {
        convolutions.push((
            take(format!("features.{name}.weight"))?,
            take(format!("features.{name}.bias"))?,
        ));
        channels.push(take(format!("lin{layer}.model.1.weight"))?);
    }
    let (Ok(convolutions), Ok(channels)) = (convolutions.try_into(), channels.try_into()) else {
        unreachable!("there are as many as AlexNet has")
    };
    Lpips::alexnet(convolutions, channels)
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))
}

fn table(rows: Vec<(String, Option<f64>)>) -> String {
    let known = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let row = |(name, value): (String, f64)| vec![name, format!("{value:.5}")];
    let rows: Vec<Vec<String>> = known.map(row).collect();
    output::table(&["reconstruction", "value"], rows)
}
