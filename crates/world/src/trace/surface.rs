//! The ground around the vehicle: height, class, drivable.

use nalgebra::Point3;
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{ClassId, Drivable, Surface, SurfaceSpec, Taxonomy};
use rayon::prelude::*;

use crate::roads::{GroundClass, Network};

/// The ground of a network under every cell's centre, seen or not; of several levels the one nearest
/// to the vehicle's own. Cells outside of the terrain are unobserved.
pub fn surface(roads: &Network, world_from_ego: &Pose<World, Ego>, spec: SurfaceSpec) -> Surface {
    const CLASSES: [GroundClass; 6] = [
        GroundClass::Road,
        GroundClass::Marking,
        GroundClass::Parking,
        GroundClass::Sidewalk,
        GroundClass::Terrain,
        GroundClass::Other,
    ];
    let taxonomy = Taxonomy::driving();
    let ids = CLASSES.map(|class| (class, taxonomy.id(class.name()).unwrap_or(ClassId::UNKNOWN)));
    let class_of = |class: GroundClass| {
        ids.iter().find(|(known, _)| *known == class).map_or(ClassId::UNKNOWN, |(_, id)| *id)
    };
    let rows: Vec<Vec<Option<(f32, ClassId, Drivable)>>> = (0..spec.size[0])
        .into_par_iter()
        .map(|x| {
            let mut height_m = 0.0;
            let cell = |y| {
                let found = ground_at(roads, world_from_ego, spec.centre([x, y]), height_m)?;
                height_m = found.0;
                let drivable = if found.2 { Drivable::Yes } else { Drivable::No };
                Some((found.0 as f32, class_of(found.1), drivable))
            };
            (0..spec.size[1]).map(cell).collect()
        })
        .collect();
    let mut surface = Surface::unobserved(spec);
    for (index, cell) in rows.into_iter().flatten().enumerate() {
        if let Some((height_m, class, drivable)) = cell {
            surface.height_m[index] = height_m;
            surface.class[index] = class;
            surface.drivable[index] = drivable;
            surface.confidence[index] = 255;
        }
    }
    surface
}

/// Height in the vehicle's frame at a place of its plane, class, and whether it is drivable. Starts
/// from a height nearby (metres in the vehicle's frame).
fn ground_at(
    roads: &Network,
    world_from_ego: &Pose<World, Ego>,
    [x, y]: [f64; 2],
    near_m: f64,
) -> Option<(f64, GroundClass, bool)> {
    // The vehicle's z axis leans against the world's by pitch and bank: moving the height moves the
    // place. Each round gains the digits of that lean (some 0.05), so three are exact to 0.1 mm.
    let mut height_m = near_m;
    let mut found = None;
    let up = world_from_ego.rotate(&nalgebra::Vector3::z());
    for _ in 0..3 {
        let p = *world_from_ego * Point3::new(x, y, height_m);
        let ground = roads.ground.near(p.x, p.y, p.z)?;
        height_m += (ground.height_m - p.z) / up.z;
        found = Some((height_m, ground.class, ground.drivable));
    }
    found
}
