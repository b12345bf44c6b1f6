//! Properties of whole sites.

use nalgebra::{Point3, Vector3};

use super::*;
use crate::actors::{Joint, class_of};
use crate::motion::Motion;
use crate::scenario::Scenario;
use crate::site::{Actor, Site};

fn scenario(text: &str) -> Scenario {
    Scenario::parse(text).unwrap()
}

fn busy(setting: &str) -> Scenario {
    scenario(&format!(
        "duration_s = 6.0\n[place]\nsetting = \"{setting}\"\n[traffic]\nvehicles_per_km = 20.0\n\
         people_per_100_m = 4.0\nheavy = 0.3\ncyclists_per_km = 3.0"
    ))
}

#[test]
fn nobody_passes_through_anybody() {
    for seed in 0..6 {
        let setting = ["urban", "suburban", "rural", "motorway"][seed as usize % 4];
        let (site, report) = Site::build_with_report(&busy(setting), seed).unwrap();
        assert_eq!(first_overlap(&site, 6.0), None, "{setting} {seed}");
        assert!(report.agents > 3, "{setting} {seed} has {} participants", report.agents);
    }
}

#[test]
fn the_same_seed_gives_the_same_site() {
    let build = |seed| Site::build(&busy("urban"), seed).unwrap();
    let (a, b, c) = (build(3), build(3), build(4));
    assert_eq!(a.actors, b.actors);
    assert_eq!(a.instances, b.instances);
    assert_eq!(a.ego, b.ego);
    assert_ne!(a.ego, c.ego);
}

/// Vehicles that move.
fn vehicles(site: &Site) -> impl Iterator<Item = &Actor> {
    let classes = ["car", "van", "truck", "bus", "trailer"].map(class_of);
    site.actors.iter().filter(move |a| classes.contains(&a.class) && !a.motion.is_still())
}

#[test]
fn vehicles_drive_where_they_look_and_stand_on_the_ground() {
    let site = Site::build(&busy("urban"), 5).unwrap();
    let mut moved = 0;
    for actor in vehicles(&site) {
        for tick in 0..50 {
            let time_s = 0.1 * f64::from(tick);
            let (now, later) = (actor.motion.at(time_s), actor.motion.at(time_s + 0.1));
            let ahead = now.rotate(&Vector3::x());
            let step = later.translation - now.translation;
            if step.norm() > 0.3 {
                moved += 1;
                let along = step.normalize().dot(&ahead);
                assert!(along > 0.93, "{:?} at {time_s} s: {along}", actor.track);
            }
            let foot = now * Point3::new(0.0, 0.0, -0.5 * actor.size_m[2]);
            if let Some(ground) = site.roads.ground(foot.x, foot.y) {
                let gap = foot.z - ground.height_m;
                // Between its axles a long vehicle spans dips and crests.
                let most = 0.12 + 0.03 * actor.size_m[0];
                assert!(gap.abs() < most, "{:?} is {gap} m off the ground", actor.size_m);
            }
        }
    }
    assert!(moved > 100, "{moved} steps were looked at");
}

#[test]
fn wheels_roll_without_slipping() {
    let site = Site::build(&busy("suburban"), 2).unwrap();
    let model = crate::actors::car(crate::actors::CAR_STYLES[0], [0.5; 3], false, false);
    let wheels: Vec<usize> = (0..model.pieces.len())
        .filter(|i| matches!(model.pieces[*i].joint, Joint::Wheel { steers: false, .. }))
        .collect();
    let mut checked = 0;
    for actor in vehicles(&site).filter(|a| a.class == class_of("car")) {
        let part = actor.parts[wheels[0]];
        let instance = &site.instances[part as usize];
        let mesh = &site.meshes[instance.mesh.0 as usize];
        let radius =
            mesh.vertices_m.iter().map(|v| f64::from(v[0].hypot(v[2]))).fold(0.0, f64::max);
        let Motion::Jointed { .. } = instance.motion else { continue };
        for tick in 0..80 {
            let time_s = 0.5 + 0.05 * f64::from(tick);
            let step_s = 0.01;
            let (now, later) = (instance.motion.at(time_s), instance.motion.at(time_s + step_s));
            let moved = later.translation - now.translation;
            if moved.norm() < 0.02 {
                continue;
            }
            // The lowest point of the tyre rests: the hub's motion is undone by the turning.
            let turn = (now.inverse() * later).rotation.scaled_axis();
            let in_world = now.rotate(&turn);
            let rim = in_world.cross(&Vector3::new(0.0, 0.0, -radius));
            // Bumps move the hub up and down; rolling is along the ground.
            let slip = (moved + rim).xy().norm() / moved.xy().norm();
            assert!(slip < 0.08, "{:?} slips by {slip} at {time_s} s", actor.track);
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} steps were looked at");
}

#[test]
fn people_keep_their_keypoints_within_reach_of_their_boxes() {
    let site = Site::build(&busy("urban"), 1).unwrap();
    let people = site.actors.iter().filter(|a| !a.keypoints.is_empty());
    let mut count = 0;
    for actor in people {
        assert_eq!(actor.keypoints.len(), 17);
        for time_s in [0.0, 1.37, 4.2] {
            let box_from_world = actor.motion.at(time_s).inverse();
            for keypoint in &actor.keypoints {
                let p = site.world_from_part(keypoint.part, time_s)
                    * Point3::from(keypoint.p_in_part_m);
                let q = box_from_world * p;
                for (axis, size) in actor.size_m.iter().enumerate() {
                    assert!(q[axis].abs() < 0.5 * size + 0.25, "{q} of {:?}", actor.size_m);
                }
            }
        }
        count += 1;
    }
    assert!(count > 3, "{count} people");
}

#[test]
fn boxes_hold_what_is_fixed_to_them() {
    let site = Site::build(&busy("motorway"), 9).unwrap();
    for actor in vehicles(&site) {
        let world_from_object = actor.motion.at(1.0);
        for part in &actor.parts {
            let instance = &site.instances[*part as usize];
            let pose = world_from_object.inverse() * instance.motion.at(1.0);
            for v in &site.meshes[instance.mesh.0 as usize].vertices_m {
                let q = pose * Point3::new(f64::from(v[0]), f64::from(v[1]), f64::from(v[2]));
                for (axis, size) in actor.size_m.iter().enumerate() {
                    let over = q[axis].abs() - 0.5 * size;
                    assert!(over < 0.06, "{over} m out of {:?} along {axis}", actor.size_m);
                }
            }
        }
    }
}
