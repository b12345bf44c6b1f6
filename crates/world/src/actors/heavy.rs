//! Lorries, trailers and buses.

use nalgebra::{Point3, Vector3};

use super::build::{Builder, Paints};
use super::model::{Axles, Joint, Model, Signal, Usual};

/// Width of lorries and buses in Europe, metres (directive 96/53/EC).
const WIDTH_M: f64 = 2.55;
const WHEEL_M: f64 = 0.5;

type P = Point3<f64>;

/// Tail, brake and turn lamps across the back at `x`.
fn back_lamps(model: &mut Model, body: &mut Builder, usual: &Usual, x: f64, z: f64) {
    let half = 0.5 * WIDTH_M;
    let inwards = Vector3::new(0.25, 0.0, 0.0);
    for side in [1.0, -1.0] {
        body.paint(usual.red)
            .cuboid(P::new(x - 0.01, side * (half - 0.25), z), Vector3::new(0.03, 0.2, 0.08));
    }
    let lens = |y: f64, hy: f64| (Vector3::new(x - 0.046, y, z), Vector3::new(0.006, hy, 0.07));
    let brake = [1.0, -1.0].map(|s| lens(s * (half - 0.32), 0.12));
    model.lens(Signal::Brake, usual.brake_lit, &brake, inwards);
    model.lens(Signal::Left, usual.amber_lit, &[lens(half - 0.12, 0.07)], inwards);
    model.lens(Signal::Right, usual.amber_lit, &[lens(-half + 0.12, 0.07)], inwards);
}

/// A cab over the front axle whose nose is at `nose_m`.
fn cab(body: &mut Builder, usual: &Usual, nose_m: f64, length_m: f64, height_m: f64) {
    let half = 0.5 * WIDTH_M - 0.03;
    let centre = nose_m - 0.5 * length_m;
    let (low, belt) = (0.42, 1.75);
    body.paint(usual.body);
    body.cuboid(
        P::new(centre, 0.0, 0.5 * (low + belt)),
        Vector3::new(0.5 * length_m, half, 0.5 * (belt - low)),
    );
    let up = 0.5 * (height_m - belt);
    body.frustum(
        P::new(centre, 0.0, belt + up),
        Vector3::new(0.5 * length_m, half, up),
        [0.5 * length_m - 0.16, half - 0.1],
        [-0.14, 0.0],
    );
    // Panes lie a centimetre off the slanted cab; the slant of the front is 0.3 m over its height.
    let at = |z: f64| nose_m - 0.3 * (z - belt) / (height_m - belt) + 0.012;
    let (bottom, top) = (belt + 0.08, belt + 0.95);
    body.paint(usual.glass);
    body.quad([
        P::new(at(bottom), -0.88 * half, bottom),
        P::new(at(bottom), 0.88 * half, bottom),
        P::new(at(top), 0.85 * half, top),
        P::new(at(top), -0.85 * half, top),
    ]);
    for side in [1.0, -1.0] {
        let pane = P::new(centre + 0.2, side * (half - 0.045), belt + 0.5);
        body.paint(usual.glass).frustum(
            pane,
            Vector3::new(0.5, 0.055, 0.4),
            [0.42, 0.02],
            [-0.04, 0.0],
        );
        body.paint(usual.head)
            .cuboid(P::new(nose_m - 0.02, side * (half - 0.3), 0.78), Vector3::new(0.05, 0.2, 0.1));
        body.paint(usual.dark).cuboid(
            P::new(nose_m - 0.15, side * (half - 0.06), belt + 0.7),
            Vector3::new(0.06, 0.06, 0.28),
        );
    }
    body.paint(usual.dark);
    body.cuboid(P::new(nose_m - 0.01, 0.0, 1.25), Vector3::new(0.03, 0.75, 0.22));
    body.cuboid(P::new(nose_m - 0.03, 0.0, 0.5), Vector3::new(0.06, half, 0.14));
    body.paint(usual.white)
        .cuboid(P::new(nose_m + 0.03, 0.0, 0.5), Vector3::new(0.01, 0.26, 0.055));
}

fn front_signals(model: &mut Model, usual: &Usual, nose_m: f64) {
    for (signal, side) in [(Signal::Left, 1.0), (Signal::Right, -1.0)] {
        let lens = (Vector3::new(nose_m + 0.03, side * 1.13, 0.78), Vector3::new(0.01, 0.07, 0.07));
        model.lens(signal, usual.amber_lit, &[lens], Vector3::new(-0.4, 0.0, 0.0));
    }
}

