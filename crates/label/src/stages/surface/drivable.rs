//! Where the vehicle could go: flat, clear and connected to where it stands.

use std::collections::VecDeque;

use nalgebra::Point3;
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::Drivable;

use super::columns::{Columns, Plan};
use super::config::SurfaceConfig;
use super::ground::Ground;

/// Drivable or not, per column.
pub(super) fn classify(
    columns: &Columns,
    ground: &Ground,
    world_from_ego: &Pose<World, Ego>,
    config: &SurfaceConfig,
) -> Vec<Drivable> {
    let plan = &columns.plan;
    let passable: Vec<bool> = (0..plan.len())
        .map(|c| is_flat(plan, ground, c, config) && is_clear(columns, ground, c, config))
        .collect();
    let mut drivable: Vec<Drivable> = (0..plan.len())
        .map(|column| {
            let seen = !ground.height_m[column].is_nan() || !columns.of(column).is_empty();
            if seen { Drivable::No } else { Drivable::Unknown }
        })
        .collect();
    let mut queue: VecDeque<usize> = seeds(plan, &passable, world_from_ego, config).into();
    queue.iter().for_each(|&seed| drivable[seed] = Drivable::Yes);
    while let Some(column) = queue.pop_front() {
        for next in plan.beside(column).filter(|&next| passable[next]) {
            let step = f64::from((ground.height_m[next] - ground.height_m[column]).abs());
            if drivable[next] != Drivable::Yes && step <= config.max_step_m {
                drivable[next] = Drivable::Yes;
                queue.push_back(next);
            }
        }
    }
    drivable
}

/// Slope over two columns to each side.
fn is_flat(plan: &Plan, ground: &Ground, column: usize, config: &SurfaceConfig) -> bool {
    if ground.height_m[column].is_nan() {
        return false;
    }
    let ny = plan.size[1];
    let place = [column / ny, column % ny];
    let rise = |axis: usize, stride: usize| {
        let known = |steps: isize| {
            let at = place[axis].checked_add_signed(steps).filter(|&at| at < plan.size[axis])?;
            let index = column.wrapping_add_signed(steps * stride as isize);
            let height = ground.height_m[index];
            (!height.is_nan()).then_some((at, height))
        };
        let ((low, below), (high, above)) = (known(-2).or(known(0))?, known(2).or(known(0))?);
        (high > low).then(|| f64::from(above - below) / ((high - low) as f64 * plan.cell_m))
    };
    let (along_x, along_y) = (rise(0, ny).unwrap_or(0.0), rise(1, 1).unwrap_or(0.0));
    along_x.hypot(along_y) <= config.max_drivable_slope
}

/// Nothing stands in the height of a vehicle.
fn is_clear(columns: &Columns, ground: &Ground, column: usize, config: &SurfaceConfig) -> bool {
    let ground_m = ground.height_m[column];
    columns.of(column).iter().all(|run| {
        let bottom = f64::from(run.bottom_m - ground_m);
        let top = f64::from(run.top_m - ground_m);
        top < config.min_obstacle_m || bottom > config.clearance_m
    })
}

/// Passable columns under the vehicle; if it sees none there, the nearest row of them ahead.
fn seeds(
    plan: &Plan,
    passable: &[bool],
    world_from_ego: &Pose<World, Ego>,
    config: &SurfaceConfig,
) -> Vec<usize> {
    let [behind, ahead, half_width] = config.footprint_m;
    let row = |x_m: f64| -> Vec<usize> {
        let steps = (2.0 * half_width / plan.cell_m).ceil() as usize;
        let mut found: Vec<usize> = (0..=steps)
            .filter_map(|i| {
                let y_m = -half_width + i as f64 * plan.cell_m;
                let p_in_world = *world_from_ego * Point3::new(x_m, y_m, 0.0);
                plan.at(p_in_world.x, p_in_world.y)
            })
            .filter(|&column| passable[column])
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let rows = |from: f64, to: f64| {
        let steps = ((to - from) / plan.cell_m).ceil() as usize;
        (0..=steps).map(move |i| from + i as f64 * plan.cell_m)
    };
    let under: Vec<usize> = rows(-behind, ahead).flat_map(row).collect();
    if !under.is_empty() {
        return under;
    }
    rows(ahead, ahead + config.blind_ahead_m)
        .map(row)
        .find(|row| !row.is_empty())
        .unwrap_or_default()
}
