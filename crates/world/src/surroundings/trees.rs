//! Trees: a trunk, branches, and leaves in clusters. Some shapes, shared by many trees.

use nalgebra::{Point3, Vector3};

use super::frontage::Frontage;
use super::kit::{Kit, pick, standing};
use super::plot::{Allowed, Footprint, Plot};
use super::solid::{Paint, Solid};
use crate::look::Texture;
use crate::noise::Stream;
use crate::roads::{Network, Setting};
use crate::site::MeshId;

/// Broad-leaved shapes; the first of them have stems that lorries pass beside.
const BROAD: u32 = 8;
const STREET: u32 = 5;
const CONIFERS: u32 = 3;

/// No crown reaches farther, metres.
const CROWN_M: f64 = 4.4;

/// Rows of trees along streets.
pub(super) fn line(
    network: &Network,
    lines: &[Frontage],
    density: f64,
    plot: &mut Plot<'_>,
    kit: &mut Kit<'_>,
) {
    let (spacing_m, share) = match network.setting {
        Setting::Urban => (11.0, 0.85),
        Setting::Suburban => (16.0, 0.6),
        _ => return,
    };
    let mut stream = kit.stream("street trees");
    for line in lines {
        // A street has one kind of tree, and some have none.
        let kind = stream.range(0.0, 1.0);
        let variants: [u32; 3] =
            std::array::from_fn(|_| stream.range(0.0, f64::from(STREET)) as u32);
        if kind > share || density <= 0.0 {
            continue;
        }
        let mut s = stream.range(6.0, 12.0);
        while s < line.length_m() - 9.0 {
            let edge = line.at(s);
            s += spacing_m / density * stream.range(0.85, 1.25);
            if edge.paved_m < 2.2 {
                continue;
            }
            let p = edge.p_m + edge.out * 0.85;
            let Some(z) = plot.take(Footprint::round(p, 0.4), Allowed::OffRoad) else { continue };
            let mesh = broad(kit, pick(&mut stream, &variants));
            let yaw = stream.range(0.0, std::f64::consts::TAU);
            kit.stand(mesh, standing(Point3::new(p.x, p.y, z - 0.05), yaw));
        }
    }
}

/// Trees in gardens, fields and woods.
pub(super) fn scatter(
    network: &Network,
    lines: &[Frontage],
    density: f64,
    plot: &mut Plot<'_>,
    kit: &mut Kit<'_>,
) {
    let (per_100_m, near_m, far_m, conifers) = match network.setting {
        Setting::Urban => (3.0, 4.0, 30.0, 0.05),
        Setting::Suburban => (12.0, 3.0, 40.0, 0.2),
        Setting::Rural => (26.0, 5.0, 70.0, 0.3),
        Setting::Motorway => (26.0, 9.0, 75.0, 0.4),
    };
    let mut stream = kit.stream("trees");
    for line in lines {
        let count = (line.length_m() * per_100_m * density / 100.0).round() as usize;
        // Woods and clearings.
        let phase = stream.range(0.0, std::f64::consts::TAU);
        for _ in 0..count {
            let s = stream.range(0.0, line.length_m());
            let wood = 0.5 + 0.5 * (s / 23.0 + phase).sin();
            let spread = stream.range(0.0, 1.0).powf(1.3);
            let out_m = line.at(s).paved_m + near_m + (far_m - near_m) * spread;
            let p = line.beside(s, out_m);
            let dense = stream.range(0.0, 1.0) < 0.35 + wood;
            let (conifer, yaw) = (stream.range(0.0, 1.0), stream.range(0.0, std::f64::consts::TAU));
            let variant = stream.range(0.0, 1.0);
            if !dense {
                continue;
            }
            // Crowns keep off the carriageway.
            if plot.lowest(&Footprint::round(p, CROWN_M), Allowed::OffRoad).is_none() {
                continue;
            }
            let Some(z) = plot.take(Footprint::round(p, 0.9), Allowed::Land) else { continue };
            let mesh = if conifer < conifers {
                self::conifer(kit, (variant * f64::from(CONIFERS)) as u32)
            } else {
                broad(kit, (variant * f64::from(BROAD)) as u32)
            };
            kit.stand(mesh, standing(Point3::new(p.x, p.y, z - 0.05), yaw));
        }
    }
}

