//! Bicycles and motorcycles with their riders.

use nalgebra::{Point3, Vector3};

use super::build::{Builder, Paints};
use super::model::{Axles, Joint, Model, Signal, Usual, class};
use super::person::{Outfit, add_person};
use super::skeleton::Saddle;

type P = Point3<f64>;

/// A bicycle of 1.78 m with a rider who pedals.
pub fn bicycle(colour: [f32; 3], rider: &Outfit, lamps_on: bool) -> Model {
    let mut paints = Paints::default();
    let usual = Usual::new(&mut paints, colour, lamps_on);
    let (front, rear, radius) = (0.53, -0.53, 0.34);
    let h = rider.stature_m;
    let saddle_z = 0.42 * h + 0.2;
    let hips_z = saddle_z + 0.045 * h;
    let height = hips_z + 0.46 * h;
    let mut model = Model::empty("bicycle", [1.78, 0.62, height]);
    let mut body = Builder::new(model.class, usual.body);
    let at = |x: f64, z: f64| P::new(x, 0.0, z);
    let (crank, seat, head) = (at(-0.1, 0.29), at(-0.26, saddle_z - 0.12), at(0.36, 0.86));
    for (a, b) in [
        (crank, seat),
        (crank, at(0.41, 0.68)),
        (seat, head),
        (crank, at(rear, radius)),
        (seat, at(rear, radius)),
        (head, at(front, radius)),
    ] {
        body.capsule(a, b, [0.018, 0.018], 8);
    }
    body.paint(usual.dark);
    body.capsule(seat, at(-0.28, saddle_z - 0.02), [0.014, 0.014], 8);
    body.ellipsoid(at(-0.28, saddle_z), Vector3::new(0.14, 0.07, 0.03), 10);
    body.capsule(head, at(0.33, 1.0), [0.016, 0.016], 8);
    let hand = Vector3::new(0.33, 0.27, 1.01);
    body.capsule(P::new(0.33, 0.29, 1.01), P::new(0.33, -0.29, 1.01), [0.014, 0.014], 8);
    body.paint(usual.head).ellipsoid(at(0.43, 0.9), Vector3::new(0.03, 0.03, 0.03), 8);
    body.paint(usual.red).ellipsoid(at(-0.47, 0.78), Vector3::new(0.02, 0.03, 0.02), 8);
    model.push(body, Joint::Fixed);
    for (x, steers) in [(front, true), (rear, false)] {
        let mut wheel = Builder::new(model.class, usual.tyre);
        open_wheel(&mut wheel, radius, &usual);
        let centre_m = Vector3::new(x, 0.0, radius);
        model.push(wheel, Joint::Wheel { centre_m, radius_m: radius, steers });
    }
    let mut pedals = Builder::new(model.class, usual.dark);
    pedals.cuboid(P::new(0.0, 0.1, 0.17), Vector3::new(0.045, 0.045, 0.012));
    pedals.cuboid(P::new(0.0, -0.1, -0.17), Vector3::new(0.045, 0.045, 0.012));
    pedals.paint(usual.rim);
    pedals.capsule(P::new(0.0, 0.05, 0.0), P::new(0.0, 0.055, 0.17), [0.012, 0.01], 6);
    pedals.capsule(P::new(0.0, -0.05, 0.0), P::new(0.0, -0.055, -0.17), [0.012, 0.01], 6);
    model.push(pedals, Joint::Crank { centre_m: crank.coords });
    model.saddle = Some(Saddle {
        hips_m: Vector3::new(-0.26, 0.0, hips_z),
        lean_rad: 0.5,
        hand_m: hand,
        foot_m: Vector3::new(crank.x, 0.1, crank.z),
        crank_m: 0.17,
    });
    add_person(&mut model, rider, &mut paints, "rider");
    model.axles = Axles { front_m: front, rear_m: rear, hitch_m: None };
    if lamps_on {
        model.headlamps_m = vec![Vector3::new(0.48, 0.0, 0.9)];
    }
    model.materials = paints.0;
    model
}

/// Tyre, rim and eight spokes, open between them.
fn open_wheel(b: &mut Builder, radius: f64, usual: &Usual) {
    const SIDES: usize = 24;
    let ring = |r: f64, y: f64| -> Vec<P> {
        (0..SIDES)
            .map(|i| {
                let angle = std::f64::consts::TAU * i as f64 / SIDES as f64;
                P::new(r * angle.sin(), y, r * angle.cos())
            })
            .collect()
    };
    let (tyre, rim) = (usual.tyre, usual.rim);
    let (inner, half) = (radius - 0.05, 0.018);
    let rings = [
        ring(inner, half),
        ring(radius - 0.02, half * 1.2),
        ring(radius, 0.0),
        ring(radius - 0.02, -half * 1.2),
        ring(inner, -half),
        ring(inner, half),
    ];
    b.loft(&rings, |i, _| if i == 4 { rim } else { tyre });
    b.paint(rim);
    for i in 0..8 {
        let angle = std::f64::consts::TAU * f64::from(i) / 8.0;
        let end = P::new(inner * angle.sin(), 0.0, inner * angle.cos());
        b.capsule(P::origin(), end, [0.004, 0.004], 4);
    }
    b.ellipsoid(P::origin(), Vector3::new(0.03, 0.04, 0.03), 8);
}

