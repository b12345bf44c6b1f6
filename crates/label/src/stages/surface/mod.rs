//! Surface: the ground as a height map, and where one could drive.
//!
//! Geometry only: no class is known, so a lawn level with the road is drivable here and a puddle is not a
//! lake. What can be said is that the ground is there, flat enough, free to the height of a vehicle, and
//! connected to where the vehicle stands. Ground under moving things is what other frames saw there.

mod columns;
mod config;
mod drivable;
mod ground;
#[cfg(test)]
mod tests;

pub use config::SurfaceConfig;

use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{Surface, SurfaceSpec};

use crate::Error;
use crate::stages::occupancy::OccupancyMap;
use columns::Columns;

/// Confidence of a height that was filled in between measured ones.
const FILLED_CONFIDENCE: u8 = 40;
/// Evidence (log-odds) at which the confidence of a height reaches 63 %: two certain sweeps.
const CONFIDENT_WEIGHT: f32 = 1.7;

/// The ground around the vehicle from the static map, in the ego frame.
///
/// Heights are those of the lowest surface that continues the ground under the vehicle. Cells that no
/// sweep saw stay NaN and `Drivable::Unknown`, but for holes up to `max_gap_m`.
///
/// # Errors
/// [`Error::Config`] if a parameter is out of bounds.
pub fn estimate(
    map: &OccupancyMap,
    world_from_ego: &Pose<World, Ego>,
    spec: &SurfaceSpec,
    config: &SurfaceConfig,
) -> Result<Surface, Error> {
    config.check()?;
    let columns = Columns::new(map, world_from_ego, spec);
    let ground = ground::estimate(&columns, world_from_ego, config);
    let drivable = drivable::classify(&columns, &ground, world_from_ego, config);
    let mut surface = Surface::unobserved(*spec);
    for cell in 0..spec.len() {
        let [nx, ny] = [cell as u32 / spec.size[1], cell as u32 % spec.size[1]];
        let centre = spec.centre([nx, ny]);
        let found = ground::height_in_ego(&columns.plan, &ground, world_from_ego, centre);
        if let Some((column, height_m)) = found {
            surface.height_m[cell] = height_m as f32;
            surface.drivable[cell] = drivable[column];
            surface.confidence[cell] = confidence(ground.weight[column]);
        } else if let Some(column) = column_under(&columns, world_from_ego, centre) {
            surface.drivable[cell] = drivable[column];
        }
    }
    Ok(surface)
}

/// The column at ego height 0.
fn column_under(
    columns: &Columns,
    world_from_ego: &Pose<World, Ego>,
    [x_m, y_m]: [f64; 2],
) -> Option<usize> {
    let p_in_world = *world_from_ego * nalgebra::Point3::new(x_m, y_m, 0.0);
    columns.plan.at(p_in_world.x, p_in_world.y)
}

fn confidence(weight: f32) -> u8 {
    let measured = 255.0 * (1.0 - (-weight / CONFIDENT_WEIGHT).exp());
    (measured.round() as u8).max(FILLED_CONFIDENCE)
}
