//! Velocity of whatever occupies a voxel and moves.

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, TensorData},
};
use ommatidia_metrics::voxel_flow::VoxelFlowErrors;
use ommatidia_scene::{ClassId, GridSpec, Occupancy, VectorSpace, VoxelFlow};
use serde::{Deserialize, Serialize};

use super::{
    blocks::{Block, last_layer_at},
    priors::{SHARES, best_of},
    voxels::{on_grid, voxel_at},
};
use crate::{
    Sample,
    losses::{focal::sigmoid_focal, smooth_l1::smooth_l1},
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Settings of [`OccupancyFlow`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OccupancyFlowSettings {
    /// Channels between space and velocities.
    pub width: usize,
    /// Voxels slower than this stand still, m/s.
    pub min_speed_m_s: f32,
    /// Weight of the velocity loss beside the one of moving or not.
    pub velocity: f32,
}

impl Default for OccupancyFlowSettings {
    /// Slower than 0.2 m/s counts as standing, as nuScenes' devkit has it for `moving` attributes.
    fn default() -> Self {
        Self { width: 64, min_speed_m_s: 0.2, velocity: 1.0 }
    }
}

/// Of moving, at the start: one voxel in a hundred.
const PRIOR_LOGIT: f32 = -4.6;

/// Velocities leave the network in tens of metres per second, so that they are near 1.
const SCALE_M_S: f32 = 10.0;

/// Per voxel whether it moves, and how fast along x and y.
///
/// Decoding gives the voxels that the occupancy head said are occupied their velocity, so that head comes
/// first in the list of tasks; without it, what moves is occupied, nobody knows by what.
#[derive(Module, Debug)]
pub struct OccupancyFlow {
    block: Block,
    regress: Conv2d,
    #[module(skip)]
    grid: GridSpec,
    #[module(skip)]
    settings: OccupancyFlowSettings,
}

/// Motion of each voxel, all `[batch, _, z * x, y]`.
#[derive(Debug, Clone)]
pub struct OccupancyFlowTargets {
    /// 1 where something moves.
    moving: Tensor<4>,
    /// 1 where it is known whether.
    judged: Tensor<4>,
    /// Two channels, along x and y, in [`SCALE_M_S`].
    velocity: Tensor<4>,
}

/// Motion of one moment's voxels in the head's order.
struct Motion {
    moving: Vec<f32>,
    judged: Vec<f32>,
    velocity: [Vec<f32>; 2],
}

impl OccupancyFlow {
    fn motion(&self, space: &VectorSpace) -> Motion {
        let nothing = vec![0.0; self.grid.len()];
        let mut motion = Motion {
            moving: nothing.clone(),
            judged: nothing.clone(),
            velocity: [nothing.clone(), nothing],
        };
        let Some(voxels) = space.occupancy.as_ref().filter(|voxels| voxels.flow.is_some()) else {
            return motion;
        };
        let voxels = on_grid(voxels, &self.grid);
        let mut flow = voxels.flow.iter().flatten().peekable();
        let mut rank = 0;
        for index in 0..self.grid.len() {
            let at = voxel_at(&self.grid, index);
            motion.judged[at] = f32::from(u8::from(voxels.observed.get(index)));
            if !voxels.occupied.get(index) {
                continue;
            }
            if let Some(flow) = flow.next_if(|flow| flow.rank == rank) {
                let [x, y, _] = flow.velocity_m_s;
                motion.moving[at] = f32::from(u8::from(x.hypot(y) >= self.settings.min_speed_m_s));
                motion.velocity[0][at] = x / SCALE_M_S;
                motion.velocity[1][at] = y / SCALE_M_S;
            }
            rank += 1;
        }
        motion
    }

    /// `[batch, 3, z * x, y]`: moving logit, velocity along x and y.
    fn maps(&self, output: &Output) -> Tensor<4> {
        let flow = named(output, "occupancy_flow");
        let [batch, channels, x, y] = flow.dims();
        let heights = self.grid.size[2] as usize;
        flow.reshape([batch, channels / heights, heights * x, y])
    }

    /// Writes the velocities that `velocity` gives for the head's voxels into a space.
    fn write(&self, velocity: impl Fn(usize) -> Option<[f32; 2]>, space: &mut VectorSpace) {
        let known = space.occupancy.take().filter(|voxels| voxels.grid == self.grid);
        let alone = known.is_none();
        let mut voxels = known.unwrap_or_else(|| Occupancy::unobserved(self.grid));
        let mut flow = Vec::new();
        let mut rank = 0;
        for index in 0..self.grid.len() {
            let velocity = velocity(voxel_at(&self.grid, index));
            if alone {
                voxels.observed.set(index, true);
                voxels.occupied.set(index, velocity.is_some());
                voxels.classes.extend(velocity.map(|_| ClassId::UNKNOWN));
            }
            if voxels.occupied.get(index) {
                flow.extend(velocity.map(|[x, y]| VoxelFlow { rank, velocity_m_s: [x, y, 0.0] }));
                rank += 1;
            }
        }
        voxels.flow = Some(flow);
        space.occupancy = Some(voxels);
    }
}

impl Task for OccupancyFlow {
    type Settings = OccupancyFlowSettings;
    type Targets = OccupancyFlowTargets;
    const NAME: &'static str = "occupancy_flow";
    const READS: Reads = Reads::Space;
    type Tally = VoxelFlowErrors;

    fn new(
        settings: &OccupancyFlowSettings,
        shapes: &Shapes,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let space = shapes.space_for(Self::NAME)?;
        if settings.width == 0 {
            let what = "width must be at least 1".to_owned();
            return Err(TaskError::Setting { task: Self::NAME, what });
        }
        let heights = space.grid.size[2] as usize;
        let starts = [vec![PRIOR_LOGIT; heights], vec![0.0; 2 * heights]].concat();
        Ok(Self {
            block: Block::new([space.channels, settings.width], 3, device),
            regress: last_layer_at(settings.width, &starts, device),
            grid: space.grid,
            settings: settings.clone(),
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let space = features.space.clone().expect("heads of space run with the space");
        vec![("occupancy_flow", self.regress.forward(self.block.forward(space)))]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> OccupancyFlowTargets {
        let motions: Vec<_> =
            samples.iter().map(|sample| self.motion(&sample.present().truth)).collect();
        let [x, y, z] = self.grid.size.map(|n| n as usize);
        let map = |channels: usize, values: Vec<f32>| {
            let data = TensorData::new(values, [samples.len(), channels, z * x, y]);
            Tensor::from_data(data, device)
        };
        OccupancyFlowTargets {
            moving: map(1, motions.iter().flat_map(|m| m.moving.iter().copied()).collect()),
            judged: map(1, motions.iter().flat_map(|m| m.judged.iter().copied()).collect()),
            velocity: map(2, motions.into_iter().flat_map(|m| m.velocity.concat()).collect()),
        }
    }

    fn loss(&self, output: &Output, targets: &OccupancyFlowTargets) -> Tensor<1> {
        let maps = self.maps(output);
        let logits = maps.clone().narrow(1, 0, 1);
        // Weights of RetinaNet: Lin et al. 2017, section 5.1.
        let moving =
            sigmoid_focal(logits, targets.moving.clone(), targets.judged.clone(), 0.25, 2.0);
        let velocity = smooth_l1(
            maps.narrow(1, 1, 2),
            targets.velocity.clone(),
            targets.moving.clone(),
            1.0 / SCALE_M_S,
        );
        moving + velocity * self.settings.velocity
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let maps = self.maps(output).into_data().convert::<f32>();
        let maps = maps.as_slice::<f32>().expect("converted to f32");
        let area = self.grid.len();
        assert_eq!(maps.len(), samples.len() * 3 * area, "an output per sample");
        for (maps, space) in maps.chunks_exact(3 * area).zip(into) {
            let velocity = |at: usize| {
                let velocity = [maps[area + at] * SCALE_M_S, maps[2 * area + at] * SCALE_M_S];
                (maps[at] > 0.0).then_some(velocity)
            };
            self.write(velocity, space);
        }
    }

    fn tally(&self) -> VoxelFlowErrors {
        VoxelFlowErrors::default()
    }

    fn count(
        &self,
        errors: &mut VoxelFlowErrors,
        predicted: &[VectorSpace],
        truth: &[VectorSpace],
    ) {
        for (predicted, truth) in predicted.iter().zip(truth) {
            let (Some(predicted), Some(truth)) = (&predicted.occupancy, &truth.occupancy) else {
                continue;
            };
            errors.add(&on_grid(truth, &predicted.grid), predicted).expect("one grid");
        }
    }

    fn figures(&self, errors: &VoxelFlowErrors) -> Vec<(String, f64)> {
        let scores = [
            ("flow_explained", errors.explained()),
            ("flow_error_m_s", errors.mean_error_m_s()),
            ("flow_found", errors.found_share()),
        ];
        scores.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        let own = truth.occupancy.as_ref().map(|voxels| on_grid(voxels, &self.grid).into_owned());
        into.occupancy = own.or(into.occupancy.take());
    }

    /// Nothing moves, each voxel moves as it does on average where it does so often enough, and all that is
    /// ever seen to move moves as everything does on average.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let area = self.grid.len();
        let (mut moving, mut judged) = (vec![0.0f32; area], vec![0.0f32; area]);
        let mut velocity = vec![[0.0f32; 2]; area];
        for motion in training.iter().map(|space| self.motion(space)) {
            for at in 0..area {
                moving[at] += motion.moving[at];
                judged[at] += motion.judged[at];
                for axis in 0..2 {
                    velocity[at][axis] += motion.moving[at] * motion.velocity[axis][at] * SCALE_M_S;
                }
            }
        }
        let say = |velocity: &dyn Fn(usize) -> Option<[f32; 2]>| {
            let mut space = VectorSpace::default();
            self.write(velocity, &mut space);
            space
        };
        let often = |at: usize, share: f64| f64::from(moving[at]) > share * f64::from(judged[at]);
        let own = |at: usize| velocity[at].map(|sum| sum / moving[at]);
        let all: f32 = moving.iter().sum();
        let mean = [0, 1].map(|i| velocity.iter().map(|sum| sum[i]).sum::<f32>() / all.max(1.0));
        let prior = |share| say(&|at| often(at, share).then(|| own(at)));
        let constant = |share| say(&|at| often(at, share).then_some(mean));
        vec![
            ("nothing_moves", say(&|_| None)),
            ("prior_flow", best_of(self, &SHARES, prior, training)),
            ("constant_flow", best_of(self, &SHARES, constant, training)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::testing::{check_overfits, column_world, sample_with, space_shapes};

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-4.0, -3.0, -1.0], voxel_m: 1.0, size: [8, 6, 4] };

    fn settings() -> OccupancyFlowSettings {
        OccupancyFlowSettings { width: 16, ..OccupancyFlowSettings::default() }
    }

    fn head() -> OccupancyFlow {
        OccupancyFlow::new(&settings(), &space_shapes(GRID), &Device::flex()).unwrap()
    }

    fn samples() -> Vec<Sample> {
        [0, 3].map(|shift| sample_with(&[], [0, 0], column_world(GRID, shift))).to_vec()
    }

    fn truth(samples: &[Sample]) -> Vec<VectorSpace> {
        samples.iter().map(|sample| sample.present().truth.clone()).collect()
    }

    #[test]
    fn perfect_outputs_explain_all_motion() {
        let (head, samples) = (head(), samples());
        let targets = head.targets(&samples, &Device::flex());
        let logits = (targets.moving.clone() - 0.5) * 40.0;
        let maps = Tensor::cat(vec![logits, targets.velocity.clone()], 1);
        let output = vec![("occupancy_flow", maps.reshape([2, 12, 8, 6]))];
        assert!(head.loss(&output, &targets).into_scalar::<f32>() < 1e-4);
        let with_voxels = |space: &VectorSpace| {
            let voxels = space.occupancy.clone().unwrap();
            VectorSpace {
                occupancy: Some(Occupancy { flow: None, ..voxels }),
                ..Default::default()
            }
        };
        let truth = truth(&samples);
        for mut decoded in
            [truth.iter().map(with_voxels).collect(), vec![VectorSpace::default(); 2]]
        {
            head.decode(&output, &samples, &mut decoded);
            let (name, score) = &head.scores(&decoded, &truth)[0];
            assert!(name == "flow_explained" && *score > 1.0 - 1e-6, "{name} {score}");
            assert!(decoded.iter().all(|s| s.occupancy.as_ref().unwrap().check().is_ok()));
        }
    }

    #[test]
    fn baselines_explain_nothing_and_what_repeats() {
        let (head, truth) = (head(), truth(&samples()));
        let baselines = head.baselines(&truth[..1]);
        let score = |i: usize| head.scores(std::slice::from_ref(&baselines[i].1), &truth[..1])[0].1;
        assert!(score(0) == 0.0 && score(1) > 1.0 - 1e-6, "{} {}", score(0), score(1));
    }

    #[test]
    fn overfits_a_sample() {
        check_overfits::<OccupancyFlow>(&settings(), &space_shapes(GRID), &samples()[..1]);
    }
}
