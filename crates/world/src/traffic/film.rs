//! From a course of traffic to instances, actors and lamps of a site.

use std::collections::BTreeMap;
use std::sync::Arc;

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::{Ego, Pose, World, frames};
use ommatidia_scene::TrackId;

use super::agent::{Agent, Mind};
use super::ground::{Lifted, lift};
use super::kind::{Kind, Library};
use super::repair::Course;
use super::simulate::{Moment, STEP_S};
use crate::actors::{Bone, Joint, Limb, Model, Signal, Stride};
use crate::footprint::Footprint;
use crate::look::Lamp;
use crate::motion::{Keys, Motion};
use crate::site::{Actor, ActorId, Instance, MeshId, PartPoint, Site};

type Part = Pose<frames::Object, frames::Part>;

/// What a model's pieces are placed by.
struct Take<'a> {
    agent: &'a Agent,
    model: &'a Model,
    moments: &'a [Moment],
    lifted: Lifted,
    boxes: Vec<Footprint>,
    /// Nothing of it ever moves.
    still: bool,
}

/// Fills a site with everybody of a course; the first agent becomes its ego.
pub(crate) fn film(site: &mut Site, course: &Course, lit: bool, dark: bool) {
    let lamps_on = dark;
    // Parked vehicles have their lights off.
    let (mut driven, mut parked) = (Library::new(lit), Library::new(false));
    let mut meshes = BTreeMap::new();
    // Surroundings count from 10,000.
    let mut track = 1;
    for (index, (agent, moments)) in course.agents.iter().zip(&course.moments).enumerate() {
        let stands = agent.mind == Mind::Stand;
        let rig = if stands { parked.rig(agent.kind) } else { driven.rig(agent.kind) };
        let roads = site.roads.clone();
        let boxes: Vec<Footprint> = moments.iter().map(|m| m.main).collect();
        let lifted = lift(&roads, agent.kind, &rig.main, &boxes, moments);
        if index == 0 {
            site.ego = ego_motion(&rig.main, &lifted);
            if lamps_on {
                add_lamp(site, &rig.main, &Arc::new(keys(lifted.body)));
            }
            continue;
        }
        let still = moments.iter().all(|m| m.main == moments[0].main && m.door_rad == 0.0);
        let take = Take { agent, model: &rig.main, moments, lifted, boxes, still };
        let ids = mesh_ids(site, &mut meshes, (agent.kind, false, stands), &rig.main);
        place(site, &take, &ids, &mut track, lamps_on);
        if let Some(towed) = &rig.towed {
            let boxes: Vec<Footprint> = moments.iter().filter_map(|m| m.towed).collect();
            let lifted = lift(&roads, agent.kind, towed, &boxes, moments);
            let take = Take { agent, model: towed, moments, lifted, boxes, still };
            let ids = mesh_ids(site, &mut meshes, (agent.kind, true, stands), towed);
            place(site, &take, &ids, &mut track, false);
        }
    }
}

fn keys<A, B>(poses: Vec<Pose<A, B>>) -> Keys<A, B> {
    Keys { start_s: 0.0, step_s: STEP_S, poses }
}

/// The ego's frame: on the ground below the rear axle, turned with the body.
fn ego_motion(model: &Model, lifted: &Lifted) -> Motion<Ego> {
    let below = Vector3::new(model.axles.rear_m, 0.0, -0.5 * model.size_m[2]);
    let poses = lifted.body.iter().zip(&lifted.level).map(|(body, level)| {
        let foot = level.translation + level.rotation * below;
        Pose::<World, Ego>::new(body.rotation, foot)
    });
    Motion::Keyed(Arc::new(keys(poses.collect())))
}

/// Meshes of a model in this site, with its materials. The key is the kind, whether it is towed, and
/// whether it is parked.
fn mesh_ids(
    site: &mut Site,
    known: &mut BTreeMap<(Kind, bool, bool), Vec<MeshId>>,
    key: (Kind, bool, bool),
    model: &Model,
) -> Vec<MeshId> {
    if let Some(ids) = known.get(&key) {
        return ids.clone();
    }
    let materials: Vec<_> = model.materials.iter().map(|m| site.add_material(*m)).collect();
    let ids: Vec<MeshId> = model
        .pieces
        .iter()
        .map(|piece| {
            let mut mesh = piece.mesh.clone();
            for triangle in &mut mesh.triangles {
                triangle.material = materials[usize::from(triangle.material.0)];
            }
            site.add_mesh(mesh)
        })
        .collect();
    known.insert(key, ids.clone());
    ids
}

