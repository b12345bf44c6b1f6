//! What rays meet first in two grids of the same shape, in one walk.
//!
//! The arithmetic is that of the reference (4d-occ-forecasting's `dvr`, Khurana et al. 2023, as SparseOcc
//! uses it): ray ends in 32 bits, the walk in 64, the distance in 32 again. A ray's length reaches to the
//! *far* face of the voxel that stops it. Both conventions decide which rays fall within a threshold.

use nalgebra::{Point3, Vector3};
use ommatidia_scene::GridSpec;

/// Most voxels that a ray passes, outside the grid included.
const MAX_STEPS: usize = 1000;

/// Where a ray ends in one grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct End {
    /// Index of the voxel that stopped it, or of the last one in the grid.
    pub(super) index: usize,
    /// Distance to the far face of that voxel, metres.
    pub(super) distance_m: f32,
}

/// Two grids of classes side by side.
pub(super) struct Pair<'a> {
    pub(super) grid: &'a GridSpec,
    /// Bit 0: the truth is occupied; bit 1: the prediction.
    occupied: Vec<u8>,
}

impl<'a> Pair<'a> {
    /// Voxels of class `free` stop no ray.
    pub(super) fn new(grid: &'a GridSpec, truth: &[u8], predicted: &[u8], free: u8) -> Self {
        let pair = |(&t, &p): (&u8, &u8)| u8::from(t != free) | (u8::from(p != free) << 1);
        Self { grid, occupied: truth.iter().zip(predicted).map(pair).collect() }
    }

    /// Ends of a ray in truth and prediction; `None` if it never enters the grid. `start` is
    /// [`Start::new`]'s for this grid.
    pub(super) fn cast(&self, start: &Start, ray: &Vector3<f32>) -> Option<[End; 2]> {
        let mut walk = Walk::new(start, ray, self.grid)?;
        if !walk.inside && !walk.enter(self.grid) {
            return None;
        }
        let voxel_m = self.grid.voxel_m as f32;
        let end =
            |index: usize, distance: f64| End { index, distance_m: distance as f32 * voxel_m };
        let mut ends = [End { index: 0, distance_m: 0.0 }; 2];
        let mut pending = 0b11u8;
        loop {
            let index = walk.index as usize;
            let met = self.occupied[index] & pending;
            let distance = walk.step();
            let left = walk.has_left();
            if met != 0 || left {
                let stops = if left { pending } else { met };
                if stops & 1 != 0 {
                    ends[0] = end(index, distance);
                }
                if stops & 2 != 0 {
                    ends[1] = end(index, distance);
                }
                pending &= !stops;
                if pending == 0 {
                    return Some(ends);
                }
            }
        }
    }
}

/// Where rays start, in metres and in voxels.
pub(super) struct Start {
    metres: [f32; 3],
    voxels: [f32; 3],
}

impl Start {
    pub(super) fn new(origin_in_ego: &Point3<f64>, grid: &GridSpec) -> Self {
        let metres = [0, 1, 2].map(|axis| origin_in_ego[axis] as f32);
        Self { metres, voxels: in_voxels(metres, grid) }
    }
}

fn in_voxels(p_in_ego: [f32; 3], grid: &GridSpec) -> [f32; 3] {
    let voxel_m = grid.voxel_m as f32;
    [0, 1, 2].map(|axis| (p_in_ego[axis] - grid.min_corner_m[axis] as f32) / voxel_m)
}

/// Amanatides & Woo 1987. Lengths in voxels.
struct Walk {
    index: isize,
    inside: bool,
    /// Distance at which the next face across each axis is passed.
    next: [f64; 3],
    between: [f64; 3],
    stride: [isize; 3],
    /// Voxels left before the grid's side across each axis; negative behind it.
    left: [i32; 3],
    /// The voxel and its step across each axis; only used to enter from outside.
    cell: [i64; 3],
    sign: [i64; 3],
}