/// A rigid lorry with a box body, 8.2 m.
pub fn box_lorry(colour: [f32; 3], lamps_on: bool) -> Model {
    let (length, height) = (8.2, 3.55);
    let mut paints = Paints::default();
    let usual = Usual::new(&mut paints, colour, lamps_on);
    let mut model = Model::empty("truck", [length + 0.1, WIDTH_M, height]);
    let nose = 0.5 * length;
    let mut body = Builder::new(model.class, usual.body);
    cab(&mut body, &usual, nose, 1.9, 2.9);
    body.paint(usual.white)
        .cuboid(P::new(-1.02, 0.0, 2.28), Vector3::new(3.06, 0.5 * WIDTH_M, 1.27));
    chassis(&mut body, &usual, nose - 0.6, -nose + 0.02);
    ribs(&mut body, &usual, [-4.0, 1.9], 2.28, 1.2);
    back_lamps(&mut model, &mut body, &usual, -nose + 0.04, 0.85);
    model.push(body, Joint::Fixed);
    front_signals(&mut model, &usual, nose);
    model.axles = Axles { front_m: nose - 1.25, rear_m: -nose + 2.2, hitch_m: None };
    lorry_wheels(&mut model, &usual, &[nose - 1.25], &[-nose + 2.2]);
    model.headlamps_m = [1.0, -1.0].map(|s| Vector3::new(nose + 0.06, s * 0.95, 0.78)).into();
    model.materials = paints.0;
    model
}

/// A tractor for a semitrailer, 6.0 m.
pub fn tractor(colour: [f32; 3], lamps_on: bool) -> Model {
    let (length, height) = (6.0, 3.6);
    let mut paints = Paints::default();
    let usual = Usual::new(&mut paints, colour, lamps_on);
    let mut model = Model::empty("truck", [length + 0.1, WIDTH_M, height]);
    let nose = 0.5 * length;
    let mut body = Builder::new(model.class, usual.body);
    cab(&mut body, &usual, nose, 2.25, height);
    chassis(&mut body, &usual, nose - 0.6, -nose + 0.02);
    body.paint(usual.rim);
    for side in [1.0, -1.0] {
        body.cuboid(P::new(-0.1, side * 0.95, 0.62), Vector3::new(0.6, 0.25, 0.28));
    }
    body.paint(usual.dark).cuboid(P::new(-1.6, 0.0, 1.06), Vector3::new(0.5, 0.5, 0.06));
    back_lamps(&mut model, &mut body, &usual, -nose + 0.04, 0.75);
    model.push(body, Joint::Fixed);
    front_signals(&mut model, &usual, nose);
    model.axles = Axles { front_m: nose - 1.4, rear_m: -nose + 0.9, hitch_m: Some(-nose + 1.4) };
    lorry_wheels(&mut model, &usual, &[nose - 1.4], &[-nose + 0.9]);
    model.headlamps_m = [1.0, -1.0].map(|s| Vector3::new(nose + 0.06, s * 0.95, 0.78)).into();
    model.materials = paints.0;
    model
}

/// A semitrailer, 13.6 m; its hitch is the front axle of its motion.
pub fn semitrailer(colour: [f32; 3], lamps_on: bool) -> Model {
    let (length, height) = (13.6, 4.0);
    let mut paints = Paints::default();
    let usual = Usual::new(&mut paints, colour, lamps_on);
    let mut model = Model::empty("trailer", [length + 0.1, WIDTH_M, height]);
    let nose = 0.5 * length;
    let mut body = Builder::new(model.class, usual.body);
    body.cuboid(P::new(0.0, 0.0, 2.6), Vector3::new(nose, 0.5 * WIDTH_M, 1.4));
    ribs(&mut body, &usual, [-nose + 0.1, nose - 0.1], 2.6, 1.36);
    body.paint(usual.dark);
    body.cuboid(P::new(-1.5, 0.0, 1.0), Vector3::new(nose - 1.6, 0.45, 0.16));
    body.cuboid(P::new(-nose + 0.1, 0.0, 0.55), Vector3::new(0.06, 1.15, 0.1));
    for side in [1.0, -1.0] {
        body.cuboid(P::new(2.6, side * 0.7, 0.6), Vector3::new(0.08, 0.08, 0.58));
        body.cuboid(P::new(-0.4, side * 1.2, 0.75), Vector3::new(2.3, 0.03, 0.22));
    }
    back_lamps(&mut model, &mut body, &usual, -nose + 0.04, 0.9);
    model.push(body, Joint::Fixed);
    let middle = -nose + 3.9;
    model.axles = Axles { front_m: nose - 1.5, rear_m: middle, hitch_m: None };
    lorry_wheels(&mut model, &usual, &[], &[middle + 1.31, middle, middle - 1.31]);
    model.materials = paints.0;
    model
}