/// Adds one actor with its parts.
fn place(site: &mut Site, take: &Take<'_>, ids: &[MeshId], track: &mut u32, lamps_on: bool) {
    let actor = ActorId(u32::try_from(site.actors.len()).expect("fewer than 2^32 actors"));
    let by = Arc::new(keys(take.lifted.body.clone()));
    let limbs = limb_poses(take);
    let mut parts = Vec::with_capacity(ids.len());
    for (piece, mesh) in take.model.pieces.iter().zip(ids) {
        let poses = joint_poses(take, &piece.joint, &limbs);
        let motion = motion_of(take, &by, &piece.joint, poses);
        parts.push(site.add_instance(Instance {
            mesh: *mesh,
            motion,
            actor: Some(actor),
            instance: *track,
        }));
    }
    let keypoints = take.model.keypoints.iter();
    let keypoints = keypoints.map(|(piece, p)| PartPoint { part: parts[*piece], p_in_part_m: *p });
    let motion = if take.still { Motion::Still(by.poses[0]) } else { Motion::Keyed(by.clone()) };
    let keypoints = keypoints.collect();
    site.actors.push(Actor {
        track: TrackId(u64::from(*track)),
        class: take.model.class,
        size_m: take.model.size_m,
        motion,
        parts,
        keypoints,
    });
    if lamps_on && !matches!(take.agent.mind, Mind::Stand) {
        add_lamp(site, take.model, &by);
    }
    *track += 1;
}

/// The cheapest motion that says the same.
fn motion_of(
    take: &Take<'_>,
    by: &Arc<Keys<World, frames::Object>>,
    joint: &Joint,
    (poses, finer): (Vec<Part>, usize),
) -> Motion<frames::Part> {
    let constant = poses.iter().all(|pose| *pose == poses[0]);
    match (take.still, constant) {
        (true, true) => Motion::Still(by.poses[0] * poses[0]),
        (false, true) => Motion::Carried { by: by.clone(), object_from_x: poses[0] },
        _ => {
            let step_s = STEP_S / finer as f64;
            let object_from_x = Arc::new(Keys { start_s: 0.0, step_s, poses });
            match joint {
                Joint::Lens { .. } => Motion::Switched { by: by.clone(), object_from_x },
                _ => Motion::Jointed { by: by.clone(), object_from_x },
            }
        }
    }
}

/// A lamp between the headlamps, a little downwards.
fn add_lamp(site: &mut Site, model: &Model, by: &Arc<Keys<World, frames::Object>>) {
    if model.headlamps_m.is_empty() {
        return;
    }
    let sum: Vector3<f64> = model.headlamps_m.iter().sum();
    let middle = sum / model.headlamps_m.len() as f64 - Vector3::z() * (0.5 * model.size_m[2]);
    let down = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), 0.035);
    // 12,000 cd of a pair on low beam against 100,000 lx of a sunlit wall; bicycles have a tenth.
    let strength = if model.headlamps_m.len() > 1 { 0.12 } else { 0.012 };
    site.lamps.push(Lamp {
        motion: Motion::Carried { by: by.clone(), object_from_x: Pose::new(down, middle) },
        colour: [strength, 0.95 * strength, 0.85 * strength],
        half_angle_rad: 0.3,
    });
}

/// Limbs at each step.
#[derive(Default)]
struct Limbs {
    bones: Vec<Vec<(Bone, Part)>>,
    legs: Vec<Vec<(Limb, Part)>>,
}

fn limb_poses(take: &Take<'_>) -> Limbs {
    let mut limbs = Limbs::default();
    let mut phase = 0.37 * (take.moments.len() % 7) as f64 + take.boxes[0].centre_m.x.abs();
    let mut before = take.moments[0].walked_m;
    for (step, moment) in take.moments.iter().enumerate() {
        let moved = moment.walked_m - before;
        before = moment.walked_m;
        // Who slows down takes shorter steps.
        let swing = (moment.speed_m_s / 0.6).clamp(0.0, 1.0);
        let time_s = step as f64 * STEP_S;
        let head_rad =
            if take.still { 0.0 } else { 0.35 * (0.6 * time_s + take.boxes[0].centre_m.y).sin() };
        if let Some(person) = take.model.person {
            let placed = match take.model.saddle {
                // One turn of the pedals for 2.8 turns of a wheel of 0.34 m.
                Some(saddle) => {
                    let crank_rad = moment.walked_m / (2.8 * 0.34);
                    person.on_saddle(&saddle, crank_rad, head_rad)
                }
                None => {
                    let run = ((moment.speed_m_s - 1.9) / 0.6).clamp(0.0, 1.0);
                    phase += moved / person.stride_m(run);
                    person.on_foot(&Stride { phase, swing, run, head_rad })
                }
            };
            limbs.bones.push(placed);
        }
        if let Some(animal) = take.model.animal {
            phase += moved / animal.stride_m();
            limbs.legs.push(animal.limbs(phase, swing));
        }
    }
    limbs
}

