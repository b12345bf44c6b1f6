//! The lowest continuous surface, grown outwards from where the vehicle stands.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nalgebra::Point3;
use ommatidia_geometry::{Ego, Pose, World};

use super::columns::{Columns, Plan};
use super::config::SurfaceConfig;

/// Columns along a patch's edge: 1.6 m of 0.2 m voxels.
const PATCH: usize = 8;
/// Columns of a patch that must have a surface near the expected height.
const MIN_COLUMNS: usize = 4;
/// Quantile of those surfaces taken as the patch's ground: low, for there are things on the ground, and
/// not the lowest, for there is noise.
const QUANTILE: f64 = 0.3;

/// Height of the ground per column; NaN where unknown.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) height_m: Vec<f32>,
    /// Evidence, log-odds; 0 where unknown or filled.
    pub(super) weight: Vec<f32>,
}

/// Ground under the columns that continues the ground under the vehicle.
pub(super) fn estimate(
    columns: &Columns,
    world_from_ego: &Pose<World, Ego>,
    config: &SurfaceConfig,
) -> Ground {
    let patches = Patches::grow(columns, world_from_ego, config);
    let mut ground = select(columns, &patches, config);
    smooth(&columns.plan, &mut ground);
    fill(&columns.plan, &mut ground, config);
    ground
}

/// Coarse ground: one height per patch of columns.
struct Patches {
    size: [usize; 2],
    height_m: Vec<f32>,
}

impl Patches {
    /// Visits patches in order of their path from the vehicle (Dijkstra), over unknown ones too.
    fn grow(columns: &Columns, world_from_ego: &Pose<World, Ego>, config: &SurfaceConfig) -> Self {
        let plan = &columns.plan;
        let size = plan.size.map(|n| n.div_ceil(PATCH));
        let coarse = Plan { min: [0; 2], size, cell_m: plan.cell_m * PATCH as f64 };
        let mut height_m = vec![f32::NAN; coarse.len()];
        let start = world_from_ego.translation;
        let Some(column) = plan.at(start.x, start.y) else { return Self { size, height_m } };
        let first = column / plan.size[1] / PATCH * size[1] + column % plan.size[1] / PATCH;
        // Path in steps of a tenth of a patch; place; height expected there (bits order nothing, they
        // only ride along) and path since it was last measured.
        let mut queue =
            BinaryHeap::from([Reverse((0u32, first, (start.z as f32).to_bits(), 0u32))]);
        let mut visited = vec![false; coarse.len()];
        while let Some(Reverse((path, patch, expected, blind))) = queue.pop() {
            if std::mem::replace(&mut visited[patch], true) {
                continue;
            }
            let mut expected_m = f32::from_bits(expected);
            let blind_m = f64::from(blind) * 0.1 * coarse.cell_m;
            let sloped = config.max_ground_slope * blind_m;
            let tolerance = config.ground_tolerance_m + sloped.min(config.max_unseen_step_m);
            let found = quantile_near(columns, size, patch, expected_m, tolerance as f32);
            if let Some(found_m) = found {
                height_m[patch] = found_m;
                expected_m = found_m;
            }
            let blind = if found.is_some() { 0 } else { blind };
            for next in coarse.around(patch, 1).filter(|&next| !visited[next]) {
                let diagonal = next.abs_diff(patch) != 1 && next.abs_diff(patch) != size[1];
                let step = if diagonal { 14 } else { 10 };
                queue.push(Reverse((path + step, next, expected_m.to_bits(), blind + step)));
            }
        }
        Self { size, height_m }
    }

    /// Height at a column: bilinear between the centres of known patches.
    fn at(&self, column: [usize; 2]) -> Option<f32> {
        let along = |axis: usize| {
            let at = (column[axis] as f32 + 0.5) / PATCH as f32 - 0.5;
            let low = at.floor();
            (low as i64, at - low)
        };
        let ((x, sx), (y, sy)) = (along(0), along(1));
        let (mut sum, mut total) = (0.0, 0.0);
        for (x, wx) in [(x, 1.0 - sx), (x + 1, sx)] {
            for (y, wy) in [(y, 1.0 - sy), (y + 1, sy)] {
                let inside =
                    (0..self.size[0] as i64).contains(&x) && (0..self.size[1] as i64).contains(&y);
                if !inside {
                    continue;
                }
                let height = self.height_m[x as usize * self.size[1] + y as usize];
                if !height.is_nan() {
                    sum += wx * wy * height;
                    total += wx * wy;
                }
            }
        }
        (total > 0.0).then(|| sum / total)
    }
}

/// The low quantile of a patch's surfaces within `tolerance` of the expected height.
fn quantile_near(
    columns: &Columns,
    size: [usize; 2],
    patch: usize,
    expected_m: f32,
    tolerance: f32,
) -> Option<f32> {
    let plan = &columns.plan;
    let (px, py) = (patch / size[1] * PATCH, patch % size[1] * PATCH);
    let mut heights = Vec::with_capacity(PATCH * PATCH);
    for x in px..(px + PATCH).min(plan.size[0]) {
        for y in py..(py + PATCH).min(plan.size[1]) {
            let runs = columns.of(x * plan.size[1] + y);
            let near = runs.iter().find(|run| (run.bottom_m - expected_m).abs() <= tolerance);
            heights.extend(near.map(|run| run.bottom_m));
        }
    }
    if heights.len() < MIN_COLUMNS {
        return None;
    }
    heights.sort_unstable_by(f32::total_cmp);
    Some(heights[(heights.len() as f64 * QUANTILE) as usize])
}