/// Any tree, by a share from 0 to 1.
pub(super) fn any(kit: &mut Kit<'_>, share: f64) -> MeshId {
    let index = (share * f64::from(BROAD + CONIFERS)) as u32;
    if index < BROAD { broad(kit, index) } else { conifer(kit, (index - BROAD).min(CONIFERS - 1)) }
}

/// Bark and two tones of leaves.
fn paints(kit: &mut Kit<'_>, stream: &mut Stream) -> (Paint, [Paint; 2]) {
    let bark = pick(stream, &[[0.12, 0.09, 0.065], [0.16, 0.14, 0.12], [0.09, 0.07, 0.055]]);
    let leaf = pick(
        stream,
        &[[0.07, 0.13, 0.03], [0.09, 0.15, 0.035], [0.055, 0.11, 0.035], [0.12, 0.15, 0.04]],
    );
    let light: [f32; 3] = [leaf[0] * 1.35, leaf[1] * 1.3, leaf[2] * 1.2];
    let leaves = [leaf, light].map(|colour| kit.paint("vegetation", Texture::Foliage, colour));
    (kit.paint("trunk", Texture::Bark, bark), leaves)
}

fn broad(kit: &mut Kit<'_>, variant: u32) -> MeshId {
    kit.shared("broad tree", variant, |kit| {
        let mut stream = kit.stream(&format!("broad tree {variant}"));
        let (bark, leaves) = paints(kit, &mut stream);
        let street = variant < STREET;
        let height = if street { stream.range(9.5, 13.5) } else { stream.range(5.5, 9.5) };
        let radius = height * stream.range(0.22, 0.32);
        let clear = if street { 4.8 } else { height * stream.range(0.18, 0.26) };
        let mut solid = Solid::default();
        let girth = 0.016 * height + 0.03;
        let lean = Vector3::new(stream.range(-0.2, 0.2), stream.range(-0.2, 0.2), 0.0);
        let trunk = |share: f64| Point3::new(0.0, 0.0, share * 0.85 * height) + lean * share;
        let line: Vec<(Point3<f64>, f64)> = (0..=8)
            .map(|i| {
                let share = f64::from(i) / 8.0;
                let flare = if i == 0 { 1.5 } else { 1.0 };
                (trunk(share), girth * flare * (1.0 - 0.8 * share))
            })
            .collect();
        solid.tube(&line, 9, bark);
        let mut tips = Vec::new();
        let branches = 9 + (stream.range(0.0, 6.0) as usize);
        for branch in 0..branches {
            let share = clear / (0.85 * height)
                + (0.95 - clear / (0.85 * height)) * branch as f64 / branches as f64;
            let angle = 2.4 * branch as f64 + stream.range(-0.4, 0.4);
            // The crown is widest below its middle.
            let level = (share * 0.85 * height - clear) / (height - clear);
            let reach = radius * (1.0 - level * level).max(0.15).sqrt() * stream.range(0.7, 1.0);
            let out = Vector3::new(angle.cos(), angle.sin(), stream.range(0.35, 0.8));
            let start = trunk(share);
            let end = start + out * reach;
            let middle = start + out * (0.5 * reach) - Vector3::z() * (0.08 * reach);
            let thick = girth * 0.45 * (1.0 - 0.6 * share);
            solid.tube(&[(start, thick), (middle, 0.7 * thick), (end, 0.25 * thick)], 5, bark);
            for twig in 0..4 {
                let from = start + out * (reach * (0.4 + 0.15 * f64::from(twig)));
                let side = Vector3::new(
                    stream.range(-1.0, 1.0),
                    stream.range(-1.0, 1.0),
                    stream.range(-0.1, 0.9),
                );
                let to = from + side * (0.32 * reach);
                solid.tube(&[(from, 0.3 * thick), (to, 0.1 * thick)], 3, bark);
                tips.push(to);
            }
            tips.push(end);
        }
        tips.push(Point3::new(lean.x, lean.y, 0.95 * height));
        let middle = Point3::new(0.0, 0.0, clear + 0.45 * (height - clear));
        let each = 7500 / tips.len();
        for tip in &tips {
            cluster(&mut solid, (*tip, 0.32 * radius, middle), each, &leaves, &mut stream);
        }
        solid
    })
}

