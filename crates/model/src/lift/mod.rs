//! From the cameras' features to bird's-eye space, by table.
//!
//! The table says which pixels each voxel sees in which cameras. It is made from the rig and an input of
//! the network, so that one set of weights serves every calibration (Xie et al. 2022, "Fast-BEV"). Pixels
//! are weighted by how likely their depth is the voxel's (Philion and Fidler 2020, "Lift, splat, shoot"),
//! or by attention.

mod table;

use burn::{
    module::Module,
    tensor::{Device, Int, Tensor, activation::softmax},
};
use ommatidia_scene::GridSpec;
use serde::{Deserialize, Serialize};

use crate::{
    Error, config,
    ops::{Conv, ConvNorm, ConvSettings, gather_sum},
    task::DepthDistribution,
};

pub use table::Table;

/// How features are lifted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiftConfig {
    /// Level of the pyramid that is lifted, from 0, the finest.
    pub level: usize,
    /// Channels of a voxel, before height is folded in.
    pub channels: usize,
    /// Most cameras that one voxel looks at.
    pub cameras: usize,
    /// Between four pixels instead of at the nearest.
    pub bilinear: bool,
    /// What weights pixels.
    pub weighting: Weighting,
}

impl Default for LiftConfig {
    /// Two cameras, as neighbours overlap; depth bins as in Li et al. 2023, "BEVDepth", but coarser.
    fn default() -> Self {
        let weighting = Weighting::Depth { near_m: 1.0, far_m: 61.0, bins: 30 };
        Self { level: 1, channels: 32, cameras: 2, bilinear: true, weighting }
    }
}

/// What weights pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Weighting {
    /// The probability that the pixel is as deep as the voxel; a head that estimates depth gives it, else
    /// the lift estimates its own with these bins.
    Depth {
        /// Where the first bin begins, metres along the optical axis.
        near_m: f32,
        /// Where the last ends.
        far_m: f32,
        /// Bins of equal length.
        bins: usize,
    },
    /// Attention of each height to the pixels that it sees, normalised over them.
    Attention,
    /// None: the mean.
    Mean,
}

impl LiftConfig {
    /// Whether there is such a lift over so many levels.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting that does not fit.
    pub fn check(&self, levels: usize) -> Result<(), Error> {
        config::range("space.lift.level", self.level, 0, levels - 1)?;
        config::range("space.lift.channels", self.channels, 1, 1024)?;
        config::range("space.lift.cameras", self.cameras, 1, 16)?;
        let Weighting::Depth { near_m, far_m, bins } = self.weighting else { return Ok(()) };
        config::range("space.lift.weighting.bins", bins, 1, 512)?;
        if near_m > 0.0 && near_m < far_m && far_m.is_finite() {
            return Ok(());
        }
        config::fail("space.lift.weighting", "must have 0 < near_m < far_m")
    }

    /// Edges between the bins of depth, where there are any.
    pub fn edges_m(&self) -> Option<Vec<f32>> {
        let Weighting::Depth { near_m, far_m, bins } = self.weighting else { return None };
        let edge = |index: usize| near_m + (far_m - near_m) * index as f32 / bins as f32;
        Some((0..=bins).map(edge).collect())
    }

    /// Pixels that one voxel looks at.
    pub fn taps(&self) -> usize {
        self.cameras * if self.bilinear { 4 } else { 1 }
    }

    /// With fresh weights: from levels of `channels_in` to a space of `channels_out`.
    pub fn init(
        &self,
        channels_in: usize,
        grid: &GridSpec,
        channels_out: usize,
        device: &Device,
    ) -> Lift {
        let heights = grid.size[2] as usize;
        let weigh = match self.weighting {
            Weighting::Depth { bins, .. } => Some(bins),
            Weighting::Attention => Some(heights),
            Weighting::Mean => None,
        };
        Lift {
            features: ConvNorm::new(ConvSettings::new([channels_in, self.channels], 1), device),
            weigh: weigh.map(|out| Conv::new(ConvSettings::new([channels_in, out], 1), device)),
            fold: ConvNorm::new(
                ConvSettings::new([self.channels * heights, channels_out], 1),
                device,
            ),
            attention: self.weighting == Weighting::Attention,
            size: grid.size.map(|side| side as usize),
        }
    }
}

/// A batch of tables on a device.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Pixel of each tap, counted over all cameras of a sample: `[batch, voxels, taps]`.
    pub pixel: Tensor<3, Int>,
    /// Share of each tap, 0 where there is none; the taps of a voxel sum to 1, or 0 where none sees it.
    pub weight: Tensor<3>,
    /// Depth of each voxel in the tap's camera, metres along the optical axis.
    pub depth_m: Tensor<3>,
}

