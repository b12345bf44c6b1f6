//! Class per pixel of each camera.

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, TensorData, activation::softmax},
};
use ommatidia_metrics::confusion::{Absent, Confusion};
use ommatidia_scene::{CameraView, ClassId, VectorSpace};
use serde::{Deserialize, Serialize};

use super::{
    blocks::{Merge, last_layer},
    camera_view, cameras_of,
    priors::first_views,
    views_of,
};
use crate::{
    Sample,
    losses::{
        cross_entropy::cross_entropy,
        lovasz::{VOID, lovasz_softmax},
    },
    ops::resize_bilinear,
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Settings of [`Semantics`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SemanticsSettings {
    /// The classes to tell apart; pixels of any other are not judged.
    pub classes: Vec<ClassId>,
    /// Weight of each class in the cross-entropy, in the order of `classes`; empty weighs them alike.
    /// [`crate::losses::cross_entropy::balanced_weights`] makes some.
    pub weights: Vec<f32>,
    /// Channels between pyramid and classes.
    pub width: usize,
    /// The loss is taken on logits upsampled to one in so many pixels along both axes, against the shares
    /// of the classes in the pixels there.
    pub loss_stride: usize,
    /// Weight of the Lovász-softmax loss beside the cross-entropy.
    pub lovasz: f32,
}

impl Default for SemanticsSettings {
    /// The classes of the driving taxonomy but `unknown`. Width as Panoptic FPN's (Kirillov et al. 2019,
    /// section 3), halved; Lovász and cross-entropy alike, as Berman et al. 2018, section 4.2 end up with.
    fn default() -> Self {
        Self {
            classes: (1..32).map(ClassId).collect(),
            weights: Vec::new(),
            width: 64,
            loss_stride: 2,
            lovasz: 0.5,
        }
    }
}

/// Merges the pyramid at its finest level and classifies there; logits are upsampled to the picture.
#[derive(Module, Debug)]
pub struct Semantics {
    merge: Merge,
    classify: Conv2d,
    #[module(skip)]
    settings: SemanticsSettings,
}

/// Shares and labels on the grid of the loss.
#[derive(Debug, Clone)]
pub struct SemanticsTargets {
    /// Share of each class in a cell, `[batch * cameras, classes, height, width]`.
    share: Tensor<4>,
    /// The largest class of each cell, [`VOID`] where most of it is not known.
    label: Vec<u8>,
}

impl Semantics {
    /// Position of each class id among the head's classes, [`VOID`] for others.
    fn positions(&self) -> [u8; 256] {
        let mut positions = [VOID; 256];
        for (position, class) in self.settings.classes.iter().enumerate() {
            positions[usize::from(class.0)] = position as u8;
        }
        positions
    }

    /// Shares per cell of one picture, `[classes, height, width]`, added to `share`.
    fn add_shares(&self, classes: &[ClassId], width: usize, share: &mut [f32]) {
        let (stride, positions) = (self.settings.loss_stride, self.positions());
        let columns = width.div_ceil(stride);
        let area = (classes.len() / width).div_ceil(stride) * columns;
        let part = 1.0 / (stride * stride) as f32;
        for (y, row) in classes.chunks_exact(width).enumerate() {
            for (x, class) in row.iter().enumerate() {
                let position = positions[usize::from(class.0)];
                if position != VOID {
                    share[usize::from(position) * area + y / stride * columns + x / stride] += part;
                }
            }
        }
    }

    fn protocol_classes(&self, view: &CameraView) -> Option<Vec<u8>> {
        let positions = self.positions();
        let classes = view.semantics.as_ref()?.iter();
        Some(classes.map(|class| positions[usize::from(class.0)]).collect())
    }
}

/// The largest class of each cell; [`VOID`] where less than half of it is known.
fn largest(share: &[f32], classes: usize) -> Vec<u8> {
    let area = share.len() / classes;
    let cell = |i: usize| {
        let (mut best, mut label, mut known) = (0.0, VOID, 0.0);
        for class in 0..classes {
            let here = share[class * area + i];
            known += here;
            if here > best {
                (best, label) = (here, class as u8);
            }
        }
        if known >= 0.5 { label } else { VOID }
    };
    (0..area).map(cell).collect()
}

impl Task for Semantics {
    type Settings = SemanticsSettings;
    type Targets = SemanticsTargets;
    const NAME: &'static str = "semantics";
    const READS: Reads = Reads::Cameras;
    type Tally = Confusion;

    fn new(
        settings: &SemanticsSettings,
        shapes: &Shapes,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let fail = |what: String| Err(TaskError::Setting { task: Self::NAME, what });
        let (classes, weights) = (settings.classes.len(), settings.weights.len());
        if !(1..=255).contains(&classes) {
            return fail(format!("classes has {classes} entries; give 1 to 255"));
        }
        if weights != 0 && weights != classes {
            return fail(format!("weights has {weights} entries for {classes} classes"));
        }
        if settings.width == 0 || settings.loss_stride == 0 {
            return fail("width and loss_stride must be at least 1".to_owned());
        }
        let mut settings = settings.clone();
        if weights == 0 {
            settings.weights = vec![1.0; classes];
        }
        Ok(Self {
            merge: Merge::new(&shapes.pyramid, settings.width, device),
            classify: last_layer([settings.width, classes], 0.0, device),
            settings,
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let merged = self.merge.forward(&features.pyramid);
        vec![("semantics", crate::ops::convolve(&self.classify, merged))]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> SemanticsTargets {
        let (classes, stride) = (self.settings.classes.len(), self.settings.loss_stride);
        let [width, height] = cameras_of(samples);
        let [columns, rows] = [width.div_ceil(stride), height.div_ceil(stride)];
        let mut share = Vec::new();
        for view in views_of(samples) {
            let start = share.len();
            share.resize(start + classes * rows * columns, 0.0);
            if let Some(semantics) = view.and_then(|view| view.semantics.as_ref()) {
                assert_eq!(semantics.len(), width * height, "a class per pixel of the picture");
                self.add_shares(semantics, width, &mut share[start..]);
            }
        }
        let images = share.len() / (classes * rows * columns);
        let label = share.chunks_exact(classes * rows * columns).flat_map(|s| largest(s, classes));
        let label = label.collect();
        let data = TensorData::new(share, [images, classes, rows, columns]);
        SemanticsTargets { share: Tensor::from_data(data, device), label }
    }

    fn loss(&self, output: &Output, targets: &SemanticsTargets) -> Tensor<1> {
        let [_, _, rows, columns] = targets.share.dims();
        let logits = resize_bilinear(named(output, "semantics"), [rows, columns]);
        let weights = &self.settings.weights;
        let loss = cross_entropy(logits.clone(), targets.share.clone(), weights);
        if self.settings.lovasz == 0.0 {
            return loss;
        }
        loss + lovasz_softmax(softmax(logits, 1), &targets.label) * self.settings.lovasz
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let logits = named(output, "semantics").without_autodiff();
        let mut images = logits.dims()[0];
        for (sample, space) in samples.iter().zip(into).rev() {
            let moment = sample.present();
            for (camera, image) in moment.rig.cameras.iter().zip(&moment.images).rev() {
                images -= 1;
                let own = resize_bilinear(
                    logits.clone().narrow(0, images, 1),
                    [image.height, image.width],
                );
                let best = own.argmax(1).into_data().convert::<i64>();
                let best = best.as_slice::<i64>().expect("converted to i64");
                let classes = best.iter().map(|&best| self.settings.classes[best as usize]);
                camera_view(space, &camera.name).semantics = Some(classes.collect());
            }
        }
    }

    fn tally(&self) -> Confusion {
        // One more for what was predicted outside the head's classes: wrong, but no class to average.
        Confusion::new((self.settings.classes.len() + 1).min(256))
    }

    fn count(&self, confusion: &mut Confusion, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        let classes = self.settings.classes.len();
        for (predicted, truth) in predicted.iter().zip(truth) {
            for truth in &truth.cameras {
                let own = predicted.cameras.iter().find(|view| view.camera == truth.camera);
                let Some(labels) = self.protocol_classes(truth) else { continue };
                let Some(said) = own.and_then(|view| self.protocol_classes(view)) else { continue };
                let said: Vec<_> = said.into_iter().map(|class| class.min(classes as u8)).collect();
                confusion
                    .add(&labels, &said, None, &[VOID])
                    .expect("prediction and truth of one picture have its size");
            }
        }
    }

    fn figures(&self, confusion: &Confusion) -> Vec<(String, f64)> {
        let classes = self.settings.classes.len();
        let Some(miou) = confusion.mean_iou(0..classes, Absent::Skipped) else { return Vec::new() };
        let mut scores = vec![("miou".to_owned(), miou)];
        scores.extend(confusion.accuracy().map(|share| ("pixel_accuracy".to_owned(), share)));
        for (position, class) in self.settings.classes.iter().enumerate() {
            let iou = confusion.iou(position);
            scores.extend(iou.map(|iou| (format!("iou_class_{}", class.0), iou)));
        }
        scores
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        for view in &truth.cameras {
            camera_view(into, &view.camera).semantics = view.semantics.clone();
        }
    }

    /// The most frequent class at each pixel of each camera.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let mut prior = VectorSpace::default();
        for view in first_views(training, |view| view.semantics.is_some()) {
            let Some(pixels) = view.semantics.as_ref().map(Vec::len) else { continue };
            let mut counts = vec![[0u32; 256]; pixels];
            let views = training.iter().flat_map(|space| &space.cameras);
            for other in views.filter(|other| other.camera == view.camera) {
                let semantics = other.semantics.as_deref().unwrap_or_default();
                for (counts, class) in counts.iter_mut().zip(semantics) {
                    counts[usize::from(class.0)] += 1;
                }
            }
            let best = |counts: &[u32; 256]| {
                let count = |class: &ClassId| counts[usize::from(class.0)];
                // The first of equals, as everywhere.
                let best = self.settings.classes.iter().rev().max_by_key(|class| count(class));
                *best.expect("at least one class")
            };
            camera_view(&mut prior, &view.camera).semantics =
                Some(counts.iter().map(best).collect());
        }
        vec![("prior_map", prior)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::testing::{check_overfits, pyramid_shapes, sample_with};

    const SIZE: [usize; 2] = [48, 32];

    fn settings() -> SemanticsSettings {
        SemanticsSettings {
            classes: vec![ClassId(2), ClassId(5), ClassId(7)],
            width: 16,
            ..SemanticsSettings::default()
        }
    }

    fn head(settings: &SemanticsSettings, device: &Device) -> Semantics {
        Semantics::new(settings, &pyramid_shapes(), device).unwrap()
    }

    /// A picture of three classes in bands and blocks, some of it void.
    fn classes(shift: usize) -> Vec<ClassId> {
        let [width, height] = SIZE;
        let class = |i: usize| match ((i % width + shift) / 12 % 3, i / width / 8) {
            (_, 0) => ClassId::UNKNOWN,
            (0, _) => ClassId(2),
            (1, 1 | 2) => ClassId(5),
            _ => ClassId(7),
        };
        (0..width * height).map(class).collect()
    }

    fn samples() -> Vec<Sample> {
        let truth = |name: &str, shift| CameraView {
            camera: name.to_owned(),
            semantics: Some(classes(shift)),
            ..CameraView::default()
        };
        let space = |shift| VectorSpace {
            cameras: vec![truth("b", shift), truth("a", shift + 4)],
            ..VectorSpace::default()
        };
        vec![sample_with(&["a", "b"], SIZE, space(0)), sample_with(&["a", "b"], SIZE, space(7))]
    }

    #[test]
    fn perfect_logits_score_one() {
        let device = Device::flex();
        let head = head(&SemanticsSettings { loss_stride: 1, ..settings() }, &device);
        let samples = samples();
        let targets = head.targets(&samples, &device);
        let output = vec![("semantics", targets.share.clone() * 20.0)];
        let mut decoded = vec![VectorSpace::default(); samples.len()];
        head.decode(&output, &samples, &mut decoded);
        let truth: Vec<_> = samples.iter().map(|s| s.present().truth.clone()).collect();
        assert_eq!(head.scores(&decoded, &truth)[0], ("miou".to_owned(), 1.0));
        assert!(head.loss(&output, &targets).into_scalar::<f32>() < 1e-6);
    }

    #[test]
    fn cells_hold_the_shares_of_their_pixels() {
        let device = Device::flex();
        let settings = SemanticsSettings {
            classes: vec![ClassId(1), ClassId(2)],
            loss_stride: 2,
            ..settings()
        };
        let classes = [1, 2, 2, 0, 0, 2, 1, 1, 0, 0, 1, 1].map(ClassId).to_vec();
        let view = CameraView {
            camera: "a".to_owned(),
            semantics: Some(classes),
            ..CameraView::default()
        };
        let truth = VectorSpace { cameras: vec![view], ..VectorSpace::default() };
        let targets =
            head(&settings, &device).targets(&[sample_with(&["a"], [4, 3], truth)], &device);
        let share: Vec<f32> = targets.share.try_into_vec_as::<f32>().unwrap();
        assert_eq!(share, [0.25, 0.5, 0.0, 0.5, 0.5, 0.25, 0.0, 0.0]);
        assert_eq!(targets.label, [1, 0, VOID, 0]);
    }

    #[test]
    fn what_nobody_labelled_costs_and_scores_nothing() {
        let device = Device::flex();
        let head = head(&settings(), &device);
        let sample = sample_with(&["a"], SIZE, VectorSpace::default());
        let targets = head.targets(std::slice::from_ref(&sample), &device);
        let output = vec![("semantics", Tensor::ones([1, 3, 8, 12], &device))];
        assert_eq!(head.loss(&output, &targets).into_scalar::<f32>(), 0.0);
        assert_eq!(head.scores(&[VectorSpace::default()], &[VectorSpace::default()]), []);
    }

    #[test]
    fn the_prior_map_is_the_most_frequent_class() {
        let head = head(&settings(), &Device::flex());
        let truth: Vec<_> = samples().iter().map(|s| s.present().truth.clone()).collect();
        let twice = [truth[0].clone(), truth[0].clone(), truth[1].clone()];
        let (_, prior) = &head.baselines(&twice)[0];
        assert_eq!(head.scores(std::slice::from_ref(prior), &truth[..1])[0].1, 1.0);
    }

    #[test]
    fn broken_settings_say_what_is_wrong() {
        let check = |settings: SemanticsSettings, expected: &str| {
            let error = Semantics::new(&settings, &pyramid_shapes(), &Device::flex()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(SemanticsSettings { classes: Vec::new(), ..settings() }, "classes has 0 entries");
        check(
            SemanticsSettings { weights: vec![1.0], ..settings() },
            "weights has 1 entries for 3",
        );
        check(SemanticsSettings { loss_stride: 0, ..settings() }, "loss_stride must be at least 1");
    }

    #[test]
    fn overfits_a_sample() {
        check_overfits::<Semantics>(&settings(), &pyramid_shapes(), &samples()[..1]);
    }
}
