//! Instance per pixel of each camera.

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, TensorData},
};
use std::collections::{BTreeMap, BTreeSet};

use ommatidia_metrics::panoptic::{
    PanopticCounts, PanopticProtocol, Segments, Unlabelled, compare_segments,
};
use ommatidia_scene::VectorSpace;
use serde::{Deserialize, Serialize};

use super::{
    blocks::{Merge, last_layer, last_layer_at},
    camera_view, cameras_of,
    priors::{first_views, most_typical},
    views_of,
};
use crate::{
    Sample,
    losses::{focal::sigmoid_focal, heat_map::heat_map, smooth_l1::smooth_l1},
    ops::resize_bilinear,
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// The one class of segments that count.
const THING: u8 = 1;

/// Settings of [`Instances`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstancesSettings {
    /// Channels between pyramid and outputs.
    pub width: usize,
    /// Instances with fewer pixels are background, in the truth of the training and in what is said.
    pub min_pixels: usize,
    /// Centres fainter than this are none.
    pub min_score: f32,
    /// Most instances of a picture.
    pub max_instances: usize,
    /// Weight of the offsets beside centres and foreground.
    pub offsets: f32,
}

impl Default for InstancesSettings {
    /// Centres as Panoptic-DeepLab (Cheng et al. 2020, section 3.3): above 0.1, at most 200.
    fn default() -> Self {
        Self { width: 64, min_pixels: 32, min_score: 0.1, max_instances: 200, offsets: 1.0 }
    }
}

/// Foreground, centres of instances, and from each pixel the offset to its own: Cheng et al. 2020
/// (Panoptic-DeepLab), section 3.2. A pixel belongs to the centre nearest to where its offset leads.
#[derive(Module, Debug)]
pub struct Instances {
    merge: Merge,
    centre: Conv2d,
    regress: Conv2d,
    stride: usize,
    #[module(skip)]
    settings: InstancesSettings,
}

/// Maps at the stride of the finest level, `[batch * cameras, _, height, width]`.
#[derive(Debug, Clone)]
pub struct InstancesTargets {
    /// 1 where there is an instance.
    foreground: Tensor<4>,
    /// 1 where the truth is known.
    judged: Tensor<4>,
    /// 1 at centres, a Gaussian around.
    heat: Tensor<4>,
    /// Offset to the centre along x and y, in [`OFFSET_CELLS`].
    offset: Tensor<4>,
}

/// Offsets leave the network divided by this, cells.
const OFFSET_CELLS: f32 = 16.0;

/// Standard deviation of a centre's Gaussian, cells: the 8 pixels of Panoptic-DeepLab at stride 4.
const SPREAD_CELLS: f32 = 2.0;

/// Heat where nothing has been learned: Lin et al. 2017, section 4.1, with 1 in 10.
const PRIOR_LOGIT: f32 = -2.19;

/// One picture's maps, row-major.
struct Maps {
    foreground: Vec<f32>,
    heat: Vec<f32>,
    offset: Vec<f32>,
}

impl Instances {
    /// Maps of one picture's instances. A cell is of the instance at its middle pixel.
    fn maps(&self, instances: &[u32], width: usize) -> Maps {
        let (stride, height) = (self.stride, instances.len() / width);
        let [columns, rows] = [width.div_ceil(stride), height.div_ceil(stride)];
        let mut maps = Maps {
            foreground: vec![0.0; rows * columns],
            heat: vec![0.0; rows * columns],
            offset: vec![0.0; 2 * rows * columns],
        };
        let mut sums: BTreeMap<u32, (usize, [f32; 2])> = BTreeMap::new();
        for (i, &instance) in instances.iter().enumerate().filter(|(_, id)| **id != 0) {
            let sum = sums.entry(instance).or_default();
            sum.0 += 1;
            sum.1[0] += (i % width) as f32 + 0.5;
            sum.1[1] += (i / width) as f32 + 0.5;
        }
        sums.retain(|_, (pixels, _)| *pixels >= self.settings.min_pixels);
        // Centres of mass, in cells; the heat is 1 in the cell that holds one.
        let centre = |(pixels, sum): &(usize, [f32; 2])| sum.map(|s| s / (*pixels * stride) as f32);
        for row in 0..rows {
            for column in 0..columns {
                let [x, y] = [column, row].map(|c| c * stride + stride / 2);
                let instance = instances[y.min(height - 1) * width + x.min(width - 1)];
                let at = row * columns + column;
                if let Some(own) = sums.get(&instance).map(centre) {
                    maps.foreground[at] = 1.0;
                    maps.offset[at] = (own[0] - column as f32 - 0.5) / OFFSET_CELLS;
                    maps.offset[rows * columns + at] = (own[1] - row as f32 - 0.5) / OFFSET_CELLS;
                }
            }
        }
        for own in sums.values().map(centre) {
            add_heat(&mut maps.heat, own.map(|c| c as usize), [columns, rows]);
        }
        maps
    }

