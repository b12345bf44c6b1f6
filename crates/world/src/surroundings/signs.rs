//! Traffic signs on poles, and posts along country roads.

use nalgebra::{Point3, Vector3};

use super::frontage::Frontage;
use super::kit::{Kit, standing};
use super::plot::{Allowed, Footprint, Plot};
use super::solid::Solid;
use crate::look::Texture;
use crate::roads::{Control, LaneKind, Network, Setting};
use crate::site::MeshId;

/// Faces of signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    GiveWay,
    Stop,
    Limit,
    Warning,
    Crossing,
    Direction,
}

const WHITE: [f32; 3] = [0.78, 0.78, 0.76];
const RED: [f32; 3] = [0.62, 0.02, 0.02];
const BLUE: [f32; 3] = [0.02, 0.1, 0.42];

/// Places signs.
pub(super) fn place(network: &Network, lines: &[Frontage], plot: &mut Plot<'_>, kit: &mut Kit<'_>) {
    for line in &network.stop_lines {
        let lane = network.lane(line.lane);
        let rolls = |kind| matches!(kind, LaneKind::Driving | LaneKind::Bicycle);
        if lane.right_neighbour.is_some_and(|id| rolls(network.lane(id).kind)) {
            continue;
        }
        let next = lane.successors.first().and_then(|id| network.lane(*id).junction);
        let lights = next.is_some_and(|id| network.junction(id).control == Control::Lights);
        if lights {
            continue;
        }
        let station = lane.at((line.s_m - 0.5).max(0.0));
        let (sin, cos) = station.heading_rad.sin_cos();
        let right = nalgebra::Vector2::new(sin, -cos);
        let face = if line.must_stop { Face::Stop } else { Face::GiveWay };
        let start = 0.5 * station.width_m + 0.85;
        for step in 0..8 {
            let p = station.p_m.xy() + right * (start + 0.5 * f64::from(step));
            if put(face, p, station.heading_rad, plot, kit) {
                break;
            }
        }
    }
    let mut stream = kit.stream("signs");
    for line in lines {
        let speed = line.speed_limit_m_s > 10.0;
        let choices: &[(Face, f64)] = match (network.setting, speed) {
            (Setting::Motorway, _) => &[(Face::Limit, 0.5), (Face::Direction, 0.8)],
            (_, true) => &[(Face::Limit, 0.5), (Face::Warning, 0.5), (Face::Direction, 0.3)],
            _ => &[(Face::Limit, 0.5), (Face::Warning, 0.3)],
        };
        for (face, chance) in choices {
            let s = stream.range(0.1, 0.9) * line.length_m();
            if stream.range(0.0, 1.0) < *chance {
                let wide = *face == Face::Direction;
                let near = if line.at(s).paved_m > 1.0 { 0.85 } else { 1.6 };
                let out_m = if wide { near + 0.7 } else { near };
                put(*face, line.beside(s, out_m), line.heading_rad(s), plot, kit);
            }
        }
        if matches!(network.setting, Setting::Rural | Setting::Motorway) {
            posts(line, plot, kit);
        }
    }
    for crossing in network.crossings.iter().filter(|crossing| crossing.zebra) {
        for (id, [start, _]) in &crossing.lanes {
            let lane = network.lane(*id);
            if lane.right_neighbour.is_none() {
                let station = lane.at((start - 0.8).max(0.0));
                let (sin, cos) = station.heading_rad.sin_cos();
                let out_m = 0.5 * station.width_m + 0.75;
                let p = station.p_m.xy() + nalgebra::Vector2::new(sin, -cos) * out_m;
                put(Face::Crossing, p, station.heading_rad, plot, kit);
            }
        }
    }
}

/// Sets up a sign for who drives in a direction; whether there was room.
fn put(
    face: Face,
    p: nalgebra::Point2<f64>,
    heading_rad: f64,
    plot: &mut Plot<'_>,
    kit: &mut Kit<'_>,
) -> bool {
    let Some(z) = plot.take(Footprint::round(p, 0.2), Allowed::OffRoad) else { return false };
    let mesh = sign(kit, face);
    kit.stand(mesh, standing(Point3::new(p.x, p.y, z), heading_rad + std::f64::consts::PI));
    true
}

