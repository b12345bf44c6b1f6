//! Things that lie about: lost loads, crates, tyres, balls.

use nalgebra::{Point3, Vector3};

use super::build::{Builder, Paints};
use super::model::{Joint, Model, material};
use crate::look::Texture;

/// Kinds of loose objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A wooden crate.
    Crate,
    /// A lost tyre, lying.
    Tyre,
    /// A ball.
    Ball,
    /// Planks and a sack that fell off a lorry.
    Load,
    /// A wheeled bin.
    Bin,
}

type P = Point3<f64>;

/// A loose object.
pub fn object(item: Item, colour: [f32; 3]) -> Model {
    let size = match item {
        Item::Crate => [0.8, 0.6, 0.55],
        Item::Tyre => [0.64, 0.64, 0.2],
        Item::Ball => [0.24, 0.24, 0.24],
        Item::Load => [1.9, 1.4, 0.6],
        Item::Bin => [0.74, 0.58, 1.08],
    };
    let mut model = Model::empty("debris", size);
    let mut paints = Paints::default();
    let main = paints.id(material(Texture::Plain, colour, 0.3));
    let wood = paints.id(material(Texture::Wood, [0.38, 0.26, 0.15], 0.05));
    let rubber = paints.id(material(Texture::Rubber, [0.025, 0.025, 0.025], 0.1));
    let cloth = paints.id(material(Texture::Cloth, [0.55, 0.5, 0.4], 0.02));
    let mut b = Builder::new(model.class, main);
    match item {
        Item::Crate => {
            b.paint(wood).cuboid(P::new(0.0, 0.0, 0.275), Vector3::new(0.38, 0.28, 0.255));
            for z in [0.06, 0.275, 0.49] {
                b.cuboid(P::new(0.0, 0.0, z), Vector3::new(0.4, 0.3, 0.06));
            }
        }
        Item::Tyre => tyre(&mut b, rubber),
        Item::Ball => {
            b.ellipsoid(P::origin(), Vector3::new(0.12, 0.12, 0.12), 20);
        }
        Item::Load => {
            b.paint(wood);
            for (i, (x, y)) in
                [(-0.1, 0.3), (0.1, 0.05), (-0.05, -0.2), (0.05, -0.45)].into_iter().enumerate()
            {
                let lift = 0.05 + 0.03 * (i % 2) as f64;
                b.cuboid(P::new(x, y, lift), Vector3::new(0.8 + 0.03 * i as f64, 0.1, 0.03));
            }
            b.cuboid(P::new(0.2, -0.05, 0.16), Vector3::new(0.5, 0.5, 0.04));
            b.paint(cloth).ellipsoid(P::new(0.3, 0.1, 0.36), Vector3::new(0.42, 0.3, 0.2), 14);
            b.paint(main).cuboid(P::new(-0.5, -0.3, 0.3), Vector3::new(0.25, 0.2, 0.18));
        }
        Item::Bin => {
            b.frustum(
                P::new(0.0, 0.0, 0.55),
                Vector3::new(0.28, 0.22, 0.45),
                [0.34, 0.28],
                [0.0, 0.0],
            );
            b.cuboid(P::new(0.0, 0.0, 1.03), Vector3::new(0.36, 0.285, 0.04));
            b.paint(rubber).capsule(
                P::new(-0.24, 0.2, 0.1),
                P::new(-0.24, -0.2, 0.1),
                [0.1, 0.1],
                12,
            );
        }
    }
    let centre_m = Vector3::new(0.0, 0.0, 0.12);
    let joint = match item {
        Item::Ball => Joint::Wheel { centre_m, radius_m: 0.12, steers: false },
        _ => Joint::Fixed,
    };
    model.push(b, joint);
    model.materials = paints.0;
    model
}

/// A tyre on its side: the ring of a wheel without its rim.
fn tyre(b: &mut Builder, rubber: crate::site::MaterialId) {
    let profile = [
        (0.19, 0.19),
        (0.29, 0.2),
        (0.32, 0.14),
        (0.32, 0.06),
        (0.29, 0.0),
        (0.19, 0.01),
        (0.19, 0.19),
    ];
    let rings: Vec<Vec<P>> = profile
        .iter()
        .map(|&(r, z): &(f64, f64)| {
            (0..24)
                .map(|i| {
                    let angle = std::f64::consts::TAU * f64::from(i) / 24.0;
                    P::new(r * angle.cos(), r * angle.sin(), z)
                })
                .collect()
        })
        .collect();
    b.loft(&rings, |_, _| rubber);
}
