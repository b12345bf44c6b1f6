//! Objects as oriented boxes: centre-based in bird's-eye view.
//!
//! Yin, Zhou & Krähenbühl 2021 (CenterPoint), section 4: a heat map per class, and at each centre the
//! offset in its cell, height, size, heading and velocity.

mod boxes;
mod score;
#[cfg(test)]
mod tests;

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, TensorData, activation::sigmoid},
};
use ommatidia_scene::{ClassId, GridSpec, Object, VectorSpace};
use serde::{Deserialize, Serialize};

use self::boxes::{CHANNELS, Centres, MOTION, peaks};
use super::{
    blocks::{Block, last_layer},
    priors::Kept,
};
use crate::{
    Sample,
    losses::{heat_map::heat_map, smooth_l1::smooth_l1},
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Settings of [`Detection`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectionSettings {
    /// The classes to find; objects of others are background.
    pub classes: Vec<ClassId>,
    /// Channels between space and outputs.
    pub width: usize,
    /// Weight of the boxes beside the heat map.
    pub boxes: f32,
    /// Weight of velocity among the boxes' numbers.
    pub velocity: f32,
    /// Peaks below this are no objects.
    pub min_score: f32,
    /// Most objects of a moment.
    pub max_objects: usize,
    /// Of two objects of one class closer than this the fainter is dropped, metres.
    pub min_distance_m: f64,
}

impl Default for DetectionSettings {
    /// What moves in the driving taxonomy. Weights and bounds of CenterPoint's nuScenes configuration;
    /// distance of its circle suppression, the least one of it.
    fn default() -> Self {
        Self {
            classes: (18..30).map(ClassId).collect(),
            width: 64,
            boxes: 0.25,
            velocity: 0.2,
            min_score: 0.1,
            max_objects: 200,
            min_distance_m: 0.5,
        }
    }
}

/// Heat maps of centres, and boxes where they are.
#[derive(Module, Debug)]
pub struct Detection {
    shared: Block,
    heat: Conv2d,
    own: Block,
    regress: Conv2d,
    #[module(skip)]
    grid: GridSpec,
    #[module(skip)]
    settings: DetectionSettings,
}

/// Centres and boxes, all `[batch, _, x, y]`.
#[derive(Debug, Clone)]
pub struct DetectionTargets {
    /// Heat per class: 1 at centres, a Gaussian around.
    heat: Tensor<4>,
    /// 1 in samples whose objects are known, one channel.
    judged: Tensor<4>,
    /// Numbers of the box whose centre lies in a cell.
    boxes: Tensor<4>,
    /// Weight of each of these numbers: 0 where there is no centre.
    weight: Tensor<4>,
}

/// Heat where nothing has been learned: Lin et al. 2017, section 4.1, with 1 in 10.
const PRIOR_LOGIT: f32 = -2.19;

impl Detection {
    fn cells(&self) -> [usize; 2] {
        [self.grid.size[0] as usize, self.grid.size[1] as usize]
    }

    /// Objects that maps of one sample, heat and boxes, hold.
    fn objects(&self, heat: &[f32], boxes: &[f32]) -> Vec<Object> {
        peaks(heat, boxes, &self.grid, &self.settings)
    }

    fn centres(&self, samples: &[Sample]) -> Vec<Centres> {
        let truth = samples.iter().map(|sample| sample.present().truth.objects.as_deref());
        truth.map(|objects| Centres::new(objects, &self.grid, &self.settings.classes)).collect()
    }
}

impl Task for Detection {
    type Settings = DetectionSettings;
    type Targets = DetectionTargets;
    const NAME: &'static str = "detection";
    const READS: Reads = Reads::Space;
    type Tally = Kept;

    fn new(
        settings: &DetectionSettings,
        shapes: &Shapes,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let fail = |what: &str| Err(TaskError::Setting { task: Self::NAME, what: what.to_owned() });
        let space = shapes.space_for(Self::NAME)?;
        let (classes, width) = (settings.classes.len(), settings.width);
        if !(1..=255).contains(&classes) || width == 0 {
            return fail("give 1 to 255 classes and a width of at least 1");
        }
        if !(settings.min_score > 0.0 && settings.min_score < 1.0) {
            return fail("min_score must lie between 0 and 1");
        }
        Ok(Self {
            shared: Block::new([space.channels, width], 3, device),
            heat: last_layer([width, classes], PRIOR_LOGIT, device),
            own: Block::new([width, width], 3, device),
            regress: last_layer([width, CHANNELS], 0.0, device),
            grid: space.grid,
            settings: settings.clone(),
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let space = features.space.clone().expect("heads of space run with the space");
        let shared = self.shared.forward(space);
        vec![
            ("detection_heat", self.heat.forward(shared.clone())),
            ("detection_boxes", self.regress.forward(self.own.forward(shared))),
        ]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> DetectionTargets {
        let centres = self.centres(samples);
        let [x, y] = self.cells();
        let map = |channels: usize, values: fn(&Centres) -> &[f32]| {
            let all: Vec<f32> = centres.iter().flat_map(|c| values(c).iter().copied()).collect();
            Tensor::from_data(TensorData::new(all, [samples.len(), channels, x, y]), device)
        };
        DetectionTargets {
            heat: map(self.settings.classes.len(), |centres| &centres.heat),
            judged: map(1, |centres| &centres.judged),
            boxes: map(CHANNELS, |centres| &centres.boxes),
            weight: map(CHANNELS, |centres| &centres.weight),
        }
    }

    fn loss(&self, output: &Output, targets: &DetectionTargets) -> Tensor<1> {
        let heat =
            heat_map(named(output, "detection_heat"), targets.heat.clone(), targets.judged.clone());
        let boxes = named(output, "detection_boxes");
        let part = |start: usize, count: usize| {
            let part = |map: &Tensor<4>| map.clone().narrow(1, start, count);
            smooth_l1(part(&boxes), part(&targets.boxes), part(&targets.weight), 0.1)
        };
        let shape = part(0, MOTION);
        let velocity = part(MOTION, CHANNELS - MOTION);
        // Sums over the numbers, as CenterPoint; means here are over numbers and boxes.
        let (of_shape, of_velocity) = (MOTION as f32, (CHANNELS - MOTION) as f32);
        let boxes = shape * of_shape + velocity * (of_velocity * self.settings.velocity);
        heat + boxes * self.settings.boxes
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let heat = sigmoid(named(output, "detection_heat").without_autodiff());
        let heat = heat.into_data().convert::<f32>();
        let boxes = named(output, "detection_boxes").into_data().convert::<f32>();
        let area = self.cells().iter().product::<usize>();
        let heat = heat.as_slice::<f32>().expect("converted to f32");
        let heat = heat.chunks_exact(self.settings.classes.len() * area);
        let boxes = boxes.as_slice::<f32>().expect("converted to f32");
        assert_eq!(heat.len(), samples.len(), "an output per sample");
        for ((heat, boxes), space) in heat.zip(boxes.chunks_exact(CHANNELS * area)).zip(into) {
            space.objects = Some(self.objects(heat, boxes));
        }
    }

    fn tally(&self) -> Kept {
        Kept::default()
    }

    fn count(&self, kept: &mut Kept, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        kept.add(predicted, truth, |space, own| self.excerpt(space, own));
    }

    fn figures(&self, kept: &Kept) -> Vec<(String, f64)> {
        score::scores(&kept.predicted, &kept.truth, &self.grid, &self.settings)
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        into.objects = truth.objects.clone();
    }

    /// Nothing, and the mean of the training set's heat maps and boxes read as if it were said.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let known = training.iter().filter_map(|space| space.objects.as_deref());
        let centres = known.map(|o| Centres::new(Some(o), &self.grid, &self.settings.classes));
        let (heat, boxes) = boxes::mean(centres);
        let with = |objects| VectorSpace { objects: Some(objects), ..VectorSpace::default() };
        let prior = if heat.is_empty() {
            Vec::new()
        } else {
            // However rare, it counts: only the order of the scores matters.
            let settings = DetectionSettings { min_score: 1e-3, ..self.settings.clone() };
            peaks(&heat, &boxes, &self.grid, &settings)
        };
        vec![("always_empty", with(Vec::new())), ("prior_map", with(prior))]
    }
}
