//! One depth map as evidence: surfaces are splatted along their rays, free space is looked up per voxel.

use nalgebra::{Matrix3, Point3, Vector3};
use ommatidia_geometry::{Camera, CameraModel, Pose, Timestamp, World};
use ommatidia_scene::DepthMap;
use rayon::prelude::*;

use super::LeftOut;
use super::accumulate::{Accumulator, Merged};
use super::block::{CELLS, Delta, HEIGHT_STEPS, SIDE, cell_offset};
use super::config::{DepthNoise, OccupancyConfig};
use super::pyramid::{Footprint, Pyramid};
use super::rays::CameraRays;
use super::window::Window;

/// One depth map with what is needed to place it in the world.
#[derive(Debug, Clone, Copy)]
pub struct PosedDepth<'a> {
    /// When the image was taken.
    pub timestamp: Timestamp,
    /// Where the camera was.
    pub world_from_camera: Pose<World, Camera>,
    /// The camera's rays; of the same size as `depth`.
    pub rays: &'a CameraRays,
    /// Depth along the optical axis with confidence.
    pub depth: &'a DepthMap,
    /// Standard deviation of confident depth.
    pub noise: DepthNoise,
}

/// Fixed point of pixel counts.
const PIXEL: u32 = 256;
/// Columns per share of the splatting: fixed, so that the result does not depend on threads.
const STRIP_PX: usize = 64;
/// Samples across a voxel's side: a surface seen at a grazing angle covers few rows of it.
const SAMPLES_PER_VOXEL: f32 = 6.0;
/// Pixels from one sample to the next, at most: a sample's share of confidence then fits in 32 bits.
const MAX_STEP_PX: f32 = 64.0;
/// Most samples along a ray's spread.
const MAX_SPREAD: usize = 24;
/// Share of a voxel's pixels that must end in it to count as certain: a road 20 m ahead of a camera 1.6 m
/// up covers 8 % of its voxels' pixels.
const CERTAIN_SHARE: f32 = 0.03;
/// Mean confidence over a voxel below which it is not carved.
const MIN_FREE_CONFIDENCE: f32 = 0.3;
/// Neighbours of eight that must agree with a pixel; fewer is a pixel flying between two surfaces.
const MIN_SUPPORT: usize = 3;

/// Sums over the pixels that end in the voxels of a block.
pub(super) struct Ends {
    /// Pixels, in 1/[`PIXEL`].
    pixels: [u32; CELLS],
    /// Pixels times confidence.
    confident: [u32; CELLS],
    /// Confident pixels times height above the voxel's lower face.
    height: [i64; CELLS],
}

impl Default for Ends {
    fn default() -> Self {
        Self { pixels: [0; CELLS], confident: [0; CELLS], height: [0; CELLS] }
    }
}

/// A depth map ready to be asked about voxels.
pub(super) struct CameraSweep<'a> {
    config: &'a OccupancyConfig,
    posed: &'a PosedDepth<'a>,
    window: Window,
    free: Pyramid,
    /// Voxel coordinates in the window to the camera frame in metres: `scaled_rotation * v + origin`.
    scaled_rotation: Matrix3<f32>,
    origin: Vector3<f32>,
    /// Normalised Gaussian weights for 1, 2, … [`MAX_SPREAD`] samples.
    spread: Vec<Vec<f32>>,
}

