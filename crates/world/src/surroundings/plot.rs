//! What stands where, so that nothing stands in the way or in each other.

use std::collections::HashMap;

use nalgebra::{Point2, Point3};

pub(super) use crate::footprint::Footprint;
use crate::roads::{GroundClass, Network};

/// What may be under a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Pavement and land.
    OffRoad,
    /// Land alone.
    Land,
}

pub(crate) struct Plot<'a> {
    network: &'a Network,
    taken: Vec<Footprint>,
    cells: HashMap<[i64; 2], Vec<u32>>,
}

const CELL_M: f64 = 12.0;

impl<'a> Plot<'a> {
    pub(crate) fn new(network: &'a Network) -> Self {
        Self { network, taken: Vec::new(), cells: HashMap::new() }
    }

    /// A point on the ground.
    pub(crate) fn on_ground(&self, p: Point2<f64>) -> Option<Point3<f64>> {
        let height_m = self.network.ground(p.x, p.y)?.height_m;
        Some(Point3::new(p.x, p.y, height_m))
    }

    /// Takes a rectangle if it is free and its ground is allowed; the lowest ground under it.
    pub(crate) fn take(&mut self, footprint: Footprint, allowed: Allowed) -> Option<f64> {
        let lowest_m = self.lowest(&footprint, allowed)?;
        if self.is_taken(&footprint) {
            return None;
        }
        self.insert(footprint);
        Some(lowest_m)
    }

    pub(crate) fn is_taken(&self, footprint: &Footprint) -> bool {
        let [low, high] = cells(footprint);
        let cells = (low[1]..=high[1]).flat_map(|y| (low[0]..=high[0]).map(move |x| [x, y]));
        cells
            .filter_map(|cell| self.cells.get(&cell))
            .flatten()
            .any(|index| self.taken[*index as usize].overlaps(footprint))
    }

    pub(crate) fn insert(&mut self, footprint: Footprint) {
        let index = self.taken.len() as u32;
        let [low, high] = cells(&footprint);
        for y in low[1]..=high[1] {
            for x in low[0]..=high[0] {
                self.cells.entry([x, y]).or_default().push(index);
            }
        }
        self.taken.push(footprint);
    }

    /// The lowest ground under a rectangle, unless some of it is not allowed.
    pub(crate) fn lowest(&self, footprint: &Footprint, allowed: Allowed) -> Option<f64> {
        const STEP_M: f64 = 1.0;
        let steps = footprint.half_m.map(|half| (2.0 * half / STEP_M).ceil().max(2.0) as usize);
        let mut lowest_m = f64::INFINITY;
        for row in 0..=steps[1] {
            for column in 0..=steps[0] {
                let share = |i: usize, n: usize| 2.0 * i as f64 / n as f64 - 1.0;
                let x_m = footprint.half_m[0] * share(column, steps[0]);
                let y_m = footprint.half_m[1] * share(row, steps[1]);
                let p = footprint.at(x_m, y_m);
                let ground = self.network.ground(p.x, p.y)?;
                let good = match ground.class {
                    GroundClass::Terrain | GroundClass::Other => true,
                    GroundClass::Sidewalk => allowed == Allowed::OffRoad,
                    _ => false,
                };
                if !good {
                    return None;
                }
                lowest_m = lowest_m.min(ground.height_m);
            }
        }
        Some(lowest_m)
    }

    pub(crate) fn finish(self) -> Vec<Footprint> {
        self.taken
    }
}

fn cells(footprint: &Footprint) -> [[i64; 2]; 2] {
    let (reach, centre) = (footprint.radius_m(), [footprint.centre_m.x, footprint.centre_m.y]);
    let cell = |sign: f64| centre.map(|c| ((c + sign * reach) / CELL_M).floor() as i64);
    [cell(-1.0), cell(1.0)]
}
