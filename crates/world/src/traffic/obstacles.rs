//! What stands along the roads, as cells of the plane in which nobody can be.

use std::collections::HashSet;

use nalgebra::{Point2, Vector2};

use super::collide::Footprint;
use crate::surroundings;

const CELL_M: f64 = 0.2;

/// Cells that are taken by walls, poles, trunks, fences.
#[derive(Debug, Clone, Default)]
pub(crate) struct Obstacles {
    // Only asked for membership: the order of a hash set cannot show.
    cells: HashSet<(i32, i32)>,
}

fn cell(x_m: f64, y_m: f64) -> (i32, i32) {
    ((x_m / CELL_M).floor() as i32, (y_m / CELL_M).floor() as i32)
}

impl Obstacles {
    /// Of everything that was placed along the roads.
    pub(crate) fn of(footprints: &[surroundings::Footprint]) -> Self {
        let mut found = Self::default();
        for footprint in footprints {
            let (sin, cos) = footprint.yaw_rad.sin_cos();
            let middle = Point2::from(footprint.centre_m);
            let steps = footprint.half_m.map(|half| (4.0 * half / CELL_M).ceil().max(1.0) as usize);
            for row in 0..=steps[1] {
                for column in 0..=steps[0] {
                    let share = |i: usize, n: usize| 2.0 * i as f64 / n as f64 - 1.0;
                    let x = footprint.half_m[0] * share(column, steps[0]);
                    let y = footprint.half_m[1] * share(row, steps[1]);
                    let p = middle + Vector2::new(cos * x - sin * y, sin * x + cos * y);
                    found.cells.insert(cell(p.x, p.y));
                }
            }
        }
        found
    }

    /// A box overlaps something that stands there.
    pub(crate) fn blocks(&self, footprint: &Footprint) -> bool {
        if self.cells.is_empty() {
            return false;
        }
        let radius = footprint.radius_m();
        let (low, high) = (
            cell(footprint.centre_m.x - radius, footprint.centre_m.y - radius),
            cell(footprint.centre_m.x + radius, footprint.centre_m.y + radius),
        );
        (low.0..=high.0).any(|i| {
            (low.1..=high.1).any(|j| {
                let middle =
                    Point2::new((f64::from(i) + 0.5) * CELL_M, (f64::from(j) + 0.5) * CELL_M);
                self.cells.contains(&(i, j)) && footprint.holds(&middle)
            })
        })
    }
}
