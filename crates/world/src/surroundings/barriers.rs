//! What runs along roads: guard rails, garden fences, walls and hedges, and the barrier of a motorway's
//! median.

use nalgebra::{Point2, Point3, Vector3};

use super::frontage::Frontage;
use super::kit::{Kit, between, pick};
use super::plot::{Allowed, Footprint, Plot};
use super::solid::Solid;
use super::trees::{frame, in_ball};
use crate::look::Texture;
use crate::roads::{LaneKind, Network, Setting};
use crate::site::MeshId;

/// Kinds of panel; each has its origin at one end and x towards the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Panel {
    Rail,
    Median,
    Pickets,
    Brick,
    Hedge(u32),
    Wire,
    Noise,
}

impl Panel {
    /// Length, metres.
    fn length_m(self) -> f64 {
        match self {
            Self::Rail | Self::Median => 4.0,
            Self::Pickets | Self::Brick | Self::Wire => 2.5,
            Self::Hedge(_) => 2.0,
            Self::Noise => 4.0,
        }
    }
}

/// Places what runs along roads.
pub(super) fn place(network: &Network, lines: &[Frontage], plot: &mut Plot<'_>, kit: &mut Kit<'_>) {
    let mut stream = kit.stream("barriers");
    for line in lines {
        match network.setting {
            Setting::Motorway if line.lanes > 1 => {
                run(Panel::Rail, line, [0.0, line.length_m()], 0.5, (plot, kit));
                if stream.range(0.0, 1.0) < 0.4 {
                    let from = stream.range(0.0, 0.5) * line.length_m();
                    run(Panel::Noise, line, [from, from + 120.0], 4.0, (plot, kit));
                }
            }
            Setting::Rural | Setting::Motorway => {
                bends(line, plot, kit);
                if stream.range(0.0, 1.0) < 0.5 {
                    let from = stream.range(0.0, 0.6) * line.length_m();
                    let out_m = stream.range(6.0, 9.0);
                    run(Panel::Wire, line, [from, from + 90.0], out_m, (plot, kit));
                }
            }
            Setting::Suburban => gardens(line, &mut stream, plot, kit),
            Setting::Urban => {}
        }
    }
    if network.setting == Setting::Motorway {
        median(network, plot, kit);
    }
}

/// Guard rails outside of bends.
fn bends(line: &Frontage, plot: &mut Plot<'_>, kit: &mut Kit<'_>) {
    let step = Panel::Rail.length_m();
    let mut s = 0.0;
    while s + step < line.length_m() {
        let (before, after) = (line.at(s - 8.0).out, line.at(s + 8.0).out);
        // The edge is on the right: a road that bends left bows towards it.
        if before.perp(&after) > 0.12 {
            run(Panel::Rail, line, [s, s + step], 0.9, (plot, kit));
        }
        s += step;
    }
}

/// Changing borders of gardens, with gaps for gates.
fn gardens(
    line: &Frontage,
    stream: &mut crate::noise::Stream,
    plot: &mut Plot<'_>,
    kit: &mut Kit<'_>,
) {
    let mut s = stream.range(0.0, 4.0);
    while s < line.length_m() {
        let length = stream.range(9.0, 20.0);
        let panel = pick(
            stream,
            &[
                Some(Panel::Pickets),
                Some(Panel::Brick),
                Some(Panel::Hedge(0)),
                Some(Panel::Hedge(1)),
                None,
            ],
        );
        if let Some(panel) = panel {
            let end = (s + length).min(line.length_m());
            run(panel, line, [s, end], 0.35, (plot, kit));
        }
        s += length + stream.range(2.8, 4.5);
    }
}

/// Panels along an edge, behind its pavement. Each is left out where there is no room.
fn run(
    panel: Panel,
    line: &Frontage,
    [from, to]: [f64; 2],
    out_m: f64,
    (plot, kit): (&mut Plot<'_>, &mut Kit<'_>),
) {
    let step = panel.length_m();
    let mut s = from;
    while s + step <= to.min(line.length_m()) + 0.01 {
        let at = |s: f64| {
            let edge = line.at(s);
            edge.p_m + edge.out * (edge.paved_m + out_m)
        };
        set(panel, (at(s), at(s + step)), (plot, kit));
        s += step;
    }
}

