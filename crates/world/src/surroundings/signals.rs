//! Traffic lights: a pole and a head at each stop line, with lenses that light up in their turn.

use std::sync::Arc;

use nalgebra::{Point2, Point3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Pose, World, frames};

use super::kit::{Kit, standing};
use super::plot::{Allowed, Footprint, Plot};
use super::solid::Solid;
use crate::look::Texture;
use crate::motion::{Keys, Motion};
use crate::roads::{Control, Junction, Lane, LaneId, LaneKind, Network, Signal};
use crate::site::MeshId;

/// Height of the middle of a head over the ground, metres.
const HEAD_M: f64 = 2.75;
/// From lens to lens, metres.
const LENS_STEP_M: f64 = 0.3;
/// How far a lens that is off hides in the head, metres.
const RETRACT_M: f64 = 0.08;
const KEY_S: f64 = 0.1;

/// Places traffic lights at all junctions that have them.
pub(super) fn place(network: &Network, duration_s: f64, plot: &mut Plot<'_>, kit: &mut Kit<'_>) {
    for line in &network.stop_lines {
        let lane = network.lane(line.lane);
        let outermost = lane.right_neighbour.is_none_or(|id| {
            !matches!(network.lane(id).kind, LaneKind::Driving | LaneKind::Bicycle)
        });
        let Some((junction, connection)) = controlled(network, lane) else { continue };
        if !outermost {
            continue;
        }
        // A metre before the line, beside the kerb.
        let s_m = (line.s_m - 1.0).max(0.0);
        let station = lane.at(s_m);
        let (sin, cos) = station.heading_rad.sin_cos();
        let right = nalgebra::Vector2::new(sin, -cos);
        let mut out_m = 0.5 * station.width_m + 0.5;
        let p = loop {
            let p = station.p_m.xy() + right * out_m;
            let free = plot.take(Footprint::round(p, 0.22), Allowed::OffRoad);
            if free.is_some() || out_m > 6.0 {
                break free.map(|z| Point3::new(p.x, p.y, z));
            }
            out_m += 0.4;
        };
        let Some(p) = p else { continue };
        // The part's x looks at who comes.
        let yaw = station.heading_rad + std::f64::consts::PI;
        head(junction, connection, (p, yaw), duration_s, kit);
    }
}

/// The junction with lights that a lane leads into, and one of its connections there.
fn controlled<'a>(network: &'a Network, lane: &Lane) -> Option<(&'a Junction, LaneId)> {
    let straight = |id: &&LaneId| {
        let next = network.lane(**id);
        let (first, last) = (next.stations[0], next.stations[next.stations.len() - 1]);
        (last.heading_rad - first.heading_rad).abs() < 0.5
    };
    let next = lane.successors.iter().find(straight).or(lane.successors.first())?;
    let junction = network.junction(network.lane(*next).junction?);
    (junction.control == Control::Lights).then_some((junction, *next))
}

fn head(
    junction: &Junction,
    connection: LaneId,
    (p, yaw): (Point3<f64>, f64),
    duration_s: f64,
    kit: &mut Kit<'_>,
) {
    let world_from_part = standing(p, yaw);
    let instance = kit.count();
    let body = body(kit);
    kit.place(body, Motion::Still(world_from_part), instance);
    for (lens, colour) in [(0, [0.9, 0.03, 0.02]), (1, [0.95, 0.45, 0.02]), (2, [0.03, 0.75, 0.25])]
    {
        let mesh = lens_mesh(kit, lens, colour);
        let on = |time_s: f64| {
            let shown = junction.signal(connection, time_s);
            matches!(
                (lens, shown),
                (0, Some(Signal::Red | Signal::RedAmber))
                    | (1, Some(Signal::Amber | Signal::RedAmber))
                    | (2, Some(Signal::Green))
            )
        };
        let z = HEAD_M + LENS_STEP_M * (1.0 - f64::from(lens));
        let motion = lens_motion(&world_from_part, z, duration_s, on);
        kit.place(mesh, motion, instance);
    }
}

/// In front of the head while on, inside of it while off.
fn lens_motion(
    world_from_head: &Pose<World, frames::Part>,
    z: f64,
    duration_s: f64,
    on: impl Fn(f64) -> bool,
) -> Motion<frames::Part> {
    let at = |lit: bool| {
        let x = if lit { 0.0 } else { -RETRACT_M };
        Pose::new(UnitQuaternion::identity(), Vector3::new(x, 0.0, z))
    };
    let count = (duration_s.clamp(0.0, 3600.0) / KEY_S).ceil() as usize + 1;
    let poses: Vec<Pose<frames::Object, frames::Part>> =
        (0..count).map(|key| at(on(key as f64 * KEY_S))).collect();
    if poses.iter().all(|pose| *pose == poses[0]) {
        return Motion::Still(world_from_head.cast::<World, frames::Object>() * poses[0]);
    }
    let head = vec![world_from_head.cast()];
    Motion::Switched {
        by: Arc::new(Keys { start_s: 0.0, step_s: KEY_S, poses: head }),
        object_from_x: Arc::new(Keys { start_s: 0.0, step_s: KEY_S, poses }),
    }
}

fn body(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("traffic light", 0, |kit| {
        let metal = kit.paint("pole", Texture::Metal, [0.3, 0.31, 0.32]);
        let black = kit.paint("traffic_light", Texture::Plain, [0.025, 0.025, 0.025]);
        let dull = kit.paint_with("traffic_light", Texture::Glass, [0.04, 0.03, 0.03], [0.6, 0.0]);
        let mut solid = Solid::default();
        let at = |z: f64| Point3::new(0.0, 0.0, z);
        solid.tube(&[(at(-0.3), 0.06), (at(HEAD_M + 0.6), 0.055)], 10, metal);
        let (low, high) = (HEAD_M - 0.5, HEAD_M + 0.5);
        solid.block([0.07, -0.17, low], [0.24, 0.17, high], black);
        for lens in 0..3 {
            let z = HEAD_M + LENS_STEP_M * (1.0 - f64::from(lens));
            solid.board(Point3::new(0.245, 0.0, z), Vector3::x(), (0.11, 20, 0.0), dull);
            // A hood over the lens.
            let ring: Vec<Point2<f64>> = (0..=8)
                .map(|i| {
                    let angle = std::f64::consts::PI * f64::from(i) / 8.0;
                    Point2::new(0.13 * angle.cos(), z + 0.13 * angle.sin())
                })
                .collect();
            for pair in ring.windows(2) {
                let p = |q: &Point2<f64>, x: f64| Point3::new(x, q.x, q.y);
                let (a, b) = (&pair[0], &pair[1]);
                let outer = [p(a, 0.24), p(a, 0.42), p(b, 0.42), p(b, 0.24)];
                solid.face(&outer, black);
                solid.face(&[outer[3], outer[2], outer[1], outer[0]], black);
            }
        }
        solid
    })
}

fn lens_mesh(kit: &mut Kit<'_>, lens: u32, colour: [f32; 3]) -> MeshId {
    kit.shared("lens", lens, |kit| {
        let glow = kit.paint_with("traffic_light", Texture::Plain, colour, [0.2, 1.6]);
        let mut solid = Solid::default();
        solid.board(Point3::new(0.252, 0.0, 0.0), Vector3::x(), (0.105, 20, 0.0), glow);
        solid
    })
}
