//! Depth of the first camera of a stereo pair.

use nalgebra::{Matrix3, Point2, Point3};
use ommatidia_geometry::CameraModel;
use ommatidia_geometry::camera::Pinhole;
use ommatidia_kernels::remap::{Remap, halve};
use ommatidia_kernels::simd::Simd;
use ommatidia_kernels::stereo::{
    FillConfig, Matcher, SgmConfig, UNITS, fill_rows, median_3x3, remove_speckles,
};
use ommatidia_scene::{CameraSensor, DepthMap, GrayImage, Rig};
use rayon::prelude::*;

use super::DepthConfig;
use super::confidence;
use super::pairs::{Pair, view};

/// A pair with everything that its calibration alone decides.
#[derive(Debug)]
pub(super) struct PairDepth {
    pub(super) pair: Pair,
    rectify: Option<Rectify>,
    /// How often the images are halved before matching.
    halvings: u32,
    matching: SgmConfig,
    /// Depth is this over disparity in pixels of the unhalved image, metres times pixels.
    focal_baseline: f64,
    matcher: Matcher,
}

/// Tables between a pair's own images and the rectified ones.
#[derive(Debug)]
struct Rectify {
    first: Remap,
    second: Remap,
    /// Per pixel of the first camera: its pixel in the rectified image, and its depth there over
    /// its depth here.
    back: Vec<Option<(u32, f32)>>,
}

/// Most disparities that the matcher searches.
const MOST_DISPARITIES: f64 = 256.0;
/// Disparities come in groups.
const GROUP: f64 = 64.0;
/// Surfaces whose disparity changes by less between the two sides of a hole are one.
const SAME_SURFACE_PX: u16 = 3;
/// And by this share of a pixel more for each pixel of the hole.
const FILL_SLOPE: f64 = 0.125;

impl PairDepth {
    pub(super) fn new(rig: &Rig, pair: Pair, config: &DepthConfig) -> Self {
        let (first, second) = (&rig.cameras[pair.first], &rig.cameras[pair.second]);
        let rectified = &pair.rectification;
        let rectify = (!pair.is_rectified).then(|| Rectify::new(first, second, &pair));
        let focal_px =
            if pair.is_rectified { first.intrinsics.focal_px().0 } else { rectified.pinhole.fx };
        let focal_baseline = focal_px * rectified.baseline_m;
        let pixels = f64::from(first.width) * f64::from(first.height);
        let (halvings, disparities) = resolution(focal_baseline, pixels, config);
        let matching = SgmConfig::for_range(disparities);
        let matcher = Matcher::default();
        Self { pair, rectify, halvings, matching, focal_baseline, matcher }
    }

    /// Depth of the first camera. Both images have their calibrations' sizes.
    pub(super) fn step(
        &mut self,
        simd: Simd,
        first: &GrayImage,
        second: &GrayImage,
        config: &DepthConfig,
    ) -> DepthMap {
        let rectify = |tables: &Rectify| (tables.first.apply(first), tables.second.apply(second));
        let mut images = self.rectify.as_ref().map(rectify);
        for _ in 0..self.halvings {
            let (first, second) =
                images.as_ref().map_or((first, second), |both| (&both.0, &both.1));
            images = Some((halve(first), halve(second)));
        }
        let (left, right) = images.as_ref().map_or((first, second), |both| (&both.0, &both.1));
        let found = self.matcher.compute(simd, left, right, &self.matching);
        let mut values = Vec::new();
        median_3x3(simd, &found.values, found.width, &mut values);
        for i in 0..values.len() {
            if !found.consistent[i] || found.lead[i] < config.least_lead {
                values[i] = 0;
            }
        }
        let smallest = (config.smallest_patch * values.len() as f64) as usize;
        remove_speckles(&mut values, found.width, UNITS, smallest);
        let fill = FillConfig {
            same_surface: SAME_SURFACE_PX * UNITS,
            slope: (FILL_SLOPE * f64::from(UNITS)) as u16,
            longest_px: config.fill_px,
        };
        let distance = fill_rows(&mut values, found.width, &fill);
        let matched = Matched { width: found.width, values, lead: found.lead, distance };
        self.depth(&matched, (first.width, first.height), config)
    }

    /// Columns at the left edge of the first image whose partners may lie outside the second.
    pub(super) fn margin_px(&self) -> usize {
        self.matching.disparities << self.halvings
    }

