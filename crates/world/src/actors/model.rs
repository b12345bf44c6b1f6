//! What an actor is made of: rigid pieces and the joints between them.

use nalgebra::Vector3;
use ommatidia_scene::{ClassId, Taxonomy};

use super::build::{Builder, Paints};
use crate::look::{Material, Texture};
use crate::site::{MaterialId, Mesh};

/// Lamps whose lenses light up while something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Braking.
    Brake,
    /// Blinking for a turn to the left.
    Left,
    /// Blinking for a turn to the right.
    Right,
    /// An emergency vehicle's beacon.
    Beacon,
}

/// Limbs of people; left and right as the person sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bone {
    /// Hips.
    Pelvis,
    /// Belly, chest and shoulders; hinges above the pelvis.
    Torso,
    /// Head and neck.
    Head,
    /// Shoulder to elbow; `true` is left.
    UpperArm(bool),
    /// Elbow to finger tips.
    Forearm(bool),
    /// Hip to knee.
    Thigh(bool),
    /// Knee to ankle.
    Shin(bool),
    /// Foot, hinges at the ankle.
    Foot(bool),
}

/// Limbs of animals on four legs; legs count front left, front right, rear left, rear right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limb {
    /// Trunk with neck, head and tail.
    Trunk,
    /// Upper half of a leg.
    Upper(usize),
    /// Lower half of a leg.
    Lower(usize),
}

/// How a piece moves against its object. Positions are on the object's ground frame: below the centre
/// of its box, x forward, y left, z up, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Joint {
    /// With the object; the part's origin is at the ground frame's.
    Fixed,
    /// Rolls about its y axis, and steers with the front wheels if it is one.
    Wheel {
        /// Hub.
        centre_m: Vector3<f64>,
        /// Rolling radius.
        radius_m: f64,
        /// Turns with the steering.
        steers: bool,
    },
    /// A lit lens that shows only while its signal is on.
    Lens {
        /// Which.
        signal: Signal,
        /// Into the body, where it hides; metres.
        retract_m: Vector3<f64>,
    },
    /// A leaf that turns about the vertical through its origin.
    Door {
        /// Hinge.
        hinge_m: Vector3<f64>,
        /// +1 for a left door, -1 for a right one: the sense in which it opens.
        sense: f64,
    },
    /// A pair of pedals about its origin, at 2.8 wheel turns a turn.
    Crank {
        /// Axle.
        centre_m: Vector3<f64>,
    },
    /// A limb of a person.
    Bone(Bone),
    /// A limb of an animal.
    Limb(Limb),
}

/// One rigid piece.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its faces, in its own frame; materials are positions in [`Model::materials`].
    pub mesh: Mesh,
    /// How it moves.
    pub joint: Joint,
}

/// Where a vehicle's axles are, for its motion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axles {
    /// Front axle (for trailers: the hitch) ahead of the box's centre, metres.
    pub front_m: f64,
    /// Rear axle (or the middle of several) ahead of the box's centre, metres; negative.
    pub rear_m: f64,
    /// Where a trailer is hitched, ahead of the box's centre, metres.
    pub hitch_m: Option<f64>,
}

/// A kind of actor, to be placed any number of times.
#[derive(Debug, Clone)]
pub struct Model {
    /// Class of the whole.
    pub class: ClassId,
    /// Length, width, height of its box, metres.
    pub size_m: [f64; 3],
    /// Axles; people and objects have both at the centre.
    pub axles: Axles,
    /// Materials of its pieces.
    pub materials: Vec<Material>,
    /// Its pieces.
    pub pieces: Vec<Piece>,
    /// Keypoints: position of the piece and point in its frame, metres.
    pub keypoints: Vec<(usize, [f64; 3])>,
    /// Headlamps, on the ground frame, metres.
    pub headlamps_m: Vec<Vector3<f64>>,
    /// Build of the person on or in it, if there is one with limbs.
    pub person: Option<super::skeleton::Build>,
    /// How that person sits, for riders.
    pub saddle: Option<super::skeleton::Saddle>,
    /// Legs of an animal.
    pub animal: Option<super::animal::Frame>,
}

/// The class of this name in [`Taxonomy::driving`].
pub(crate) fn class(name: &str) -> ClassId {
    use std::sync::OnceLock;
    static DRIVING: OnceLock<Taxonomy> = OnceLock::new();
    let taxonomy = DRIVING.get_or_init(Taxonomy::driving);
    taxonomy.id(name).expect("the built-in taxonomy has the classes of actors")
}