/// The run of each column that continues the patches' surface: the lowest near it.
fn select(columns: &Columns, patches: &Patches, config: &SurfaceConfig) -> Ground {
    let plan = &columns.plan;
    let mut ground = Ground { height_m: vec![f32::NAN; plan.len()], weight: vec![0.0; plan.len()] };
    let half_patch_m = 0.5 * PATCH as f64 * plan.cell_m;
    let tolerance = config.ground_tolerance_m + config.max_ground_slope * half_patch_m;
    for column in 0..plan.len() {
        let runs = columns.of(column);
        if runs.is_empty() {
            continue;
        }
        let place = [column / plan.size[1], column % plan.size[1]];
        let Some(expected_m) = patches.at(place) else { continue };
        let near =
            runs.iter().find(|run| f64::from((run.bottom_m - expected_m).abs()) <= tolerance);
        if let Some(run) = near {
            ground.height_m[column] = run.bottom_m;
            ground.weight[column] = run.weight;
        }
    }
    ground
}

/// Bilateral mean over 5 x 5 columns: noise goes, kerbs stay. Tomasi & Manduchi 1998.
fn smooth(plan: &Plan, ground: &mut Ground) {
    const SIGMA_M: f32 = 0.06;
    let before = ground.height_m.clone();
    for column in (0..plan.len()).filter(|&c| !before[c].is_nan()) {
        let here = before[column];
        let (mut sum, mut total) = (0.0, 0.0);
        for other in plan.around(column, 2).filter(|&other| !before[other].is_nan()) {
            let apart = (before[other] - here) / SIGMA_M;
            let weight = ground.weight[other] * (-0.5 * apart * apart).exp();
            sum += weight * (before[other] - here);
            total += weight;
        }
        ground.height_m[column] = here + sum / total.max(f32::MIN_POSITIVE);
    }
}

/// Closes holes from their rims inwards; a column needs four known neighbours.
fn fill(plan: &Plan, ground: &mut Ground, config: &SurfaceConfig) {
    let rounds = (0.5 * config.max_gap_m / plan.cell_m).ceil() as usize;
    for _ in 0..rounds {
        let known = |c: usize| !ground.height_m[c].is_nan();
        let mut filled = Vec::new();
        for column in (0..plan.len()).filter(|&c| !known(c)) {
            let rim = plan.around(column, 1).filter(|&c| known(c));
            let (count, sum) = rim.fold((0, 0.0), |(n, sum), c| (n + 1, sum + ground.height_m[c]));
            if count >= 4 {
                filled.push((column, sum / count as f32));
            }
        }
        for (column, height_m) in filled {
            ground.height_m[column] = height_m;
        }
    }
}

/// Ground height under the vehicle's frame at a place of the ego's x-y plane: world z to ego z.
pub(super) fn height_in_ego(
    plan: &Plan,
    ground: &Ground,
    world_from_ego: &Pose<World, Ego>,
    [x_m, y_m]: [f64; 2],
) -> Option<(usize, f64)> {
    let mut height_m = 0.0;
    let mut found = None;
    // The vehicle is nearly level, so that the column under (x, y, z) hardly moves with z.
    for _ in 0..3 {
        let p_in_world = *world_from_ego * Point3::new(x_m, y_m, height_m);
        let column = plan.at(p_in_world.x, p_in_world.y)?;
        let ground_m = interpolate(plan, ground, column, [p_in_world.x, p_in_world.y])?;
        let on_ground = Point3::new(p_in_world.x, p_in_world.y, ground_m);
        height_m = (world_from_ego.inverse() * on_ground).z;
        found = Some((column, height_m));
    }
    found
}

/// Bilinear where all four columns around are known, else the column's own height.
fn interpolate(plan: &Plan, ground: &Ground, column: usize, at: [f64; 2]) -> Option<f64> {
    let own = f64::from(ground.height_m[column]);
    if own.is_nan() {
        return None;
    }
    let centre = plan.centre(column);
    let [dx, dy] = [0, 1].map(|axis| (at[axis] - centre[axis]) / plan.cell_m);
    let beyond = |cell: usize, offset: f64, size: usize, stride: usize| {
        if offset >= 0.0 {
            (cell + 1 < size).then_some(stride as isize)
        } else {
            (cell > 0).then_some(-(stride as isize))
        }
    };
    let [nx, ny] = plan.size;
    let (x, y) = (column / ny, column % ny);
    let (Some(to_x), Some(to_y)) = (beyond(x, dx, nx, ny), beyond(y, dy, ny, 1)) else {
        return Some(own);
    };
    let height = |step: isize| f64::from(ground.height_m[column.wrapping_add_signed(step)]);
    let (sx, sy) = (dx.abs(), dy.abs());
    let near = own * (1.0 - sx) + height(to_x) * sx;
    let far = height(to_y) * (1.0 - sx) + height(to_x + to_y) * sx;
    let mixed = near * (1.0 - sy) + far * sy;
    Some(if mixed.is_nan() { own } else { mixed })
}