    /// From disparities of the matched image to depth at the first camera's own pixels.
    fn depth(
        &self,
        matched: &Matched,
        (width, height): (usize, usize),
        config: &DepthConfig,
    ) -> DepthMap {
        let scale = f64::from(1u32 << self.halvings);
        let numerator = (self.focal_baseline * f64::from(UNITS) / scale) as f32;
        let matched_height = matched.values.len() / matched.width.max(1);
        let mut map = DepthMap::empty(width, height);
        let rows = map.depth_m.par_chunks_mut(width.max(1));
        let rows = rows.zip(map.confidence.par_chunks_mut(width.max(1))).enumerate();
        rows.for_each(|(y, (depth_m, confidence))| {
            for x in 0..width {
                let (column, row, factor) = match &self.rectify {
                    None => (x, y, 1.0),
                    Some(tables) => match tables.back[y * width + x] {
                        Some((index, factor)) => {
                            (index as usize % width, index as usize / width, factor)
                        }
                        None => continue,
                    },
                };
                let column = (column >> self.halvings).min(matched.width - 1);
                let row = (row >> self.halvings).min(matched_height - 1);
                let at = row * matched.width + column;
                let value = match &self.pair.level_from_right {
                    None => f32::from(matched.values[at]),
                    Some(level) => level_value(level, (x, y), matched.values[at], scale as f32),
                };
                let z = numerator / value / factor;
                let is_near = value > 0.0 && f64::from(z) <= config.farthest_m;
                if matched.values[at] != 0 && is_near {
                    depth_m[x] = z;
                    confidence[x] = match matched.distance[at] {
                        0 => confidence::matched(matched.lead[at]),
                        distance => confidence::filled(distance),
                    };
                }
            }
        });
        map
    }
}

/// What the disparity at a pixel would be if the right camera were parallel to the left one, in the
/// matcher's units. `level`: from the right image's pixels to those of such a camera; `scale`: pixels
/// of the image a pixel of the matched one.
fn level_value(level: &Matrix3<f64>, (x, y): (usize, usize), value: u16, scale: f32) -> f32 {
    let disparity_px = f64::from(scale * f32::from(value) / f32::from(UNITS));
    let (column, row) = (x as f64 + 0.5 - disparity_px, y as f64 + 0.5);
    let along = |i: usize| level[(i, 0)] * column + level[(i, 1)] * row + level[(i, 2)];
    let shift_px = column - along(0) / along(2);
    f32::from(value) + shift_px as f32 * f32::from(UNITS) / scale
}

/// Disparities after filtering and filling.
struct Matched {
    width: usize,
    values: Vec<u16>,
    lead: Vec<u8>,
    /// To the support of filled pixels, 0 for measured ones.
    distance: Vec<u8>,
}

/// How often to halve, and how many disparities to search then.
fn resolution(focal_baseline: f64, pixels: f64, config: &DepthConfig) -> (u32, usize) {
    let budget = config.most_megacosts as f64 * 1e6;
    let mut halvings = 0;
    loop {
        let scale = f64::from(1u32 << halvings);
        let range = focal_baseline / config.nearest_m / scale;
        let groups = (range / GROUP).round().max(1.0);
        let costs = pixels / (scale * scale) * groups * GROUP;
        if (groups * GROUP <= MOST_DISPARITIES && costs <= budget) || halvings == 6 {
            return (halvings, (groups * GROUP).min(MOST_DISPARITIES) as usize);
        }
        halvings += 1;
    }
}

impl Rectify {
    fn new(first: &CameraSensor, second: &CameraSensor, pair: &Pair) -> Self {
        let rectified = &pair.rectification;
        let (width, height) = (rectified.width as usize, rectified.height as usize);
        let table = |map: &ommatidia_geometry::camera::SourceMap, source: &CameraSensor| {
            let size = [source.width as usize, source.height as usize];
            Remap::new(width, height, &map.source_px, size)
        };
        Self {
            first: table(&rectified.first_map(&view(first)), first),
            second: table(&rectified.second_map(&view(second)), second),
            back: (0..width * height)
                .into_par_iter()
                .map(|i| back(first, pair, (i % width, i / width)))
                .collect(),
        }
    }
}

/// Where a pixel of the first camera lies in the rectified image.
fn back(first: &CameraSensor, pair: &Pair, (x, y): (usize, usize)) -> Option<(u32, f32)> {
    let rectified = &pair.rectification;
    let pixel = Point2::new(x as f64 + 0.5, y as f64 + 0.5);
    let ray = first.intrinsics.unproject(&pixel)?;
    let turned = rectified.rectified_from_first.rotate(&ray);
    let pinhole: &Pinhole = &rectified.pinhole;
    let seen = pinhole.project(&Point3::from(turned))?;
    let inside = (0.0..f64::from(rectified.width)).contains(&seen.x)
        && (0.0..f64::from(rectified.height)).contains(&seen.y);
    let index = seen.y as u32 * rectified.width + seen.x as u32;
    (inside && ray.z > 0.0).then(|| (index, (turned.z / ray.z) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_images_are_halved_until_they_fit() {
        let config = DepthConfig::default();
        let check = |focal_baseline: f64, pixels: f64, expected: (u32, usize)| {
            assert_eq!(resolution(focal_baseline, pixels, &config), expected);
        };
        // KITTI, Argoverse and a small one.
        check(386.0, 1241.0 * 376.0, (0, 128));
        check(1165.0, 2464.0 * 2056.0, (1, 192));
        check(50.0, 320.0 * 240.0, (0, 64));
    }
}
