//! What stands in each column of the world, from below.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::SurfaceSpec;

use crate::stages::occupancy::OccupancyMap;

/// Columns of the world's x-y plane on the map's voxel lattice. Index in C order of `[x, y]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// The column with the smallest coordinates, in voxels.
    pub(super) min: [i64; 2],
    pub(super) size: [usize; 2],
    pub(super) cell_m: f64,
}

impl Plan {
    pub(super) fn len(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The column at a place, if inside.
    pub(super) fn at(&self, x_m: f64, y_m: f64) -> Option<usize> {
        let step = |value: f64, axis: usize| {
            let step = (value / self.cell_m).floor() - self.min[axis] as f64;
            (step >= 0.0 && step < self.size[axis] as f64).then_some(step as usize)
        };
        Some(step(x_m, 0)? * self.size[1] + step(y_m, 1)?)
    }

    /// Centre of a column, metres.
    pub(super) fn centre(&self, index: usize) -> [f64; 2] {
        let cell = [index / self.size[1], index % self.size[1]];
        [0, 1].map(|axis| (self.min[axis] as f64 + cell[axis] as f64 + 0.5) * self.cell_m)
    }

    /// The columns within `reach` steps along x and y, `index` among them.
    pub(super) fn around(&self, index: usize, reach: usize) -> impl Iterator<Item = usize> {
        let [nx, ny] = self.size;
        let (x, y) = (index / ny, index % ny);
        let columns = y.saturating_sub(reach)..(y + reach + 1).min(ny);
        (x.saturating_sub(reach)..(x + reach + 1).min(nx))
            .flat_map(move |x| columns.clone().map(move |y| x * ny + y))
    }

    /// The up to four columns that share a side with `index`.
    pub(super) fn beside(&self, index: usize) -> impl Iterator<Item = usize> {
        let [nx, ny] = self.size;
        let (x, y) = (index / ny, index % ny);
        let four = [
            (x > 0).then(|| index - ny),
            (y > 0).then(|| index - 1),
            (y + 1 < ny).then(|| index + 1),
            (x + 1 < nx).then(|| index + ny),
        ];
        four.into_iter().flatten()
    }
}

/// Occupied voxels of one column that touch each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    /// Height of its lower surface, world z, metres.
    pub(super) bottom_m: f32,
    /// Height of its highest voxel's surface.
    pub(super) top_m: f32,
    /// Evidence behind `bottom_m`, log-odds.
    pub(super) weight: f32,
}

/// The runs of all columns, each column's from below.
pub(super) struct Columns {
    pub(super) plan: Plan,
    starts: Vec<u32>,
    runs: Vec<Run>,
}

impl Columns {
    /// The columns under all cells of `spec`, 10 m up and down from the vehicle.
    pub(super) fn new(
        map: &OccupancyMap,
        world_from_ego: &Pose<World, Ego>,
        spec: &SurfaceSpec,
    ) -> Self {
        const REACH_M: f64 = 10.0;
        let cell_m = map.config().voxel_m;
        let far =
            [0, 1].map(|axis| spec.min_corner_m[axis] + f64::from(spec.size[axis]) * spec.cell_m);
        let corners = [spec.min_corner_m[0], far[0]].into_iter().flat_map(|x| {
            [spec.min_corner_m[1], far[1]].map(|y| *world_from_ego * Point3::new(x, y, 0.0))
        });
        let (mut low, mut high) = (Vector3::repeat(f64::INFINITY), Vector3::repeat(-f64::INFINITY));
        for corner in corners {
            low = low.inf(&corner.coords);
            high = high.sup(&corner.coords);
        }
        let up = world_from_ego.translation.z;
        (low.z, high.z) = (up - REACH_M, up + REACH_M);
        let min = [0, 1].map(|axis| (low[axis] / cell_m).floor() as i64 - 2);
        let size = [0, 1]
            .map(|axis| ((high[axis] / cell_m).floor() as i64 + 3 - min[axis]).max(1) as usize);
        let plan = Plan { min, size, cell_m };
        let mut points: Vec<(usize, f32, f32)> = map
            .surface_points(low, high)
            .iter()
            .filter_map(|point| {
                let column = plan.at(point.p_in_world.x, point.p_in_world.y)?;
                Some((column, point.p_in_world.z as f32, point.weight))
            })
            .collect();
        points.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self::from_sorted(plan, &points)
    }

    /// `points`: column, height and weight, ascending.
    fn from_sorted(plan: Plan, points: &[(usize, f32, f32)]) -> Self {
        let mut starts = vec![0u32; plan.len() + 1];
        let mut runs: Vec<Run> = Vec::new();
        // Two surfaces in adjacent voxels are at most two voxels apart.
        let touching = 2.0 * plan.cell_m as f32;
        let mut last: Option<(usize, Run, usize)> = None;
        let mut close = |last: Option<(usize, Run, usize)>| {
            if let Some((column, run, _)) = last {
                runs.push(run);
                starts[column + 1] += 1;
            }
        };
        for &(column, z, weight) in points {
            match &mut last {
                Some((at, run, length)) if *at == column && z - run.top_m <= touching => {
                    if *length == 1 {
                        // A surface that straddles two voxels lies between their means.
                        let total = run.weight + weight;
                        run.bottom_m = (run.bottom_m * run.weight + z * weight) / total;
                        run.weight = total;
                    }
                    run.top_m = z;
                    *length += 1;
                }
                _ => {
                    close(last.take());
                    last = Some((column, Run { bottom_m: z, top_m: z, weight }, 1));
                }
            }
        }
        close(last);
        for column in 0..plan.len() {
            starts[column + 1] += starts[column];
        }
        Self { plan, starts, runs }
    }

    pub(super) fn of(&self, column: usize) -> &[Run] {
        &self.runs[self.starts[column] as usize..self.starts[column + 1] as usize]
    }
}
