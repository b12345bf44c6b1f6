//! Occupancy on another grid.

use crate::{ClassId, GridSpec, Occupancy, VoxelFlow};

impl Occupancy {
    /// The same space on another grid in the same ego frame. What lies outside this grid is unobserved.
    ///
    /// Voxels that are no larger are looked up at their centres. A larger one gathers the voxels whose
    /// centres it holds: it is observed if one of them is, occupied if one of them is, and then of the
    /// class that most of those have (the lower number of two). It moves where at least half of that class
    /// do, with their mean velocity. Looking up centres there would lose what is thinner than a voxel.
    pub fn resampled(&self, grid: &GridSpec) -> Self {
        if grid.voxel_m > self.grid.voxel_m * (1.0 + 1e-9) {
            self.gathered(grid)
        } else {
            self.looked_up(grid)
        }
    }

    fn looked_up(&self, grid: &GridSpec) -> Self {
        let mut other = Self::unobserved(*grid);
        let ranks = self.ranks();
        let mut other_flow = Vec::new();
        for index in 0..grid.len() {
            let Some(cell) = self.grid.cell_at(&grid.centre(grid.cell(index))) else { continue };
            let source = self.grid.index(cell);
            other.observed.set(index, self.observed.get(source));
            if !self.occupied.get(source) {
                continue;
            }
            let rank = ranks.rank(source);
            if let Some(velocity_m_s) = self.velocity(rank) {
                other_flow.push(VoxelFlow { rank: other.classes.len() as u32, velocity_m_s });
            }
            other.occupied.set(index, true);
            other.classes.push(self.classes[rank as usize]);
        }
        other.flow = self.flow.is_some().then_some(other_flow);
        other
    }

    fn gathered(&self, grid: &GridSpec) -> Self {
        let mut other = Self::unobserved(*grid);
        let mut parts = self.parts(grid, &mut other);
        parts.sort_unstable();
        let mut other_flow = Vec::new();
        for voxel in parts.chunk_by(|a, b| a.voxel == b.voxel) {
            let classes = voxel.chunk_by(|a, b| a.class == b.class);
            let class = classes
                .fold(&voxel[..0], |best, next| if next.len() > best.len() { next } else { best });
            if let Some(velocity_m_s) = self.mean_velocity(class) {
                let rank = other.classes.len() as u32;
                other_flow.push(VoxelFlow { rank, velocity_m_s });
            }
            other.occupied.set(voxel[0].voxel as usize, true);
            other.classes.push(class[0].class);
        }
        other.flow = self.flow.is_some().then_some(other_flow);
        other
    }

    /// The occupied voxels with those of the other grid that hold them; marks there what was observed.
    fn parts(&self, grid: &GridSpec, other: &mut Self) -> Vec<Part> {
        let (ranks, [along_x, along_y, along_z]) = (self.ranks(), self.grid.places_in(grid));
        let mut parts = Vec::with_capacity(self.classes.len());
        for (x, to_x) in along_x.iter().enumerate() {
            for (y, to_y) in along_y.iter().enumerate() {
                let (Some(to_x), Some(to_y)) = (to_x, to_y) else { continue };
                let column = self.grid.index([x as u32, y as u32, 0]);
                for (source, to_z) in (column..).zip(&along_z) {
                    let Some(to_z) = to_z else { continue };
                    if !self.observed.get(source) {
                        continue;
                    }
                    let voxel = grid.index([*to_x, *to_y, *to_z]);
                    other.observed.set(voxel, true);
                    if self.occupied.get(source) {
                        let rank = ranks.rank(source);
                        let class = self.classes[rank as usize];
                        parts.push(Part { voxel: voxel as u32, class, rank });
                    }
                }
            }
        }
        parts
    }

    /// Of those that move, if they are at least half.
    fn mean_velocity(&self, parts: &[Part]) -> Option<[f32; 3]> {
        let mut sum = [0.0_f32; 3];
        let mut moving = 0;
        for velocity in parts.iter().filter_map(|part| self.velocity(part.rank)) {
            (0..3).for_each(|axis| sum[axis] += velocity[axis]);
            moving += 1;
        }
        (moving > 0 && 2 * moving >= parts.len()).then(|| sum.map(|sum| sum / moving as f32))
    }
}

