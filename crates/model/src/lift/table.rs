//! The table of one rig.

use burn::tensor::{Device, Tensor, TensorData};
use nalgebra::Point3;
use ommatidia_geometry::CameraModel;
use ommatidia_scene::{CameraSensor, GridSpec, Rig};
use rayon::prelude::*;

use super::{LiftConfig, Tables};

/// Which pixels each voxel of a grid looks at, in C order of `[voxel][tap]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Pixel, counted over cameras, rows, columns of the features.
    pub pixel: Vec<i32>,
    /// Share of the tap, 0 where there is none; a voxel's sum to 1, or 0 where no camera sees it.
    pub weight: Vec<f32>,
    /// Depth of the voxel in the tap's camera, metres along the optical axis.
    pub depth_m: Vec<f32>,
}

/// A voxel in a camera.
#[derive(Clone, Copy)]
struct Sight {
    camera: usize,
    /// In the features.
    pixel: [f64; 2],
    depth_m: f64,
    /// From the picture's centre, in units of its half sides.
    off_centre: f64,
}

impl Table {
    /// For cameras whose features have this height and width.
    pub fn new(rig: &Rig, features: [usize; 2], grid: &GridSpec, config: &LiftConfig) -> Self {
        let taps = config.taps();
        let mut table = Self {
            pixel: vec![0; grid.len() * taps],
            weight: vec![0.0; grid.len() * taps],
            depth_m: vec![0.0; grid.len() * taps],
        };
        let camera_from_ego: Vec<_> =
            rig.cameras.iter().map(|camera| camera.ego_from_camera.inverse()).collect();
        let pixels = table.pixel.par_chunks_mut(taps);
        let rows = pixels.zip(table.weight.par_chunks_mut(taps));
        let rows = rows.zip(table.depth_m.par_chunks_mut(taps)).enumerate();
        rows.with_min_len(256).for_each(|(voxel, ((pixel, weight), depth_m))| {
            let p_in_ego = grid.centre(grid.cell(voxel));
            let cameras = rig.cameras.iter().zip(&camera_from_ego).enumerate();
            let mut sights: Vec<Sight> = cameras
                .filter_map(|(index, (camera, pose))| {
                    sight(index, camera, &(*pose * p_in_ego), features)
                })
                .collect();
            // Stable: of equals the first camera of the rig.
            sights.sort_by(|a, b| a.off_centre.total_cmp(&b.off_centre));
            sights.truncate(config.cameras);
            let share = 1.0 / sights.len().max(1) as f32;
            let places = sights.iter().flat_map(|sight| {
                corners(sight.pixel, features, config.bilinear).map(move |place| (sight, place))
            });
            for (tap, (sight, ([y, x], part))) in places.enumerate() {
                pixel[tap] = ((sight.camera * features[0] + y) * features[1] + x) as i32;
                weight[tap] = share * part;
                depth_m[tap] = sight.depth_m as f32;
            }
        });
        table
    }
}

/// Where a camera sees a point, if it does.
fn sight(
    index: usize,
    camera: &CameraSensor,
    p_in_camera: &Point3<f64>,
    features: [usize; 2],
) -> Option<Sight> {
    let pixel = camera.intrinsics.project(p_in_camera)?;
    let size = [f64::from(camera.width), f64::from(camera.height)];
    let inside = |axis: usize| pixel[axis] >= 0.0 && pixel[axis] < size[axis];
    (inside(0) && inside(1)).then(|| Sight {
        camera: index,
        pixel: [0, 1].map(|axis| pixel[axis] / size[axis] * features[1 - axis] as f64),
        depth_m: p_in_camera.z,
        off_centre: (0..2).map(|axis| (2.0 * pixel[axis] / size[axis] - 1.0).powi(2)).sum(),
    })
}

/// Feature pixels `[row, column]` around a place, with shares that sum to 1: the nearest, or four.
fn corners(
    [x, y]: [f64; 2],
    [rows, columns]: [usize; 2],
    bilinear: bool,
) -> impl Iterator<Item = ([usize; 2], f32)> {
    // Pixel centres lie at integer + 0.5; beyond the outer centres the border is repeated.
    let along = move |value: f64, size: usize| {
        if !bilinear {
            return [((value as usize).min(size - 1), 1.0), (0, 0.0)];
        }
        let from_first = (value - 0.5).clamp(0.0, (size - 1) as f64);
        let first = from_first.floor();
        let share = (from_first - first) as f32;
        let first = first as usize;
        [(first, 1.0 - share), ((first + 1).min(size - 1), share)]
    };
    let count = if bilinear { 2 } else { 1 };
    let (down, right) = (along(y, rows), along(x, columns));
    (0..count * count).map(move |index| {
        let ((row, below), (column, beside)) = (down[index / count], right[index % count]);
        ([row, column], below * beside)
    })
}

impl Tables {
    /// One per sample, all of so many voxels.
    pub fn new(tables: &[Table], voxels: usize, device: &Device) -> Self {
        let shape = [tables.len(), voxels, tables[0].pixel.len() / voxels];
        let floats = |column: fn(&Table) -> &[f32]| {
            let all: Vec<f32> = tables.iter().flat_map(column).copied().collect();
            Tensor::from_data(TensorData::new(all, shape), device)
        };
        let pixel: Vec<i32> = tables.iter().flat_map(|table| &table.pixel).copied().collect();
        Self {
            pixel: Tensor::from_data(TensorData::new(pixel, shape), device),
            weight: floats(|table| &table.weight),
            depth_m: floats(|table| &table.depth_m),
        }
    }
}
