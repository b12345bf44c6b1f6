//! Semantic occupancy: free or a class for each voxel.

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, activation::softmax},
};
use ommatidia_metrics::occupancy::{OccupancyCounts, Visibility, compare};
use ommatidia_scene::{ClassId, GridSpec, Occupancy as Voxels, VectorSpace};
use serde::{Deserialize, Serialize};

use super::{
    blocks::{Block, last_layer},
    priors::{SHARES, best_of},
    voxels::{on_grid, voxel_at},
};
use crate::{
    Sample,
    losses::{
        affinity::{geometric_affinity, semantic_affinity},
        labels::Labels,
        lovasz::{VOID, lovasz_softmax},
    },
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Settings of [`Occupancy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OccupancySettings {
    /// The classes to tell apart; voxels of any other are not judged. With [`ClassId::UNKNOWN`], what is
    /// occupied by nobody knows what is.
    pub classes: Vec<ClassId>,
    /// Weights in the cross-entropy: of free, then of each class; empty weighs them alike.
    pub weights: Vec<f32>,
    /// Channels between space and classes.
    pub width: usize,
    /// Weight of the scene-class affinity losses beside the cross-entropy.
    pub affinity: f32,
    /// Weight of the Lovász-softmax loss beside the cross-entropy.
    pub lovasz: f32,
}

impl Default for OccupancySettings {
    /// The classes of the driving taxonomy but sky. Losses weighed alike, as FB-OCC (Li et al. 2023, section 2.3).
    fn default() -> Self {
        Self {
            classes: (0..31).map(ClassId).collect(),
            weights: Vec::new(),
            width: 96,
            affinity: 1.0,
            lovasz: 1.0,
        }
    }
}

/// Classifies the voxels of each column from its bird's-eye feature, heights folded into channels: Yu et
/// al. 2023 (FlashOcc), section 3.
#[derive(Module, Debug)]
pub struct Occupancy {
    block: Block,
    classify: Conv2d,
    #[module(skip)]
    grid: GridSpec,
    #[module(skip)]
    settings: OccupancySettings,
}

/// What is in each voxel.
#[derive(Debug, Clone)]
pub struct OccupancyTargets {
    /// 0 free, then the classes, of maps `[batch, z * x, y]`.
    labels: Labels,
    /// 1 occupied, 0 free, of the same.
    occupied: Labels,
}

/// The voxel's label where it is free.
const FREE: u8 = 0;

impl Occupancy {
    /// Logits `[batch, 1 + classes, z * x, y]`.
    fn logits(&self, output: &Output) -> Tensor<4> {
        let logits = named(output, "occupancy");
        let [batch, channels, x, y] = logits.dims();
        let heights = self.grid.size[2] as usize;
        logits.reshape([batch, channels / heights, heights * x, y])
    }

    /// Labels of a moment's voxels in the order of the logits; void without truth.
    fn labels(&self, space: &VectorSpace) -> Vec<u8> {
        let mut labels = vec![VOID; self.grid.len()];
        let Some(voxels) = &space.occupancy else { return labels };
        let voxels = on_grid(voxels, &self.grid);
        let mut position = [VOID; 256];
        for (i, class) in self.settings.classes.iter().enumerate() {
            position[usize::from(class.0)] = i as u8 + 1;
        }
        let mut classes = voxels.classes.iter();
        for index in 0..self.grid.len() {
            let at = voxel_at(&self.grid, index);
            if voxels.occupied.get(index) {
                let class = classes.next().expect("a class per occupied voxel");
                labels[at] = position[usize::from(class.0)];
            } else if voxels.observed.get(index) {
                labels[at] = FREE;
            }
        }
        labels
    }

    /// Voxels from their labels.
    fn voxels(&self, label: impl Fn(usize) -> u8) -> Voxels {
        let mut voxels = Voxels::unobserved(self.grid);
        for index in 0..self.grid.len() {
            let label = label(voxel_at(&self.grid, index));
            voxels.observed.set(index, true);
            if label != FREE {
                voxels.occupied.set(index, true);
                voxels.classes.push(self.settings.classes[usize::from(label) - 1]);
            }
        }
        voxels
    }
}

impl Task for Occupancy {
    type Settings = OccupancySettings;
    type Targets = OccupancyTargets;
    const NAME: &'static str = "occupancy";
    const READS: Reads = Reads::Space;
    type Tally = OccupancyCounts;

    fn new(
        settings: &OccupancySettings,
        shapes: &Shapes,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let fail = |what: String| Err(TaskError::Setting { task: Self::NAME, what });
        let space = shapes.space_for(Self::NAME)?;
        let (classes, weights) = (settings.classes.len(), settings.weights.len());
        if !(1..=254).contains(&classes) || settings.width == 0 {
            return fail(format!(
                "{classes} classes and width {}; give 1 to 254, and at least 1",
                settings.width
            ));
        }
        if weights != 0 && weights != classes + 1 {
            return fail(format!("weights has {weights} entries for free and {classes} classes"));
        }
        let mut settings = settings.clone();
        if weights == 0 {
            settings.weights = vec![1.0; classes + 1];
        }
        let outputs = (classes + 1) * space.grid.size[2] as usize;
        Ok(Self {
            block: Block::new([space.channels, settings.width], 3, device),
            classify: last_layer([settings.width, outputs], 0.0, device),
            grid: space.grid,
            settings,
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let space = features.space.clone().expect("heads of space run with the space");
        vec![("occupancy", self.classify.forward(self.block.forward(space)))]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> OccupancyTargets {
        let labels: Vec<u8> =
            samples.iter().flat_map(|sample| self.labels(&sample.present().truth)).collect();
        let binary = labels.iter().map(|&label| if label == VOID { VOID } else { label.min(1) });
        let [x, y, z] = self.grid.size.map(|n| n as usize);
        let shape = [samples.len(), z * x, y];
        OccupancyTargets {
            occupied: Labels::new(binary.collect(), shape, device),
            labels: Labels::new(labels, shape, device),
        }
    }

    fn loss(&self, output: &Output, targets: &OccupancyTargets) -> Tensor<1> {
        let logits = self.logits(output);
        let OccupancySettings { affinity, lovasz, weights, .. } = &self.settings;
        let mut loss = targets.labels.cross_entropy(logits.clone(), weights);
        if *affinity == 0.0 && *lovasz == 0.0 {
            return loss;
        }
        let probability = softmax(logits, 1);
        if *affinity != 0.0 {
            let occupied = probability.clone().narrow(1, 0, 1).neg() + 1.0;
            let both = semantic_affinity(probability.clone(), &targets.labels)
                + geometric_affinity(occupied, &targets.occupied);
            loss = loss + both * *affinity;
        }
        if *lovasz != 0.0 {
            loss = loss + lovasz_softmax(probability, &targets.labels.host) * *lovasz;
        }
        loss
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let best = self.logits(output).without_autodiff().argmax(1).into_data().convert::<i64>();
        let best = best.as_slice::<i64>().expect("converted to i64");
        let voxels = best.chunks_exact(self.grid.len());
        assert_eq!(voxels.len(), samples.len(), "an output per sample");
        for (voxels, space) in voxels.zip(into) {
            space.occupancy = Some(self.voxels(|at| voxels[at] as u8));
        }
    }

    fn tally(&self) -> OccupancyCounts {
        OccupancyCounts::default()
    }

    fn count(
        &self,
        counts: &mut OccupancyCounts,
        predicted: &[VectorSpace],
        truth: &[VectorSpace],
    ) {
        for (predicted, truth) in predicted.iter().zip(truth) {
            let (Some(predicted), Some(truth)) = (&predicted.occupancy, &truth.occupancy) else {
                continue;
            };
            let truth = on_grid(truth, &predicted.grid);
            counts.add(&compare(&truth, predicted, Visibility::Truth).expect("one grid"));
        }
    }

    fn figures(&self, counts: &OccupancyCounts) -> Vec<(String, f64)> {
        let miou = counts.miou_of(|class| self.settings.classes.contains(&class));
        let mut scores = Vec::new();
        scores.extend(miou.map(|miou| ("miou".to_owned(), miou)));
        scores.extend(counts.iou().map(|iou| ("iou".to_owned(), iou)));
        for (class, iou) in counts.per_class() {
            scores.push((format!("iou_class_{}", class.0), iou));
        }
        scores
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        let own = truth.occupancy.as_ref().map(|voxels| on_grid(voxels, &self.grid).into_owned());
        into.occupancy = own.or(into.occupancy.take());
    }

    /// Nothing anywhere, and in each voxel that is occupied often enough the class that it has most often.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let labels = self.settings.classes.len() + 1;
        let mut counts = vec![0u16; self.grid.len() * labels];
        for space in training {
            for (at, label) in self.labels(space).into_iter().enumerate().filter(|l| l.1 != VOID) {
                let count = &mut counts[at * labels + usize::from(label)];
                *count = count.saturating_add(1);
            }
        }
        let prior = |share: f64| {
            let label = |at: usize| {
                let counts = &counts[at * labels..(at + 1) * labels];
                let of =
                    |label: &usize| if *label == usize::from(FREE) { 0 } else { counts[*label] };
                let best = (0..labels).rev().max_by_key(of).expect("free at least");
                let all = counts.iter().map(|&count| f64::from(count)).sum::<f64>();
                let occupied = all - f64::from(counts[usize::from(FREE)]);
                if occupied > share * all { best as u8 } else { FREE }
            };
            with(self.voxels(label))
        };
        let with_empty = with(self.voxels(|_| FREE));
        vec![("always_empty", with_empty), ("prior_map", best_of(self, &SHARES, prior, training))]
    }
}

fn with(voxels: Voxels) -> VectorSpace {
    VectorSpace { occupancy: Some(voxels), ..VectorSpace::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::testing::{check_overfits, column_world, sample_with, space_shapes};

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-4.0, -3.0, -1.0], voxel_m: 1.0, size: [8, 6, 4] };

    fn settings() -> OccupancySettings {
        OccupancySettings {
            classes: [0, 1, 7, 18].map(ClassId).to_vec(),
            width: 16,
            ..Default::default()
        }
    }

    fn samples() -> Vec<Sample> {
        [0, 3].map(|shift| sample_with(&[], [0, 0], column_world(GRID, shift))).to_vec()
    }

    fn truth(samples: &[Sample]) -> Vec<VectorSpace> {
        samples.iter().map(|sample| sample.present().truth.clone()).collect()
    }

    #[test]
    fn perfect_logits_score_one() {
        let device = Device::flex();
        let head = Occupancy::new(&settings(), &space_shapes(GRID), &device).unwrap();
        let samples = samples();
        let targets = head.targets(&samples, &device);
        let one_hot = targets.labels.class.clone().one_hot_fill::<5>(5, 20.0, 0.0, 1);
        let logits: Tensor<4> = one_hot.float().squeeze_dim::<4>(2);
        let output = vec![("occupancy", logits.reshape([2, 20, 8, 6]))];
        assert!(head.loss(&output, &targets).into_scalar::<f32>() < 1e-4);
        let mut decoded = vec![VectorSpace::default(); 2];
        head.decode(&output, &samples, &mut decoded);
        let scores = head.scores(&decoded, &truth(&samples));
        assert_eq!(scores[..2], [("miou".to_owned(), 1.0), ("iou".to_owned(), 1.0)]);
        decoded
            .iter()
            .for_each(|space| assert_eq!(space.occupancy.as_ref().unwrap().check(), Ok(())));
    }

    #[test]
    fn what_nobody_observed_is_not_judged() {
        let device = Device::flex();
        let head = Occupancy::new(&settings(), &space_shapes(GRID), &device).unwrap();
        let sample = sample_with(&[], [0, 0], column_world(GRID, 0));
        let unobserved = sample.present().truth.occupancy.as_ref().unwrap();
        let unobserved = GRID.len() - unobserved.observed.count();
        let targets = head.targets(&[sample], &device);
        assert_eq!(targets.labels.host.iter().filter(|&&label| label == VOID).count(), unobserved);
        let nothing = head.targets(&[sample_with(&[], [0, 0], VectorSpace::default())], &device);
        let output = vec![("occupancy", Tensor::ones([1, 20, 8, 6], &device))];
        assert_eq!(head.loss(&output, &nothing).into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn baselines_are_scored_alike() {
        let head = Occupancy::new(&settings(), &space_shapes(GRID), &Device::flex()).unwrap();
        let truth = truth(&samples());
        let baselines = head.baselines(&truth[..1]);
        let score = |i: usize| head.scores(std::slice::from_ref(&baselines[i].1), &truth[..1])[0].1;
        assert_eq!((score(0), score(1)), (0.0, 1.0));
    }

    #[test]
    fn overfits_a_sample() {
        check_overfits::<Occupancy>(&settings(), &space_shapes(GRID), &samples()[..1]);
    }
}
