//! Lanes as map segmentation: which cells a centreline runs through, and how.
//!
//! A cell says whether a centreline is near, where its nearest point is, which way it leads and how high
//! it lies; polylines are traced through these points. Li et al. 2022 (HDMapNet), section 3.2 also
//! segments and reads directions; the offset in the cell takes the place of its thinning.

pub(super) mod raster;
pub(super) mod score;
mod trace;

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, TensorData},
};
use ommatidia_scene::{GridSpec, LaneGraph, VectorSpace};
use serde::{Deserialize, Serialize};

use self::{
    raster::{CHANNELS, Raster},
    trace::trace,
};
use super::{
    blocks::{Block, last_layer},
    priors::{Kept, SHARES, best_of},
};
use crate::{
    Sample,
    losses::{focal::sigmoid_focal, smooth_l1::smooth_l1},
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Settings of [`Lanes`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanesSettings {
    /// Channels between space and outputs.
    pub width: usize,
    /// A cell is on a centreline whose distance from its centre is at most this, in cells.
    pub reach_cells: f32,
    /// Cells surer than this are on a lane.
    pub min_score: f32,
    /// Shorter lines are dropped, metres.
    pub min_length_m: f32,
    /// Weight of the points beside the segmentation.
    pub points: f32,
}

impl Default for LanesSettings {
    /// Ours: a band two cells wide, which leaves lanes apart at cells up to 0.8 m.
    fn default() -> Self {
        Self { width: 64, reach_cells: 1.0, min_score: 0.5, min_length_m: 4.0, points: 1.0 }
    }
}

/// Segmentation of centrelines with their nearest points and directions.
#[derive(Module, Debug)]
pub struct Lanes {
    block: Block,
    segment: Conv2d,
    regress: Conv2d,
    #[module(skip)]
    grid: GridSpec,
    #[module(skip)]
    settings: LanesSettings,
}

/// Centrelines on the cells, all `[batch, _, x, y]`.
#[derive(Debug, Clone)]
pub struct LanesTargets {
    /// 1 where a centreline is near.
    near: Tensor<4>,
    /// 1 in samples whose lanes are known.
    judged: Tensor<4>,
    /// Offset, direction and height of the nearest point.
    points: Tensor<4>,
}

impl Lanes {
    fn raster(&self, space: &VectorSpace) -> Raster {
        Raster::new(space.lanes.as_ref(), &self.grid, self.settings.reach_cells)
    }

    fn graph(&self, score: &[f32], points: &[f32]) -> LaneGraph {
        trace(score, points, &self.grid, &self.settings)
    }
}

impl Task for Lanes {
    type Settings = LanesSettings;
    type Targets = LanesTargets;
    const NAME: &'static str = "lanes";
    const READS: Reads = Reads::Space;
    type Tally = Kept;

    fn new(settings: &LanesSettings, shapes: &Shapes, device: &Device) -> Result<Self, TaskError> {
        let space = shapes.space_for(Self::NAME)?;
        let score = settings.min_score;
        if settings.width == 0 || settings.reach_cells < 0.75 || !(score > 0.0 && score < 1.0) {
            let what = "give a width of at least 1, reach_cells of at least 0.75 (less leaves gaps) and \
                        min_score between 0 and 1";
            return Err(TaskError::Setting { task: Self::NAME, what: what.to_owned() });
        }
        Ok(Self {
            block: Block::new([space.channels, settings.width], 3, device),
            segment: last_layer([settings.width, 1], 0.0, device),
            regress: last_layer([settings.width, CHANNELS], 0.0, device),
            grid: space.grid,
            settings: settings.clone(),
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let space = features.space.clone().expect("heads of space run with the space");
        let own = self.block.forward(space);
        vec![
            ("lanes", self.segment.forward(own.clone())),
            ("lane_points", self.regress.forward(own)),
        ]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> LanesTargets {
        let rasters: Vec<_> = samples.iter().map(|s| self.raster(&s.present().truth)).collect();
        let [x, y, _] = self.grid.size.map(|n| n as usize);
        let map = |channels: usize, values: fn(&Raster) -> &[f32]| {
            let all: Vec<f32> = rasters.iter().flat_map(|r| values(r).iter().copied()).collect();
            Tensor::from_data(TensorData::new(all, [samples.len(), channels, x, y]), device)
        };
        LanesTargets {
            near: map(1, |raster| &raster.near),
            judged: map(1, |raster| &raster.judged),
            points: map(CHANNELS, |raster| &raster.points),
        }
    }

    fn loss(&self, output: &Output, targets: &LanesTargets) -> Tensor<1> {
        // Half of the cells of a road are near some lane: no side needs favour.
        let near = sigmoid_focal(
            named(output, "lanes"),
            targets.near.clone(),
            targets.judged.clone(),
            0.5,
            2.0,
        );
        let points = smooth_l1(
            named(output, "lane_points"),
            targets.points.clone(),
            targets.near.clone(),
            0.1,
        );
        near + points * (self.settings.points * CHANNELS as f32)
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let score = burn::tensor::activation::sigmoid(named(output, "lanes").without_autodiff());
        let score = score.into_data().convert::<f32>();
        let points = named(output, "lane_points").into_data().convert::<f32>();
        let area = (self.grid.size[0] * self.grid.size[1]) as usize;
        let score = score.as_slice::<f32>().expect("converted to f32").chunks_exact(area);
        let points = points.as_slice::<f32>().expect("converted to f32");
        assert_eq!(score.len(), samples.len(), "an output per sample");
        for ((score, points), space) in score.zip(points.chunks_exact(CHANNELS * area)).zip(into) {
            space.lanes = Some(self.graph(score, points));
        }
    }

    fn tally(&self) -> Kept {
        Kept::default()
    }

    fn count(&self, kept: &mut Kept, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        kept.add(predicted, truth, |space, own| self.excerpt(space, own));
    }

    fn figures(&self, kept: &Kept) -> Vec<(String, f64)> {
        score::scores(&kept.predicted, &kept.truth, &self.grid)
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        into.lanes = truth.lanes.clone();
    }

    /// Nothing, and the mean of the training set's maps read as if it were said, from a score on that is best.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let known = training.iter().filter(|space| space.lanes.is_some());
        let (score, points) = raster::mean(known.map(|space| self.raster(space)));
        let with = |lanes| VectorSpace { lanes: Some(lanes), ..VectorSpace::default() };
        let prior = |share: f64| {
            if score.is_empty() {
                return with(LaneGraph::default());
            }
            let settings = LanesSettings { min_score: share as f32, ..self.settings.clone() };
            with(trace(&score, &points, &self.grid, &settings))
        };
        let prior = best_of(self, &SHARES, prior, training);
        vec![("always_empty", with(LaneGraph::default())), ("prior_map", prior)]
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::Lane;

    use super::*;
    use crate::tasks::testing::{check_overfits, sample_with, space_shapes};

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-12.0, -8.0, -1.0], voxel_m: 0.8, size: [30, 20, 2] };

    fn settings() -> LanesSettings {
        LanesSettings { width: 16, ..LanesSettings::default() }
    }

    fn head() -> Lanes {
        Lanes::new(&settings(), &space_shapes(GRID), &Device::flex()).unwrap()
    }

    fn lane(id: u64, line: impl Fn(f32) -> [f32; 3]) -> Lane {
        let centreline_m = (0..=40).map(|i| line(i as f32 / 40.0)).collect();
        Lane { id, centreline_m, ..Lane::default() }
    }

    /// Two lanes in opposite directions along a bend, and one that leaves the grid.
    fn road(shift: f32) -> VectorSpace {
        let bend = |x: f32| 0.02 * x * x + shift;
        let lanes = vec![
            lane(7, |s| [-11.0 + 21.0 * s, bend(-11.0 + 21.0 * s) - 3.0, 0.1]),
            lane(8, |s| [10.0 - 21.0 * s, bend(10.0 - 21.0 * s) + 0.5, 0.2]),
            lane(9, |s| [4.0 + 0.5 * s, -7.5 - 20.0 * s, 0.0]),
        ];
        VectorSpace {
            lanes: Some(LaneGraph { lanes, crossings: Vec::new() }),
            ..VectorSpace::default()
        }
    }

    fn samples() -> Vec<Sample> {
        [0.0, 1.3].map(|shift| sample_with(&[], [0, 0], road(shift))).to_vec()
    }

    fn truth(samples: &[Sample]) -> Vec<VectorSpace> {
        samples.iter().map(|sample| sample.present().truth.clone()).collect()
    }

    #[test]
    fn perfect_outputs_are_traced_back_to_the_lanes() {
        let (head, samples) = (head(), samples());
        let targets = head.targets(&samples, &Device::flex());
        let logits = targets.near.clone() * 20.0 - 10.0;
        let output = vec![("lanes", logits), ("lane_points", targets.points.clone())];
        assert!(head.loss(&output, &targets).into_scalar::<f32>() < 1e-3);
        let mut decoded = vec![VectorSpace::default(); 2];
        head.decode(&output, &samples, &mut decoded);
        let scores = head.scores(&decoded, &truth(&samples));
        assert!(scores[0].0 == "lane_f_at_1m" && scores[0].1 > 0.97, "{scores:?}");
        let lanes = &decoded[0].lanes.as_ref().unwrap().lanes;
        assert_eq!(lanes.len(), 2, "one line per lane: {lanes:?}");
        for lane in lanes {
            let (first, last) =
                (lane.centreline_m[0], lane.centreline_m[lane.centreline_m.len() - 1]);
            let forward = first[1] < 0.0;
            assert_eq!(last[0] > first[0], forward, "in driving direction: {first:?} {last:?}");
            assert!((last[0] - first[0]).abs() > 19.0, "in one piece: {first:?} {last:?}");
        }
    }

    #[test]
    fn unknown_lanes_cost_nothing() {
        let head = head();
        let sample = sample_with(&[], [0, 0], VectorSpace::default());
        let targets = head.targets(&[sample], &Device::flex());
        let ones = |channels: usize| Tensor::ones([1, channels, 30, 20], &Device::flex());
        let output = vec![("lanes", ones(1)), ("lane_points", ones(CHANNELS))];
        assert_eq!(head.loss(&output, &targets).into_scalar::<f32>(), 0.0);
        let nothing = [VectorSpace::default()];
        assert!(head.scores(&nothing, &nothing).is_empty());
    }

    #[test]
    fn baselines_are_scored_alike() {
        let (head, truth) = (head(), truth(&samples()));
        let baselines = head.baselines(&truth[..1]);
        let score = |i: usize| head.scores(std::slice::from_ref(&baselines[i].1), &truth[..1])[0].1;
        assert!(score(0) == 0.0 && score(1) > 0.97, "{} {}", score(0), score(1));
    }

    #[test]
    fn overfits_a_sample() {
        check_overfits::<Lanes>(&settings(), &space_shapes(GRID), &samples()[..1]);
    }
}
