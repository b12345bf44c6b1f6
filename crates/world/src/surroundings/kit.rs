//! What all makers of surroundings share: materials, classes, random numbers, and the site.

use std::collections::HashMap;

use nalgebra::{Point3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Pose, World, frames};
use ommatidia_scene::{ClassId, Taxonomy};

use super::FIRST_INSTANCE;
use super::solid::{Paint, Solid};
use crate::look::{Lamp, Material, Texture};
use crate::motion::Motion;
use crate::noise::{Stream, mix};
use crate::site::{Instance, MaterialId, MeshId, Site};

pub(crate) struct Kit<'a> {
    site: &'a mut Site,
    taxonomy: Taxonomy,
    seed: u64,
    next_instance: u32,
    pub(crate) lit: bool,
    known: HashMap<(u8, [u32; 5]), MaterialId>,
    shared: HashMap<(&'static str, u32), MeshId>,
}

impl<'a> Kit<'a> {
    pub(crate) fn new(site: &'a mut Site, seed: u64, lit: bool) -> Self {
        Self {
            site,
            taxonomy: Taxonomy::driving(),
            seed,
            next_instance: FIRST_INSTANCE,
            lit,
            known: HashMap::new(),
            shared: HashMap::new(),
        }
    }

    /// Random numbers for one purpose: what one maker draws does not disturb another.
    pub(crate) fn stream(&self, purpose: &str) -> Stream {
        let hash = purpose.bytes().fold(0u64, |hash, byte| mix(hash ^ u64::from(byte)));
        Stream::new(self.seed ^ hash)
    }

    pub(crate) fn paint(&mut self, class: &str, texture: Texture, colour: [f32; 3]) -> Paint {
        self.paint_with(class, texture, colour, [0.1, 0.0])
    }

    /// Paint with gloss and emission.
    pub(crate) fn paint_with(
        &mut self,
        class: &str,
        texture: Texture,
        colour: [f32; 3],
        [gloss, emission]: [f32; 2],
    ) -> Paint {
        let [r, g, b] = colour;
        let key = (texture as u8, [r, g, b, gloss, emission].map(f32::to_bits));
        let site = &mut *self.site;
        let material = *self
            .known
            .entry(key)
            .or_insert_with(|| site.add_material(Material { texture, colour, gloss, emission }));
        let class: ClassId = self.taxonomy.id(class).unwrap_or(ClassId::UNKNOWN);
        Paint { material, class }
    }

    /// A mesh that several instances share, made once.
    pub(crate) fn shared(
        &mut self,
        name: &'static str,
        variant: u32,
        make: impl FnOnce(&mut Self) -> Solid,
    ) -> MeshId {
        if let Some(known) = self.shared.get(&(name, variant)) {
            return *known;
        }
        let solid = make(self);
        let id = self.site.add_mesh(solid.finish());
        self.shared.insert((name, variant), id);
        id
    }

    pub(crate) fn add_mesh(&mut self, solid: Solid) -> MeshId {
        self.site.add_mesh(solid.finish())
    }

    /// Places a mesh as a thing of its own.
    pub(crate) fn stand(&mut self, mesh: MeshId, world_from_part: Pose<World, frames::Part>) {
        let instance = self.count();
        self.place(mesh, Motion::Still(world_from_part), instance);
    }

    /// Places a mesh as a part of nothing countable: grass.
    pub(crate) fn strew(&mut self, mesh: MeshId, world_from_part: Pose<World, frames::Part>) {
        self.place(mesh, Motion::Still(world_from_part), 0);
    }

    /// The identity of a new thing.
    pub(crate) fn count(&mut self) -> u32 {
        self.next_instance += 1;
        self.next_instance - 1
    }

    pub(crate) fn place(&mut self, mesh: MeshId, motion: Motion<frames::Part>, instance: u32) {
        self.site.add_instance(Instance { mesh, motion, actor: None, instance });
    }

    /// A lamp, if lamps are on.
    pub(crate) fn lamp(
        &mut self,
        p: Point3<f64>,
        toward: Vector3<f64>,
        colour: [f32; 3],
        half: f32,
    ) {
        if !self.lit {
            return;
        }
        let turn = UnitQuaternion::rotation_between(&Vector3::x(), &toward)
            .unwrap_or_else(|| UnitQuaternion::from_euler_angles(0.0, 0.0, std::f64::consts::PI));
        let motion = Motion::Still(Pose::new(turn, p.coords));
        self.site.lamps.push(Lamp { motion, colour, half_angle_rad: half });
    }
}

/// One of several.
pub(crate) fn pick<T: Copy>(stream: &mut Stream, choices: &[T]) -> T {
    let index = stream.range(0.0, choices.len() as f64) as usize;
    choices[index.min(choices.len() - 1)]
}

/// A frame that stands on the ground, turned about the vertical.
pub(crate) fn standing(p: Point3<f64>, yaw_rad: f64) -> Pose<World, frames::Part> {
    Pose::new(UnitQuaternion::from_euler_angles(0.0, 0.0, yaw_rad), p.coords)
}

/// A frame whose x axis runs from one point to another and whose y axis is level.
pub(crate) fn between(from: Point3<f64>, to: Point3<f64>) -> Pose<World, frames::Part> {
    let along = to - from;
    let yaw = along.y.atan2(along.x);
    let pitch = -along.z.atan2(along.xy().norm());
    Pose::new(UnitQuaternion::from_euler_angles(0.0, pitch, yaw), from.coords)
}