/// One panel between two points.
fn set(
    panel: Panel,
    (a, b): (Point2<f64>, Point2<f64>),
    (plot, kit): (&mut Plot<'_>, &mut Kit<'_>),
) {
    let along = b - a;
    let half =
        [0.5 * along.norm() - 0.05, if matches!(panel, Panel::Hedge(_)) { 0.35 } else { 0.12 }];
    let footprint = Footprint::new(nalgebra::center(&a, &b), half, along.y.atan2(along.x));
    let (Some(from), Some(to)) = (plot.on_ground(a), plot.on_ground(b)) else { return };
    // Posts at its ends stand out of it.
    let wide = Footprint { half_m: footprint.half_m.map(|half| half + 0.3), ..footprint };
    if plot.lowest(&wide, Allowed::OffRoad).is_none()
        || plot.take(footprint, Allowed::Land).is_none()
    {
        return;
    }
    let mesh = mesh(kit, panel);
    kit.stand(mesh, between(from, to));
}

/// A concrete wall in the middle of a motorway: along the inner edge of the inner shoulder.
fn median(network: &Network, plot: &mut Plot<'_>, kit: &mut Kit<'_>) {
    for lane in &network.lanes {
        if lane.kind != LaneKind::Shoulder || lane.left_neighbour.is_some() {
            continue;
        }
        if lane.right_neighbour.is_none() {
            continue;
        }
        let points = &lane.left.points_m;
        for index in (0..points.len().saturating_sub(4)).step_by(4) {
            let aside = |i: usize| {
                let left = lane.stations[i].left();
                points[i].xy() + left.xy() * 1.1
            };
            set(Panel::Median, (aside(index), aside(index + 4)), (plot, kit));
        }
    }
}

fn mesh(kit: &mut Kit<'_>, panel: Panel) -> MeshId {
    match panel {
        Panel::Rail => kit.shared("rail", 0, rail),
        Panel::Median => kit.shared("median", 0, |kit| {
            let concrete = kit.paint("wall", Texture::Concrete, [0.42, 0.42, 0.4]);
            let mut solid = Solid::default();
            // The New Jersey profile.
            let profile = [[0.3, -0.2], [0.3, 0.08], [0.17, 0.33], [0.09, 0.81]];
            let length = Panel::Median.length_m();
            let at = |x: f64, y: f64, z: f64| Point3::new(x, y, z);
            for pair in profile.windows(2) {
                for side in [-1.0, 1.0] {
                    let (a, b) = (pair[0], pair[1]);
                    let mut face = vec![
                        at(0.0, side * a[0], a[1]),
                        at(length, side * a[0], a[1]),
                        at(length, side * b[0], b[1]),
                        at(0.0, side * b[0], b[1]),
                    ];
                    if side > 0.0 {
                        face.reverse();
                    }
                    solid.face(&face, concrete);
                }
            }
            solid.block([0.0, -0.09, 0.8], [length, 0.09, 0.81], concrete);
            solid
        }),
        Panel::Pickets => kit.shared("pickets", 0, |kit| {
            let wood = kit.paint("fence", Texture::Wood, [0.42, 0.33, 0.22]);
            let mut solid = Solid::default();
            let length = Panel::Pickets.length_m();
            for z in [0.25, 0.8] {
                solid.block([0.0, 0.0, z], [length, 0.04, z + 0.08], wood);
            }
            for picket in 0..18 {
                let x = 0.03 + length * f64::from(picket) / 18.0;
                solid.block([x, -0.02, 0.06], [x + 0.08, 0.0, 1.05], wood);
            }
            solid.block([0.0, -0.02, -0.3], [0.09, 0.07, 1.15], wood);
            solid
        }),
        Panel::Brick => kit.shared("garden wall", 0, |kit| {
            let brick = kit.paint("wall", Texture::Brick, [0.4, 0.2, 0.14]);
            let cap = kit.paint("wall", Texture::Concrete, [0.45, 0.44, 0.42]);
            let mut solid = Solid::default();
            let length = Panel::Brick.length_m();
            solid.block([0.0, -0.11, -0.5], [length, 0.11, 0.95], brick);
            solid.block([-0.02, -0.15, 0.95], [length + 0.02, 0.15, 1.02], cap);
            solid
        }),
        Panel::Hedge(kind) => kit.shared("hedge", kind, |kit| hedge(kit, kind)),
        Panel::Wire => kit.shared("wire fence", 0, |kit| {
            let wood = kit.paint("fence", Texture::Wood, [0.28, 0.2, 0.13]);
            let wire = kit.paint("fence", Texture::Metal, [0.4, 0.4, 0.4]);
            let mut solid = Solid::default();
            let at = |x: f64, z: f64| Point3::new(x, 0.0, z);
            solid.tube(&[(at(0.0, -0.4), 0.06), (at(0.0, 1.25), 0.05)], 8, wood);
            for z in [0.3, 0.6, 0.9, 1.15] {
                let ends = [at(0.0, z), at(Panel::Wire.length_m(), z)];
                solid.tube(&ends.map(|p| (p, 0.006)), 4, wire);
            }
            solid
        }),
        Panel::Noise => kit.shared("noise wall", 0, |kit| {
            let board = kit.paint("wall", Texture::Wood, [0.3, 0.27, 0.2]);
            let post = kit.paint("wall", Texture::Metal, [0.3, 0.32, 0.3]);
            let mut solid = Solid::default();
            let length = Panel::Noise.length_m();
            solid.block([0.0, -0.1, -0.6], [length, 0.1, 3.4], board);
            for row in 0..11 {
                let z = 0.3 * f64::from(row);
                solid.block([0.1, -0.13, z], [length - 0.1, 0.13, z + 0.12], board);
            }
            solid.block([-0.09, -0.16, -0.6], [0.09, 0.16, 3.5], post);
            solid
        }),
    }
}