impl<'a> CameraSweep<'a> {
    pub(super) fn new(config: &'a OccupancyConfig, posed: &'a PosedDepth<'a>) -> Self {
        let centre = Point3::from(posed.world_from_camera.translation);
        let heights = [config.below_m, config.above_m];
        let window = Window::around(&centre, config.max_range_m, heights, config.voxel_m);
        let camera_from_world = posed.world_from_camera.inverse();
        let corner_in_camera = camera_from_world * Point3::from(window.corner_m());
        let rotation = camera_from_world.rotation_matrix() * config.voxel_m;
        let margin = config.margin_sigmas as f32;
        let (least, most) = (config.min_confidence as f32, config.max_range_m as f32);
        let free = Pyramid::new(posed.rays.size(), |x, y| {
            let z = posed.depth.at(x, y)?;
            let confidence = f32::from(posed.depth.confidence[y * posed.depth.width + x]) / 255.0;
            let end = (z - margin * posed.noise.sigma_m(z)).min(most);
            Some((end, if confidence < least { 0.0 } else { confidence }))
        });
        let spread = (1..=MAX_SPREAD).map(|n| gaussian(n, config.spread_sigmas as f32)).collect();
        let (scaled_rotation, origin) = (rotation.cast(), corner_in_camera.coords.cast());
        Self { config, posed, window, free, scaled_rotation, origin, spread }
    }

    /// The evidence of the whole sweep, in the order of blocks in its window.
    pub(super) fn deltas(&self, left_out: &mut LeftOut) -> Vec<Delta> {
        let strips = self.posed.depth.width.div_ceil(STRIP_PX);
        let shares = (0..strips).into_par_iter().map(|strip| self.splat(strip));
        let (shares, skipped): (_, Vec<LeftOut>) = shares.unzip();
        for strip in skipped {
            left_out.far += strip.far;
            left_out.doubtful += strip.doubtful;
            left_out.flying += strip.flying;
        }
        let ends = Merged::new(&self.window, shares);
        let block = |index: usize| self.delta(index, &ends);
        (0..self.window.len()).into_par_iter().with_min_len(64).filter_map(block).collect()
    }

    /// Spreads the depths of a strip of columns along their rays.
    fn splat(&self, strip: usize) -> (Accumulator<Ends>, LeftOut) {
        let mut ends = Accumulator::new(&self.window);
        let mut left_out = LeftOut::default();
        let depth = self.posed.depth;
        let columns = strip * STRIP_PX..((strip + 1) * STRIP_PX).min(depth.width);
        let voxel_m = self.config.voxel_m as f32;
        let focal = self.posed.rays.intrinsics().focal_px().0 as f32;
        for y in 0..depth.height {
            for x in columns.clone() {
                let z = depth.depth_m[y * depth.width + x];
                if !(z >= self.config.min_range_m as f32 && z <= self.config.max_range_m as f32) {
                    left_out.far += u64::from(z > 0.0);
                    continue;
                }
                let step =
                    (focal * voxel_m / (z * SAMPLES_PER_VOXEL)).clamp(1.0, MAX_STEP_PX) as u32;
                let step = 1usize << step.ilog2();
                if (x | y) & (step - 1) == 0 {
                    self.splat_pixel(&mut ends, &mut left_out, [x, y], step);
                }
            }
        }
        (ends, left_out)
    }

    fn splat_pixel(
        &self,
        ends: &mut Accumulator<Ends>,
        left_out: &mut LeftOut,
        [x, y]: [usize; 2],
        step: usize,
    ) {
        let depth = self.posed.depth;
        let z = depth.depth_m[y * depth.width + x];
        let confidence = u32::from(depth.confidence[y * depth.width + x]);
        let sigma = self.posed.noise.sigma_m(z);
        if (confidence as f32) < self.config.min_confidence as f32 * 255.0 {
            left_out.doubtful += (step * step) as u64;
            return;
        }
        if support(depth, x, y, z, 3.0 * sigma + 0.02 * z) < MIN_SUPPORT {
            left_out.flying += (step * step) as u64;
            return;
        }
        let Some(ray) = self.posed.rays.at_unit_depth(x, y) else { return };
        let window_from_camera = self.posed.world_from_camera.rotation;
        let direction = window_from_camera.cast::<f32>() * ray / self.config.voxel_m as f32;
        let origin = self.window.voxels_of(&Point3::from(self.posed.world_from_camera.translation));
        let reach = self.config.spread_sigmas as f32 * sigma;
        let samples = ((2.0 * reach * direction.norm()).ceil() as usize).clamp(1, MAX_SPREAD);
        let pixels = (step * step) as f32 * PIXEL as f32;
        let peak = self.spread[samples - 1][samples / 2];
        for (i, weight) in self.spread[samples - 1].iter().enumerate() {
            let along = (2 * i + 1) as f32 / samples as f32 - 1.0;
            let p = origin + direction * (z + along * reach);
            let cell = p.map(|c| c.floor() as i32);
            let Some((sums, index)) = ends.at(cell.into()) else { continue };
            let mass = (weight * pixels) as u32;
            let confident = (mass * confidence / 255) as f32 * weight / peak;
            let confident = confident as u32;
            let height = ((p.z - p.z.floor()) * HEIGHT_STEPS as f32) as i64;
            sums.pixels[index] += mass;
            sums.confident[index] += confident;
            sums.height[index] += i64::from(confident) * height;
        }
    }

