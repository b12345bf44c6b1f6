//! `omma eval disparity`: stereo.

use std::path::PathBuf;

use clap::Args;
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_metrics::stereo::{DisparityErrors, DisparityReport, Outlier};
use ommatidia_store::results::class_maps::read_classes;
use ommatidia_store::results::flow_maps::{self, DisparityMap};
use serde::Serialize;

use super::pairs::{FilePair, in_pair, pair_by_name, scene, stem};
use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct DisparityArguments {
    /// Estimated disparity: KITTI's 16-bit PNG, or a folder of such
    #[arg(long, value_name = "FILE|DIR")]
    predictions: PathBuf,
    /// True disparity of the same names (KITTI's disp_occ_0 or disp_noc_0)
    #[arg(long, value_name = "FILE|DIR")]
    truth: PathBuf,
    /// Maps of moving objects (KITTI's obj_map), not 0 on them: PNG of the same names
    #[arg(long, value_name = "DIR")]
    foreground: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct DisparityResult {
    #[serde(flatten)]
    report: DisparityReport,
    frames: usize,
}

const RULES: &[(&str, MetricRule)] =
    &[("d1", MetricRule::ERROR), ("d1_all", MetricRule::ERROR), ("epe_px", MetricRule::ERROR)];

pub(super) fn run(arguments: &DisparityArguments) -> Result<Evaluated, Failure> {
    let pairs = pair_by_name(&arguments.truth, &arguments.predictions, &[".png"])?;
    let mut all = DisparityErrors::default();
    let mut run = Run::new("disparity", RULES);
    for pair in &pairs {
        let own = image(arguments, pair)?;
        all.background.add(&own.background);
        all.foreground.add(&own.foreground);
        let mut sums = own.background;
        sums.add(&own.foreground);
        let (pixels, estimated) = (sums.pixels as f64, sums.estimated as f64);
        let of = |value: Option<f64>, weight: f64| {
            value.map_or_else(Share::default, |value| Share::mean(value, weight))
        };
        run.records.push(
            Record::new(scene(&pair.truth), stem(&pair.truth))
                .with("d1", of(sums.outlier_share(), estimated))
                .with("d1_all", of(sums.outlier_share_all(), pixels))
                .with("epe_px", of(sums.end_point_error_px(), estimated)),
        );
    }
    if all.background.pixels + all.foreground.pixels == 0 {
        let truth = arguments.truth.display();
        let what = "no pixel has a true disparity; there is nothing to compare with";
        return Err(Failure::input(format!("{truth}: {what}")));
    }
    let found = DisparityResult { report: all.report(), frames: pairs.len() };
    let result = serde_json::to_value(&found).map_err(Failure::input)?;
    Ok(Evaluated { text: describe(&found.report), result, run })
}

fn image(arguments: &DisparityArguments, pair: &FilePair) -> Result<DisparityErrors, Failure> {
    let (truth, estimate) =
        (flow_maps::read_disparity(&pair.truth)?, flow_maps::read_disparity(&pair.predicted)?);
    let size = |map: &DisparityMap| (map.width, map.height);
    let same = |(width, height): (usize, usize), what: &str| {
        if (width, height) == size(&truth) {
            return Ok(());
        }
        let (w, h) = size(&truth);
        let what = format!("the truth is {w} x {h} pixels, the {what} {width} x {height}");
        Err(in_pair(pair, &what))
    };
    same(size(&estimate), "estimate")?;
    let foreground = match &arguments.foreground {
        Some(folder) => {
            let (w, h, numbers) = read_classes(&folder.join(format!("{}.png", pair.name)))?;
            same((w, h), "map of objects")?;
            Some(numbers.into_iter().map(|number| number != 0).collect::<Vec<bool>>())
        }
        None => None,
    };
    let mut errors = DisparityErrors::default();
    errors
        .add_image(
            &truth.disparity_px,
            &estimate.disparity_px,
            foreground.as_deref(),
            Outlier::default(),
        )
        .map_err(|cause| in_pair(pair, &cause))?;
    Ok(errors)
}

fn describe(report: &DisparityReport) -> String {
    let rows = [
        ("d1", report.d1),
        ("d1_bg", report.d1_bg),
        ("d1_fg", report.d1_fg),
        ("d1_all", report.d1_all),
        ("epe_px", report.epe_px),
        ("density", report.density),
    ];
    let row =
        |(name, value): (&str, Option<f64>)| Some(vec![name.to_owned(), format!("{:.4}", value?)]);
    output::table(&["disparity", "value"], rows.into_iter().filter_map(row))
}
