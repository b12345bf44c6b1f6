//! Which voxels the sensors of a frame saw.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{BitGrid, GridSpec};
use rayon::prelude::*;

use super::film::{Filmed, NO_PART};
use super::lidar::Sweep;
use super::table::Table;

/// Voxels that rays crossed, gathered by one thread.
pub struct Seen {
    grid: GridSpec,
    words: Vec<u64>,
}

impl Seen {
    /// None yet.
    pub fn nothing(grid: GridSpec) -> Self {
        Self { grid, words: vec![0; grid.len().div_ceil(64)] }
    }

    /// All of them.
    pub fn everything(grid: GridSpec) -> BitGrid {
        let mut bits = BitGrid::new(grid.len());
        (0..grid.len()).for_each(|index| bits.set(index, true));
        bits
    }

    /// The mask.
    pub fn into_bits(self) -> BitGrid {
        BitGrid::from_words(self.grid.len(), self.words).expect("rays stay within the grid")
    }

    /// What either saw.
    fn or(mut self, other: Self) -> Self {
        self.words.iter_mut().zip(other.words).for_each(|(word, other)| *word |= other);
        self
    }

    fn mark(&mut self, index: usize) {
        if let Some(word) = self.words.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// The voxel at the end of a ray; on a border, to a thousandth, those on both sides.
    fn end(&mut self, p_in_ego: &Point3<f64>) {
        const BORDER: f64 = 1e-3;
        let mut range = [[0, 0]; 3];
        for axis in 0..3 {
            let at = (p_in_ego[axis] - self.grid.min_corner_m[axis]) / self.grid.voxel_m;
            let last = f64::from(self.grid.size[axis]) - 1.0;
            let (low, high) = ((at - BORDER).floor().max(0.0), (at + BORDER).floor().min(last));
            if low > high {
                return;
            }
            range[axis] = [low as u32, high as u32];
        }
        let [x, y, z] = range;
        for x in x[0]..=x[1] {
            for y in y[0]..=y[1] {
                for z in z[0]..=z[1] {
                    self.mark(self.grid.index([x, y, z]));
                }
            }
        }
    }

    /// All voxels between two points. Amanatides and Woo 1987.
    fn cross(&mut self, from: &Point3<f64>, to: &Point3<f64>) {
        let scale = 1.0 / self.grid.voxel_m;
        let corner = Point3::from(self.grid.min_corner_m);
        let (a, b) = ((from - corner) * scale, (to - corner) * scale);
        let d = b - a;
        let size = self.grid.size.map(f64::from);
        let (mut enter, mut leave) = (0.0f64, 1.0f64);
        for axis in 0..3 {
            if d[axis] == 0.0 {
                if !(0.0..size[axis]).contains(&a[axis]) {
                    return;
                }
                continue;
            }
            let (p, q) = (-a[axis] / d[axis], (size[axis] - a[axis]) / d[axis]);
            enter = enter.max(p.min(q));
            leave = leave.min(p.max(q));
        }
        if enter >= leave {
            return;
        }
        // What lies this close to the end is left to whoever marks the end.
        let leave = leave - 1e-9;
        let start = a + d * enter;
        let rows = self.grid.size[2] as isize;
        let strides = [self.grid.size[1] as isize * rows, rows, 1];
        let (mut step, mut next, mut by) = ([0; 3], [f64::INFINITY; 3], [0.0; 3]);
        let mut index = 0;
        for axis in 0..3 {
            let last = self.grid.size[axis] as isize - 1;
            let cell = (start[axis].floor() as isize).clamp(0, last);
            index += cell * strides[axis];
            if d[axis] != 0.0 {
                let up = d[axis] > 0.0;
                step[axis] = if up { strides[axis] } else { -strides[axis] };
                next[axis] = ((cell + isize::from(up)) as f64 - a[axis]) / d[axis];
                by[axis] = 1.0 / d[axis].abs();
            }
        }
        let ([x_step, y_step, z_step], [x_by, y_by, z_by]) = (step, by);
        let [mut x, mut y, mut z] = next;
        // Without branches: which border comes next cannot be foretold.
        loop {
            self.mark(index as usize);
            let nearest = x.min(y).min(z);
            if nearest >= leave {
                return;
            }
            let (on_x, on_y, on_z) = (x <= nearest, y <= nearest, z <= nearest);
            index += if on_x { x_step } else { 0 };
            index += if on_y { y_step } else { 0 };
            index += if on_z { z_step } else { 0 };
            x += if on_x { x_by } else { 0.0 };
            y += if on_y { y_by } else { 0.0 };
            z += if on_z { z_by } else { 0.0 };
        }
    }
}

/// So far apart, in voxels, the rays that are followed may be at the grid's farthest corner: where a
/// camera's are denser, only every second, fourth or eighth is followed in both directions. What they
/// end in is marked for every one.
const APART: f64 = 2.5;

/// Near the camera rays crowd: each one is followed from where the coarser ones among them (every
/// second, up to every eighth) are this far apart, in voxels.
const CROWDED: f64 = 1.5;

/// The coarsest rays are every eighth.
const COARSEST: u32 = 3;

/// Voxels that the rays of cameras and lidars crossed or ended in, in the vehicle's frame.
pub fn seen(
    grid: GridSpec,
    world_from_ego: &Pose<World, Ego>,
    cameras: &[(&Table, &Filmed)],
    sweeps: &[Sweep],
) -> BitGrid {
    let ego_from_world = world_from_ego.inverse();
    let far_m = grid_reach(&grid);
    let lines = cameras
        .iter()
        .enumerate()
        .flat_map(|(camera, (table, _))| (0..table.lines).map(move |line| (camera, line)));
    let lines: Vec<(usize, usize)> = lines.collect();
    // A fixed number of pieces; the union does not depend on their order.
    let piece = lines.len().div_ceil(8).max(1);
    let by_cameras = lines
        .par_chunks(piece)
        .map(|lines| {
            let mut seen = Seen::nothing(grid);
            for &(camera, line) in lines {
                let (table, filmed) = cameras[camera];
                see_line(&mut seen, &ego_from_world, (table, filmed), line, far_m);
            }
            seen
        })
        .reduce_with(Seen::or);
    let mut all = by_cameras.unwrap_or_else(|| Seen::nothing(grid));
    for (i, [from, to]) in sweeps.iter().flat_map(|sweep| &sweep.rays_in_ego).enumerate() {
        // Neighbouring lasers share most of their way.
        if i % 2 == 0 {
            all.cross(from, to);
        }
        all.end(to);
    }
    all.into_bits()
}

/// From the vehicle to the farthest corner of the grid, metres.
fn grid_reach(grid: &GridSpec) -> f64 {
    let farthest = |axis: usize| {
        let low = grid.min_corner_m[axis];
        low.abs().max((low + grid.voxel_m * f64::from(grid.size[axis])).abs())
    };
    Vector3::new(farthest(0), farthest(1), farthest(2)).norm()
}

fn see_line(
    seen: &mut Seen,
    ego_from_world: &Pose<Ego, World>,
    (table, filmed): (&Table, &Filmed),
    line: usize,
    far_m: f64,
) {
    let ego_from_camera = *ego_from_world * filmed.world_from_camera[line];
    let (rotation, origin) =
        (ego_from_camera.rotation_matrix(), Point3::from(ego_from_camera.translation));
    let width = table.camera.width as usize;
    let pixel_rad = f64::from(table.rays(line, table.packets() / 2).1);
    let widest = APART * seen.grid.voxel_m / (pixel_rad * far_m);
    let finest = (widest.max(1.0).log2() as u32).min(COARSEST);
    for along in 0..table.length {
        let Some(ray) = table.ray(line, along) else { continue };
        let index = if table.by_columns { along * width + line } else { line * width + along };
        let is_sky = filmed.parts[index] == NO_PART;
        let depth_m = filmed.depth.depth_m[index];
        if !is_sky && depth_m <= 0.0 {
            continue;
        }
        let distance = if is_sky { 2.0 * far_m } else { f64::from(depth_m) / f64::from(ray[2]) };
        let direction = rotation * Vector3::from(ray.map(f64::from));
        let end = origin + direction * distance;
        if !is_sky {
            seen.end(&end);
        }
        // Each ray is of the coarsest grid of rays that it belongs to.
        let level = line.trailing_zeros().min(along.trailing_zeros()).min(COARSEST);
        if level < finest {
            continue;
        }
        let covered_m = if level == COARSEST {
            0.0
        } else {
            CROWDED * seen.grid.voxel_m / (pixel_rad * f64::from(2 << level))
        };
        let end_m = distance.min(2.0 * far_m);
        if end_m > covered_m {
            seen.cross(&(origin + direction * covered_m), &(origin + direction * end_m));
        }
    }
}
