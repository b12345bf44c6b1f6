//! Buildings: rows of blocks in towns, houses with gardens, farms.
//!
//! A building's part has x along the street, y away from it, and z up from its ground floor; fronts are
//! whole bays of 3 m, as [`crate::look::Texture::Facade`] has them.

mod details;
mod roofs;

use nalgebra::{Point2, Point3};

use super::frontage::Frontage;
use super::kit::{Kit, pick, standing};
use super::plot::{Allowed, Footprint, Plot};
use super::solid::{Paint, Solid};
use crate::look::Texture;
use crate::noise::Stream;
use crate::roads::{Network, Setting};

/// Width of a bay and height of a storey, metres.
pub(super) const BAY_M: f64 = 3.0;
/// Walls go on this far into the ground, metres.
const FOOT_M: f64 = 2.5;

/// A building before it is placed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draft {
    pub(super) bays: usize,
    pub(super) deep: usize,
    pub(super) storeys: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Flats over a ground floor, often with shops.
    Block,
    /// A house for one family.
    House,
    /// A barn or hall.
    Barn,
}

impl Draft {
    pub(super) fn width_m(&self) -> f64 {
        self.bays as f64 * BAY_M
    }

    pub(super) fn depth_m(&self) -> f64 {
        self.deep as f64 * BAY_M
    }

    pub(super) fn height_m(&self) -> f64 {
        self.storeys as f64 * BAY_M
    }
}

/// Places buildings along all fronts.
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
    let mut stream = kit.stream("buildings");
    for line in lines {
        let row_storeys = 3 + (stream.range(0.0, 3.0) as usize);
        let setback_m = match network.setting {
            Setting::Urban => pick(&mut stream, &[0.15, 0.15, 0.6, 2.5]),
            Setting::Suburban => stream.range(4.0, 7.0),
            _ => stream.range(14.0, 30.0),
        };
        let mut s = stream.range(0.0, 2.0);
        while s < line.length_m() {
            let draft = draw(network.setting, row_storeys, &mut stream);
            let half = 0.5 * draft.width_m();
            let middle = s + half;
            if middle > line.length_m() + half - 1.0 {
                break;
            }
            let jitter =
                if network.setting == Setting::Urban { 0.0 } else { stream.range(-1.5, 1.5) };
            let edge = line.at(middle);
            let out_m = edge.paved_m + setback_m + jitter + 0.5 * draft.depth_m();
            let centre = line.beside(middle, out_m.max(1.0));
            // y of the part points away from the street, which lies on the left of its edge.
            let yaw = line.heading_rad(middle) + std::f64::consts::PI;
            let footprint = Footprint::new(centre, [half - 0.02, 0.5 * draft.depth_m()], yaw);
            let sag = sag(line, middle, half);
            let placed = (sag < 0.8).then(|| plot.take(footprint, Allowed::Land)).flatten();
            let Some(lowest) = placed else {
                s += 1.5;
                continue;
            };
            raise(&draft, footprint, lowest, (network.setting, &mut stream), plot, kit);
            s += draft.width_m() + gap(network.setting, density, &mut stream);
        }
    }
}

/// How much a front of this half width leaves its street.
fn sag(line: &Frontage, s: f64, half: f64) -> f64 {
    let (a, b) = (line.beside(s - half, 0.0), line.beside(s + half, 0.0));
    (line.beside(s, 0.0) - nalgebra::center(&a, &b)).norm()
}

fn gap(setting: Setting, density: f64, stream: &mut Stream) -> f64 {
    let chance = stream.range(0.0, 1.0);
    let gap = match setting {
        Setting::Urban if chance < 0.75 => 0.05,
        Setting::Urban => stream.range(3.0, 8.0),
        Setting::Suburban => stream.range(4.5, 11.0),
        Setting::Rural => stream.range(50.0, 160.0),
        Setting::Motorway => stream.range(120.0, 300.0),
    };
    gap / density
}

