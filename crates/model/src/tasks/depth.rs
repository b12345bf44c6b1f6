//! Depth of each camera, as a distribution over bins.

use burn::{
    module::Module,
    nn::conv::Conv2d,
    tensor::{Device, Tensor, TensorData, activation::softmax},
};
use ommatidia_metrics::depth::{DepthAccumulator, DepthProtocol};
use ommatidia_scene::{CameraView, DepthMap, VectorSpace};
use serde::{Deserialize, Serialize};

use super::{
    blocks::{Block, last_layer},
    camera_view,
    priors::first_views,
    views_of,
};
use crate::{
    Sample,
    losses::depth_distribution::depth_distribution,
    ops::resize_bilinear,
    task::{DepthDistribution, Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Settings of [`Depth`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DepthSettings {
    /// The level of the pyramid that it reads, 0 the finest; the one that the lift reads, for a distribution
    /// that the lift is to use.
    pub level: usize,
    /// Channels between pyramid and bins.
    pub width: usize,
    /// Number of bins.
    pub bins: usize,
    /// Where the first bin starts, metres along the optical axis.
    pub min_depth_m: f32,
    /// Where the last bin ends.
    pub max_depth_m: f32,
}

impl Default for DepthSettings {
    /// 48 bins from 1 m to 60 m (Huang et al. 2021, BEVDet, table 1, has 59 of 1 m), spaced so that far ones are
    /// longer.
    fn default() -> Self {
        Self { level: 0, width: 64, bins: 48, min_depth_m: 1.0, max_depth_m: 60.0 }
    }
}

/// Logits over bins whose lengths grow linearly with depth (Tang, Dorri & Reading et al. 2020; Reading et
/// al. 2021, CaDDN, section 3.3).
///
/// Supervised by the true depth as BEVDepth (Li et al. 2022, section 3.2); its distribution serves the lift.
#[derive(Module, Debug)]
pub struct Depth {
    block: Block,
    classify: Conv2d,
    stride: usize,
    #[module(skip)]
    settings: DepthSettings,
}

impl Depth {
    /// Edges between the bins, metres.
    fn edges_m(&self) -> Vec<f32> {
        let DepthSettings { bins, min_depth_m, max_depth_m, .. } = self.settings;
        // CaDDN, equation (1): linearly increasing discretisation.
        let step = (max_depth_m - min_depth_m) / (bins * (bins + 1)) as f32;
        (0..=bins).map(|i| min_depth_m + step * (i * (i + 1)) as f32).collect()
    }

    /// Depth that stands for each bin, metres.
    fn centres_m(&self) -> Vec<f32> {
        self.edges_m().windows(2).map(|edges| 0.5 * (edges[0] + edges[1])).collect()
    }

    /// Depth that is as likely too near as too far: `[images, 1, rows, columns]`, metres.
    ///
    /// A broad distribution reaches much farther behind than before, which draws its mean away.
    fn median_m(&self, probability: Tensor<4>) -> Tensor<4> {
        let [images, bins, rows, columns] = probability.dims();
        let (device, plane) = (probability.device(), rows * columns);
        let data = probability.into_data().convert::<f32>();
        let shares = data.as_slice::<f32>().expect("converted to f32");
        let edges = self.edges_m();
        let mut median = Vec::with_capacity(images * plane);
        for cell in 0..images * plane {
            let first = cell / plane * bins * plane + cell % plane;
            let (mut bin, mut before) = (0, 0.0);
            while bin + 1 < bins && before + shares[first + bin * plane] < 0.5 {
                before += shares[first + bin * plane];
                bin += 1;
            }
            let part = ((0.5 - before) / shares[first + bin * plane]).clamp(0.0, 1.0);
            median.push(edges[bin] + part * (edges[bin + 1] - edges[bin]));
        }
        Tensor::from_data(TensorData::new(median, [images, 1, rows, columns]), &device)
    }

    /// Shares of the two bins around the nearest depth in each cell, `[bins, rows, columns]`: the mean of the
    /// bins under them is that depth. All zero where no depth within the bins is known.
    fn shares(&self, depth: &DepthMap, [rows, columns]: [usize; 2], shares: &mut [f32]) {
        let mut nearest = vec![f32::INFINITY; rows * columns];
        for (i, &depth_m) in depth.depth_m.iter().enumerate().filter(|(_, depth)| **depth > 0.0) {
            let (x, y) = (i % depth.width / self.stride, i / depth.width / self.stride);
            if x < columns && y < rows {
                let cell = &mut nearest[y * columns + x];
                *cell = cell.min(depth_m);
            }
        }
        let centres = self.centres_m();
        for (cell, depth_m) in nearest.into_iter().enumerate() {
            if !(self.settings.min_depth_m..self.settings.max_depth_m).contains(&depth_m) {
                continue;
            }
            let above = centres.partition_point(|&centre| centre <= depth_m);
            let mut add = |bin: usize, share: f32| shares[bin * rows * columns + cell] += share;
            if above == 0 || above == centres.len() {
                add(above.min(centres.len() - 1), 1.0);
            } else {
                let share = (depth_m - centres[above - 1]) / (centres[above] - centres[above - 1]);
                add(above - 1, 1.0 - share);
                add(above, share);
            }
        }
    }
}

impl Task for Depth {
    type Settings = DepthSettings;
    /// Shares of the bins, `[batch * cameras, bins, height, width]`.
    type Targets = Tensor<4>;
    const NAME: &'static str = "depth";
    const READS: Reads = Reads::Cameras;
    type Tally = DepthAccumulator;

    fn new(settings: &DepthSettings, shapes: &Shapes, device: &Device) -> Result<Self, TaskError> {
        let fail = |what: String| Err(TaskError::Setting { task: Self::NAME, what });
        let Some(level) = shapes.pyramid.get(settings.level) else {
            let levels = shapes.pyramid.len();
            return fail(format!("level is {}; the pyramid has {levels}, from 0", settings.level));
        };
        let (min, max) = (settings.min_depth_m, settings.max_depth_m);
        if settings.bins < 2 || settings.width == 0 || !(min > 0.0 && max > min && max.is_finite())
        {
            return fail(format!(
                "{} bins from {min} m to {max} m, width {}; give at least 2 bins, ascending depths above 0 and a width",
                settings.bins, settings.width
            ));
        }
        Ok(Self {
            block: Block::new([level.channels, settings.width], 3, device),
            classify: last_layer([settings.width, settings.bins], 0.0, device),
            stride: level.stride,
            settings: settings.clone(),
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let level = features.pyramid[self.settings.level].clone();
        vec![("depth", self.classify.forward(self.block.forward(level)))]
    }

    fn gives_depth(&self) -> bool {
        true
    }

    fn depth_distribution(&self, output: &Output) -> Option<DepthDistribution> {
        let probability = softmax(named(output, "depth"), 1);
        let level = self.settings.level;
        Some(DepthDistribution { level, probability, edges_m: self.edges_m() })
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> Tensor<4> {
        let [width, height] = super::cameras_of(samples);
        let size = [height.div_ceil(self.stride), width.div_ceil(self.stride)];
        let cells = self.settings.bins * size[0] * size[1];
        let mut shares = Vec::new();
        for view in views_of(samples) {
            let start = shares.len();
            shares.resize(start + cells, 0.0);
            if let Some(depth) = view.and_then(|view| view.depth.as_ref()) {
                assert_eq!(
                    (depth.width, depth.height),
                    (width, height),
                    "depth of the picture's size"
                );
                self.shares(depth, size, &mut shares[start..]);
            }
        }
        let images = shares.len() / cells.max(1);
        let data = TensorData::new(shares, [images, self.settings.bins, size[0], size[1]]);
        Tensor::from_data(data, device)
    }

    fn loss(&self, output: &Output, targets: &Tensor<4>) -> Tensor<1> {
        depth_distribution(named(output, "depth"), targets.clone())
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let probability = softmax(named(output, "depth").without_autodiff(), 1);
        // Planes are linear in inverse depth over the picture.
        let inverse = self.median_m(probability.clone()).recip();
        let surest = probability.max_dim(1);
        let mut image = 0;
        for (sample, space) in samples.iter().zip(into) {
            let moment = sample.present();
            for (camera, picture) in moment.rig.cameras.iter().zip(&moment.images) {
                let host = |map: &Tensor<4>| {
                    let own = map.clone().narrow(0, image, 1);
                    resize_bilinear(own, [picture.height, picture.width])
                        .into_data()
                        .convert::<f32>()
                };
                let (inverse, surest) = (host(&inverse), host(&surest));
                let values =
                    |data: &TensorData| data.as_slice::<f32>().expect("converted to f32").to_vec();
                camera_view(space, &camera.name).depth = Some(DepthMap {
                    width: picture.width,
                    height: picture.height,
                    depth_m: values(&inverse).into_iter().map(f32::recip).collect(),
                    confidence: values(&surest).iter().map(|p| (255.0 * p).round() as u8).collect(),
                });
                image += 1;
            }
        }
    }

    fn tally(&self) -> DepthAccumulator {
        DepthAccumulator::new(DepthProtocol {
            min_depth_m: f64::from(self.settings.min_depth_m),
            max_depth_m: f64::from(self.settings.max_depth_m),
            ..DepthProtocol::default()
        })
    }

    fn count(&self, sums: &mut DepthAccumulator, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        for (predicted, truth) in predicted.iter().zip(truth) {
            for view in &truth.cameras {
                let own = predicted.cameras.iter().find(|own| own.camera == view.camera);
                let said = own.and_then(|own| own.depth.as_ref());
                if let (Some(truth), Some(said)) = (&view.depth, said) {
                    sums.add(truth, said).expect("depth and truth of one picture have its size");
                }
            }
        }
    }

    fn figures(&self, sums: &DepthAccumulator) -> Vec<(String, f64)> {
        let Ok(report) = sums.report() else { return Vec::new() };
        let scores = [
            ("depth_delta1", report.delta1),
            ("depth_abs_rel", report.abs_rel),
            ("depth_rmse_m", report.rmse_m),
        ];
        scores.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        for view in &truth.cameras {
            camera_view(into, &view.camera).depth = view.depth.clone();
        }
    }

    /// The median depth at each pixel of each camera.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let mut prior = VectorSpace::default();
        for view in first_views(training, |view| view.depth.is_some()) {
            let Some(first) = &view.depth else { continue };
            let own = |other: &&CameraView| other.camera == view.camera;
            let views = training.iter().flat_map(|space| space.cameras.iter().filter(own));
            let size = (first.width, first.height);
            let same = |depth: &&DepthMap| (depth.width, depth.height) == size;
            let maps: Vec<_> = views.filter_map(|view| view.depth.as_ref()).filter(same).collect();
            let mut median = first.clone();
            for (pixel, depth_m) in median.depth_m.iter_mut().enumerate() {
                let known = maps.iter().map(|map| map.depth_m[pixel]).filter(|depth| *depth > 0.0);
                let mut known: Vec<_> = known.collect();
                known.sort_unstable_by(f32::total_cmp);
                *depth_m = known.get(known.len() / 2).copied().unwrap_or(self.settings.max_depth_m);
            }
            camera_view(&mut prior, &view.camera).depth = Some(median);
        }
        vec![("prior_map", prior)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::testing::{check_overfits, pyramid_shapes, sample_with};

    const SIZE: [usize; 2] = [48, 32];

    fn settings() -> DepthSettings {
        DepthSettings { width: 16, bins: 24, ..DepthSettings::default() }
    }

    fn head() -> Depth {
        Depth::new(&settings(), &pyramid_shapes(), &Device::flex()).unwrap()
    }

    /// A ramp below a wall, gentle enough for cells of four pixels; nothing known in the first column of cells.
    fn samples() -> Vec<Sample> {
        let [width, height] = SIZE;
        let depth_m = |i: usize, wall: f32| match (i % width, (i / width) as f32 - 11.5) {
            (0..4, _) => 0.0,
            (_, below) if below > 0.0 => (12.0 - 0.3 * below).min(wall),
            _ => wall,
        };
        let view = |name: &str, wall| {
            let depth_m = (0..width * height).map(|i| depth_m(i, wall)).collect();
            let confidence = vec![255; width * height];
            let depth = Some(DepthMap { width, height, depth_m, confidence });
            CameraView { camera: name.to_owned(), depth, ..CameraView::default() }
        };
        let space = |wall| VectorSpace {
            cameras: vec![view("a", wall), view("b", 0.5 * wall)],
            ..VectorSpace::default()
        };
        [14.0, 12.0].map(|wall| sample_with(&["a", "b"], SIZE, space(wall))).to_vec()
    }

    fn truth(samples: &[Sample]) -> Vec<VectorSpace> {
        samples.iter().map(|sample| sample.present().truth.clone()).collect()
    }

    #[test]
    fn perfect_logits_score_one() {
        let (head, samples) = (head(), samples());
        let targets = head.targets(&samples, &Device::flex());
        let output = vec![("depth", targets.clone().clamp_min(1e-9).log())];
        let mut decoded = vec![VectorSpace::default(); 2];
        head.decode(&output, &samples, &mut decoded);
        // Where nothing is known the distribution is flat and the depth arbitrary, and its neighbours mix.
        let mut judged = truth(&samples);
        for view in judged.iter_mut().flat_map(|space| &mut space.cameras) {
            let depth = view.depth.as_mut().unwrap();
            (0..depth.depth_m.len())
                .filter(|i| i % SIZE[0] < 8)
                .for_each(|i| depth.depth_m[i] = 0.0);
        }
        let scores = head.scores(&decoded, &judged);
        assert!(scores[0].0 == "depth_delta1" && scores[0].1 > 0.97, "{scores:?}");
        assert!(scores[1].1 < 0.06, "{scores:?}");
    }

    #[test]
    fn the_mean_of_a_target_is_its_depth() {
        let head = head();
        let centres = head.centres_m();
        let check = |depth_m: f32, expected: Option<f32>| {
            let map =
                DepthMap { width: 1, height: 1, depth_m: vec![depth_m], confidence: vec![255] };
            let mut shares = vec![0.0; centres.len()];
            head.shares(&map, [1, 1], &mut shares);
            let total: f32 = shares.iter().sum();
            let mean: f32 = shares.iter().zip(&centres).map(|(share, centre)| share * centre).sum();
            let found = (total > 0.0).then_some(mean);
            let near = found.zip(expected).is_none_or(|(a, b)| (a - b).abs() < 1e-4 * b);
            assert!(found.is_some() == expected.is_some() && near, "{depth_m}: {found:?}");
        };
        check(7.7, Some(7.7));
        check(55.0, Some(55.0));
        check(1.01, Some(centres[0]));
        check(59.9, Some(centres[23]));
        check(0.5, None);
        check(60.0, None);
        check(0.0, None);
    }

    #[test]
    fn the_median_splits_the_shares() {
        let settings = DepthSettings { bins: 4, width: 16, ..DepthSettings::default() };
        let head = Depth::new(&settings, &pyramid_shapes(), &Device::flex()).unwrap();
        let edges = head.edges_m();
        let check = |shares: [f32; 4], expected: f32| {
            let probability = Tensor::<1>::from_floats(shares, &Device::flex());
            let median: f32 = head.median_m(probability.reshape([1, 4, 1, 1])).into_scalar();
            assert!((median - expected).abs() < 1e-4, "{shares:?}: {median}, not {expected}");
        };
        check([0.0, 1.0, 0.0, 0.0], 0.5 * (edges[1] + edges[2]));
        check([0.5, 0.5, 0.0, 0.0], edges[1]);
        check([0.25, 0.25, 0.25, 0.25], edges[2]);
        check([0.1, 0.8, 0.05, 0.05], 0.5 * (edges[1] + edges[2]));
        check([0.2, 0.0, 0.0, 0.8], edges[3] + 0.375 * (edges[4] - edges[3]));
    }

    #[test]
    fn bins_cover_the_range_and_grow() {
        let edges = head().edges_m();
        assert!((edges[0] - 1.0).abs() < 1e-6 && (edges[24] - 60.0).abs() < 1e-3, "{edges:?}");
        let lengths: Vec<_> = edges.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(lengths.windows(2).all(|pair| pair[0] < pair[1]), "{lengths:?}");
        let output = vec![("depth", Tensor::ones([1, 24, 2, 2], &Device::flex()))];
        let distribution = head().depth_distribution(&output).unwrap();
        let sum: f32 = distribution.probability.sum().into_scalar();
        assert!((sum - 4.0).abs() < 1e-5 && distribution.edges_m == edges);
    }

    #[test]
    fn baselines_are_scored_alike() {
        let (head, truth) = (head(), truth(&samples()));
        let (_, prior) = &head.baselines(&truth[..1])[0];
        let scores = head.scores(std::slice::from_ref(prior), &truth[..1]);
        assert_eq!(scores[0].1, 1.0);
        assert!(head.scores(&[VectorSpace::default()], &truth[..1]).is_empty());
    }

    #[test]
    fn overfits_a_sample() {
        check_overfits::<Depth>(&settings(), &pyramid_shapes(), &samples()[..1]);
    }
}
