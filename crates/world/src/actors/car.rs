//! Cars and vans.

use nalgebra::{Point3, Vector3};

use super::build::{Builder, Paints};
use super::hull::Hull;
use super::model::{Axles, Joint, Model, Signal, Usual};
use super::outlines::outline;

/// Body styles. Dimensions are those of common models of each class of car.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CarStyle {
    /// Small car with a tailgate, 4.0 m.
    Hatchback,
    /// Three boxes, 4.7 m.
    Saloon,
    /// Long roof, 4.65 m.
    Estate,
    /// Tall, 4.6 m.
    Suv,
    /// Panel van, 5.4 m.
    Van,
    /// Ambulance: a tall van with beacons.
    Ambulance,
}

/// All styles of private cars.
pub const CAR_STYLES: [CarStyle; 4] =
    [CarStyle::Hatchback, CarStyle::Saloon, CarStyle::Estate, CarStyle::Suv];

/// A car or van in a colour; `open_door` gives it a left door that can swing open.
pub fn car(style: CarStyle, colour: [f32; 3], lamps_on: bool, open_door: bool) -> Model {
    let hull = outline(style);
    let (length, width, height) = (hull.length_m, hull.width_m, hull.height_m());
    let mut paints = Paints::default();
    let usual = Usual::new(&mut paints, colour, lamps_on);
    let van = matches!(style, CarStyle::Van | CarStyle::Ambulance);
    let beacons = style == CarStyle::Ambulance;
    let box_height = if beacons { height + 0.12 } else { height };
    let mut model =
        Model::empty(if van { "van" } else { "car" }, [length + 0.04, width, box_height]);
    model.axles = Axles { front_m: hull.axles.0, rear_m: hull.axles.1, hitch_m: None };
    let mut body = Builder::new(model.class, usual.body);
    hull.build(&mut body, &usual);
    trim(&mut body, &hull, &usual);
    if beacons {
        stripes(&mut body, &hull, &usual);
    }
    model.push(body, Joint::Fixed);
    let tyre_m = if van { 0.22 } else { 0.205 };
    let side = 0.5 * width - 0.5 * tyre_m - 0.03;
    let (front, rear) = hull.axles;
    let hubs = [[front, side], [front, -side], [rear, side], [rear, -side]];
    model.wheels(&usual, &hubs, 2, hull.wheel_m, tyre_m);
    signals(&mut model, &hull, &usual);
    if beacons {
        let at =
            |y: f64| (Vector3::new(hull.x(0.36), y, height + 0.06), Vector3::new(0.1, 0.22, 0.06));
        model.lens(
            Signal::Beacon,
            usual.blue_lit,
            &[at(0.5), at(-0.5)],
            Vector3::new(0.0, 0.0, -0.25),
        );
    }
    if open_door {
        door(&mut model, &hull, &usual);
    }
    let lamp_height = if van { 0.85 } else { 0.66 };
    model.headlamps_m = [1.0, -1.0]
        .map(|s| Vector3::new(0.5 * length + 0.05, s * 0.36 * width, lamp_height))
        .into();
    model.materials = paints.0;
    model
}

/// Heights of head and tail lamps.
fn lamp_heights(hull: &Hull) -> (f64, f64) {
    let nose = hull.top_m[1].1;
    (nose - 0.1, if hull.rear_window.is_some() { hull.belt_m - 0.12 } else { 1.05 })
}

