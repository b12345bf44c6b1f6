//! Street lights, bins, benches, bollards and the like.

use nalgebra::{Point3, Vector3};

use super::frontage::Frontage;
use super::kit::{Kit, pick, standing};
use super::plot::{Allowed, Footprint, Plot};
use super::solid::Solid;
use crate::look::Texture;
use crate::roads::{Network, Setting};
use crate::site::MeshId;

/// Distance of poles from the kerb, metres.
const KERBSIDE_M: f64 = 0.45;

/// Street lights along roads in towns; every other side of narrow streets.
pub(super) fn light(network: &Network, lines: &[Frontage], plot: &mut Plot<'_>, kit: &mut Kit<'_>) {
    let (height_m, arm_m, spacing_m) = match network.setting {
        Setting::Urban => (8.0, 1.6, 27.0),
        Setting::Suburban => (5.0, 0.7, 30.0),
        _ => return,
    };
    let mut stream = kit.stream("street lights");
    for line in lines {
        if line.lanes == 1 && stream.range(0.0, 1.0) < 0.5 && line.open {
            continue;
        }
        let mut s = stream.range(8.0, 16.0);
        while s < line.length_m() - 6.0 {
            let edge = line.at(s);
            let p = edge.p_m + edge.out * KERBSIDE_M;
            // x of the pole points over the road.
            let yaw = (-edge.out.y).atan2(-edge.out.x);
            if let Some(z) = plot.take(Footprint::round(p, 0.2), Allowed::OffRoad) {
                let mesh = pole(kit, height_m, arm_m);
                kit.stand(mesh, standing(Point3::new(p.x, p.y, z), yaw));
                let head = p - edge.out * arm_m;
                let at = Point3::new(head.x, head.y, z + height_m - 0.08);
                // Some 5,000 cd against the 100,000 lx of full sun: 70 lx below it.
                kit.lamp(at, -Vector3::z(), [0.05, 0.040, 0.027], 1.15);
            }
            s += spacing_m * stream.range(0.92, 1.08);
        }
    }
}

fn pole(kit: &mut Kit<'_>, height_m: f64, arm_m: f64) -> MeshId {
    let lit = kit.lit;
    kit.shared("street light", height_m as u32, |kit| {
        let metal = kit.paint_with("pole", Texture::Metal, [0.33, 0.34, 0.35], [0.4, 0.0]);
        let glow = if lit { 3.0 } else { 0.0 };
        let lens = kit.paint_with("pole", Texture::Plain, [0.8, 0.75, 0.6], [0.5, glow]);
        let mut solid = Solid::default();
        let at = |x: f64, z: f64| Point3::new(x, 0.0, z);
        solid.tube(&[(at(0.0, -0.3), 0.09), (at(0.0, 1.0), 0.09)], 10, metal);
        solid.tube(&[(at(0.0, 1.0), 0.07), (at(0.0, height_m - 0.2), 0.045)], 10, metal);
        solid.tube(
            &[
                (at(0.0, height_m - 0.25), 0.04),
                (at(0.35 * arm_m, height_m - 0.03), 0.035),
                (at(arm_m, height_m), 0.03),
            ],
            8,
            metal,
        );
        let z = height_m;
        solid.block([arm_m - 0.3, -0.13, z - 0.04], [arm_m + 0.35, 0.13, z + 0.08], metal);
        solid.block([arm_m - 0.25, -0.1, z - 0.06], [arm_m + 0.3, 0.1, z - 0.04], lens);
        solid
    })
}

/// Small things on pavements.
pub(super) fn place(
    network: &Network,
    lines: &[Frontage],
    density: f64,
    plot: &mut Plot<'_>,
    kit: &mut Kit<'_>,
) {
    let spacing_m = match network.setting {
        Setting::Urban => 7.0,
        Setting::Suburban => 16.0,
        _ => return,
    };
    if density <= 0.0 {
        return;
    }
    let mut stream = kit.stream("street furniture");
    for line in lines {
        let mut s = stream.range(3.0, 9.0);
        while s < line.length_m() - 3.0 {
            let edge = line.at(s);
            let kind = stream.range(0.0, 1.0);
            s += spacing_m / density * stream.range(0.5, 1.6);
            if edge.paved_m < 1.6 {
                continue;
            }
            // x along the road, y away from it.
            let yaw = line.heading_rad(s) + std::f64::consts::PI;
            let (mesh, half, out_m) = match kind {
                k if k < 0.3 => (bollard(kit), [0.1, 0.1], 0.35),
                k if k < 0.5 => (bin(kit), [0.3, 0.3], 0.5),
                k if k < 0.62 => (bench(kit), [0.9, 0.3], edge.paved_m - 0.45),
                k if k < 0.8 => (rack(kit), [0.1, 0.45], 0.75),
                k if k < 0.9 => (cabinet(kit), [0.5, 0.2], edge.paved_m - 0.3),
                _ if edge.paved_m > 3.0 => (column(kit, &mut stream), [0.65, 0.65], 1.0),
                _ => (post_box(kit), [0.25, 0.2], edge.paved_m - 0.35),
            };
            let p = edge.p_m + edge.out * out_m;
            let footprint = Footprint::new(p, half, yaw);
            if let Some(z) = plot.take(footprint, Allowed::OffRoad) {
                kit.stand(mesh, standing(Point3::new(p.x, p.y, z), yaw));
            }
        }
    }
}