/// A sign whose face looks along x.
fn sign(kit: &mut Kit<'_>, face: Face) -> MeshId {
    kit.shared("sign", face as u32, |kit| {
        let pole = kit.paint("pole", Texture::Metal, [0.42, 0.43, 0.44]);
        let back = kit.paint("traffic_sign", Texture::Metal, [0.4, 0.4, 0.41]);
        let mut solid = Solid::default();
        let z = if face == Face::Direction { 2.6 } else { 2.35 };
        let at = |z: f64| Point3::new(0.0, 0.0, z);
        solid.tube(&[(at(-0.4), 0.035), (at(z + 0.3), 0.035)], 8, pole);
        let quarter = std::f64::consts::FRAC_PI_2;
        // Layers from the back to the front: radius, corners, turn, colour.
        let layers: Vec<(f64, usize, f64, [f32; 3])> = match face {
            Face::GiveWay => vec![(0.52, 3, -quarter, RED), (0.33, 3, -quarter, WHITE)],
            Face::Warning => vec![(0.52, 3, quarter, RED), (0.33, 3, quarter, WHITE)],
            Face::Stop => {
                vec![(0.47, 8, quarter / 4.0, WHITE), (0.44, 8, quarter / 4.0, RED)]
            }
            Face::Limit => vec![(0.32, 32, 0.0, RED), (0.25, 32, 0.0, WHITE)],
            Face::Crossing | Face::Direction => Vec::new(),
        };
        for (index, (radius, corners, turn, colour)) in layers.iter().enumerate() {
            let paint = kit.paint_with("traffic_sign", Texture::Plain, *colour, [0.3, 0.0]);
            let x = 0.06 + 0.004 * index as f64;
            solid.board(Point3::new(x, 0.0, z), Vector3::x(), (*radius, *corners, *turn), paint);
            if index == 0 {
                let behind = (*radius, *corners, *turn);
                solid.board(Point3::new(0.05, 0.0, z), -Vector3::x(), behind, back);
            }
        }
        let black = kit.paint("traffic_sign", Texture::Plain, [0.02, 0.02, 0.02]);
        let white = kit.paint("traffic_sign", Texture::Plain, WHITE);
        match face {
            Face::Limit => {
                for y in [-0.14, 0.02] {
                    digit(&mut solid, y, z, black);
                }
            }
            Face::Stop => solid.block([0.065, -0.3, z - 0.06], [0.07, 0.3, z + 0.06], white),
            Face::Warning => solid.block([0.065, -0.03, z - 0.12], [0.07, 0.03, z + 0.14], black),
            Face::Crossing => {
                let blue = kit.paint_with("traffic_sign", Texture::Plain, BLUE, [0.3, 0.0]);
                solid.block([0.05, -0.3, z - 0.3], [0.06, 0.3, z + 0.3], blue);
                let corners = (0.27, 3, quarter);
                solid.board(Point3::new(0.064, 0.0, z - 0.04), Vector3::x(), corners, white);
            }
            Face::Direction => {
                let blue = kit.paint_with("traffic_sign", Texture::Sign, BLUE, [0.3, 0.0]);
                solid.block([0.05, -0.9, z - 0.4], [0.07, 0.9, z + 0.4], blue);
                for row in [-0.15, 0.15] {
                    solid.block([0.07, -0.7, z + row - 0.05], [0.074, 0.3, z + row + 0.05], white);
                }
            }
            Face::GiveWay => {}
        }
        solid
    })
}

/// A zero of bars.
fn digit(solid: &mut Solid, y: f64, z: f64, paint: super::solid::Paint) {
    let (x0, x1, w, h) = (0.066, 0.07, 0.12, 0.11);
    solid.block([x0, y, z - h], [x1, y + 0.035, z + h], paint);
    solid.block([x0, y + w - 0.035, z - h], [x1, y + w, z + h], paint);
    solid.block([x0, y, z + h - 0.035], [x1, y + w, z + h], paint);
    solid.block([x0, y, z - h], [x1, y + w, z - h + 0.035], paint);
}

/// White posts with reflectors, every 50 m; closer in bends.
fn posts(line: &Frontage, plot: &mut Plot<'_>, kit: &mut Kit<'_>) {
    let mut s = 6.0;
    while s < line.length_m() {
        let p = line.beside(s, 0.8);
        let turn = (line.at(s + 10.0).out - line.at(s).out).norm();
        if let Some(z) = plot.take(Footprint::round(p, 0.1), Allowed::Land) {
            let mesh = kit.shared("post", 0, |kit| {
                let white = kit.paint("pole", Texture::Plain, WHITE);
                let black = kit.paint("pole", Texture::Plain, [0.03, 0.03, 0.03]);
                let glint = kit.paint_with("pole", Texture::Glass, [0.8, 0.6, 0.2], [0.8, 0.0]);
                let mut solid = Solid::default();
                solid.block([-0.04, -0.06, -0.3], [0.04, 0.06, 0.75], white);
                solid.block([-0.042, -0.062, 0.75], [0.042, 0.062, 0.95], black);
                solid.block([0.042, -0.025, 0.78], [0.047, 0.025, 0.93], glint);
                solid.block([-0.04, -0.06, 0.95], [0.04, 0.06, 1.0], white);
                solid
            });
            let yaw = line.heading_rad(s) + std::f64::consts::PI;
            kit.stand(mesh, standing(Point3::new(p.x, p.y, z), yaw));
        }
        s += if turn > 0.05 { 15.0 } else { 50.0 };
    }
}