fn draw(setting: Setting, row_storeys: usize, stream: &mut Stream) -> Draft {
    let mut whole = |low: f64, high: f64| stream.range(low, high + 1.0) as usize;
    match setting {
        Setting::Urban => Draft {
            bays: whole(3.0, 7.0),
            deep: whole(3.0, 4.0),
            storeys: (row_storeys + whole(0.0, 2.0)).saturating_sub(1).max(2),
            kind: Kind::Block,
        },
        Setting::Suburban => {
            Draft { bays: whole(3.0, 4.0), deep: 3, storeys: whole(1.0, 2.0), kind: Kind::House }
        }
        _ if whole(0.0, 9.0) < 6 => {
            Draft { bays: whole(3.0, 5.0), deep: 3, storeys: 2, kind: Kind::House }
        }
        _ => Draft {
            bays: whole(5.0, 9.0),
            deep: whole(3.0, 5.0),
            storeys: whole(1.0, 2.0),
            kind: Kind::Barn,
        },
    }
}

/// Builds and places one.
fn raise(
    draft: &Draft,
    footprint: Footprint,
    lowest: f64,
    (setting, stream): (Setting, &mut Stream),
    plot: &mut Plot<'_>,
    kit: &mut Kit<'_>,
) {
    // The ground floor lies at the front's ground, which may be higher than the lowest.
    let front = footprint.at(0.0, -footprint.half_m[1]);
    let ground = plot.on_ground(front).map_or(lowest, |p| p.z);
    let mut solid = Solid::default();
    let wall = wall(draft.kind, stream, kit);
    body(draft, &wall, &mut solid, kit);
    roofs::roof(draft, stream, &mut solid, kit);
    match draft.kind {
        Kind::Block => details::block(draft, setting, stream, &mut solid, kit),
        Kind::House => details::house(draft, stream, &mut solid, kit),
        Kind::Barn => details::barn(draft, &mut solid, kit),
    }
    // Lowest rows of the texture hold shops and gates: houses begin with the row above.
    let skipped_m = if draft.kind == Kind::Block { 0.0 } else { BAY_M };
    solid.lift(skipped_m);
    let mesh = kit.add_mesh(solid);
    let origin = footprint.at(0.0, -0.5 * draft.depth_m());
    let p = Point3::new(origin.x, origin.y, ground - skipped_m);
    kit.stand(mesh, standing(p, footprint.heading_rad));
}

fn wall(kind: Kind, stream: &mut Stream, kit: &mut Kit<'_>) -> Paint {
    const TONES: [[f32; 3]; 12] = [
        [0.62, 0.55, 0.42],
        [0.55, 0.32, 0.24],
        [0.68, 0.64, 0.56],
        [0.45, 0.47, 0.48],
        [0.60, 0.42, 0.26],
        [0.70, 0.66, 0.50],
        [0.38, 0.20, 0.15],
        [0.52, 0.55, 0.50],
        [0.66, 0.50, 0.42],
        [0.74, 0.73, 0.70],
        [0.42, 0.36, 0.30],
        [0.58, 0.60, 0.64],
    ];
    let tone = pick(stream, &TONES);
    match kind {
        Kind::Block | Kind::House => kit.paint_with("building", Texture::Facade, tone, [0.15, 0.0]),
        Kind::Barn => {
            let texture = pick(stream, &[Texture::Wood, Texture::Brick, Texture::Plaster]);
            kit.paint("building", texture, [0.8 * tone[0], 0.7 * tone[1], 0.65 * tone[2]])
        }
    }
}

/// Walls and plinth; the front lies at y = 0.
fn body(draft: &Draft, wall: &Paint, solid: &mut Solid, kit: &mut Kit<'_>) {
    let (half, depth) = (0.5 * draft.width_m(), draft.depth_m());
    solid.block([-half, 0.0, 0.0], [half, depth, draft.height_m()], *wall);
    let plinth = kit.paint("building", Texture::Concrete, [0.3, 0.29, 0.28]);
    solid.block([-half - 0.03, -0.03, -FOOT_M], [half + 0.03, depth + 0.03, 0.35], plinth);
}

/// Corners in plan.
pub(super) fn outline(draft: &Draft) -> [Point2<f64>; 4] {
    let (half, depth) = (0.5 * draft.width_m(), draft.depth_m());
    [[-half, 0.0], [half, 0.0], [half, depth], [-half, depth]].map(|[x, y]| Point2::new(x, y))
}
