//! Clouds and pictures.

use ommatidia_metrics::reconstruction::{
    CloudProtocol, Lpips, Picture, SsimConfig, Surfel, compare_clouds, psnr, ssim,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    /// Rows `x y z nx ny nz`.
    Clouds {
        truth: Vec<[f64; 6]>,
        estimate: Vec<[f64; 6]>,
        thresholds: Vec<f64>,
    },
    Lpips {
        size: [usize; 2],
        truth: Vec<f64>,
        estimate: Vec<f64>,
        convolutions: Vec<(Vec<f64>, Vec<f64>)>,
        channel_weights: Vec<Vec<f64>>,
    },
    Pictures {
        size: [usize; 3],
        truth: Vec<f64>,
        estimate: Vec<f64>,
        range: f64,
    },
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    match parse(input)? {
        Input::Clouds { truth, estimate, thresholds } => clouds(&truth, &estimate, thresholds),
        Input::Lpips { size, truth, estimate, convolutions, channel_weights } => {
            let wrong = |_| "five layers".to_owned();
            let network = Lpips::alexnet(
                convolutions.try_into().map_err(wrong)?,
                channel_weights.try_into().map_err(|_| "five layers".to_owned())?,
            );
            let picture =
                |samples| Picture { height: size[0], width: size[1], channels: 3, samples };
            let found = network
                .and_then(|network| network.distance(&picture(&truth), &picture(&estimate), 1.0))
                .map_err(|e| e.to_string())?;
            Ok([("LPIPS".to_owned(), found)].into())
        }
        Input::Pictures { size, truth, estimate, range } => {
            pictures(size, &truth, &estimate, range).map_err(|e| e.to_string())
        }
    }
}

fn clouds(
    truth: &[[f64; 6]],
    estimate: &[[f64; 6]],
    thresholds_m: Vec<f64>,
) -> Result<Figures, String> {
    let surfels = |rows: &[[f64; 6]]| -> Vec<Surfel> {
        let surfel = |&[x, y, z, nx, ny, nz]: &[f64; 6]| Surfel {
            position_m: [x, y, z],
            normal: Some([nx, ny, nz]),
        };
        rows.iter().map(surfel).collect()
    };
    let protocol = CloudProtocol { thresholds_m, max_distance_m: None };
    let report = compare_clouds(&surfels(truth), &surfels(estimate), &protocol)
        .map_err(|e| e.to_string())?;
    let mut figures: Figures = [
        ("accuracy_m", report.accuracy_m),
        ("completeness_m", report.completeness_m),
        ("accuracy_median_m", report.accuracy_median_m),
        ("chamfer_m", report.chamfer_m),
        ("chamfer_squared_m2", report.chamfer_squared_m2),
        ("normal_consistency", report.normal_consistency.unwrap_or(f64::NAN)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for f in report.f_scores {
        figures.insert(format!("F-score@{}", f.threshold_m), f.f_score);
    }
    Ok(figures)
}

fn pictures(
    [height, width, channels]: [usize; 3],
    truth: &[f64],
    estimate: &[f64],
    range: f64,
) -> Result<Figures, ommatidia_metrics::Error> {
    let picture = |samples| Picture { width, height, channels, samples };
    let (truth, estimate) = (picture(truth), picture(estimate));
    let even = SsimConfig { data_range: range, ..SsimConfig::default() };
    let gaussian = SsimConfig { gaussian_sigma: Some(1.5), ..even };
    Ok([
        ("PSNR", psnr(&truth, &estimate, range)?),
        ("SSIM", ssim(&truth, &estimate, &even)?),
        ("SSIM gaussian", ssim(&truth, &estimate, &gaussian)?),
        ("SSIM Wang 2004", ssim(&truth, &estimate, &SsimConfig::wang_2004(range))?),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}