/// Leaves around a tip; they face away from the middle of the crown.
fn cluster(
    solid: &mut Solid,
    (tip, radius, middle): (Point3<f64>, f64, Point3<f64>),
    count: usize,
    leaves: &[Paint; 2],
    stream: &mut Stream,
) {
    for _ in 0..count {
        let offset = in_ball(stream);
        let p = tip + Vector3::new(offset.x, offset.y, 0.8 * offset.z) * radius;
        let facing = ((p - middle).normalize() + in_ball(stream) * 0.9).normalize();
        let (u, v) = frame(facing, stream.range(0.0, std::f64::consts::TAU));
        let size = stream.range(0.075, 0.15);
        let paint = leaves[usize::from(stream.range(0.0, 1.0) < 0.4)];
        solid.leaf(p, u * size, v * (0.7 * size), paint);
    }
}

/// A point in the unit ball.
pub(super) fn in_ball(stream: &mut Stream) -> Vector3<f64> {
    let z = stream.range(-1.0, 1.0);
    let angle = stream.range(0.0, std::f64::consts::TAU);
    let radius = stream.range(0.0, 1.0).cbrt();
    let flat = (1.0 - z * z).sqrt();
    Vector3::new(flat * angle.cos(), flat * angle.sin(), z) * radius
}

/// Two unit vectors across a direction, turned about it.
pub(super) fn frame(facing: Vector3<f64>, turn: f64) -> (Vector3<f64>, Vector3<f64>) {
    let (u, v) = crate::axes::across(facing);
    (u * turn.cos() + v * turn.sin(), v * turn.cos() - u * turn.sin())
}

fn conifer(kit: &mut Kit<'_>, variant: u32) -> MeshId {
    kit.shared("conifer", variant, |kit| {
        let mut stream = kit.stream(&format!("conifer {variant}"));
        let bark = kit.paint("trunk", Texture::Bark, [0.11, 0.08, 0.06]);
        let leaves = [[0.03, 0.065, 0.03], [0.04, 0.085, 0.04]]
            .map(|colour| kit.paint("vegetation", Texture::Foliage, colour));
        let height = stream.range(9.0, 16.0);
        let radius = height * stream.range(0.16, 0.22);
        let mut solid = Solid::default();
        let girth = 0.014 * height + 0.03;
        solid.tube(
            &[(Point3::origin(), 1.3 * girth), (Point3::new(0.0, 0.0, height), 0.1 * girth)],
            8,
            bark,
        );
        let whorls = (height / 0.42) as usize;
        for whorl in 0..whorls {
            let share = (whorl as f64 + 1.5) / (whorls as f64 + 1.5);
            let z = height * (0.08 + 0.92 * share);
            let reach = radius * (1.0 - share).powf(0.85) + 0.12;
            let arms = 7;
            for arm in 0..arms {
                let angle = 0.9 * whorl as f64
                    + std::f64::consts::TAU * f64::from(arm) / f64::from(arms)
                    + stream.range(-0.25, 0.25);
                let out = Vector3::new(angle.cos(), angle.sin(), -0.3);
                let needles = (reach * 16.0).ceil().max(4.0) as usize;
                for needle in 0..needles {
                    let along = reach * (needle as f64 + 0.7) / needles as f64;
                    let p = Point3::new(0.0, 0.0, z) + out * along + in_ball(&mut stream) * 0.08;
                    let facing =
                        (Vector3::new(out.x, out.y, 0.9) + in_ball(&mut stream) * 0.7).normalize();
                    let (u, v) = frame(facing, stream.range(0.0, std::f64::consts::TAU));
                    let size = stream.range(0.12, 0.26);
                    let paint = leaves[usize::from(stream.range(0.0, 1.0) < 0.5)];
                    solid.leaf(p, u * size, v * (0.5 * size), paint);
                }
            }
        }
        solid
    })
}
