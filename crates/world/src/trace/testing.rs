//! A small site made by hand: flat ground, houses, and a car with a swinging arm.

use std::sync::Arc;

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::{Ego, Pose, World, frames};
use ommatidia_scene::{ClassId, Taxonomy, TrackId};

use crate::look::{Material, Texture};
use crate::motion::{Keys, Motion};
use crate::roads::{Facet, Finish, Ground, GroundClass, Network};
use crate::site::{Actor, ActorId, Instance, MaterialId, Mesh, PartPoint, Site, Triangle};

/// Index of the car's body and of its arm among the instances.
pub(crate) const BODY: u32 = 5;
pub(crate) const ARM: u32 = 6;
/// The car's track.
pub(crate) const CAR: u64 = 7;

fn class(name: &str) -> ClassId {
    Taxonomy::driving().id(name).unwrap()
}

fn material(texture: Texture, colour: [f32; 3]) -> Material {
    Material { texture, colour, gloss: 0.1, emission: 0.0 }
}

/// A box around the origin of its part, corners counter-clockwise from outside.
pub(crate) fn cuboid(half: [f32; 3], material: MaterialId, class: ClassId) -> Mesh {
    let corner = |i: u32| {
        let side = |axis: usize| if i >> axis & 1 == 1 { half[axis] } else { -half[axis] };
        [side(0), side(1), side(2)]
    };
    let faces =
        [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
    let triangles = faces.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]);
    Mesh {
        vertices_m: (0..8).map(corner).collect(),
        triangles: triangles.map(|corners| Triangle { corners, material, class }).collect(),
    }
}

fn turned<A, B>(yaw: f64, at: [f64; 3]) -> Pose<A, B> {
    Pose::new(UnitQuaternion::from_euler_angles(0.0, 0.0, yaw), at.into())
}

fn ground() -> Network {
    let vertices_m =
        vec![[-80.0, -80.0, 0.03], [120.0, -80.0, 0.03], [120.0, 80.0, 0.03], [-80.0, 80.0, 0.03]];
    let facet = |corners| Facet { corners, finish: 0 };
    let finish = Finish {
        class: GroundClass::Road,
        material: material(Texture::Asphalt, [0.12, 0.12, 0.12]),
    };
    let facets = vec![facet([0, 1, 2]), facet([0, 2, 3])];
    Network {
        ground: Arc::new(Ground::new(vertices_m, facets, vec![finish])),
        ..Network::default()
    }
}

/// The site: ground, four houses, a car that turns while its arm swings, a vehicle that drives a bend.
pub(crate) fn site() -> Site {
    let mut site = Site { roads: ground(), ..Site::default() };
    let roads = site.roads.clone();
    roads.add_ground(&mut site);
    let brick = site.add_material(material(Texture::Brick, [0.5, 0.3, 0.2]));
    let house = site.add_mesh(cuboid([4.0, 3.0, 2.5], brick, class("building")));
    for (i, (x, y, yaw)) in
        [(14.0, 9.0, 0.2), (16.0, -9.0, -0.4), (-12.0, 8.0, 1.0), (30.0, 3.0, 0.7)]
            .into_iter()
            .enumerate()
    {
        let motion = Motion::Still(turned(yaw, [x, y, 2.52]));
        site.add_instance(Instance { mesh: house, motion, actor: None, instance: i as u32 + 1 });
    }
    add_car(&mut site);
    let ego = |i: i32| {
        let t = 0.1 * f64::from(i);
        turned::<World, Ego>(0.25 * t, [8.0 * t, t * t, 0.03])
    };
    site.ego = Motion::Keyed(Arc::new(Keys {
        start_s: -1.0,
        step_s: 0.1,
        poses: (-10..40).map(ego).collect(),
    }));
    site
}

fn add_car(site: &mut Site) {
    let lacquer = site.add_material(material(Texture::Lacquer, [0.1, 0.2, 0.6]));
    let path = |i: i32| {
        let t = 0.1 * f64::from(i);
        turned::<World, frames::Object>(2.8 + 0.4 * t, [11.0 - 6.0 * t, 3.0 - 0.5 * t, 0.85])
    };
    let by = Arc::new(Keys { start_s: -1.0, step_s: 0.1, poses: (-10..40).map(path).collect() });
    let swing = |i: i32| {
        let turn = UnitQuaternion::from_euler_angles(0.0, 0.12 * f64::from(i), 0.0);
        Pose::new(turn, Vector3::new(0.3, 0.0, 0.8))
    };
    let swinging = Keys { start_s: -1.0, step_s: 0.05, poses: (-20..80).map(swing).collect() };
    let body = site.add_mesh(cuboid([2.0, 0.9, 0.6], lacquer, class("car")));
    let arm = site.add_mesh(cuboid([0.7, 0.15, 0.15], lacquer, class("car")));
    let actor = Some(ActorId(0));
    let part = |mesh, motion| Instance { mesh, motion, actor, instance: CAR as u32 };
    let carried = Motion::Carried { by: by.clone(), object_from_x: Pose::identity() };
    let jointed = Motion::Jointed { by: by.clone(), object_from_x: Arc::new(swinging) };
    assert_eq!(site.add_instance(part(body, carried)), BODY);
    assert_eq!(site.add_instance(part(arm, jointed)), ARM);
    let point = |part, p_in_part_m| PartPoint { part, p_in_part_m };
    site.actors.push(Actor {
        track: TrackId(CAR),
        class: class("car"),
        size_m: [4.4, 1.9, 3.4],
        motion: Motion::Keyed(by),
        parts: vec![BODY, ARM],
        keypoints: vec![point(ARM, [0.6, 0.0, 0.0]), point(BODY, [0.0, 0.0, 0.0])],
    });
}