/// The lift's own weights.
#[derive(Module, Debug)]
pub struct Lift {
    features: ConvNorm,
    weigh: Option<Conv>,
    fold: ConvNorm,
    attention: bool,
    size: [usize; 3],
}

impl Lift {
    /// Space `[batch, channels, x, y]` from one level `[batch * cameras, channels, height, width]`.
    /// `edges_m` are the lift's own bins; `depth`, where a head gives it, replaces its estimate.
    pub fn forward(
        &self,
        level: Tensor<4>,
        tables: &Tables,
        edges_m: Option<&[f32]>,
        depth: Option<DepthDistribution>,
    ) -> Tensor<4> {
        let [batch, _, _] = tables.pixel.dims();
        let features = rows(self.features.forward(level.clone()), batch);
        let weights = match (&self.weigh, edges_m, depth) {
            (_, Some(_), Some(depth)) => by_depth(depth.probability, &depth.edges_m, tables),
            (Some(weigh), Some(edges_m), None) => {
                by_depth(softmax(weigh.forward(level), 1), edges_m, tables)
            }
            (Some(weigh), None, _) if self.attention => {
                self.by_attention(rows(weigh.forward(level), batch), tables)
            }
            _ => tables.weight.clone(),
        };
        let voxels = gather_sum(features, tables.pixel.clone(), weights);
        let [x, y, z] = self.size;
        let channels = voxels.dims()[2];
        let folded = voxels.reshape([batch, x, y, z * channels]).permute([0, 3, 1, 2]);
        self.fold.forward(folded)
    }

    /// Weights that sum to 1 over the taps of each voxel: scores `[batch, pixels, heights]` of what each
    /// height looks for in each pixel.
    fn by_attention(&self, scores: Tensor<3>, tables: &Tables) -> Tensor<3> {
        let [batch, voxels, taps] = tables.pixel.dims();
        let heights = self.size[2];
        let device = scores.device();
        let height = Tensor::<1, Int>::arange(0..voxels as i64, &device)
            .remainder_scalar(heights as i64)
            .reshape([1, voxels, 1]);
        let index = tables.pixel.clone() * heights as i64 + height;
        let flat = scores.reshape([batch as i32, -1]);
        let scores = flat.gather(1, index.reshape([batch, voxels * taps]));
        let seen = tables.weight.clone().greater_elem(0.0);
        let scores = scores.reshape([batch, voxels, taps]).mask_fill(seen.clone().bool_not(), -1e4);
        // The table's own shares stay in it, so that near taps of a bilinear look-up count more.
        let shares = tables.weight.clone().clamp_min(1e-12).log();
        softmax(scores + shares, 2) * seen.float()
    }
}

/// Pixels as rows: `[batch * cameras, channels, height, width]` to `[batch, pixels, channels]`.
fn rows(features: Tensor<4>, batch: usize) -> Tensor<3> {
    let [images, channels, height, width] = features.dims();
    let pixels = images / batch * height * width;
    features.permute([0, 2, 3, 1]).reshape([batch, pixels, channels])
}

/// The table's shares times the probability that each pixel is as deep as the voxel.
fn by_depth(probability: Tensor<4>, edges_m: &[f32], tables: &Tables) -> Tensor<3> {
    let [batch, voxels, taps] = tables.pixel.dims();
    let bins = edges_m.len() - 1;
    let (near, far) = (edges_m[0], edges_m[bins]);
    let device = probability.device();
    // The bin is the number of inner edges that are not deeper.
    let inner = Tensor::<1>::from_floats(&edges_m[1..bins], &device);
    let bin = if is_even(edges_m) {
        let step = (far - near) / bins as f32;
        ((tables.depth_m.clone() - near) / step).clamp(0.0, (bins - 1) as f32).floor().int()
    } else {
        let depth = tables.depth_m.clone().reshape([batch, voxels * taps, 1]);
        let deeper = depth.greater_equal(inner.reshape([1, 1, bins - 1])).int();
        deeper.sum_dim(2).reshape([batch, voxels, taps])
    };
    let index = tables.pixel.clone() * bins as i64 + bin;
    let flat = rows(probability, batch).reshape([batch as i32, -1]);
    let chance = flat.gather(1, index.reshape([batch, voxels * taps]));
    tables.weight.clone() * chance.reshape([batch, voxels, taps])
}

/// Bins of one length.
fn is_even(edges_m: &[f32]) -> bool {
    let bins = edges_m.len() - 1;
    let step = (edges_m[bins] - edges_m[0]) / bins as f32;
    edges_m.windows(2).all(|pair| (pair[1] - pair[0] - step).abs() < 1e-4 * step)
}