fn bollard(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("bollard", 0, |kit| {
        let metal = kit.paint("pole", Texture::Metal, [0.08, 0.09, 0.09]);
        let white = kit.paint("pole", Texture::Plain, [0.75, 0.75, 0.72]);
        let mut solid = Solid::default();
        let at = |z: f64| Point3::new(0.0, 0.0, z);
        solid.tube(&[(at(-0.1), 0.06), (at(0.75), 0.06)], 12, metal);
        solid.tube(&[(at(0.75), 0.061), (at(0.85), 0.061)], 12, white);
        solid.tube(&[(at(0.85), 0.06), (at(0.93), 0.055), (at(0.97), 0.02)], 12, metal);
        solid
    })
}

fn bin(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("bin", 0, |kit| {
        let green = kit.paint("other_structure", Texture::Metal, [0.07, 0.16, 0.1]);
        let dark = kit.paint("other_structure", Texture::Rubber, [0.03, 0.03, 0.03]);
        let mut solid = Solid::default();
        let at = |z: f64| Point3::new(0.0, 0.0, z);
        solid.tube(&[(at(0.05), 0.2), (at(0.2), 0.23), (at(0.9), 0.25)], 16, green);
        solid.tube(&[(at(0.9), 0.2), (at(0.98), 0.2)], 16, dark);
        solid.tube(&[(at(0.98), 0.27), (at(1.05), 0.2), (at(1.08), 0.02)], 16, green);
        solid.tube(&[(at(-0.1), 0.04), (at(0.06), 0.04)], 8, dark);
        solid
    })
}

fn bench(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("bench", 0, |kit| {
        let wood = kit.paint("other_structure", Texture::Wood, [0.3, 0.17, 0.08]);
        let iron = kit.paint("other_structure", Texture::Metal, [0.07, 0.07, 0.08]);
        let mut solid = Solid::default();
        for plank in 0..4 {
            let y = -0.22 + 0.12 * f64::from(plank);
            solid.block([-0.85, y, 0.43], [0.85, y + 0.09, 0.46], wood);
        }
        for plank in 0..3 {
            let z = 0.55 + 0.13 * f64::from(plank);
            solid.block([-0.85, 0.24, z], [0.85, 0.27, z + 0.1], wood);
        }
        for x in [-0.7, 0.66] {
            solid.block([x, -0.2, -0.1], [x + 0.05, -0.15, 0.43], iron);
            solid.block([x, 0.2, -0.1], [x + 0.05, 0.25, 0.95], iron);
            solid.block([x, -0.2, 0.39], [x + 0.05, 0.25, 0.43], iron);
        }
        solid
    })
}

/// A hoop to lean bicycles on.
fn rack(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("rack", 0, |kit| {
        let steel = kit.paint_with("pole", Texture::Metal, [0.45, 0.46, 0.47], [0.6, 0.0]);
        let mut solid = Solid::default();
        let hoop: Vec<(Point3<f64>, f64)> = [
            [-0.38, -0.1],
            [-0.38, 0.65],
            [-0.34, 0.76],
            [-0.25, 0.8],
            [0.25, 0.8],
            [0.34, 0.76],
            [0.38, 0.65],
            [0.38, -0.1],
        ]
        .map(|[y, z]| (Point3::new(0.0, y, z), 0.025))
        .to_vec();
        solid.tube(&hoop, 8, steel);
        solid
    })
}

fn cabinet(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("cabinet", 0, |kit| {
        let grey = kit.paint("other_structure", Texture::Plain, [0.38, 0.4, 0.38]);
        let dark = kit.paint("other_structure", Texture::Plain, [0.1, 0.1, 0.1]);
        let mut solid = Solid::default();
        solid.block([-0.45, -0.17, -0.2], [0.45, 0.17, 1.15], grey);
        solid.block([-0.48, -0.2, 1.15], [0.48, 0.2, 1.2], grey);
        solid.block([-0.005, -0.178, 0.1], [0.005, -0.17, 1.1], dark);
        solid.block([0.06, -0.19, 0.6], [0.09, -0.17, 0.75], dark);
        solid
    })
}

fn post_box(kit: &mut Kit<'_>) -> MeshId {
    kit.shared("post box", 0, |kit| {
        let yellow =
            kit.paint_with("other_structure", Texture::Lacquer, [0.75, 0.5, 0.02], [0.4, 0.0]);
        let dark = kit.paint("other_structure", Texture::Plain, [0.05, 0.05, 0.05]);
        let mut solid = Solid::default();
        solid.block([-0.05, -0.05, -0.1], [0.05, 0.05, 0.7], dark);
        solid.block([-0.22, -0.16, 0.6], [0.22, 0.16, 1.35], yellow);
        solid.block([-0.16, -0.17, 1.18], [0.16, -0.16, 1.23], dark);
        solid
    })
}

/// A round column for posters.
fn column(kit: &mut Kit<'_>, stream: &mut crate::noise::Stream) -> MeshId {
    let variant = pick(stream, &[0u32, 1, 2]);
    kit.shared("column", variant, |kit| {
        let tone = [[0.6, 0.3, 0.15], [0.2, 0.35, 0.55], [0.6, 0.58, 0.5]][variant as usize];
        let posters = kit.paint("other_structure", Texture::Sign, tone);
        let stone = kit.paint("other_structure", Texture::Concrete, [0.3, 0.3, 0.29]);
        let mut solid = Solid::default();
        let at = |z: f64| Point3::new(0.0, 0.0, z);
        solid.tube(&[(at(-0.2), 0.62), (at(0.4), 0.62)], 28, stone);
        solid.tube(&[(at(0.4), 0.58), (at(2.7), 0.58)], 28, posters);
        solid.tube(
            &[(at(2.7), 0.66), (at(2.85), 0.66), (at(3.1), 0.3), (at(3.2), 0.02)],
            28,
            stone,
        );
        solid
    })
}
