//! Occupancy in official grids: mIoU, completion, RayIoU, RayPQ, mAVE and OccScore.

use nalgebra::Point3;
use ommatidia_metrics::Protocol;
use ommatidia_metrics::confusion::Confusion;
use ommatidia_metrics::occupancy_grid::GridProtocol;
use ommatidia_metrics::occupancy_rays::{
    FlowGrid, Grids, RayFlow, RayPanoptic, RayPanopticProtocol, compare_flow, lidar_rays,
};
use ommatidia_scene::{ClassId, GridSpec};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    protocol: String,
    grid: GridSpec,
    moving: usize,
    things: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    truth: Vec<u8>,
    predicted: Vec<u8>,
    mask: Vec<bool>,
    instances: [Vec<u32>; 2],
    /// Velocities by instance: true, predicted.
    velocities: [Vec<[f32; 2]>; 2],
    origins: Vec<[f64; 3]>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let text = |cause: ommatidia_metrics::Error| cause.to_string();
    let protocol = GridProtocol::named(&input.protocol).map_err(text)?;
    let free = protocol.free_number();
    let mut confusion = Confusion::new(protocol.classes.len());
    let (mut rays, mut panoptic) = (RayFlow::default(), RayPanoptic::default());
    let things =
        RayPanopticProtocol { things: input.things.iter().copied().collect(), min_rays: 10 };
    let directions = lidar_rays();
    for frame in &input.frames {
        confusion
            .add(&frame.truth, &frame.predicted, Some(&frame.mask), &protocol.ignored)
            .map_err(text)?;
        let grids =
            Grids { grid: &input.grid, truth: &frame.truth, predicted: &frame.predicted, free };
        let velocities = |side: usize| -> Vec<[f32; 2]> {
            frame.instances[side].iter().map(|&i| frame.velocities[side][i as usize]).collect()
        };
        let flow = FlowGrid { truth: &velocities(0), predicted: &velocities(1) };
        let origins: Vec<Point3<f64>> = frame.origins.iter().map(|&o| o.into()).collect();
        rays.add(&compare_flow(&grids, &flow, &origins, &directions).map_err(text)?);
        let instances = [&frame.instances[0][..], &frame.instances[1][..]];
        let found = RayPanoptic::compare(&grids, instances, &origins, &directions, &things);
        panoptic.add(&found.map_err(text)?);
    }
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let is_class = |class: ClassId| usize::from(class.0) < protocol.classes.len();
    let report = protocol.report(&confusion);
    let score = rays.score(is_class, |class: ClassId| usize::from(class.0) < input.moving);
    let quality = panoptic.quality(|class| is_class(ClassId(class)));
    let at = |values: Option<[f64; 3]>, t: usize| or_nan(values.map(|values| values[t]));
    let (iou, pq) = (score.map(|s| s.ray_iou_at), quality.map(|q| q.ray_pq_at));
    let figures = [
        ("miou", or_nan(report.miou)),
        ("iou", or_nan(report.iou)),
        ("RayIoU@1", at(iou, 0)),
        ("RayIoU@2", at(iou, 1)),
        ("RayIoU@4", at(iou, 2)),
        ("RayIoU", or_nan(score.map(|s| s.ray_iou))),
        ("mAVE", or_nan(score.and_then(|s| s.mave_m_s))),
        ("OccScore", or_nan(score.and_then(|s| s.occ_score))),
        ("RayPQ@1", at(pq, 0)),
        ("RayPQ@2", at(pq, 1)),
        ("RayPQ@4", at(pq, 2)),
        ("RayPQ", or_nan(quality.map(|q| q.ray_pq))),
    ];
    Ok(figures.map(|(name, value)| (name.to_owned(), value)).into())
}
