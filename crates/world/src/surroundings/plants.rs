//! Bushes and grass.

use nalgebra::{Point3, Vector3};

use super::frontage::Frontage;
use super::kit::{Kit, pick, standing};
use super::plot::{Allowed, Footprint, Plot};
use super::solid::Solid;
use super::trees::{frame, in_ball};
use crate::look::Texture;
use crate::roads::{GroundClass, Network, Setting};
use crate::site::MeshId;

const BUSHES: u32 = 4;
const TUFTS: u32 = 5;
/// Most tufts of grass: each is an instance.
const MOST_TUFTS: usize = 14_000;

/// Places bushes and grass beside roads.
pub(super) fn place(
    network: &Network,
    lines: &[Frontage],
    density: f64,
    plot: &mut Plot<'_>,
    kit: &mut Kit<'_>,
) {
    if density <= 0.0 {
        return;
    }
    let (bushes_per_100_m, tufts_per_m) = match network.setting {
        Setting::Urban => (2.0, 0.0),
        Setting::Suburban => (14.0, 2.0),
        Setting::Rural => (12.0, 5.0),
        Setting::Motorway => (8.0, 3.0),
    };
    let mut stream = kit.stream("plants");
    for line in lines {
        let count = (line.length_m() * bushes_per_100_m * density / 100.0).round() as usize;
        for _ in 0..count {
            let s = stream.range(0.0, line.length_m());
            let p =
                line.beside(s, line.at(s).paved_m + 1.2 + 18.0 * stream.range(0.0, 1.0).powi(2));
            let (variant, yaw) =
                (stream.range(0.0, f64::from(BUSHES)), stream.range(0.0, std::f64::consts::TAU));
            if let Some(z) = plot.take(Footprint::round(p, 0.7), Allowed::Land) {
                let mesh = bush(kit, variant as u32);
                kit.stand(mesh, standing(Point3::new(p.x, p.y, z - 0.05), yaw));
            }
        }
    }
    let wanted: f64 = lines.iter().map(|line| line.length_m() * tufts_per_m * density).sum();
    let share = (MOST_TUFTS as f64 / wanted.max(1.0)).min(1.0);
    let mut stream = kit.stream("grass");
    for line in lines {
        let count = (line.length_m() * tufts_per_m * density * share) as usize;
        for _ in 0..count {
            let s = stream.range(0.0, line.length_m());
            let out_m = line.at(s).paved_m + 0.3 + 11.0 * stream.range(0.0, 1.0).powf(1.6);
            let p = line.beside(s, out_m);
            let (variant, yaw) =
                (stream.range(0.0, f64::from(TUFTS)), stream.range(0.0, std::f64::consts::TAU));
            let Some(ground) = network.ground(p.x, p.y) else { continue };
            let footprint = Footprint::round(p, 0.15);
            if ground.class != GroundClass::Terrain || plot.is_taken(&footprint) {
                continue;
            }
            // Blades lean out of their tuft: none may reach over the road.
            let wide = Footprint::round(p, 0.45);
            if plot.lowest(&wide, Allowed::OffRoad).is_none() {
                continue;
            }
            let mesh = tuft(kit, variant as u32);
            kit.strew(mesh, standing(Point3::new(p.x, p.y, ground.height_m - 0.02), yaw));
        }
    }
}

fn bush(kit: &mut Kit<'_>, variant: u32) -> MeshId {
    kit.shared("bush", variant, |kit| {
        let mut stream = kit.stream(&format!("bush {variant}"));
        let bark = kit.paint("vegetation", Texture::Bark, [0.11, 0.085, 0.06]);
        let tone = pick(&mut stream, &[[0.06, 0.11, 0.03], [0.08, 0.12, 0.035], [0.1, 0.12, 0.05]]);
        let light: [f32; 3] = [tone[0] * 1.4, tone[1] * 1.3, tone[2] * 1.2];
        let leaves = [tone, light].map(|colour| kit.paint("vegetation", Texture::Foliage, colour));
        let (radius, high) = (stream.range(0.45, 0.75), stream.range(0.7, 1.6));
        let mut solid = Solid::default();
        for stem in 0..9 {
            let angle = 0.7 * f64::from(stem);
            let out = Vector3::new(angle.cos(), angle.sin(), 0.0)
                * (0.7 * radius * stream.range(0.2, 1.0));
            let tip = Point3::from(out) + Vector3::z() * (high * stream.range(0.6, 0.95));
            solid.tube(&[(Point3::new(0.0, 0.0, -0.1), 0.02), (tip, 0.006)], 4, bark);
        }
        for _ in 0..1400 {
            let ball = in_ball(&mut stream).normalize() * stream.range(0.55, 1.0);
            let p = Point3::new(ball.x * radius, ball.y * radius, (0.5 + 0.5 * ball.z) * high);
            let facing = (ball + in_ball(&mut stream) * 0.9).normalize();
            let (u, v) = frame(facing, stream.range(0.0, std::f64::consts::TAU));
            let size = stream.range(0.03, 0.07);
            let paint = leaves[usize::from(stream.range(0.0, 1.0) < 0.4)];
            solid.leaf(p, u * size, v * (0.6 * size), paint);
        }
        solid
    })
}

fn tuft(kit: &mut Kit<'_>, variant: u32) -> MeshId {
    kit.shared("tuft", variant, |kit| {
        let mut stream = kit.stream(&format!("tuft {variant}"));
        let tones = [[0.09, 0.14, 0.035], [0.13, 0.17, 0.05], [0.19, 0.18, 0.08]]
            .map(|colour| kit.paint("terrain", Texture::Foliage, colour));
        let flower = kit.paint("terrain", Texture::Plain, [0.7, 0.65, 0.2]);
        let mut solid = Solid::default();
        for blade in 0..70 {
            let angle = stream.range(0.0, std::f64::consts::TAU);
            let out = Vector3::new(angle.cos(), angle.sin(), 0.0);
            let root = Point3::from(out * stream.range(0.0, 0.28));
            let high = stream.range(0.08, 0.3);
            let tip = root + out * (high * stream.range(0.05, 0.5)) + Vector3::z() * high;
            let across = Vector3::new(-out.y, out.x, 0.0) * stream.range(0.003, 0.007);
            let paint = tones[pick(&mut stream, &[0usize, 0, 1, 1, 2])];
            solid.face(&[root - across, root + across, tip], paint);
            if variant == 3 && blade % 18 == 0 {
                solid.board(tip, out, (0.015, 6, 0.0), flower);
            }
        }
        solid
    })
}