/// A steel rail of two waves on posts.
fn rail(kit: &mut Kit<'_>) -> Solid {
    let steel = kit.paint_with("fence", Texture::Metal, [0.46, 0.47, 0.48], [0.5, 0.0]);
    let mut solid = Solid::default();
    let length = Panel::Rail.length_m();
    let wave = [
        [0.0, 0.45],
        [0.07, 0.5],
        [0.07, 0.55],
        [0.0, 0.6],
        [0.07, 0.65],
        [0.07, 0.7],
        [0.0, 0.75],
    ];
    for side in [1.0, -1.0] {
        // The beam hangs on the road's side of its posts; seen from both sides.
        for pair in wave.windows(2) {
            let p = |x: f64, [y, z]: [f64; 2]| Point3::new(x, 0.06 + y, z);
            let mut face =
                vec![p(0.0, pair[0]), p(0.0, pair[1]), p(length, pair[1]), p(length, pair[0])];
            if side < 0.0 {
                face.reverse();
            }
            solid.face(&face, steel);
        }
    }
    for x in [1.0, 3.0] {
        solid.block([x, -0.06, -0.5], [x + 0.06, 0.05, 0.72], steel);
    }
    solid
}

/// Leaves on the faces of a box.
fn hedge(kit: &mut Kit<'_>, kind: u32) -> Solid {
    let mut stream = kit.stream(&format!("hedge {kind}"));
    let dark = kit.paint("vegetation", Texture::Foliage, [0.03, 0.055, 0.018]);
    let leaves = [[0.05, 0.1, 0.03], [0.075, 0.13, 0.035]]
        .map(|colour| kit.paint("vegetation", Texture::Foliage, colour));
    let (length, half) = (Panel::Hedge(kind).length_m(), 0.28);
    let high = if kind == 0 { 1.1 } else { 1.7 };
    let mut solid = Solid::default();
    solid.block([0.0, -half + 0.08, -0.2], [length, half - 0.08, high - 0.08], dark);
    for _ in 0..1500 {
        let x = stream.range(0.0, length);
        let along = stream.range(0.0, 2.0 * high + 2.0 * half);
        let (y, z, facing) = if along < high {
            (-half, along, -Vector3::y())
        } else if along < 2.0 * high {
            (half, along - high, Vector3::y())
        } else {
            (along - 2.0 * high - half, high, Vector3::z())
        };
        let p = Point3::new(x, y, z) + in_ball(&mut stream) * 0.07;
        let facing = (facing + in_ball(&mut stream) * 0.8).normalize();
        let (u, v) = frame(facing, stream.range(0.0, std::f64::consts::TAU));
        let size = stream.range(0.025, 0.055);
        let paint = leaves[usize::from(stream.range(0.0, 1.0) < 0.5)];
        solid.leaf(p, u * size, v * (0.6 * size), paint);
    }
    solid
}