/// Lamps, grille, plates, mirrors, handles.
fn trim(body: &mut Builder, hull: &Hull, usual: &Usual) {
    let (nose, tail) = (0.5 * hull.length_m, -0.5 * hull.length_m);
    let half = 0.5 * hull.width_m;
    let (head_z, tail_z) = lamp_heights(hull);
    let at = |x: f64, y: f64, z: f64| Point3::new(x, y, z);
    for side in [1.0, -1.0] {
        body.paint(usual.head).ellipsoid(
            at(nose - 0.17, side * 0.66 * half, head_z),
            Vector3::new(0.17, 0.2, 0.075),
            12,
        );
        body.paint(usual.amber).ellipsoid(
            at(nose - 0.22, side * 0.8 * half, head_z - 0.01),
            Vector3::new(0.1, 0.07, 0.05),
            8,
        );
        body.paint(usual.red)
            .cuboid(at(tail + 0.06, side * 0.76 * half, tail_z), Vector3::new(0.07, 0.11, 0.09));
        // Mirrors stand a hand's breadth off, inside the box of the widest point.
        let x = hull.x(hull.windscreen.0 + 0.09);
        body.paint(usual.body).ellipsoid(
            at(x, side * (half - 0.075), hull.belt_m + 0.09),
            Vector3::new(0.07, 0.075, 0.075),
            10,
        );
        for share in hull.pillars.iter().take(2) {
            body.paint(usual.dark).cuboid(
                at(hull.x(*share) + 0.14, side * (half - 0.006), hull.belt_m - 0.12),
                Vector3::new(0.09, 0.014, 0.015),
            );
        }
    }
    body.paint(usual.dark);
    body.cuboid(at(nose - 0.05, 0.0, 0.42), Vector3::new(0.06, 0.52 * half, 0.09));
    body.cuboid(at(nose - 0.07, 0.0, head_z - 0.02), Vector3::new(0.065, 0.4 * half, 0.045));
    body.cuboid(at(tail + 0.05, 0.0, 0.32), Vector3::new(0.06, 0.7 * half, 0.07));
    body.paint(usual.white);
    body.cuboid(at(nose + 0.005, 0.0, 0.4), Vector3::new(0.01, 0.26, 0.055));
    body.cuboid(at(tail - 0.008, 0.0, tail_z - 0.16), Vector3::new(0.01, 0.26, 0.055));
}

/// A band in signal red along the flanks of an ambulance.
fn stripes(body: &mut Builder, hull: &Hull, usual: &Usual) {
    for side in [1.0, -1.0] {
        let centre = Point3::new(-0.6, side * (0.5 * hull.width_m - 0.003), 1.02);
        body.paint(usual.red).cuboid(centre, Vector3::new(1.7, 0.008, 0.12));
    }
}

fn signals(model: &mut Model, hull: &Hull, usual: &Usual) {
    let (nose, tail) = (0.5 * hull.length_m, -0.5 * hull.length_m);
    let half = 0.5 * hull.width_m;
    let (head_z, tail_z) = lamp_heights(hull);
    let rear = |y: f64, z: f64, hy: f64, hz: f64| {
        (Vector3::new(tail - 0.008, y, z), Vector3::new(0.006, hy, hz))
    };
    let inwards = Vector3::new(0.2, 0.0, 0.0);
    let brake = [1.0, -1.0].map(|s| rear(s * 0.76 * half, tail_z + 0.02, 0.1, 0.06));
    model.lens(Signal::Brake, usual.brake_lit, &brake, inwards);
    for (signal, side) in [(Signal::Left, 1.0), (Signal::Right, -1.0)] {
        let back = rear(side * 0.76 * half, tail_z - 0.06, 0.1, 0.022);
        model.lens(signal, usual.amber_lit, &[back], inwards);
        let front = (
            Vector3::new(nose - 0.14, side * 0.82 * half, head_z - 0.01),
            Vector3::new(0.025, 0.06, 0.035),
        );
        model.lens(signal, usual.amber_lit, &[front], -2.0 * inwards);
    }
}

/// The left front door as a leaf over the closed body, and the dark opening behind it.
fn door(model: &mut Model, hull: &Hull, usual: &Usual) {
    let (front, rear) =
        (hull.x(hull.windscreen.0 + 0.08), hull.x(hull.pillars.first().copied().unwrap_or(0.42)));
    let half = 0.5 * hull.width_m;
    let (low, high) = (hull.clearance_m + 0.12, hull.belt_m);
    let middle = 0.5 * (front + rear);
    let mut opening = Builder::new(model.class, usual.dark);
    let half_length = 0.5 * (front - rear);
    opening.cuboid(
        Point3::new(middle, half - 0.03, 0.5 * (low + high)),
        Vector3::new(half_length - 0.02, 0.036, 0.5 * (high - low) - 0.01),
    );
    model.push(opening, Joint::Fixed);
    let mut leaf = Builder::new(model.class, usual.body);
    let height = high - low;
    leaf.cuboid(
        Point3::new(-half_length, 0.0, 0.5 * height),
        Vector3::new(half_length, 0.03, 0.5 * height),
    );
    leaf.paint(usual.glass).frustum(
        Point3::new(-1.1 * half_length, -0.03, height + 0.19),
        Vector3::new(0.85 * half_length, 0.012, 0.19),
        [0.55 * half_length, 0.012],
        [-0.1, -0.12],
    );
    let hinge_m = Vector3::new(front, half - 0.02, low);
    model.push(leaf, Joint::Door { hinge_m, sense: 1.0 });
}
