//! The ground: height, drivable or not, class, for each cell of the space.

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, TensorData},
};
use ommatidia_metrics::{
    confusion::{Absent, Confusion},
    surface::SurfaceErrors,
};
use ommatidia_scene::{ClassId, Drivable, Surface as Ground, SurfaceSpec, VectorSpace};
use serde::{Deserialize, Serialize};

use super::blocks::{Block, last_layer};
use crate::{
    Sample,
    losses::{Total, labels::Labels, lovasz::VOID, smooth_l1::smooth_l1_of},
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Settings of [`Surface`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SurfaceSettings {
    /// Classes of ground to tell apart; cells of any other are not judged.
    pub classes: Vec<ClassId>,
    /// Channels between space and outputs.
    pub width: usize,
    /// A height this close counts as right in the confidence, metres.
    pub tolerance_m: f32,
}

impl Default for SurfaceSettings {
    /// Road, marking, parking, sidewalk, other ground and terrain of the driving taxonomy. The tolerance is
    /// ours: half a kerb.
    fn default() -> Self {
        Self { classes: (1..7).map(ClassId).collect(), width: 64, tolerance_m: 0.05 }
    }
}

/// Height differences up to this are squared in the loss, metres.
const NEAR_M: f32 = 0.05;

/// Bounds of the logarithm of the height's scale: 1 cm to 7 m.
const LOG_SCALE: [f32; 2] = [-4.6, 2.0];

/// Height with its uncertainty, and two classifications.
///
/// The height has a Laplace distribution whose scale is estimated with it (Kendall & Gal 2017, section 3.1);
/// its mass within the tolerance is the confidence.
#[derive(Module, Debug)]
pub struct Surface {
    block: Block,
    regress: Conv2d,
    classify: Conv2d,
    #[module(skip)]
    spec: SurfaceSpec,
    #[module(skip)]
    settings: SurfaceSettings,
}

/// The ground on the head's cells.
#[derive(Debug, Clone)]
pub struct SurfaceTargets {
    /// Metres, 0 where not known, `[batch, 1, x, y]`.
    height: Tensor<4>,
    /// 1 where the height is known.
    known: Tensor<4>,
    /// 1 drivable, 0 not.
    drivable: Labels,
    /// Positions among the classes.
    class: Labels,
}

/// What is counted of surfaces.
#[derive(Debug, Clone)]
pub struct SurfaceTally {
    errors: SurfaceErrors,
    confusion: Confusion,
}

/// What one sample's maps say about a cell.
struct Cell {
    height_m: f32,
    confidence: u8,
    drivable: Drivable,
    class: ClassId,
}

impl Surface {
    /// The truth on the head's cells.
    fn on_cells(&self, space: &VectorSpace) -> Ground {
        let truth = space.surface.as_ref();
        truth.map_or_else(|| Ground::unobserved(self.spec), |truth| truth.resampled(self.spec))
    }

    /// Position among the head's classes; [`VOID`] for others.
    fn position(&self, class: ClassId) -> u8 {
        let found = self.settings.classes.iter().position(|&own| own == class);
        found.map_or(VOID, |position| position as u8)
    }

    /// Smooth absolute error under the Laplace distribution: `|d| / b + ln b`, plus what makes it 0 for a
    /// perfect height at the least scale.
    fn height_loss(&self, output: &Output, targets: &SurfaceTargets) -> Tensor<1> {
        let maps = named(output, "surface");
        let log_scale = maps.clone().narrow(1, 1, 1).clamp(LOG_SCALE[0], LOG_SCALE[1]);
        let size = smooth_l1_of(maps.narrow(1, 0, 1) - targets.height.clone(), NEAR_M);
        let terms = size * log_scale.clone().neg().exp() + log_scale - LOG_SCALE[0];
        let cells = targets.known.clone().total().clamp_min(1e-6);
        (terms * targets.known.clone()).total() / cells
    }

    fn cell(&self, maps: &[f32], classes: &[f32], index: usize) -> Cell {
        let area = self.spec.len();
        let scale_m = maps[area + index].clamp(LOG_SCALE[0], LOG_SCALE[1]).exp();
        let mass = 1.0 - (-self.settings.tolerance_m / scale_m).exp();
        let logit = |class: &usize| classes[class * area + index];
        // The first of equals.
        let best =
            (0..self.settings.classes.len()).rev().max_by(|a, b| logit(a).total_cmp(&logit(b)));
        Cell {
            height_m: maps[index],
            confidence: (255.0 * mass).round() as u8,
            drivable: if maps[2 * area + index] > 0.0 { Drivable::Yes } else { Drivable::No },
            class: self.settings.classes[best.expect("at least one class")],
        }
    }
}

impl Task for Surface {
    type Settings = SurfaceSettings;
    type Targets = SurfaceTargets;
    const NAME: &'static str = "surface";
    const READS: Reads = Reads::Space;
    type Tally = SurfaceTally;

    fn new(
        settings: &SurfaceSettings,
        shapes: &Shapes,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let space = shapes.space_for(Self::NAME)?;
        let classes = settings.classes.len();
        if !(1..=255).contains(&classes) || settings.width == 0 {
            let what = format!(
                "{classes} classes and width {}; give 1 to 255, and at least 1",
                settings.width
            );
            return Err(TaskError::Setting { task: Self::NAME, what });
        }
        let grid = space.grid;
        Ok(Self {
            block: Block::new([space.channels, settings.width], 3, device),
            regress: last_layer([settings.width, 3], 0.0, device),
            classify: last_layer([settings.width, classes], 0.0, device),
            spec: SurfaceSpec {
                min_corner_m: [grid.min_corner_m[0], grid.min_corner_m[1]],
                cell_m: grid.voxel_m,
                size: [grid.size[0], grid.size[1]],
            },
            settings: settings.clone(),
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let space = features.space.clone().expect("heads of space run with the space");
        let own = self.block.forward(space);
        vec![
            ("surface", self.regress.forward(own.clone())),
            ("surface_class", self.classify.forward(own)),
        ]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> SurfaceTargets {
        let grounds: Vec<_> = samples.iter().map(|s| self.on_cells(&s.present().truth)).collect();
        let [x, y] = self.spec.size.map(|n| n as usize);
        let shape = [samples.len(), 1, x, y];
        let map = |value: fn(f32) -> f32| {
            let values = grounds.iter().flat_map(|g| g.height_m.iter().map(|&h| value(h)));
            Tensor::from_data(TensorData::new(values.collect::<Vec<_>>(), shape), device)
        };
        let drivable = |drivable: &Drivable| match drivable {
            Drivable::Unknown => VOID,
            Drivable::No => 0,
            Drivable::Yes => 1,
        };
        let drivable = grounds.iter().flat_map(|g| g.drivable.iter().map(drivable)).collect();
        let class =
            grounds.iter().flat_map(|g| g.class.iter().map(|&c| self.position(c))).collect();
        SurfaceTargets {
            height: map(|height| if height.is_finite() { height } else { 0.0 }),
            known: map(|height| f32::from(u8::from(height.is_finite()))),
            drivable: Labels::new(drivable, [samples.len(), x, y], device),
            class: Labels::new(class, [samples.len(), x, y], device),
        }
    }

    fn loss(&self, output: &Output, targets: &SurfaceTargets) -> Tensor<1> {
        let drivable = named(output, "surface").narrow(1, 2, 1);
        // Two logits of which the first is 0: logistic regression.
        let drivable = Tensor::cat(vec![drivable.zeros_like(), drivable], 1);
        let classes = vec![1.0; self.settings.classes.len()];
        self.height_loss(output, targets)
            + targets.drivable.cross_entropy(drivable, &[1.0; 2])
            + targets.class.cross_entropy(named(output, "surface_class"), &classes)
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let area = self.spec.len();
        let host = |name| named(output, name).into_data().convert::<f32>();
        let (maps, classes) = (host("surface"), host("surface_class"));
        let maps = maps.as_slice::<f32>().expect("converted to f32").chunks_exact(3 * area);
        let classes = classes.as_slice::<f32>().expect("converted to f32");
        let classes = classes.chunks_exact(self.settings.classes.len() * area);
        assert_eq!(maps.len(), samples.len(), "an output per sample");
        for ((maps, classes), space) in maps.zip(classes).zip(into) {
            let mut ground = Ground::unobserved(self.spec);
            for index in 0..area {
                let cell = self.cell(maps, classes, index);
                ground.height_m[index] = cell.height_m;
                ground.confidence[index] = cell.confidence;
                ground.drivable[index] = cell.drivable;
                ground.class[index] = cell.class;
            }
            space.surface = Some(ground);
        }
    }

    fn tally(&self) -> SurfaceTally {
        let classes = self.settings.classes.len();
        SurfaceTally {
            errors: SurfaceErrors::default(),
            confusion: Confusion::new((classes + 1).min(256)),
        }
    }

    fn count(&self, tally: &mut SurfaceTally, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        let classes = self.settings.classes.len();
        for (predicted, truth) in predicted.iter().zip(truth).filter(|(_, t)| t.surface.is_some()) {
            let (truth, said) = (self.on_cells(truth), self.on_cells(predicted));
            tally.errors.add(&truth, &said).expect("one grid");
            let label = |&class: &ClassId| self.position(class);
            let labels: Vec<_> = truth.class.iter().map(label).collect();
            let said: Vec<_> =
                said.class.iter().map(|class| label(class).min(classes as u8)).collect();
            tally.confusion.add(&labels, &said, None, &[VOID]).expect("one grid");
        }
    }

    fn figures(&self, tally: &SurfaceTally) -> Vec<(String, f64)> {
        let classes = self.settings.classes.len();
        let report = tally.errors.report();
        let scores = [
            ("drivable_iou", report.drivable_iou),
            ("height_mae_m", report.mae_m),
            ("height_rmse_m", report.rmse_m),
            ("height_p95_m", report.p95_m),
            ("height_coverage", report.coverage),
            ("surface_miou", tally.confusion.mean_iou(0..classes, Absent::Skipped)),
        ];
        scores.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        into.surface = truth.surface.as_ref().map(|_| self.on_cells(truth));
    }

    /// Flat and drivable throughout, of the first class; and mean height with the most frequent state and
    /// class of each cell.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let area = self.spec.len();
        let grounds: Vec<_> = training.iter().map(|space| self.on_cells(space)).collect();
        let mut flat = Ground::unobserved(self.spec);
        flat.height_m.fill(0.0);
        flat.drivable.fill(Drivable::Yes);
        flat.class.fill(self.settings.classes[0]);
        let mut prior = flat.clone();
        for index in 0..area {
            let heights = grounds.iter().map(|g| g.height_m[index]).filter(|h| h.is_finite());
            let (sum, count) = heights.fold((0.0f64, 0u32), |(s, n), h| (s + f64::from(h), n + 1));
            if count > 0 {
                prior.height_m[index] = (sum / f64::from(count)) as f32;
            }
            let of = |state| grounds.iter().filter(|g| g.drivable[index] == state).count();
            if of(Drivable::No) > of(Drivable::Yes) {
                prior.drivable[index] = Drivable::No;
            }
            let of =
                |class: &&ClassId| grounds.iter().filter(|g| g.class[index] == **class).count();
            let best = self.settings.classes.iter().rev().max_by_key(of);
            prior.class[index] = *best.expect("at least one class");
        }
        let with = |surface| VectorSpace { surface: Some(surface), ..VectorSpace::default() };
        vec![("flat_road", with(flat)), ("prior_map", with(prior))]
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::GridSpec;

    use super::*;
    use crate::tasks::testing::{check_overfits, sample_with, space_shapes};

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-4.0, -3.0, -1.0], voxel_m: 1.0, size: [8, 6, 4] };

    fn settings() -> SurfaceSettings {
        SurfaceSettings { width: 16, ..SurfaceSettings::default() }
    }

    fn head() -> Surface {
        Surface::new(&settings(), &space_shapes(GRID), &Device::flex()).unwrap()
    }

    /// A sloping road along x between pavements, on cells half as large; the last rows unseen.
    fn street(shift: f32) -> VectorSpace {
        let spec = SurfaceSpec { min_corner_m: [-4.0, -3.0], cell_m: 0.5, size: [16, 12] };
        let mut ground = Ground::unobserved(spec);
        for index in 0..spec.len() {
            let (x, y) = (index / 12, index % 12);
            if x > 13 {
                continue;
            }
            let road = (4..8).contains(&y);
            // Alike within each cell of the head.
            ground.height_m[index] = shift + 0.05 * (y / 2) as f32 + if road { 0.0 } else { 0.125 };
            ground.drivable[index] = if road { Drivable::Yes } else { Drivable::No };
            ground.class[index] = ClassId(if road { 1 } else { 4 });
            ground.confidence[index] = 255;
        }
        VectorSpace { surface: Some(ground), ..VectorSpace::default() }
    }

    fn samples() -> Vec<Sample> {
        [0.0, 0.5].map(|shift| sample_with(&[], [0, 0], street(shift))).to_vec()
    }

    fn truth(samples: &[Sample]) -> Vec<VectorSpace> {
        samples.iter().map(|sample| sample.present().truth.clone()).collect()
    }

    #[test]
    fn perfect_outputs_score_one() {
        let (head, samples) = (head(), samples());
        let targets = head.targets(&samples, &Device::flex());
        let least = targets.height.ones_like() * LOG_SCALE[0];
        let drivable = targets.drivable.class.clone().float() * 40.0 - 20.0;
        let class = targets.class.class.clone().one_hot_fill::<5>(6, 20.0, 0.0, 1).float();
        let output = vec![
            ("surface", Tensor::cat(vec![targets.height.clone(), least, drivable], 1)),
            ("surface_class", class.squeeze_dim::<4>(2)),
        ];
        assert!(head.loss(&output, &targets).into_scalar::<f32>() < 1e-4);
        let mut decoded = vec![VectorSpace::default(); 2];
        head.decode(&output, &samples, &mut decoded);
        let scores = head.scores(&decoded, &truth(&samples));
        let score = |name: &str| scores.iter().find(|(own, _)| own == name).unwrap().1;
        assert_eq!((scores[0].0.as_str(), score("drivable_iou")), ("drivable_iou", 1.0));
        assert_eq!((score("surface_miou"), score("height_coverage")), (1.0, 1.0));
        assert!(score("height_mae_m") < 1e-6);
        let confidence = decoded[0].surface.as_ref().unwrap().confidence[0];
        assert!(confidence > 250, "a height known to a centimetre: {confidence}");
    }

    #[test]
    fn baselines_are_scored_alike() {
        let (head, truth) = (head(), truth(&samples()));
        let baselines = head.baselines(&truth);
        let score =
            |i: usize| head.scores(&[baselines[i].1.clone(), baselines[i].1.clone()], &truth);
        let (flat, prior) = (score(0), score(1));
        assert!(flat[0].1 < 0.7 && prior[0].1 == 1.0, "{flat:?} {prior:?}");
        assert!((prior[1].1 - 0.25).abs() < 1e-6, "half of the shift: {prior:?}");
    }

    #[test]
    fn what_nobody_knows_costs_nothing() {
        let head = head();
        let sample = sample_with(&[], [0, 0], VectorSpace::default());
        let targets = head.targets(&[sample], &Device::flex());
        let ones = |channels: usize| Tensor::ones([1, channels, 8, 6], &Device::flex());
        let output = vec![("surface", ones(3)), ("surface_class", ones(6))];
        assert_eq!(head.loss(&output, &targets).into_scalar::<f32>(), 0.0);
        let nothing = [VectorSpace::default()];
        assert!(head.scores(&nothing, &nothing).is_empty());
    }

    #[test]
    fn overfits_a_sample() {
        check_overfits::<Surface>(&settings(), &space_shapes(GRID), &samples()[..1]);
    }
}