    /// What the sweep says about one block; `None` if nothing.
    fn delta(&self, block: usize, ends: &Merged<Ends>) -> Option<Delta> {
        let key = self.window.key(block);
        let mut delta = Delta { key, evidence: [0; CELLS], height: None };
        let base = [0, 1, 2].map(|axis| (key[axis] - self.window.min[axis]) * SIDE);
        let carved = self.carve(base, &mut delta.evidence);
        let mut sums: Option<Ends> = None;
        for share in ends.of(block) {
            let sums = sums.get_or_insert_default();
            for cell in 0..CELLS {
                sums.pixels[cell] += share.pixels[cell];
                sums.confident[cell] += share.confident[cell];
                sums.height[cell] += share.height[cell];
            }
        }
        let marked = sums.is_some_and(|sums| self.mark(base, &sums, &mut delta));
        (carved || marked).then_some(delta)
    }

    /// Turns the pixels that end in voxels into evidence.
    fn mark(&self, base: [i32; 3], ends: &Ends, delta: &mut Delta) -> bool {
        let mut any = false;
        let voxel_m = self.config.voxel_m as f32;
        for cell in (0..CELLS).filter(|&cell| ends.pixels[cell] >= PIXEL / 4) {
            let p_in_camera = self.centre(base, cell);
            let Some((u, v)) = self.project(&p_in_camera) else { continue };
            let side_px = self.posed.rays.density_at(u, v) * voxel_m / p_in_camera.norm();
            let certain_px = (CERTAIN_SHARE * side_px * side_px).max(1.0);
            let pixels = ends.pixels[cell] as f32 / PIXEL as f32;
            let confidence = ends.confident[cell] as f32 / ends.pixels[cell] as f32;
            // A depth that may be anywhere in n voxels is 1/n evidence for each of them.
            let sharpness = (voxel_m / self.posed.noise.sigma_m(p_in_camera.z)).min(1.0);
            let share = (1.0 - (-pixels / certain_px).exp()) * confidence * sharpness;
            let evidence = (share * 100.0 * self.config.hit_log_odds as f32).round() as i16;
            delta.evidence[cell] = evidence;
            if evidence > 0 {
                any = true;
                let height = ends.height[cell] / i64::from(ends.confident[cell].max(1));
                delta.height.get_or_insert_with(|| Box::new([0; CELLS]))[cell] = height as i8;
            }
        }
        any
    }