    /// Centres in cells, the hottest first.
    fn centres(&self, heat: &[f32], [columns, rows]: [usize; 2]) -> Vec<[f32; 2]> {
        // Logits order as probabilities do.
        let least = (self.settings.min_score / (1.0 - self.settings.min_score)).ln();
        let mut found: Vec<(f32, usize)> = Vec::new();
        for (at, &logit) in heat.iter().enumerate().filter(|(_, logit)| **logit >= least) {
            let near = |c: usize, n: usize| c.saturating_sub(3)..=(c + 3).min(n - 1);
            let hotter = |other: usize| heat[other] > logit || (heat[other] == logit && other < at);
            let mut around = near(at / columns, rows)
                .flat_map(|y| near(at % columns, columns).map(move |x| y * columns + x));
            if !around.any(hotter) {
                found.push((logit, at));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found.truncate(self.settings.max_instances);
        let cell =
            |(_, at): (f32, usize)| [(at % columns) as f32 + 0.5, (at / columns) as f32 + 0.5];
        found.into_iter().map(cell).collect()
    }

    /// Instances of one picture from its maps at the stride and at the picture's size.
    fn group(&self, heat: &[f32], cells: [usize; 2], maps: &[f32], width: usize) -> Vec<u32> {
        let centres = self.centres(heat, cells);
        let area = maps.len() / 3;
        let stride = self.stride as f32;
        let own = |i: usize| {
            if maps[i] <= 0.0 || centres.is_empty() {
                return 0;
            }
            let [x, y] = [i % width, i / width].map(|c| (c as f32 + 0.5) / stride);
            let aim = [x + OFFSET_CELLS * maps[area + i], y + OFFSET_CELLS * maps[2 * area + i]];
            let away = |c: &[f32; 2]| (c[0] - aim[0]).hypot(c[1] - aim[1]);
            let nearest = centres.iter().enumerate().min_by(|a, b| away(a.1).total_cmp(&away(b.1)));
            nearest.map_or(0, |(index, _)| index as u32 + 1)
        };
        let mut instances: Vec<u32> = (0..area).map(own).collect();
        let mut pixels = vec![0usize; centres.len() + 1];
        instances.iter().for_each(|&id| pixels[id as usize] += 1);
        let small = |id: &&mut u32| pixels[**id as usize] < self.settings.min_pixels;
        instances.iter_mut().filter(small).for_each(|id| *id = 0);
        instances
    }
}

fn add_heat(heat: &mut [f32], centre: [usize; 2], [columns, rows]: [usize; 2]) {
    let reach = (3.0 * SPREAD_CELLS) as usize;
    let near = |c: usize, n: usize| c.saturating_sub(reach)..(c + reach + 1).min(n);
    for y in near(centre[1], rows) {
        for x in near(centre[0], columns) {
            let squared = x.abs_diff(centre[0]).pow(2) + y.abs_diff(centre[1]).pow(2);
            let value = (-(squared as f32) / (2.0 * SPREAD_CELLS * SPREAD_CELLS)).exp();
            let at = &mut heat[y * columns + x];
            *at = at.max(value);
        }
    }
}

impl Task for Instances {
    type Settings = InstancesSettings;
    type Targets = InstancesTargets;
    const NAME: &'static str = "instances";
    const READS: Reads = Reads::Cameras;
    type Tally = PanopticCounts;

    fn new(
        settings: &InstancesSettings,
        shapes: &Shapes,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let score = settings.min_score;
        if settings.width == 0 || !(score > 0.0 && score < 1.0) {
            let what = "width must be at least 1 and min_score between 0 and 1".to_owned();
            return Err(TaskError::Setting { task: Self::NAME, what });
        }
        Ok(Self {
            merge: Merge::new(&shapes.pyramid, settings.width, device),
            centre: last_layer([settings.width, 1], PRIOR_LOGIT, device),
            regress: last_layer_at(settings.width, &[PRIOR_LOGIT, 0.0, 0.0], device),
            stride: shapes.pyramid.first().map_or(1, |level| level.stride),
            settings: settings.clone(),
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let merged = self.merge.forward(&features.pyramid);
        vec![
            ("instance_centres", self.centre.forward(merged.clone())),
            ("instance_offsets", self.regress.forward(merged)),
        ]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> InstancesTargets {
        let [width, height] = cameras_of(samples);
        let [columns, rows] = [width.div_ceil(self.stride), height.div_ceil(self.stride)];
        let (mut foreground, mut judged) = (Vec::new(), Vec::new());
        let (mut heat, mut offset) = (Vec::new(), Vec::new());
        let mut images = 0;
        for view in views_of(samples) {
            images += 1;
            let known = view.and_then(|view| view.instances.as_deref());
            let nothing = vec![0; width * height];
            let instances = known.unwrap_or(&nothing);
            assert_eq!(instances.len(), width * height, "an instance per pixel of the picture");
            let maps = self.maps(instances, width);
            foreground.extend(maps.foreground);
            heat.extend(maps.heat);
            offset.extend(maps.offset);
            judged.resize(images * rows * columns, f32::from(u8::from(known.is_some())));
        }
        let map = |channels: usize, values: Vec<f32>| {
            Tensor::from_data(TensorData::new(values, [images, channels, rows, columns]), device)
        };
        InstancesTargets {
            foreground: map(1, foreground),
            judged: map(1, judged),
            heat: map(1, heat),
            offset: map(2, offset),
        }
    }

    fn loss(&self, output: &Output, targets: &InstancesTargets) -> Tensor<1> {
        let regressed = named(output, "instance_offsets");
        let logits = regressed.clone().narrow(1, 0, 1);
        let judged = &targets.judged;
        let foreground =
            sigmoid_focal(logits, targets.foreground.clone(), judged.clone(), 0.25, 2.0);
        let centres =
            heat_map(named(output, "instance_centres"), targets.heat.clone(), judged.clone());
        let offsets = smooth_l1(
            regressed.narrow(1, 1, 2),
            targets.offset.clone(),
            targets.foreground.clone(),
            1.0 / OFFSET_CELLS,
        );
        foreground + centres + offsets * self.settings.offsets
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let centres = named(output, "instance_centres").without_autodiff();
        let maps = named(output, "instance_offsets").without_autodiff();
        let [_, _, rows, columns] = centres.dims();
        let host = |map: Tensor<4>| map.into_data().convert::<f32>();
        let mut image = 0;
        for (sample, space) in samples.iter().zip(into) {
            let moment = sample.present();
            for (camera, picture) in moment.rig.cameras.iter().zip(&moment.images) {
                let heat = host(centres.clone().narrow(0, image, 1));
                let own = maps.clone().narrow(0, image, 1);
                let own = host(resize_bilinear(own, [picture.height, picture.width]));
                let heat = heat.as_slice::<f32>().expect("converted to f32");
                let own = own.as_slice::<f32>().expect("converted to f32");
                let instances = self.group(heat, [columns, rows], own, picture.width);
                camera_view(space, &camera.name).instances = Some(instances);
                image += 1;
            }
        }
    }

    fn tally(&self) -> PanopticCounts {
        PanopticCounts::default()
    }

    fn count(&self, counts: &mut PanopticCounts, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        let protocol = PanopticProtocol {
            things: BTreeSet::from([THING]),
            stuff: BTreeSet::from([0]),
            void: BTreeSet::new(),
            unlabelled: Unlabelled::default(),
            min_elements: 0,
        };
        let classes = |instances: &[u32]| -> Vec<u8> {
            instances.iter().map(|&id| if id == 0 { 0 } else { THING }).collect()
        };
        for (predicted, truth) in predicted.iter().zip(truth) {
            for view in &truth.cameras {
                let own = predicted.cameras.iter().find(|own| own.camera == view.camera);
                let said = own.and_then(|own| own.instances.as_deref());
                let (Some(truth), Some(said)) = (view.instances.as_deref(), said) else { continue };
                let [t, p] = [truth, said].map(classes);
                let of = |classes, instances| Segments { classes, instances };
                let frame =
                    compare_segments(of(&t, truth), of(&p, said), &BTreeSet::new(), &protocol);
                counts.add(&frame.expect("prediction and truth of one picture have its size"));
            }
        }
    }

    fn figures(&self, counts: &PanopticCounts) -> Vec<(String, f64)> {
        let Some(quality) = counts.quality(|class| class == THING) else { return Vec::new() };
        let scores =
            [("instance_pq", quality.pq), ("instance_sq", quality.sq), ("instance_rq", quality.rq)];
        scores.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        for view in &truth.cameras {
            camera_view(into, &view.camera).instances = view.instances.clone();
        }
    }

    /// No instances anywhere, and of each camera those of the picture that is most like the others.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let mut baselines = [VectorSpace::default(), VectorSpace::default()];
        for view in first_views(training, |view| view.instances.is_some()) {
            let own = |space: &VectorSpace| {
                let of = space.cameras.iter().find(|own| own.camera == view.camera)?;
                let same =
                    of.instances.as_ref().map(Vec::len) == view.instances.as_ref().map(Vec::len);
                let cameras = same.then(|| vec![of.clone()])?;
                Some(VectorSpace { cameras, ..VectorSpace::default() })
            };
            let pictures: Vec<VectorSpace> = training.iter().filter_map(own).collect();
            let typical = most_typical(&pictures, |said, truth| {
                let scores = self.scores(std::slice::from_ref(said), std::slice::from_ref(truth));
                scores.first().map_or(0.0, |score| score.1)
            });
            let instances = typical.and_then(|space| space.cameras[0].instances.clone());
            let Some(instances) = instances else { continue };
            camera_view(&mut baselines[0], &view.camera).instances = Some(vec![0; instances.len()]);
            camera_view(&mut baselines[1], &view.camera).instances = Some(instances);
        }
        let [empty, typical] = baselines;
        vec![("always_empty", empty), ("typical_picture", typical)]
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::CameraView;

    use super::*;
    use crate::tasks::testing::{check_overfits, pyramid_shapes, sample_with};

    const SIZE: [usize; 2] = [96, 64];

    fn settings() -> InstancesSettings {
        InstancesSettings { width: 16, ..InstancesSettings::default() }
    }

    fn head() -> Instances {
        Instances::new(&settings(), &pyramid_shapes(), &Device::flex()).unwrap()
    }

    /// Two touching blocks, one apart, and one too small to count.
    fn samples() -> Vec<Sample> {
        let instance = |i: usize, shift: usize| match (i % SIZE[0] + shift, i / SIZE[0]) {
            (8..32, 8..40) => 7,
            (32..56, 8..40) => 9,
            (68..92, 24..56) => 300,
            (2..4, 60..62) => 11,
            _ => 0,
        };
        let space = |shift| {
            let instances = (0..SIZE[0] * SIZE[1]).map(|i| instance(i, shift)).collect();
            let camera = "a".to_owned();
            let view = CameraView { camera, instances: Some(instances), ..CameraView::default() };
            VectorSpace { cameras: vec![view], ..VectorSpace::default() }
        };
        [0, 4].map(|shift| sample_with(&["a"], SIZE, space(shift))).to_vec()
    }

    #[test]
    fn perfect_outputs_score_nearly_one() {
        let (head, samples) = (head(), samples());
        let targets = head.targets(&samples, &Device::flex());
        let p = targets.heat.clone().clamp(1e-6, 1.0 - 1e-6);
        let heat = (p.clone() / (p.neg() + 1.0)).log();
        let foreground = targets.foreground.clone() * 40.0 - 20.0;
        let output = vec![
            ("instance_centres", heat),
            ("instance_offsets", Tensor::cat(vec![foreground, targets.offset.clone()], 1)),
        ];
        let mut decoded = vec![VectorSpace::default(); 2];
        head.decode(&output, &samples, &mut decoded);
        let mut truth: Vec<_> = samples.iter().map(|s| s.present().truth.clone()).collect();
        for id in truth.iter_mut().flat_map(|t| t.cameras[0].instances.iter_mut().flatten()) {
            *id = if *id == 11 { 0 } else { *id };
        }
        let scores = head.scores(&decoded, &truth);
        assert!(scores[0].0 == "instance_pq" && scores[0].1 > 0.95, "{scores:?}");
        assert_eq!(scores[2].1, 1.0, "each instance is found: {scores:?}");
    }

    #[test]
    fn unknown_instances_cost_nothing() {
        let head = head();
        let targets =
            head.targets(&[sample_with(&["a"], SIZE, VectorSpace::default())], &Device::flex());
        let ones = |channels: usize| Tensor::ones([1, channels, 16, 24], &Device::flex());
        let output = vec![("instance_centres", ones(1)), ("instance_offsets", ones(3))];
        assert_eq!(head.loss(&output, &targets).into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn baselines_are_scored_alike() {
        let (head, samples) = (head(), samples());
        let truth: Vec<_> = samples.iter().map(|s| s.present().truth.clone()).collect();
        let baselines = head.baselines(&truth);
        let score = |i: usize| head.scores(std::slice::from_ref(&baselines[i].1), &truth[..1])[0].1;
        assert_eq!((score(0), score(1)), (0.0, 1.0));
    }

    #[test]
    fn overfits_a_sample() {
        check_overfits::<Instances>(&settings(), &pyramid_shapes(), &samples()[..1]);
    }
}
