//! Vehicles, people, animals and things: their meshes, joints and how they move.

mod animal;
mod build;
mod car;
mod cycle;
mod heavy;
mod hull;
mod model;
mod object;
mod outlines;
mod person;
mod skeleton;

pub use animal::{Frame, Species, animal};
pub use car::{CAR_STYLES, CarStyle, car};
pub use cycle::{bicycle, motorcycle};
pub use heavy::{box_lorry, bus, semitrailer, tractor};
pub(crate) use model::class as class_of;
pub use model::{Axles, Bone, Joint, Limb, Model, Piece, Signal};
pub use object::{Item, object};
pub use person::{Outfit, pedestrian};
pub use skeleton::{Build, Saddle, Stride};