/// A motorcycle of 2.15 m with a rider.
pub fn motorcycle(colour: [f32; 3], rider: &Outfit, lamps_on: bool) -> Model {
    let mut paints = Paints::default();
    let usual = Usual::new(&mut paints, colour, lamps_on);
    let (front, rear, radius) = (0.72, -0.72, 0.31);
    let hips_z = 0.88;
    let mut model = Model::empty("motorcycle", [2.15, 0.8, hips_z + 0.47 * rider.stature_m]);
    let mut body = Builder::new(model.class, usual.body);
    let at = |x: f64, z: f64| P::new(x, 0.0, z);
    body.ellipsoid(at(0.14, 0.85), Vector3::new(0.3, 0.16, 0.14), 14);
    body.ellipsoid(at(0.55, 0.88), Vector3::new(0.2, 0.17, 0.17), 12);
    body.frustum(at(-0.62, 0.86), Vector3::new(0.26, 0.09, 0.06), [0.24, 0.07], [-0.02, 0.0]);
    body.cuboid(at(front, 2.05 * radius), Vector3::new(0.16, 0.05, 0.015));
    body.paint(usual.dark);
    body.frustum(at(-0.24, 0.83), Vector3::new(0.3, 0.13, 0.05), [0.28, 0.11], [0.0, 0.0]);
    body.cuboid(at(0.02, 0.5), Vector3::new(0.28, 0.17, 0.2));
    body.capsule(P::new(0.5, 0.37, 1.02), P::new(0.5, -0.37, 1.02), [0.018, 0.018], 8);
    body.paint(usual.rim);
    for side in [1.0, -1.0] {
        body.capsule(
            P::new(front, side * 0.1, radius),
            P::new(0.5, side * 0.1, 0.95),
            [0.03, 0.026],
            8,
        );
        body.capsule(
            P::new(rear, side * 0.1, radius),
            P::new(-0.1, side * 0.1, 0.5),
            [0.025, 0.03],
            8,
        );
        body.paint(usual.dark).ellipsoid(
            P::new(0.52, side * 0.33, 1.16),
            Vector3::new(0.02, 0.06, 0.04),
            8,
        );
        body.paint(usual.rim);
    }
    body.capsule(P::new(-0.1, -0.2, 0.38), P::new(-0.85, -0.22, 0.5), [0.045, 0.06], 10);
    body.paint(usual.head).ellipsoid(at(0.74, 0.87), Vector3::new(0.05, 0.1, 0.08), 10);
    body.paint(usual.red).cuboid(at(-0.9, 0.86), Vector3::new(0.02, 0.08, 0.03));
    body.paint(usual.white).cuboid(at(-0.96, 0.62), Vector3::new(0.01, 0.09, 0.07));
    model.push(body, Joint::Fixed);
    for (x, steers) in [(front, true), (rear, false)] {
        let mut wheel = Builder::new(model.class, usual.tyre);
        wheel.wheel(radius, if steers { 0.12 } else { 0.17 }, usual.tyre, usual.rim);
        let centre_m = Vector3::new(x, 0.0, radius);
        model.push(wheel, Joint::Wheel { centre_m, radius_m: radius, steers });
    }
    let brake = (Vector3::new(-0.925, 0.0, 0.86), Vector3::new(0.006, 0.07, 0.025));
    model.lens(Signal::Brake, usual.brake_lit, &[brake], Vector3::new(0.12, 0.0, 0.0));
    model.saddle = Some(Saddle {
        hips_m: Vector3::new(-0.2, 0.0, hips_z + 0.05),
        lean_rad: 0.3,
        hand_m: Vector3::new(0.47, 0.34, 1.03),
        foot_m: Vector3::new(-0.05, 0.2, 0.42),
        crank_m: 0.0,
    });
    let helmeted = Outfit { helmet: true, bare_arms: false, ..*rider };
    add_person(&mut model, &helmeted, &mut paints, "rider");
    model.axles = Axles { front_m: front, rear_m: rear, hitch_m: None };
    model.headlamps_m = vec![Vector3::new(0.82, 0.0, 0.87)];
    model.materials = paints.0;
    debug_assert_eq!(model.class, class("motorcycle"));
    model
}
