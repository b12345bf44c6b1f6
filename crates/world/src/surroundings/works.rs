//! Sites where something is built beside the road, and what lies about.

use nalgebra::{Point3, Vector3};

use super::frontage::Frontage;
use super::kit::{Kit, standing};
use super::plot::{Allowed, Footprint, Plot};
use super::solid::Solid;
use crate::look::Texture;
use crate::noise::Stream;
use crate::site::MeshId;

/// Length of a site along the road, metres.
const LENGTH_M: f64 = 16.0;
const DEPTH_M: f64 = 7.0;

/// Places sites and debris.
pub(super) fn place(lines: &[Frontage], sites: u32, plot: &mut Plot<'_>, kit: &mut Kit<'_>) {
    let mut stream = kit.stream("works");
    let long: Vec<&Frontage> =
        lines.iter().filter(|line| line.length_m() > 2.5 * LENGTH_M).collect();
    if long.is_empty() {
        return;
    }
    for _ in 0..sites {
        for _try in 0..12 {
            let line = long[(stream.range(0.0, long.len() as f64) as usize).min(long.len() - 1)];
            let s = stream.range(LENGTH_M, line.length_m() - LENGTH_M);
            if site(line, s, &mut stream, plot, kit) {
                break;
            }
        }
    }
    for line in lines {
        let count = (line.length_m() / 90.0 * stream.range(0.0, 1.6)) as usize;
        for _ in 0..count {
            let s = stream.range(0.0, line.length_m());
            let out_m = stream.range(0.8, 3.5);
            let kind = stream.range(0.0, 4.0) as u32;
            let yaw = stream.range(0.0, std::f64::consts::TAU);
            let p = line.beside(s, out_m);
            if let Some(z) = plot.take(Footprint::round(p, 0.6), Allowed::OffRoad) {
                let mesh = debris(kit, kind);
                kit.stand(mesh, standing(Point3::new(p.x, p.y, z), yaw));
            }
        }
    }
}

/// One site; whether there was room.
fn site(
    line: &Frontage,
    s: f64,
    stream: &mut Stream,
    plot: &mut Plot<'_>,
    kit: &mut Kit<'_>,
) -> bool {
    let edge = line.at(s);
    let yaw = line.heading_rad(s) + std::f64::consts::PI;
    let out_m = edge.paved_m + 0.6 + 0.5 * DEPTH_M;
    let centre = edge.p_m + edge.out * out_m;
    let whole = Footprint::new(centre, [0.5 * LENGTH_M, 0.5 * DEPTH_M], yaw);
    if plot.take(whole, Allowed::Land).is_none() {
        return false;
    }
    let stand = |mesh: MeshId, x: f64, y: f64, turn: f64, plot: &Plot<'_>, kit: &mut Kit<'_>| {
        if let Some(p) = plot.on_ground(whole.at(x, y)) {
            kit.stand(mesh, standing(p, yaw + turn));
        }
    };
    let (half, deep) = (0.5 * LENGTH_M, 0.5 * DEPTH_M);
    let quarter = std::f64::consts::FRAC_PI_2;
    let fence = fence(kit);
    for panel in 0..4 {
        let x = -half + 4.0 * f64::from(panel);
        stand(fence, x, -deep + 0.1, 0.0, plot, kit);
        stand(fence, x, deep - 0.1, 0.0, plot, kit);
    }
    for x in [-half + 0.05, half - 0.05] {
        stand(fence, x, -deep + 0.2, quarter, plot, kit);
    }
    let pile = heap(kit);
    stand(pile, stream.range(-4.0, -2.0), 0.8, stream.range(0.0, 3.0), plot, kit);
    let cabin = cabin(kit);
    stand(cabin, 3.6, 1.2, 0.0, plot, kit);
    let planks = debris(kit, 0);
    stand(planks, 0.5, -1.5, 0.4, plot, kit);
    // Boards and cones on the pavement in front of it.
    for (index, x) in [-7.0, -3.5, 0.0, 3.5, 7.0].into_iter().enumerate() {
        let p = whole.at(x, -deep - 0.3);
        let (mesh, half) = if index % 2 == 0 { (cone(kit), 0.22) } else { (board(kit), 0.52) };
        let footprint = Footprint::new(p, [half, 0.22], yaw);
        if let Some(z) = plot.take(footprint, Allowed::OffRoad) {
            kit.stand(mesh, standing(Point3::new(p.x, p.y, z), yaw));
        }
    }
    true
}

