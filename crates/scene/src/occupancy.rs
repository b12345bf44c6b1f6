//! Semantic occupancy: what is occupied, what is free, and what nobody has seen.

use nalgebra::{Point3, Vector3};
use serde::{Deserialize, Serialize};

use crate::{BitGrid, ClassId};

/// A box of voxels in the ego frame. Index order is C order of `[x, y, z]`: z runs fastest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridSpec {
    /// The corner with the smallest coordinates, ego frame, metres.
    pub min_corner_m: [f64; 3],
    /// Edge of a voxel, metres.
    pub voxel_m: f64,
    /// Voxels along x, y, z.
    pub size: [u32; 3],
}

impl Default for GridSpec {
    /// 100 m x 100 m x 8 m around the vehicle at 0.2 m, from 2 m below the ground.
    fn default() -> Self {
        Self { min_corner_m: [-50.0, -50.0, -2.0], voxel_m: 0.2, size: [500, 500, 40] }
    }
}

impl GridSpec {
    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.size.iter().map(|&n| n as usize).product()
    }

    /// There are no voxels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index of a voxel from its integer coordinates, which must be inside.
    #[inline]
    pub fn index(&self, [x, y, z]: [u32; 3]) -> usize {
        debug_assert!(x < self.size[0] && y < self.size[1] && z < self.size[2]);
        (x as usize * self.size[1] as usize + y as usize) * self.size[2] as usize + z as usize
    }

    /// Integer coordinates of a voxel from its index.
    #[inline]
    pub fn cell(&self, index: usize) -> [u32; 3] {
        let (ny, nz) = (self.size[1] as usize, self.size[2] as usize);
        [(index / (ny * nz)) as u32, (index / nz % ny) as u32, (index % nz) as u32]
    }

    /// The voxel that holds a point in the ego frame (metres); `None` outside the grid.
    #[inline]
    pub fn cell_at(&self, p_in_ego: &Point3<f64>) -> Option<[u32; 3]> {
        let mut cell = [0; 3];
        for axis in 0..3 {
            let steps = ((p_in_ego[axis] - self.min_corner_m[axis]) / self.voxel_m).floor();
            if !(steps >= 0.0 && steps < f64::from(self.size[axis])) {
                return None;
            }
            cell[axis] = steps as u32;
        }
        Some(cell)
    }

    /// Centre of a voxel in the ego frame, metres.
    pub fn centre(&self, cell: [u32; 3]) -> Point3<f64> {
        let steps = Vector3::from(cell.map(|c| f64::from(c) + 0.5)) * self.voxel_m;
        Point3::from(Vector3::from(self.min_corner_m) + steps)
    }
}

/// Velocity of one occupied voxel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoxelFlow {
    /// Position of the voxel among the occupied ones, in index order.
    pub rank: u32,
    /// Velocity over ground along the ego frame's axes, m/s.
    pub velocity_m_s: [f32; 3],
}

/// Occupied, free and unobserved voxels with class and flow.
///
/// Bit-packed: a 100 m x 100 m x 8 m grid at 0.2 m takes 2.5 MB, a byte per occupied voxel, and
/// 16 bytes per moving one.
#[derive(Debug, Clone, PartialEq)]
pub struct Occupancy {
    /// Where the voxels are.
    pub grid: GridSpec,
    /// Voxels that some ray reached. An unobserved voxel is neither free nor occupied.
    pub observed: BitGrid,
    /// Occupied voxels, each of them observed.
    pub occupied: BitGrid,
    /// Class of each occupied voxel, in index order.
    pub classes: Vec<ClassId>,
    /// Moving voxels by ascending rank; an occupied voxel not listed stands still. `None` where motion
    /// was not estimated.
    pub flow: Option<Vec<VoxelFlow>>,
}

impl Occupancy {
    /// Nothing observed.
    pub fn unobserved(grid: GridSpec) -> Self {
        let bits = BitGrid::new(grid.len());
        Self { grid, observed: bits.clone(), occupied: bits, classes: Vec::new(), flow: None }
    }