    /// Takes evidence from the voxels of a block that the image sees through.
    fn carve(&self, base: [i32; 3], evidence: &mut [i16; CELLS]) -> bool {
        let voxel_m = self.config.voxel_m as f32;
        let miss = 100.0 * self.config.miss_log_odds as f32;
        let half_m = 0.5 * voxel_m * SIDE as f32;
        let middle = Vector3::from(base.map(|c| c as f32)).add_scalar(0.5 * SIDE as f32);
        let middle = self.scaled_rotation * middle + self.origin;
        let radius_m = half_m * 3f32.sqrt();
        if middle.z < -radius_m {
            return false;
        }
        if middle.z > 3.0 * radius_m {
            let Some((u, v)) = self.project(&middle) else { return false };
            let density = self.posed.rays.density_at(u, v);
            // The density at the border stands for what lies beyond it, hence the reserve.
            let radius = 1.2 * density * radius_m / (middle.norm() - radius_m);
            let footprint = Footprint { u, v, radius };
            if !self.free.any_free_to(&footprint, middle.z - radius_m) {
                return false;
            }
            let (width, height) = self.posed.rays.size();
            let inside = u >= radius
                && v >= radius
                && u + radius < width as f32
                && v + radius < height as f32;
            let certain = self.free.free_to(&footprint, middle.z + radius_m);
            if let Some(confidence) = certain.filter(|&c| inside && c > 0.95) {
                evidence.fill(-(miss * confidence).round() as i16);
                return true;
            }
        }
        let mut any = false;
        for cell in 0..CELLS {
            if let Some(confidence) = self.seen_through(&self.centre(base, cell)) {
                evidence[cell] = -(miss * confidence).round() as i16;
                any = true;
            }
        }
        any
    }

    /// Mean confidence of the pixels that a voxel covers if all of them see past it.
    #[inline]
    fn seen_through(&self, p_in_camera: &Vector3<f32>) -> Option<f32> {
        let half_m = 0.5 * self.config.voxel_m as f32;
        if p_in_camera.z < self.config.min_range_m as f32 {
            return None;
        }
        let (u, v) = self.project(p_in_camera)?;
        let (width, height) = self.posed.rays.size();
        if !(u >= 0.0 && v >= 0.0 && u < width as f32 && v < height as f32) {
            return None;
        }
        // A cube's silhouette reaches 1 to 1.7 half edges from its centre; 1.3 on average.
        let radius = self.posed.rays.density_at(u, v) * 1.3 * half_m / p_in_camera.norm();
        let confidence = self.free.free_to(&Footprint { u, v, radius }, p_in_camera.z + half_m)?;
        (confidence >= MIN_FREE_CONFIDENCE).then_some(confidence)
    }

    /// Centre of a voxel in the camera frame, metres.
    #[inline]
    fn centre(&self, base: [i32; 3], cell: usize) -> Vector3<f32> {
        let offset = cell_offset(cell);
        let v = [0, 1, 2].map(|axis| (base[axis] + offset[axis]) as f32 + 0.5);
        self.scaled_rotation * Vector3::from(v) + self.origin
    }

    #[inline]
    fn project(&self, p_in_camera: &Vector3<f32>) -> Option<(f32, f32)> {
        let pixel = self.posed.rays.intrinsics().project(&Point3::from(p_in_camera.cast()))?;
        Some((pixel.x as f32, pixel.y as f32))
    }
}

/// How many of a pixel's eight neighbours have a depth within `tolerance_m` of its own.
fn support(depth: &DepthMap, x: usize, y: usize, z: f32, tolerance_m: f32) -> usize {
    let rows = y.saturating_sub(1)..=(y + 1).min(depth.height - 1);
    let columns = x.saturating_sub(1)..=(x + 1).min(depth.width - 1);
    let agree = |y: usize| {
        let row = &depth.depth_m[y * depth.width..][columns.clone()];
        row.iter().filter(|&&other| (other - z).abs() < tolerance_m).count()
    };
    rows.map(agree).sum::<usize>() - 1
}

/// Weights of `n` samples evenly across plus and minus `reach` standard deviations; they sum to 1.
fn gaussian(n: usize, reach: f32) -> Vec<f32> {
    let at = |i: usize| {
        let sigmas = ((2 * i + 1) as f32 / n as f32 - 1.0) * reach;
        (-0.5 * sigmas * sigmas).exp()
    };
    let total: f32 = (0..n).map(at).sum();
    (0..n).map(|i| at(i) / total).collect()
}