/// `object_from_part` of a piece at each step, and by how much finer than [`STEP_S`] the steps are.
fn joint_poses(take: &Take<'_>, joint: &Joint, limbs: &Limbs) -> (Vec<Part>, usize) {
    let lower = Vector3::new(0.0, 0.0, -0.5 * take.model.size_m[2]);
    let shifted = |pose: Part| Pose::new(pose.rotation, pose.translation + lower);
    let at = |offset: Vector3<f64>| Pose::new(UnitQuaternion::identity(), offset + lower);
    let turned = |axis: nalgebra::UnitVector3<f64>, angle: f64| {
        UnitQuaternion::from_axis_angle(&axis, angle)
    };
    match *joint {
        Joint::Fixed => (vec![at(Vector3::zeros())], 1),
        Joint::Wheel { centre_m, radius_m, steers } => {
            wheel_poses(take, centre_m, radius_m, steers)
        }
        Joint::Lens { signal, retract_m } => {
            let shown = |(step, moment): (usize, &Moment)| {
                let on = is_lit(take.agent, signal, moment, step as f64 * STEP_S);
                at(if on { Vector3::zeros() } else { retract_m })
            };
            (take.moments.iter().enumerate().map(shown).collect(), 1)
        }
        Joint::Door { hinge_m, sense } => {
            let swung = |m: &Moment| {
                let rotation = turned(Vector3::z_axis(), -sense * m.door_rad);
                Pose::new(rotation, hinge_m + lower)
            };
            // A left door opens by swinging its rear edge outwards: clockwise seen from above.
            (take.moments.iter().map(swung).collect(), 1)
        }
        Joint::Crank { centre_m } => {
            let turn = |m: &Moment| {
                let rotation = turned(Vector3::y_axis(), m.walked_m / (2.8 * 0.34));
                Pose::new(rotation, centre_m + lower)
            };
            (take.moments.iter().map(turn).collect(), 1)
        }
        Joint::Bone(bone) => {
            (limbs.bones.iter().map(|placed| shifted(find(placed, &bone))).collect(), 1)
        }
        Joint::Limb(limb) => {
            (limbs.legs.iter().map(|placed| shifted(find(placed, &limb))).collect(), 1)
        }
    }
}

fn find<K: PartialEq>(placed: &[(K, Part)], key: &K) -> Part {
    placed.iter().find(|(known, _)| known == key).map_or_else(Pose::identity, |(_, pose)| *pose)
}

fn is_lit(agent: &Agent, signal: Signal, moment: &Moment, time_s: f64) -> bool {
    let parked = agent.mind == Mind::Stand;
    // 1.5 flashes a second (UN regulation 6: 90 a minute).
    let flash = (time_s * 1.5).fract() < 0.5;
    match signal {
        Signal::Brake => !parked && (moment.accel_m_s2 < -0.6 || moment.speed_m_s < 0.05),
        Signal::Left => moment.blink == Some(true) && flash,
        Signal::Right => moment.blink == Some(false) && flash,
        Signal::Beacon => agent.beacon && (time_s * 2.0).fract() < 0.5,
    }
}

/// A wheel rolls as far as its hub moves in the direction in which it points.
fn wheel_poses(
    take: &Take<'_>,
    hub_m: Vector3<f64>,
    radius_m: f64,
    steers: bool,
) -> (Vec<Part>, usize) {
    let count = take.boxes.len();
    let mut angles = Vec::with_capacity(count);
    let mut angle = 0.0;
    for (i, box_) in take.boxes.iter().enumerate() {
        let hub = |b: &Footprint| {
            let (sin, cos) = b.heading_rad.sin_cos();
            b.centre_m
                + nalgebra::Vector2::new(
                    cos * hub_m.x - sin * hub_m.y,
                    sin * hub_m.x + cos * hub_m.y,
                )
        };
        let before = &take.boxes[i.saturating_sub(1)];
        let steering = if steers { take.moments[i].steering_rad } else { 0.0 };
        let (sin, cos) = (box_.heading_rad + steering).sin_cos();
        angle += (hub(box_) - hub(before)).dot(&nalgebra::Vector2::new(cos, sin)) / radius_m;
        angles.push((angle, steering));
    }
    // Poses in between are interpolated the short way round: no step may turn a wheel by half a turn.
    let fastest = angles.windows(2).map(|p| (p[1].0 - p[0].0).abs()).fold(0.0, f64::max);
    let finer = ((fastest / 2.0).ceil() as usize).max(1);
    let offset = hub_m - Vector3::z() * (0.5 * take.model.size_m[2]);
    let pose = |step: usize, share: f64| {
        let next = (step + 1).min(count - 1);
        let lerp = |a: f64, b: f64| a + (b - a) * share;
        let (angle, steering) =
            (lerp(angles[step].0, angles[next].0), lerp(angles[step].1, angles[next].1));
        let spin = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), angle);
        let steer = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), steering);
        // Springs move the body, not the wheels.
        let sprung = |i: usize| take.lifted.body[i].inverse() * take.lifted.level[i];
        let object_from_level: Pose<frames::Object, frames::Object> =
            sprung(step).interpolate(&sprung(next), share);
        object_from_level * Pose::new(steer * spin, offset)
    };
    if take.still {
        return (vec![pose(0, 0.0)], 1);
    }
    let fine =
        (0..(count - 1) * finer + 1).map(|i| pose(i / finer, (i % finer) as f64 / finer as f64));
    (fine.collect(), finer)
}
