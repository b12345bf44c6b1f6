//! What lies beyond the land that was made in detail: hills, woods and roofs on the horizon.

use nalgebra::{Point2, Point3};

use super::kit::{Kit, pick, standing};
use super::solid::Solid;
use super::trees;
use crate::look::Texture;
use crate::noise::Stream;
use crate::roads::{Network, Setting};

/// The backdrop begins this far inside of the land's edge and this much below it, metres.
const INSIDE_M: f64 = 4.0;
const BELOW_M: f64 = 0.4;
/// Distances of its rows from there, metres.
const ROWS_M: [f64; 8] = [0.0, 15.0, 40.0, 90.0, 180.0, 380.0, 800.0, 1800.0];
const STEP_M: f64 = 12.0;

/// Adds the backdrop.
pub(super) fn place(network: &Network, kit: &mut Kit<'_>) {
    if network.ground.facets.is_empty() {
        return;
    }
    let mut stream = kit.stream("backdrop");
    let [x, y] = network.ground.extent_m();
    // Cells of the look-up reach beyond the land.
    let (low, high) = (
        Point2::new(x[0] + INSIDE_M, y[0] + INSIDE_M),
        Point2::new(x[1] - INSIDE_M - 2.0, y[1] - INSIDE_M - 2.0),
    );
    let waves: [(f64, f64, f64); 3] = std::array::from_fn(|_| {
        (
            stream.range(3.0, 9.0).round(),
            stream.range(0.0, std::f64::consts::TAU),
            stream.range(4.0, 14.0),
        )
    });
    let middle = nalgebra::center(&low, &high);
    let rise = |p: Point2<f64>, far_m: f64| {
        let angle = (p.y - middle.y).atan2(p.x - middle.x);
        let hills: f64 =
            waves.iter().map(|(n, phase, high)| high * (1.0 + (n * angle + phase).sin())).sum();
        hills * ((far_m - 60.0) / 700.0).clamp(0.0, 1.0)
    };
    let rim = rim(low, high);
    let edge_m: Vec<f64> = rim
        .iter()
        .map(|p| network.ground(p.x, p.y).map_or(0.0, |ground| ground.height_m) - BELOW_M)
        .collect();
    let colour =
        if network.setting == Setting::Urban { [0.2, 0.2, 0.18] } else { [0.075, 0.115, 0.03] };
    let texture = if network.setting == Setting::Urban { Texture::Soil } else { Texture::Grass };
    let land = kit.paint("terrain", texture, colour);
    let at = |index: usize, row: usize| {
        let p = rim[index] + (rim[index] - middle).normalize() * ROWS_M[row];
        Point3::new(p.x, p.y, edge_m[index] + rise(p, ROWS_M[row]))
    };
    let mut solid = Solid::default();
    let mut last: Vec<u32> = Vec::new();
    for row in 0..ROWS_M.len() {
        let ring: Vec<u32> = (0..rim.len()).map(|index| solid.vertex(at(index, row))).collect();
        for index in 0..rim.len() {
            if row > 0 {
                let next = (index + 1) % rim.len();
                solid.triangle([last[index], ring[index], ring[next]], land);
                solid.triangle([last[index], ring[next], last[next]], land);
            }
        }
        last = ring;
    }
    let mesh = kit.add_mesh(solid);
    kit.strew(mesh, standing(Point3::origin(), 0.0));
    for index in 0..rim.len() {
        for row in 1..5 {
            let share = stream.range(0.0, 1.0);
            let (a, b) = (at(index, row), at(index, row + 1));
            let p = a + (b - a) * share;
            stand(network.setting, p, rim[index] - middle, &mut stream, kit);
        }
    }
}

/// The border of a rectangle, counter-clockwise.
fn rim(low: Point2<f64>, high: Point2<f64>) -> Vec<Point2<f64>> {
    let corners = [low, Point2::new(high.x, low.y), high, Point2::new(low.x, high.y)];
    let mut rim = Vec::new();
    for (index, corner) in corners.iter().enumerate() {
        let side = corners[(index + 1) % 4] - corner;
        let steps = (side.norm() / STEP_M).ceil().max(1.0);
        rim.extend((0..steps as usize).map(|step| corner + side * (step as f64 / steps)));
    }
    rim
}

/// A block, a house or a tree.
fn stand(
    setting: Setting,
    p: Point3<f64>,
    out: nalgebra::Vector2<f64>,
    stream: &mut Stream,
    kit: &mut Kit<'_>,
) {
    let chance = stream.range(0.0, 1.0);
    let (blocks, trees_share) = match setting {
        Setting::Urban => (0.75, 0.1),
        Setting::Suburban => (0.3, 0.5),
        Setting::Rural | Setting::Motorway => (0.03, 0.75),
    };
    let (variant, turn) = (stream.range(0.0, 1.0), stream.range(-0.25, 0.25));
    let yaw = out.y.atan2(out.x) - std::f64::consts::FRAC_PI_2 + turn;
    if chance < blocks {
        let tall = if setting == Setting::Urban { 3.0 } else { 0.0 };
        let storeys = pick(stream, &[2.0, 3.0, 4.0, 5.0]) + tall;
        let tone = pick(
            stream,
            &[[0.62, 0.55, 0.42], [0.55, 0.32, 0.24], [0.68, 0.64, 0.56], [0.45, 0.47, 0.48]],
        );
        let kind = (storeys as u32) * 4 + (variant * 4.0) as u32;
        let mesh = kit.shared("far block", kind, |kit| {
            let wall = kit.paint_with("building", Texture::Facade, tone, [0.1, 0.0]);
            let roof = kit.paint("building", Texture::Tiles, [0.25, 0.12, 0.09]);
            let mut solid = Solid::default();
            let half = 6.0 + 6.0 * (variant * 2.0).floor();
            solid.block_with_top([-half, 0.0, -3.0], [half, 12.0, 3.0 * storeys], wall, roof);
            let (top, ridge) = (3.0 * storeys, 3.0 * storeys + 3.5);
            let corner = |x: f64, y: f64, z: f64| Point3::new(x, y, z);
            solid.face(
                &[
                    corner(-half, -0.4, top),
                    corner(half, -0.4, top),
                    corner(half, 6.0, ridge),
                    corner(-half, 6.0, ridge),
                ],
                roof,
            );
            solid.face(
                &[
                    corner(half, 12.4, top),
                    corner(-half, 12.4, top),
                    corner(-half, 6.0, ridge),
                    corner(half, 6.0, ridge),
                ],
                roof,
            );
            for x in [-half, half] {
                let gable = [corner(x, 0.0, top), corner(x, 12.0, top), corner(x, 6.0, ridge)];
                solid.face(&gable, wall);
                solid.face(&[gable[2], gable[1], gable[0]], wall);
            }
            solid
        });
        kit.stand(mesh, standing(p, yaw));
    } else if chance < blocks + trees_share {
        let mesh = trees::any(kit, variant);
        kit.strew(mesh, standing(p, yaw + 9.0 * variant));
    }
}