impl Walk {
    fn new(start: &Start, ray: &Vector3<f32>, grid: &GridSpec) -> Option<Self> {
        let end = in_voxels([0, 1, 2].map(|axis| ray[axis] + start.metres[axis]), grid);
        let from = start.voxels.map(f64::from);
        let along = [0, 1, 2].map(|axis| f64::from(end[axis]) - from[axis]);
        let length = (along[0] * along[0] + along[1] * along[1] + along[2] * along[2]).sqrt();
        if length.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
            return None;
        }
        let mut walk = Self {
            index: 0,
            inside: true,
            next: [f64::MAX; 3],
            between: [f64::MAX; 3],
            stride: [0; 3],
            left: [0; 3],
            cell: [0; 3],
            sign: [1; 3],
        };
        let size = grid.size.map(i64::from);
        let strides = [size[1] * size[2], size[2], 1];
        for axis in 0..3 {
            let direction = along[axis] / length;
            let forward = direction >= 0.0;
            let cell = from[axis].floor() as i64;
            walk.sign[axis] = if forward { 1 } else { -1 };
            if direction != 0.0 {
                let face = cell as f64 + if forward { 1.0 } else { 0.0 };
                walk.next[axis] = (face - from[axis]) / direction;
                walk.between[axis] = walk.sign[axis] as f64 / direction;
            }
            walk.cell[axis] = cell;
            walk.inside &= (0..size[axis]).contains(&cell);
            walk.stride[axis] = (strides[axis] * walk.sign[axis]) as isize;
        }
        walk.place(grid);
        Some(walk)
    }

    /// Index and room ahead, for a voxel inside.
    fn place(&mut self, grid: &GridSpec) {
        let size = grid.size.map(i64::from);
        let [x, y, z] = self.cell;
        self.index = ((x * size[1] + y) * size[2] + z) as isize;
        for axis in 0..3 {
            let ahead = if self.sign[axis] > 0 {
                size[axis] - 1 - self.cell[axis]
            } else {
                self.cell[axis]
            };
            self.left[axis] = ahead.clamp(-1, i64::from(i32::MAX)) as i32;
        }
    }

    /// Walks from outside to the first voxel inside.
    fn enter(&mut self, grid: &GridSpec) -> bool {
        let size = grid.size.map(i64::from);
        for _ in 0..MAX_STEPS {
            let [x, y, z] = self.next;
            let axis = if x < y {
                if x < z { 0 } else { 2 }
            } else if y < z {
                1
            } else {
                2
            };
            self.next[axis] += self.between[axis];
            self.cell[axis] += self.sign[axis];
            if (0..3).all(|axis| (0..size[axis]).contains(&self.cell[axis])) {
                self.place(grid);
                return true;
            }
        }
        false
    }

    /// Passes into the next voxel; the distance at which this one is left. Without branches: which face
    /// comes next is as good as random.
    #[inline(always)]
    fn step(&mut self) -> f64 {
        let [x, y, z] = self.next;
        let across_x = (x < y) & (x < z);
        let across_y = (x >= y) & (y < z);
        let across_z = !(across_x | across_y);
        let distance = if across_x {
            x
        } else if across_y {
            y
        } else {
            z
        };
        self.next = [
            x + if across_x { self.between[0] } else { 0.0 },
            y + if across_y { self.between[1] } else { 0.0 },
            z + if across_z { self.between[2] } else { 0.0 },
        ];
        let [stride_x, stride_y, stride_z] = self.stride;
        self.index += if across_x {
            stride_x
        } else if across_y {
            stride_y
        } else {
            stride_z
        };
        self.left[0] -= i32::from(across_x);
        self.left[1] -= i32::from(across_y);
        self.left[2] -= i32::from(across_z);
        distance
    }

    #[inline(always)]
    fn has_left(&self) -> bool {
        (self.left[0] | self.left[1] | self.left[2]) < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-20.0, -20.0, -2.0], voxel_m: 0.5, size: [80, 80, 16] };
    const FREE: u8 = 9;

    fn wall(x: u32) -> Vec<u8> {
        (0..GRID.len()).map(|i| if GRID.cell(i)[0] == x { 1 } else { FREE }).collect()
    }

    fn check(origin: [f64; 3], ray: [f32; 3], expected: Option<[f32; 2]>) {
        let (near, far) = (wall(60), wall(64));
        let pair = Pair::new(&GRID, &near, &far, FREE);
        let start = Start::new(&Point3::from(origin), &GRID);
        let ends = pair.cast(&start, &Vector3::from(ray));
        assert_eq!(ends.map(|ends| ends.map(|end| end.distance_m)), expected);
    }

    #[test]
    fn lengths_reach_to_the_far_face() {
        // The walls end at x = 10.5 and 12.5.
        check([0.25, 0.25, 0.25], [1.0, 0.0, 0.0], Some([10.25, 12.25]));
        // Nothing on the way: to the side of the grid.
        check([0.25, 0.25, 0.25], [-1.0, 0.0, 0.0], Some([20.25, 20.25]));
        // Starting in the near wall.
        check([10.25, 0.25, 0.25], [1.0, 0.0, 0.0], Some([0.25, 2.25]));
    }

    #[test]
    fn rays_from_outside_enter_or_are_none() {
        check([25.25, 0.25, 0.25], [-1.0, 0.0, 0.0], Some([15.25, 13.25]));
        check([25.25, 0.25, 0.25], [1.0, 0.0, 0.0], None);
        check([0.25, 0.25, 0.25], [0.0, 0.0, 0.0], None);
        check([0.25, 0.25, 0.25], [f32::NAN, 0.0, 0.0], None);
        check([f64::NAN, 0.25, 0.25], [1.0, 0.0, 0.0], None);
    }
}
