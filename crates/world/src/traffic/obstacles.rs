//! What stands along the roads, as cells of the plane in which nobody can be.

use std::collections::HashSet;

use nalgebra::{Point2, Vector2};

use crate::footprint::Footprint;

const CELL_M: f64 = 0.2;

/// Cells that are taken by walls, poles, trunks, fences.
#[derive(Debug, Clone, Default)]
pub(crate) struct Obstacles {
    // Only asked for membership: the order of a hash set cannot show.
    cells: HashSet<(i32, i32)>,
}

fn cell(p: &Point2<f64>) -> (i32, i32) {
    ((p.x / CELL_M).floor() as i32, (p.y / CELL_M).floor() as i32)
}

impl Obstacles {
    /// Of what stands on the ground.
    pub(crate) fn of(standing: &[Footprint]) -> Self {
        let mut cells = HashSet::new();
        for place in standing {
            let [length, width] = place.half_m;
            let steps = |half: f64| (4.0 * half / CELL_M).ceil().max(1.0) as usize;
            let (along, across) = (steps(length), steps(width));
            for i in 0..=along {
                for j in 0..=across {
                    // The inside of a building need not be marked: nobody gets past its walls.
                    if i > 3 && j > 3 && i + 3 < along && j + 3 < across {
                        continue;
                    }
                    let u = length * (2.0 * i as f64 / along as f64 - 1.0);
                    let v = width * (2.0 * j as f64 / across as f64 - 1.0);
                    cells.insert(cell(&place.at(u, v)));
                }
            }
        }
        Self { cells }
    }

    /// A box overlaps something that stands there.
    pub(crate) fn blocks(&self, footprint: &Footprint) -> bool {
        if self.cells.is_empty() {
            return false;
        }
        let radius = Vector2::repeat(footprint.radius_m());
        let (low, high) =
            (cell(&(footprint.centre_m - radius)), cell(&(footprint.centre_m + radius)));
        (low.0..=high.0).any(|i| {
            (low.1..=high.1).any(|j| {
                let middle =
                    Point2::new((f64::from(i) + 0.5) * CELL_M, (f64::from(j) + 0.5) * CELL_M);
                self.cells.contains(&(i, j)) && footprint.holds(&middle)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_block_and_air_does_not() {
        let wall = Footprint::new(Point2::new(10.0, 5.0), [4.0, 0.1], 0.6);
        let obstacles = Obstacles::of(&[wall]);
        let at = |along: f64, aside: f64| Footprint {
            centre_m: Point2::new(
                10.0 + along * 0.6_f64.cos() - aside * 0.6_f64.sin(),
                5.0 + along * 0.6_f64.sin() + aside * 0.6_f64.cos(),
            ),
            heading_rad: 0.2,
            half_m: [0.3, 0.3],
        };
        for along in [-3.9, -1.3, 0.0, 2.2, 3.9] {
            assert!(obstacles.blocks(&at(along, 0.0)), "{along}");
            assert!(!obstacles.blocks(&at(along, 0.8)), "beside it at {along}");
        }
        assert!(!obstacles.blocks(&at(5.0, 0.0)), "behind its end");
    }
}