pub(crate) fn material(texture: Texture, colour: [f32; 3], gloss: f32) -> Material {
    Material { texture, colour, gloss, emission: 0.0 }
}

pub(crate) fn lit(colour: [f32; 3], emission: f32) -> Material {
    Material { texture: Texture::Plain, colour, gloss: 0.2, emission }
}

/// Materials that most vehicles have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usual {
    pub(crate) body: MaterialId,
    pub(crate) glass: MaterialId,
    pub(crate) dark: MaterialId,
    pub(crate) tyre: MaterialId,
    pub(crate) rim: MaterialId,
    pub(crate) white: MaterialId,
    pub(crate) red: MaterialId,
    pub(crate) amber: MaterialId,
    pub(crate) head: MaterialId,
    pub(crate) brake_lit: MaterialId,
    pub(crate) amber_lit: MaterialId,
    pub(crate) blue_lit: MaterialId,
}

impl Usual {
    /// With this colour of the body; `lamps_on` lights head and tail lamps.
    pub(crate) fn new(paints: &mut Paints, colour: [f32; 3], lamps_on: bool) -> Self {
        let glow = |on: f32| if lamps_on { on } else { 0.0 };
        let mut red = lit([0.35, 0.02, 0.02], glow(0.25));
        let mut head = lit([0.75, 0.76, 0.78], glow(6.0));
        (red.gloss, head.gloss) = (0.6, 0.8);
        Self {
            body: paints.id(material(Texture::Lacquer, colour, 0.6)),
            glass: paints.id(material(Texture::Glass, [0.025, 0.03, 0.035], 0.9)),
            dark: paints.id(material(Texture::Rubber, [0.03, 0.03, 0.033], 0.2)),
            tyre: paints.id(material(Texture::Rubber, [0.022, 0.022, 0.022], 0.05)),
            rim: paints.id(material(Texture::Metal, [0.42, 0.43, 0.44], 0.6)),
            white: paints.id(material(Texture::Plain, [0.75, 0.75, 0.7], 0.3)),
            red: paints.id(red),
            amber: paints.id(material(Texture::Plain, [0.6, 0.25, 0.02], 0.6)),
            head: paints.id(head),
            brake_lit: paints.id(lit([0.9, 0.05, 0.03], 2.5)),
            amber_lit: paints.id(lit([1.0, 0.45, 0.04], 2.5)),
            blue_lit: paints.id(lit([0.1, 0.2, 1.0], 4.0)),
        }
    }
}

impl Model {
    /// A model of one class whose pieces are still to come.
    pub(crate) fn empty(class_name: &str, size_m: [f64; 3]) -> Self {
        Self {
            class: class(class_name),
            size_m,
            axles: Axles { front_m: 0.0, rear_m: 0.0, hitch_m: None },
            materials: Vec::new(),
            pieces: Vec::new(),
            keypoints: Vec::new(),
            headlamps_m: Vec::new(),
            person: None,
            saddle: None,
            animal: None,
        }
    }

    pub(crate) fn push(&mut self, builder: Builder, joint: Joint) -> usize {
        self.pieces.push(Piece { mesh: builder.done(), joint });
        self.pieces.len() - 1
    }

    /// Adds wheels of one size at these hubs (x, y); the first `steering` of them steer.
    pub(crate) fn wheels(
        &mut self,
        usual: &Usual,
        hubs_m: &[[f64; 2]],
        steering: usize,
        radius_m: f64,
        width_m: f64,
    ) {
        for (i, hub) in hubs_m.iter().enumerate() {
            let mut wheel = Builder::new(self.class, usual.tyre);
            wheel.wheel(radius_m, width_m, usual.tyre, usual.rim);
            let centre_m = Vector3::new(hub[0], hub[1], radius_m);
            self.push(wheel, Joint::Wheel { centre_m, radius_m, steers: i < steering });
        }
    }

    /// Adds a lit lens as a thin box that hides by moving `retract_m`.
    pub(crate) fn lens(
        &mut self,
        signal: Signal,
        paint: MaterialId,
        boxes: &[(Vector3<f64>, Vector3<f64>)],
        retract_m: Vector3<f64>,
    ) {
        let mut lens = Builder::new(self.class, paint);
        for (centre, half) in boxes {
            lens.cuboid((*centre).into(), *half);
        }
        self.push(lens, Joint::Lens { signal, retract_m });
    }
}
