//! Dogs and deer.

use nalgebra::{Point3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Pose, frames};

use super::build::{Builder, Paints};
use super::model::{Joint, Limb, Model, material};
use super::skeleton::{hang, reach};
use crate::look::Texture;

type P = Point3<f64>;

/// Where the legs of an animal sit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Height of shoulders and hips, metres.
    pub hips_m: f64,
    /// Half the distance between shoulders and hips along the trunk, metres.
    pub half_m: f64,
    /// Half the distance between left and right legs, metres.
    pub across_m: f64,
    /// Thickness of the trunk, metres.
    pub girth_m: f64,
}

/// Kinds of animals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Species {
    /// A dog of 0.6 m at the shoulder.
    Dog,
    /// A roe deer of 0.75 m at the shoulder.
    RoeDeer,
    /// A red deer stag of 1.2 m at the shoulder.
    Stag,
}

impl Frame {
    fn of(species: Species) -> Self {
        match species {
            Species::Dog => Self { hips_m: 0.5, half_m: 0.28, across_m: 0.08, girth_m: 0.13 },
            Species::RoeDeer => Self { hips_m: 0.64, half_m: 0.36, across_m: 0.09, girth_m: 0.15 },
            Species::Stag => Self { hips_m: 1.02, half_m: 0.6, across_m: 0.15, girth_m: 0.26 },
        }
    }

    /// Length of a stride, metres.
    pub fn stride_m(&self) -> f64 {
        1.5 * self.hips_m
    }

    /// Trunk and legs in a trot: diagonal legs move together. `phase` counts strides, `swing` is 0
    /// for standing. The object's frame here has its origin on the ground.
    pub fn limbs(&self, phase: f64, swing: f64) -> Vec<(Limb, Pose<frames::Object, frames::Part>)> {
        let bob = 0.02 * self.hips_m * swing * (4.0 * std::f64::consts::PI * phase).cos();
        let trunk = Vector3::new(0.0, 0.0, self.hips_m + bob);
        let mut placed = vec![(Limb::Trunk, Pose::new(UnitQuaternion::identity(), trunk))];
        let half = 0.53 * self.hips_m;
        for leg in 0..4 {
            let front = leg < 2;
            let side = if leg % 2 == 0 { 1.0 } else { -1.0 };
            let diagonal = if leg == 0 || leg == 3 { 0.0 } else { 0.5 };
            let p = (phase + diagonal).rem_euclid(1.0);
            let length = self.stride_m();
            let (x, lift) = if p < 0.5 {
                (length * (0.25 - p), 0.0)
            } else {
                let u = 2.0 * (p - 0.5);
                (length * (-0.25 + 0.5 * u * u * (3.0 - 2.0 * u)), (std::f64::consts::PI * u).sin())
            };
            let along = if front { self.half_m } else { -self.half_m };
            let root = trunk + Vector3::new(along, side * self.across_m, 0.0);
            let foot =
                Vector3::new(along + swing * x, root.y, 0.03 + 0.12 * self.hips_m * lift * swing);
            let pole = Vector3::new(if front { -1.0 } else { 1.0 }, 0.0, 0.0);
            let [knee, end] = reach(root, foot, [half, half], &pole);
            let forward = Vector3::x();
            placed.push((Limb::Upper(leg), Pose::new(hang(&(knee - root), &forward), root)));
            placed.push((Limb::Lower(leg), Pose::new(hang(&(end - knee), &forward), knee)));
        }
        placed
    }
}