impl GridSpec {
    /// For each axis and each voxel along it, the voxel of another grid that holds its centre.
    fn places_in(&self, other: &Self) -> [Vec<Option<u32>>; 3] {
        std::array::from_fn(|axis| {
            let place = |at: u32| {
                let centre = self.min_corner_m[axis] + (f64::from(at) + 0.5) * self.voxel_m;
                let steps = ((centre - other.min_corner_m[axis]) / other.voxel_m).floor();
                (steps >= 0.0 && steps < f64::from(other.size[axis])).then_some(steps as u32)
            };
            (0..self.size[axis]).map(place).collect()
        })
    }
}

/// An occupied voxel within a larger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    voxel: u32,
    class: ClassId,
    rank: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_what_both_grids_cover() {
        let grid = GridSpec { min_corner_m: [0.0; 3], voxel_m: 0.5, size: [4, 6, 9] };
        let mut occupancy = Occupancy::unobserved(grid);
        (0..grid.len()).filter(|i| i % 3 != 0).for_each(|i| occupancy.observed.set(i, true));
        (0..grid.len()).filter(|i| i % 3 == 1).for_each(|i| occupancy.occupied.set(i, true));
        let occupied = occupancy.occupied.count();
        occupancy.classes = (0..occupied).map(|i| ClassId(i as u8)).collect();
        occupancy.flow = Some(vec![VoxelFlow { rank: 40, velocity_m_s: [1.0, 2.0, 3.0] }]);
        assert_eq!(occupancy.resampled(&grid), occupancy);

        let shifted = GridSpec { min_corner_m: [0.5, 0.0, 0.0], ..grid };
        let other = occupancy.resampled(&shifted);
        assert_eq!(other.check(), Ok(()));
        for cell in (0..grid.len()).map(|index| grid.cell(index)).filter(|cell| cell[0] > 0) {
            let (here, there) = (grid.index(cell), shifted.index([cell[0] - 1, cell[1], cell[2]]));
            assert_eq!(other.occupied.get(there), occupancy.occupied.get(here));
            assert_eq!(other.observed.get(there), occupancy.observed.get(here));
        }
        assert!(!other.observed.get(shifted.index([3, 0, 1])), "outside is unobserved");
    }

    /// A wall a fine voxel thin, of two classes, half of it moving, and what is seen before it.
    #[test]
    fn larger_voxels_gather_what_is_thinner_than_they() {
        let fine = GridSpec { min_corner_m: [0.0; 3], voxel_m: 0.25, size: [8, 8, 8] };
        let mut occupancy = Occupancy::unobserved(fine);
        let mut flow = Vec::new();
        for cell in (0..fine.len()).map(|index| fine.cell(index)).filter(|cell| cell[0] <= 4) {
            occupancy.observed.set(fine.index(cell), true);
            if cell[0] == 4 {
                let rank = occupancy.classes.len() as u32;
                occupancy.occupied.set(fine.index(cell), true);
                occupancy.classes.push(ClassId(if cell[1] == 0 { 3 } else { 7 }));
                if cell[2] < 4 {
                    flow.push(VoxelFlow { rank, velocity_m_s: [rank as f32, 1.0, 0.0] });
                }
            }
        }
        occupancy.flow = Some(flow);
        let coarse = GridSpec { voxel_m: 1.0, size: [2, 2, 3], ..fine };
        let gathered = occupancy.resampled(&coarse);
        assert_eq!(gathered.check(), Ok(()));
        let cells = |mask: &crate::BitGrid| -> Vec<[u32; 3]> {
            (0..coarse.len()).filter(|&i| mask.get(i)).map(|i| coarse.cell(i)).collect()
        };
        let wall = [[1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]];
        assert_eq!(cells(&gathered.occupied), wall);
        assert_eq!(cells(&gathered.observed).len(), 8, "nobody saw above the fine grid");
        assert_eq!(gathered.classes, [ClassId(7); 4]);
        let flow = gathered.flow.unwrap();
        assert_eq!(flow.iter().map(|flow| flow.rank).collect::<Vec<_>>(), [0, 2]);
        // Of the first, the rows y = 1 to 3 are of class 7: ranks 8.. of 8 a row, the lower four moving.
        assert_eq!(flow[0].velocity_m_s, [(9.5 + 17.5 + 25.5) / 3.0, 1.0, 0.0]);
    }
}
