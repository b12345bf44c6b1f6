//! Lamps of one moment, in a grid on the ground so that a point asks only those that reach it.

use super::Lamp;
use super::vector::{dot, floor, scale, sub};

/// Side of a cell, metres.
const CELL_M: f32 = 12.0;
/// Irradiance below which a lamp does not count, in units of full sun: a tenth of a moonlit lux.
const FAINTEST: f32 = 2e-6;
/// No lamp reaches farther, metres.
const FARTHEST_M: f32 = 90.0;
/// Most lamps that light one cell; the strongest stay.
const MOST: usize = 10;

#[derive(Debug, Clone, Copy)]
struct Placed {
    p_in_world: [f32; 3],
    axis: [f32; 3],
    colour: [f32; 3],
    /// Cosines where the cone begins and ends.
    cos_outer: f32,
    cos_inner: f32,
    reach_m: f32,
}

/// Light of one lamp at a point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beam {
    /// Towards the lamp.
    pub(crate) to_lamp: [f32; 3],
    /// Radiance of a white surface that faces it.
    pub(crate) colour: [f32; 3],
}

/// Lamps by the cells that they reach.
#[derive(Default)]
pub(crate) struct Lamps {
    lamps: Vec<Placed>,
    low: [i32; 2],
    size: [i32; 2],
    /// Where each cell's lamps begin in `list`; one more than there are cells.
    starts: Vec<u32>,
    list: Vec<u32>,
}

impl Lamps {
    /// Lamps where they are at a time (s).
    pub(crate) fn new(lamps: &[Lamp], time_s: f64) -> Self {
        let lamps: Vec<Placed> = lamps
            .iter()
            .map(|lamp| place(lamp, time_s))
            .filter(|lamp| lamp.reach_m > 0.0)
            .collect();
        if lamps.is_empty() {
            return Self::default();
        }
        let cell = |x: f32| (x / CELL_M).floor() as i32;
        let span = |lamp: &Placed, axis: usize| {
            cell(lamp.p_in_world[axis] - lamp.reach_m)..=cell(lamp.p_in_world[axis] + lamp.reach_m)
        };
        let bound = |axis: usize| {
            let spans = lamps.iter().map(|lamp| span(lamp, axis));
            spans.fold((i32::MAX, i32::MIN), |(low, high), span| {
                (low.min(*span.start()), high.max(*span.end()))
            })
        };
        let (x, y) = (bound(0), bound(1));
        let (low, size) = ([x.0, y.0], [x.1 - x.0 + 1, y.1 - y.0 + 1]);
        let mut cells: Vec<Vec<u32>> = vec![Vec::new(); (size[0] * size[1]) as usize];
        for (index, lamp) in lamps.iter().enumerate() {
            for row in span(lamp, 1) {
                for column in span(lamp, 0) {
                    cells[((row - low[1]) * size[0] + column - low[0]) as usize].push(index as u32);
                }
            }
        }
        let mut starts = vec![0];
        let mut list = Vec::new();
        for (index, mut inside) in cells.into_iter().enumerate() {
            let column = low[0] + index as i32 % size[0];
            let row = low[1] + index as i32 / size[0];
            let centre = [(column as f32 + 0.5) * CELL_M, (row as f32 + 0.5) * CELL_M];
            inside.retain(|&lamp| strength(&lamps[lamp as usize], centre) > FAINTEST);
            inside.sort_by(|&a, &b| {
                let of = |lamp: u32| strength(&lamps[lamp as usize], centre);
                of(b).total_cmp(&of(a)).then(a.cmp(&b))
            });
            inside.truncate(MOST);
            list.extend(inside);
            starts.push(list.len() as u32);
        }
        Self { lamps, low, size, starts, list }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lamps.is_empty()
    }

    /// Calls `f` for each lamp that reaches a point.
    #[inline]
    pub(crate) fn at(&self, p_in_world: [f32; 3], mut f: impl FnMut(Beam)) {
        let column = floor(p_in_world[0] / CELL_M) - self.low[0];
        let row = floor(p_in_world[1] / CELL_M) - self.low[1];
        if column < 0 || row < 0 || column >= self.size[0] || row >= self.size[1] {
            return;
        }
        let cell = (row * self.size[0] + column) as usize;
        for &index in &self.list[self.starts[cell] as usize..self.starts[cell + 1] as usize] {
            let lamp = &self.lamps[index as usize];
            let offset = sub(lamp.p_in_world, p_in_world);
            // Half a metre: no lamp is a point.
            let squared = dot(offset, offset) + 0.05;
            let to_lamp = scale(offset, 1.0 / squared.sqrt());
            let off_axis = -dot(to_lamp, lamp.axis);
            let inside =
                ((off_axis - lamp.cos_outer) / (lamp.cos_inner - lamp.cos_outer)).clamp(0.0, 1.0);
            if inside > 0.0 {
                let fade = (1.0 - squared / (lamp.reach_m * lamp.reach_m)).max(0.0);
                f(Beam { to_lamp, colour: scale(lamp.colour, inside * inside * fade / squared) });
            }
        }
    }
}

fn place(lamp: &Lamp, time_s: f64) -> Placed {
    let pose = lamp.motion.at(time_s);
    let axis = pose.rotate(&nalgebra::Vector3::x());
    let half = lamp.half_angle_rad.clamp(0.0, std::f32::consts::PI);
    let strongest = lamp.colour.iter().fold(0.0f32, |a, &b| a.max(b));
    Placed {
        p_in_world: [
            pose.translation.x as f32,
            pose.translation.y as f32,
            pose.translation.z as f32,
        ],
        axis: [axis.x as f32, axis.y as f32, axis.z as f32],
        colour: lamp.colour,
        cos_outer: if half > 3.1 { -2.0 } else { half.cos() },
        cos_inner: if half > 3.1 { -1.5 } else { (0.55 * half).cos() },
        reach_m: (strongest / FAINTEST).sqrt().min(FARTHEST_M),
    }
}

/// What a cell around `centre` can get from a lamp at most.
fn strength(lamp: &Placed, centre: [f32; 2]) -> f32 {
    let (dx, dy) = (lamp.p_in_world[0] - centre[0], lamp.p_in_world[1] - centre[1]);
    let nearest = ((dx * dx + dy * dy).sqrt() - 0.71 * CELL_M).max(1.0);
    // Cones that point away from the whole cell give nothing.
    let (ax, ay) = (lamp.axis[0], lamp.axis[1]);
    let away =
        lamp.cos_outer > 0.0 && ax * dx + ay * dy > 1.5 * CELL_M * (ax * ax + ay * ay).sqrt();
    let strongest = lamp.colour.iter().fold(0.0f32, |a, &b| a.max(b));
    if away || nearest > lamp.reach_m { 0.0 } else { strongest / (nearest * nearest) }
}