/// An animal.
pub fn animal(species: Species, colour: [f32; 3]) -> Model {
    let frame = Frame::of(species);
    let antlers = species == Species::Stag;
    let (g, half) = (frame.girth_m, frame.half_m);
    let head_z =
        frame.hips_m + if species == Species::Dog { 0.28 } else { 0.75 * frame.hips_m * 0.7 };
    let height = head_z + 0.1 + if antlers { 0.55 } else { 0.06 };
    let length = 2.0 * half + 2.0 * g + if species == Species::Dog { 0.45 } else { 0.35 };
    let mut model = Model::empty("animal", [length, 2.0 * frame.across_m + 1.6 * g, height]);
    let mut paints = Paints::default();
    let fur = paints.id(material(Texture::Skin, colour, 0.05));
    let pale = paints.id(material(Texture::Skin, colour.map(|c| (c * 1.8).min(0.8)), 0.05));
    let dark = paints.id(material(Texture::Skin, colour.map(|c| c * 0.35), 0.1));
    let mut trunk = Builder::new(model.class, fur);
    let at = |x: f64, z: f64| P::new(x, 0.0, z);
    // A spine along x: `limb` takes its first cross axis across it, so the trunk is rounded.
    let spine =
        [(at(-half, 0.02), 0.9 * g), (at(0.0, -0.1 * g), 0.92 * g), (at(half, 0.02), 1.08 * g)];
    trunk.limb(&spine, [1.0, 0.85], 16);
    let neck = at(half + 0.75 * g, 0.7 * (head_z - frame.hips_m));
    let head = at(half + 1.2 * g, head_z - frame.hips_m);
    trunk.limb(&[(at(half, 0.1), 0.75 * g), (neck, 0.5 * g), (head, 0.45 * g)], [1.0, 1.0], 12);
    let muzzle = head + Vector3::new(1.25 * g, 0.0, -0.5 * g);
    trunk.limb(&[(head, 0.48 * g), (muzzle, 0.26 * g)], [1.0, 1.0], 10);
    trunk.paint(dark).ellipsoid(
        muzzle + Vector3::new(0.2 * g, 0.0, 0.05),
        Vector3::new(0.1, 0.12, 0.1) * g,
        8,
    );
    for side in [1.0, -1.0] {
        let ear = head + Vector3::new(-0.15 * g, side * 0.35 * g, 0.2 * g);
        trunk.paint(fur).capsule(
            ear,
            ear + Vector3::new(-0.1 * g, side * 0.3 * g, 0.5 * g),
            [0.14 * g, 0.05 * g],
            6,
        );
        if antlers {
            let mut foot = head + Vector3::new(-0.1, side * 0.07, 0.08);
            trunk.paint(pale);
            for i in 0..4 {
                let next = foot + Vector3::new(-0.06, side * 0.1, 0.12);
                trunk.capsule(foot, next, [0.022, 0.018], 6);
                trunk.capsule(
                    next,
                    next + Vector3::new(0.14 - 0.02 * f64::from(i), 0.0, 0.07),
                    [0.014, 0.006],
                    6,
                );
                foot = next;
            }
        }
    }
    let tail = at(-half - 0.8 * g, 0.3 * g);
    let (tip, paint) = if species == Species::Dog {
        (tail + Vector3::new(-0.22, 0.0, 0.16), fur)
    } else {
        (tail + Vector3::new(-0.06, 0.0, -0.1), pale)
    };
    trunk.paint(paint).capsule(tail, tip, [0.22 * g, 0.12 * g], 8);
    model.push(trunk, Joint::Limb(Limb::Trunk));
    let half_leg = 0.53 * frame.hips_m;
    for leg in 0..4 {
        let end = P::new(0.0, 0.0, -half_leg);
        let mut upper = Builder::new(model.class, fur);
        upper.capsule(P::origin(), end, [0.5 * g, 0.22 * g], 10);
        model.push(upper, Joint::Limb(Limb::Upper(leg)));
        let mut lower = Builder::new(model.class, fur);
        lower.capsule(P::origin(), end + Vector3::z() * 0.03, [0.2 * g, 0.12 * g], 8);
        lower.paint(dark).ellipsoid(end, Vector3::new(0.26, 0.2, 0.2) * g, 8);
        model.push(lower, Joint::Limb(Limb::Lower(leg)));
    }
    model.animal = Some(frame);
    model.materials = paints.0;
    model
}
