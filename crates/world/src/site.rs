//! A world once it is built: meshes, where each of them is at any time, and what it looks like.
//!
//! Roads, surroundings and traffic fill a [`Site`]; the sensors film it. All poses are in the frame
//! `World` of the site; a clip begins at its own first ego pose, see [`crate::Drive`].

use ommatidia_geometry::{Ego, Pose, World, frames};
use ommatidia_scene::{ClassId, TrackId};

use crate::look::{Environment, Lamp, Material};
use crate::motion::Motion;

/// Index into [`Site::meshes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeshId(pub u32);

/// Index into [`Site::materials`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaterialId(pub u16);

/// Index into [`Site::actors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub u32);

/// Three corners, counter-clockwise seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triangle {
    /// Indices into [`Mesh::vertices_m`].
    pub corners: [u32; 3],
    /// What it is made of.
    pub material: MaterialId,
    /// What it is.
    pub class: ClassId,
}

/// Triangles of one rigid piece, in its frame `Part`: metres, z up, for actors x forward and y left.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mesh {
    /// Corners, metres.
    pub vertices_m: Vec<[f32; 3]>,
    /// Faces.
    pub triangles: Vec<Triangle>,
}

/// One mesh placed in the world. Many instances may share a mesh.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Which mesh.
    pub mesh: MeshId,
    /// `world_from_part` at any time.
    pub motion: Motion<frames::Part>,
    /// The actor that it is a part of; `None` for what belongs to the street.
    pub actor: Option<ActorId>,
    /// The identity of a countable thing in instance maps (a car, a tree, a pole); 0 for none. All
    /// parts of an actor carry its track.
    pub instance: u32,
}

/// A countable thing with a box: vehicles, people, animals, loose objects, parked or moving.
#[derive(Debug, Clone, PartialEq)]
pub struct Actor {
    /// The same in every frame; equal to the `instance` of its parts.
    pub track: TrackId,
    /// What it is.
    pub class: ClassId,
    /// Length (x), width (y), height (z) of its box at rest, metres; holds all parts but swinging limbs.
    pub size_m: [f64; 3],
    /// `world_from_object`, the box's centre, at any time.
    pub motion: Motion<frames::Object>,
    /// Its parts among [`Site::instances`].
    pub parts: Vec<u32>,
    /// COCO's 17 keypoints, each fixed to one part; empty for what is no person.
    pub keypoints: Vec<PartPoint>,
}

/// A point that is fixed to an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartPoint {
    /// Index into [`Site::instances`].
    pub part: u32,
    /// Position in the frame of that part, metres.
    pub p_in_part_m: [f64; 3],
}

/// Everything that can be filmed.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Shapes.
    pub meshes: Vec<Mesh>,
    /// Their materials.
    pub materials: Vec<Material>,
    /// What stands or moves where.
    pub instances: Vec<Instance>,
    /// Countable things; the vehicle that carries the rig is not among them.
    pub actors: Vec<Actor>,
    /// Sources of light besides sun and sky.
    pub lamps: Vec<Lamp>,
    /// Light and weather.
    pub environment: Environment,
    /// Road network: lanes, crossings, ground.
    pub roads: crate::roads::Network,
    /// `world_from_ego` of the vehicle that carries the rig.
    pub ego: Motion<Ego>,
}

impl Site {
    /// Adds a mesh.
    pub fn add_mesh(&mut self, mesh: Mesh) -> MeshId {
        self.meshes.push(mesh);
        MeshId(u32::try_from(self.meshes.len() - 1).expect("fewer than 2^32 meshes"))
    }

    /// The material, added if there is no equal one yet.
    pub fn add_material(&mut self, material: Material) -> MaterialId {
        let found = self.materials.iter().position(|known| *known == material);
        let index = found.unwrap_or_else(|| {
            self.materials.push(material);
            self.materials.len() - 1
        });
        MaterialId(u16::try_from(index).expect("fewer than 65536 materials"))
    }

    /// Adds an instance; its index.
    pub fn add_instance(&mut self, instance: Instance) -> u32 {
        self.instances.push(instance);
        u32::try_from(self.instances.len() - 1).expect("fewer than 2^32 instances")
    }

    /// Where an instance is.
    pub fn world_from_part(&self, instance: u32, time_s: f64) -> Pose<World, frames::Part> {
        self.instances[instance as usize].motion.at(time_s)
    }
}
