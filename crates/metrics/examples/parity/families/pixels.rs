//! Errors pixel by pixel: depth, disparity, optical flow.

use ommatidia_metrics::depth::{DepthProtocol, evaluate};
use ommatidia_metrics::optical_flow::{FlowErrors, FlowImage};
use ommatidia_metrics::stereo::{DisparityErrors, Outlier};
use ommatidia_scene::DepthMap;
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, Number, parse};

#[derive(Deserialize)]
struct Input {
    /// True and estimated depth, metres; then disparity, px.
    depth: [Vec<Number>; 2],
    disparity: [Vec<Number>; 2],
    /// True u and v, estimated u and v, px.
    flow: [Vec<Number>; 4],
    foreground: Vec<bool>,
    occluded: Vec<bool>,
}

fn floats(numbers: &[Number]) -> Vec<f32> {
    numbers.iter().map(|&Number(x)| x as f32).collect()
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let text = |cause: ommatidia_metrics::Error| cause.to_string();
    let map = |numbers: &[Number]| {
        let depth_m = floats(numbers);
        let confidence = vec![255; depth_m.len()];
        DepthMap { width: depth_m.len(), height: 1, depth_m, confidence }
    };
    let [truth, estimate] = &input.depth;
    let depth = evaluate(&map(truth), &map(estimate), &DepthProtocol::default()).map_err(text)?;
    let mut disparity = DisparityErrors::default();
    let [truth, estimate] = &input.disparity;
    let outlier = Outlier::default();
    disparity
        .add_image(&floats(truth), &floats(estimate), Some(&input.foreground), outlier)
        .map_err(text)?;
    let disparity = disparity.report();
    let vectors = |u: usize| -> Vec<[f32; 2]> {
        let (u, v) = (floats(&input.flow[u]), floats(&input.flow[u + 1]));
        u.into_iter().zip(v).map(|(u, v)| [u, v]).collect()
    };
    let mut flow = FlowErrors::default();
    let image = FlowImage {
        truth_px: &vectors(0),
        estimate_px: &vectors(2),
        foreground: Some(&input.foreground),
        occluded: Some(&input.occluded),
    };
    flow.add_image(&image, outlier).map_err(text)?;
    let flow = flow.report();
    let figures = [
        ("depth abs_rel", depth.abs_rel),
        ("depth sq_rel", depth.sq_rel),
        ("depth rmse", depth.rmse_m),
        ("depth rmse_log", depth.rmse_log),
        ("depth delta1", depth.delta1),
        ("depth delta2", depth.delta2),
        ("depth delta3", depth.delta3),
        ("disparity d1", disparity.d1),
        ("disparity d1_bg", disparity.d1_bg),
        ("disparity d1_fg", disparity.d1_fg),
        ("disparity d1_all", disparity.d1_all),
        ("disparity epe", disparity.epe_px),
        ("flow epe", flow.epe_px),
        ("flow epe_matched", flow.epe_matched_px),
        ("flow epe_unmatched", flow.epe_unmatched_px),
        ("flow epe_s0_10", flow.epe_s0_10_px),
        ("flow epe_s10_40", flow.epe_s10_40_px),
        ("flow epe_s40_plus", flow.epe_s40_plus_px),
        ("flow fl", flow.fl),
        ("flow fl_bg", flow.fl_bg),
        ("flow fl_fg", flow.fl_fg),
        ("flow fl_all", flow.fl_all),
    ];
    Ok(figures.map(|(name, value)| (name.to_owned(), value.unwrap_or(f64::NAN))).into())
}