/// Wire mesh in a frame on feet, 4 m.
fn fence(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("site fence", 0, |kit| {
        let steel = kit.paint("fence", Texture::Metal, [0.4, 0.41, 0.42]);
        let foot = kit.paint("fence", Texture::Concrete, [0.3, 0.3, 0.3]);
        let mut solid = Solid::default();
        let at = |x: f64, z: f64| Point3::new(x, 0.0, z);
        let frame = [at(0.05, 0.1), at(0.05, 2.0), at(3.95, 2.0), at(3.95, 0.1), at(0.05, 0.1)];
        solid.tube(&frame.map(|p| (p, 0.02)), 6, steel);
        for wire in 1..26 {
            let x = 0.05 + 3.9 * f64::from(wire) / 26.0;
            solid.tube(&[(at(x, 0.12), 0.003), (at(x, 1.98), 0.003)], 3, steel);
        }
        for wire in 1..10 {
            let z = 0.1 + 1.9 * f64::from(wire) / 10.0;
            solid.tube(&[(at(0.06, z), 0.003), (at(3.94, z), 0.003)], 3, steel);
        }
        for x in [0.0, 3.75] {
            solid.block([x, -0.3, -0.05], [x + 0.22, 0.3, 0.12], foot);
        }
        solid
    })
}

fn heap(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("heap", 0, |kit| {
        let soil = kit.paint("terrain", Texture::Soil, [0.2, 0.14, 0.09]);
        let mut stream = kit.stream("heap");
        let mut solid = Solid::default();
        let (rings, sides) = (9, 36);
        let mut last: Vec<u32> = Vec::new();
        for ring in 0..=rings {
            let share = f64::from(ring) / f64::from(rings);
            let row: Vec<u32> = (0..sides)
                .map(|side| {
                    let angle = std::f64::consts::TAU * f64::from(side) / f64::from(sides);
                    let radius = 2.3 * (1.0 - share) + 0.02;
                    let bump = stream.range(-0.12, 0.12) * (1.0 - share);
                    let z = 1.5 * (share * share * (3.0 - 2.0 * share)) - 0.15 + bump;
                    let radius = radius + bump;
                    solid.vertex(Point3::new(angle.cos() * radius, angle.sin() * radius, z))
                })
                .collect();
            for side in 0..sides as usize {
                if ring > 0 {
                    let next = (side + 1) % sides as usize;
                    solid.triangle([last[side], last[next], row[next]], soil);
                    solid.triangle([last[side], row[next], row[side]], soil);
                }
            }
            last = row;
        }
        solid
    })
}

fn cabin(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("cabin", 0, |kit| {
        let wall = kit.paint("other_structure", Texture::Metal, [0.12, 0.25, 0.42]);
        let trim = kit.paint("other_structure", Texture::Metal, [0.5, 0.5, 0.5]);
        let glass =
            kit.paint_with("other_structure", Texture::Glass, [0.05, 0.06, 0.07], [0.9, 0.0]);
        let mut solid = Solid::default();
        solid.block([-3.0, -1.2, -0.3], [3.0, 1.2, 2.6], wall);
        solid.block([-3.05, -1.25, 2.6], [3.05, 1.25, 2.7], trim);
        for rib in 0..24 {
            let x = -2.95 + 0.25 * f64::from(rib);
            solid.block([x, -1.23, 0.0], [x + 0.1, 1.23, 2.55], wall);
        }
        solid.block([-2.2, -1.26, 1.0], [-0.8, -1.2, 2.1], glass);
        solid.block([0.6, -1.26, 0.0], [1.5, -1.2, 2.1], trim);
        solid
    })
}

