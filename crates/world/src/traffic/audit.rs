//! Looking at a finished site from outside: does anybody pass through anybody?

use nalgebra::{Point2, Vector3};
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::TrackId;

use super::kind::{Kind, Library};
use super::simulate::STEP_S;
use crate::actors::CarStyle;
use crate::actors::Model;
use crate::footprint::Footprint;
use crate::site::Site;

/// What the vehicle with the rig is; it has a box but no mesh in the site.
pub(crate) const EGO: Kind = Kind::Car { style: CarStyle::Estate, colour: 0, door: false };

/// Two who overlap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// Whom; `None` is the vehicle with the rig.
    pub pair: [Option<TrackId>; 2],
    /// When, seconds.
    pub time_s: f64,
}

fn flat<F>(pose: &Pose<World, F>, size_m: [f64; 3], ahead_m: f64) -> Footprint {
    let along = pose.rotate(&Vector3::x());
    let middle = pose.translation + along * ahead_m;
    Footprint {
        centre_m: Point2::new(middle.x, middle.y),
        heading_rad: along.y.atan2(along.x),
        half_m: [0.5 * size_m[0], 0.5 * size_m[1]],
    }
}

/// The box of the vehicle with the rig at a time.
pub fn ego_footprint(site: &Site, time_s: f64) -> Footprint {
    let model = ego_model();
    let world_from_ego: Pose<World, Ego> = site.ego.at(time_s);
    flat(&world_from_ego, model.size_m, -model.axles.rear_m)
}

fn ego_model() -> Model {
    let rig = Library::new(false).rig(EGO);
    (*rig.main).clone()
}

/// The first overlap of boxes at any step of a clip. A trailer and its tractor overlap by design.
pub fn first_overlap(site: &Site, duration_s: f64) -> Option<Overlap> {
    let model = ego_model();
    let steps = (duration_s / STEP_S).floor() as usize;
    let trailer = crate::actors::class_of("trailer");
    for step in 0..=steps {
        let time_s = step as f64 * STEP_S;
        let ego = flat(&site.ego.at(time_s), model.size_m, -model.axles.rear_m);
        let mut boxes = vec![(None, false, ego, site.ego.at(time_s).translation.z + 0.7)];
        boxes.extend(site.actors.iter().map(|actor| {
            let pose = actor.motion.at(time_s);
            let tows = actor.class == trailer;
            (Some(actor.track), tows, flat(&pose, actor.size_m, 0.0), pose.translation.z)
        }));
        for (i, (track, _, a, z)) in boxes.iter().enumerate() {
            for (other, tows, b, height) in &boxes[i + 1..] {
                // A trailer's track follows its tractor's.
                let hitched = *tows && track.is_some_and(|t| Some(TrackId(t.0 + 1)) == *other);
                if !hitched && (z - height).abs() < 3.0 && a.touches(b, 0.0) {
                    return Some(Overlap { pair: [*track, *other], time_s });
                }
            }
        }
    }
    None
}