/// A city bus, 12 m.
pub fn bus(colour: [f32; 3], lamps_on: bool) -> Model {
    let (length, height) = (12.0, 3.1);
    let mut paints = Paints::default();
    let usual = Usual::new(&mut paints, colour, lamps_on);
    let mut model = Model::empty("bus", [length + 0.1, WIDTH_M, height]);
    let (nose, half) = (0.5 * length, 0.5 * WIDTH_M);
    let mut body = Builder::new(model.class, usual.body);
    body.cuboid(P::new(0.0, 0.0, 0.75), Vector3::new(nose, half, 0.4));
    body.frustum(
        P::new(0.0, 0.0, 2.1),
        Vector3::new(nose, half, 0.95),
        [nose - 0.12, half - 0.06],
        [0.0, 0.0],
    );
    body.paint(usual.white).cuboid(P::new(-0.5, 0.0, 3.06), Vector3::new(4.0, 0.8, 0.04));
    bus_windows(&mut body, &usual, nose, half);
    body.paint(usual.dark)
        .cuboid(P::new(0.0, 0.0, 0.42), Vector3::new(nose - 0.3, half - 0.08, 0.12));
    back_lamps(&mut model, &mut body, &usual, -nose + 0.02, 0.8);
    for side in [1.0, -1.0] {
        body.paint(usual.head)
            .cuboid(P::new(nose, side * 0.95, 0.72), Vector3::new(0.03, 0.2, 0.09));
    }
    body.paint(usual.white)
        .cuboid(P::new(nose + 0.005, 0.0, 0.55), Vector3::new(0.01, 0.26, 0.055));
    model.push(body, Joint::Fixed);
    front_signals(&mut model, &usual, nose);
    model.axles = Axles { front_m: nose - 2.7, rear_m: -nose + 3.4, hitch_m: None };
    lorry_wheels(&mut model, &usual, &[nose - 2.7], &[-nose + 3.4]);
    model.headlamps_m = [1.0, -1.0].map(|s| Vector3::new(nose + 0.06, s * 0.95, 0.72)).into();
    model.materials = paints.0;
    model
}

fn bus_windows(body: &mut Builder, usual: &Usual, nose: f64, half: f64) {
    // The upper body leans in by 6 cm over 1.9 m; panes stay just outside of it.
    let out = |z: f64| half - 0.06 * (z - 1.15) / 1.9 + 0.008;
    let ahead = |z: f64| nose - 0.12 * (z - 1.15) / 1.9 + 0.008;
    body.paint(usual.glass);
    let (low, high) = (1.35, 2.55);
    for i in 0..7 {
        let rear = -nose + 0.3 + 1.63 * f64::from(i);
        let front = rear + 1.5;
        for side in [1.0, -1.0] {
            // Doors on the kerb's side (right) reach down to the floor.
            let foot = if side < 0.0 && (i == 6 || i == 3) { 0.45 } else { low };
            let corner = |x: f64, z: f64| {
                P::new(x, side * out(z).max(if z < 1.2 { half + 0.008 } else { 0.0 }), z)
            };
            let mut corners =
                [corner(front, foot), corner(rear, foot), corner(rear, high), corner(front, high)];
            if side < 0.0 {
                corners.reverse();
            }
            body.quad(corners);
        }
    }
    let (w, h) = (0.92 * half, 2.75);
    body.quad([
        P::new(ahead(1.25), -w, 1.25),
        P::new(ahead(1.25), w, 1.25),
        P::new(ahead(h), w, h),
        P::new(ahead(h), -w, h),
    ]);
    let back = |z: f64| -ahead(z);
    body.quad([
        P::new(back(1.6), w, 1.6),
        P::new(back(1.6), -w, 1.6),
        P::new(back(2.5), -w, 2.5),
        P::new(back(2.5), w, 2.5),
    ]);
    body.paint(usual.amber_lit).quad([
        P::new(ahead(2.8) + 0.004, -0.6 * half, 2.8),
        P::new(ahead(2.8) + 0.004, 0.6 * half, 2.8),
        P::new(ahead(2.98) + 0.004, 0.6 * half, 2.98),
        P::new(ahead(2.98) + 0.004, -0.6 * half, 2.98),
    ]);
}

/// Two beams and what hangs on them.
fn chassis(body: &mut Builder, usual: &Usual, front: f64, rear: f64) {
    body.paint(usual.dark);
    let (middle, half) = (0.5 * (front + rear), 0.5 * (front - rear));
    body.cuboid(P::new(middle, 0.0, 0.85), Vector3::new(half, 0.42, 0.14));
    body.cuboid(P::new(rear + 0.05, 0.0, 0.6), Vector3::new(0.05, 1.1, 0.08));
}

/// Vertical ribs along the flanks of a box: they give its walls structure.
fn ribs(body: &mut Builder, usual: &Usual, along: [f64; 2], middle_z: f64, half_height: f64) {
    let count = ((along[1] - along[0]) / 1.2).floor();
    for i in 0..=(count as usize) {
        let x = along[0] + (along[1] - along[0]) * i as f64 / count;
        for side in [1.0, -1.0] {
            body.paint(usual.rim).cuboid(
                P::new(x, side * (0.5 * WIDTH_M - 0.01), middle_z),
                Vector3::new(0.025, 0.02, half_height),
            );
        }
    }
}

fn lorry_wheels(model: &mut Model, usual: &Usual, front: &[f64], rear: &[f64]) {
    let width = 0.31;
    let side = 0.5 * WIDTH_M - 0.5 * width - 0.02;
    let hubs = |axles: &[f64], side: f64| -> Vec<[f64; 2]> {
        axles.iter().flat_map(|x| [[*x, side], [*x, -side]]).collect()
    };
    model.wheels(usual, &hubs(front, side), 2 * front.len(), WHEEL_M, width);
    // Twin tyres behind.
    model.wheels(usual, &hubs(rear, side - 0.14), 0, WHEEL_M, 0.58);
}