fn cone(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("cone", 0, |kit| {
        let orange = kit.paint("traffic_cone", Texture::Rubber, [0.75, 0.16, 0.03]);
        let white = kit.paint("traffic_cone", Texture::Plain, [0.8, 0.8, 0.78]);
        let mut solid = Solid::default();
        let at = |z: f64| Point3::new(0.0, 0.0, z);
        solid.block([-0.19, -0.19, 0.0], [0.19, 0.19, 0.04], orange);
        solid.tube(&[(at(0.04), 0.14), (at(0.25), 0.105)], 20, orange);
        solid.tube(&[(at(0.25), 0.105), (at(0.38), 0.082)], 20, white);
        solid.tube(&[(at(0.38), 0.082), (at(0.5), 0.062)], 20, orange);
        solid.tube(&[(at(0.5), 0.062), (at(0.58), 0.048)], 20, white);
        solid.tube(&[(at(0.58), 0.048), (at(0.72), 0.025)], 20, orange);
        solid
    })
}

/// A board with red and white bars on two feet.
fn board(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("board", 0, |kit| {
        let red = kit.paint("barrier", Texture::Plain, [0.65, 0.03, 0.02]);
        let white = kit.paint("barrier", Texture::Plain, [0.8, 0.8, 0.78]);
        let foot = kit.paint("barrier", Texture::Rubber, [0.03, 0.03, 0.03]);
        let mut solid = Solid::default();
        for x in [-0.42, 0.38] {
            solid.block([x, -0.13, 0.0], [x + 0.06, 0.13, 0.08], foot);
            solid.block([x, -0.02, 0.08], [x + 0.04, 0.02, 1.05], foot);
        }
        for bar in 0..5 {
            let x = -0.5 + 0.2 * f64::from(bar);
            let paint = if bar % 2 == 0 { red } else { white };
            solid.block([x, -0.035, 0.8], [x + 0.2, -0.02, 1.05], paint);
            solid.block([x, 0.02, 0.8], [x + 0.2, 0.035, 1.05], paint);
        }
        solid
    })
}

/// Planks, a carton, a tyre, or a bag.
fn debris(kit: &mut Kit<'_>, kind: u32) -> MeshId {
    kit.shared("debris", kind, |kit| {
        let mut solid = Solid::default();
        match kind {
            0 => {
                let wood = kit.paint("debris", Texture::Wood, [0.4, 0.28, 0.15]);
                for plank in 0..5 {
                    let y = -0.35 + 0.14 * f64::from(plank);
                    let z = 0.04 * f64::from(plank % 3);
                    solid.block([-0.4, y, z], [0.4, y + 0.12, z + 0.03], wood);
                }
            }
            1 => {
                let card = kit.paint("debris", Texture::Plain, [0.42, 0.3, 0.18]);
                solid.block([-0.22, -0.16, 0.0], [0.22, 0.16, 0.3], card);
                solid.block([-0.22, 0.16, 0.29], [0.22, 0.3, 0.3], card);
            }
            2 => {
                let rubber = kit.paint("debris", Texture::Rubber, [0.025, 0.025, 0.025]);
                let ring: Vec<(Point3<f64>, f64)> = (0..=20)
                    .map(|i| {
                        let angle = std::f64::consts::TAU * f64::from(i) / 20.0;
                        (Point3::new(angle.cos() * 0.24, angle.sin() * 0.24, 0.1), 0.09)
                    })
                    .collect();
                solid.tube(&ring, 10, rubber);
            }
            _ => {
                let bag = kit.paint("debris", Texture::Cloth, [0.05, 0.06, 0.12]);
                let at = |z: f64| Point3::origin() + Vector3::z() * z;
                let line = [
                    (at(0.0), 0.22),
                    (at(0.15), 0.28),
                    (at(0.35), 0.18),
                    (at(0.45), 0.04),
                    (at(0.55), 0.07),
                ];
                solid.tube(&line, 12, bag);
            }
        }
        solid
    })
}