    /// For the class and flow of single voxels.
    pub fn ranks(&self) -> Ranks<'_> {
        let words = self.occupied.words();
        let before = |sum: &mut u32, word: &u64| {
            let rank = *sum;
            *sum += word.count_ones();
            Some(rank)
        };
        Ranks { words, before: words.iter().scan(0, before).collect() }
    }

    /// Velocity of the occupied voxel of this rank, if it moves.
    pub fn velocity(&self, rank: u32) -> Option<[f32; 3]> {
        let flow = self.flow.as_ref()?;
        let place = flow.binary_search_by_key(&rank, |flow| flow.rank).ok()?;
        Some(flow[place].velocity_m_s)
    }

    /// What must hold between the parts; the first violation in words.
    pub fn check(&self) -> Result<(), &'static str> {
        let occupied = self.occupied.count();
        if self.observed.len() != self.grid.len() || self.occupied.len() != self.grid.len() {
            return Err("a mask does not have the grid's size");
        }
        if self.occupied.words().iter().zip(self.observed.words()).any(|(o, seen)| o & !seen != 0) {
            return Err("an occupied voxel is not observed");
        }
        if self.classes.len() != occupied {
            return Err("there is not one class per occupied voxel");
        }
        let flow = self.flow.as_deref().unwrap_or_default();
        if flow.windows(2).any(|pair| pair[0].rank >= pair[1].rank)
            || flow.last().is_some_and(|last| last.rank as usize >= occupied)
        {
            return Err("flow ranks do not ascend within the occupied voxels");
        }
        Ok(())
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        8 * (self.observed.words().len() + self.occupied.words().len())
            + self.classes.capacity() * size_of::<ClassId>()
            + self.flow.as_ref().map_or(0, |flow| flow.capacity() * size_of::<VoxelFlow>())
    }
}

/// How many voxels are occupied before each: its place in [`Occupancy::classes`].
#[derive(Debug, Clone)]
pub struct Ranks<'a> {
    words: &'a [u64],
    /// Occupied voxels before each word of the mask.
    before: Vec<u32>,
}

impl Ranks<'_> {
    /// Occupied voxels before the voxel of this index.
    #[inline]
    pub fn rank(&self, index: usize) -> u32 {
        let below = self.words[index / 64] & ((1 << (index % 64)) - 1);
        self.before[index / 64] + below.count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_cell_are_inverse() {
        let grid = GridSpec { min_corner_m: [-1.0, -2.0, 0.5], voxel_m: 0.25, size: [3, 5, 7] };
        for index in 0..grid.len() {
            assert_eq!(grid.index(grid.cell(index)), index);
            assert_eq!(grid.cell_at(&grid.centre(grid.cell(index))), Some(grid.cell(index)));
        }
    }

    #[test]
    fn outside_is_nowhere() {
        let grid = GridSpec::default();
        for p in [[50.0, 0.0, 0.0], [0.0, -50.1, 0.0], [0.0, 0.0, f64::NAN], [0.0, 0.0, 6.0]] {
            assert_eq!(grid.cell_at(&Point3::from(p)), None, "{p:?}");
        }
        assert!(grid.cell_at(&Point3::new(-50.0, -50.0, -2.0)).is_some());
    }

    #[test]
    fn a_full_street_stays_under_16_mib() {
        let grid = GridSpec::default();
        let mut occupancy = Occupancy::unobserved(grid);
        (0..grid.len()).for_each(|i| occupancy.observed.set(i, true));
        (0..grid.len()).step_by(20).for_each(|i| occupancy.occupied.set(i, true));
        let occupied = occupancy.occupied.count();
        occupancy.classes = vec![ClassId::UNKNOWN; occupied];
        let moving =
            (0..occupied as u32).step_by(5).map(|rank| VoxelFlow { rank, velocity_m_s: [1.0; 3] });
        occupancy.flow = Some(moving.collect());
        assert_eq!(occupancy.check(), Ok(()));
        assert!(occupancy.heap_bytes() < 16 << 20, "{} bytes", occupancy.heap_bytes());
    }
}
