//! The land around the roads: a grid that passes under what is paved.

use std::collections::HashMap;

use nalgebra::Point3;

use super::mesh::{GroundMesh, Surface};
use crate::roads::Ground;
use crate::roads::relief::Relief;

/// What lies around the roads.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Land {
    /// Nothing.
    #[default]
    None,
    /// Land of its own height, out to a distance from the roads, metres.
    Relief(Relief, f64),
    /// Land that takes its height from the roads, out to a distance from them, metres.
    Around(f64),
}

/// Depth of the land under paved ground, metres: never seen, so it only must not show.
const UNDER_M: f64 = 0.2;
/// The land meets the roads this much lower, metres.
const STEP_DOWN_M: f64 = 0.06;
/// From here on to there the land goes from the road's height to its own, metres.
const BLEND_M: [f64; 2] = [3.0, 18.0];
const LARGEST_GRID: usize = 250_000;

/// Fills the space around what has been paved.
pub(crate) fn fill(land: &Land, paved: &Ground, mesh: &mut GroundMesh) {
    let (relief, reach_m) = match land {
        Land::None => return,
        Land::Relief(relief, reach_m) => (Some(relief), reach_m),
        Land::Around(reach_m) => (None, reach_m),
    };
    let extent = paved.extent_m();
    let span = extent.map(|[low, high]| high - low + 2.0 * reach_m);
    let step_m = (span[0] * span[1] / LARGEST_GRID as f64).sqrt().max(3.0);
    let count = span.map(|length| (length / step_m).ceil() as usize + 1);
    let rim = Rim::new(&mesh.rim);
    let place = |x: usize, y: usize| {
        let low = [extent[0][0] - reach_m, extent[1][0] - reach_m];
        (low[0] + x as f64 * step_m, low[1] + y as f64 * step_m)
    };
    let spread = relief.is_none().then(|| spread(count, place, paved, &rim));
    let mut nodes = Vec::with_capacity(count[0] * count[1]);
    for y in 0..count[1] {
        for x in 0..count[0] {
            let (x_m, y_m) = place(x, y);
            let free = match (relief, &spread) {
                (Some(relief), _) => relief.height_m(x_m, y_m),
                (None, Some(spread)) => spread[y * count[0] + x],
                (None, None) => 0.0,
            };
            let (height_m, hidden) = node((x_m, y_m), free, paved, &rim);
            nodes.push((mesh.vertex(&Point3::new(x_m, y_m, height_m)), hidden));
        }
    }
    for y in 0..count[1] - 1 {
        for x in 0..count[0] - 1 {
            let at = |dx: usize, dy: usize| nodes[(y + dy) * count[0] + x + dx];
            let corners = [at(0, 0), at(1, 0), at(1, 1), at(0, 1)];
            if corners.iter().all(|(_, hidden)| *hidden) {
                continue;
            }
            mesh.quad(corners.map(|(vertex, _)| vertex), Surface::Land);
        }
    }
}

/// Heights by cells that go smoothly from those of the roads into the open: known at the roads, elsewhere
/// relaxed towards the mean of their neighbours.
fn spread(
    count: [usize; 2],
    place: impl Fn(usize, usize) -> (f64, f64),
    paved: &Ground,
    rim: &Rim,
) -> Vec<f64> {
    const ROUNDS: usize = 120;
    let known: Vec<Option<f64>> = (0..count[0] * count[1])
        .map(|index| {
            let (x_m, y_m) = place(index % count[0], index / count[0]);
            let on = paved.lowest(x_m, y_m).map(|ground| ground.height_m);
            on.or_else(|| rim.nearest(x_m, y_m).filter(|(d, _)| *d < 6.0).map(|(_, z)| z))
        })
        .collect();
    let given = known.iter().flatten();
    let mean = given.clone().sum::<f64>() / given.count().max(1) as f64;
    let mut heights: Vec<f64> = known.iter().map(|known| known.unwrap_or(mean)).collect();
    for _ in 0..ROUNDS {
        for index in 0..heights.len() {
            if known[index].is_some() {
                continue;
            }
            let (x, y) = (index % count[0], index / count[0]);
            let beside = [
                (x > 0).then(|| heights[index - 1]),
                (x + 1 < count[0]).then(|| heights[index + 1]),
                (y > 0).then(|| heights[index - count[0]]),
                (y + 1 < count[1]).then(|| heights[index + count[0]]),
            ];
            let beside = beside.iter().flatten();
            heights[index] = beside.clone().sum::<f64>() / beside.count() as f64;
        }
    }
    heights
}

/// Height of the land at a place, and whether it is well under paved ground.
fn node((x_m, y_m): (f64, f64), free: f64, paved: &Ground, rim: &Rim) -> (f64, bool) {
    if let Some(over) = paved.lowest(x_m, y_m) {
        return (over.height_m - UNDER_M, true);
    }
    let Some((distance_m, rim_m)) = rim.nearest(x_m, y_m) else { return (free, false) };
    let t = ((distance_m - BLEND_M[0]) / (BLEND_M[1] - BLEND_M[0])).clamp(0.0, 1.0);
    let share = t * t * (3.0 - 2.0 * t);
    (rim_m - STEP_DOWN_M + (free - rim_m + STEP_DOWN_M) * share, false)
}

/// The edge of what is paved, by cells.
struct Rim {
    cells: HashMap<[i64; 2], Vec<Point3<f64>>>,
}

const CELL_M: f64 = BLEND_M[1];

impl Rim {
    fn new(points_m: &[Point3<f64>]) -> Self {
        let mut cells: HashMap<[i64; 2], Vec<Point3<f64>>> = HashMap::new();
        for p in points_m {
            cells.entry(cell(p.x, p.y)).or_default().push(*p);
        }
        Self { cells }
    }

    /// Distance and height of the nearest edge, if it is near enough to matter.
    fn nearest(&self, x_m: f64, y_m: f64) -> Option<(f64, f64)> {
        let [cx, cy] = cell(x_m, y_m);
        let mut best: Option<(f64, f64)> = None;
        for dy in -1..=1 {
            for dx in -1..=1 {
                for p in self.cells.get(&[cx + dx, cy + dy]).into_iter().flatten() {
                    let distance = (p.x - x_m).hypot(p.y - y_m);
                    if best.is_none_or(|(known, _)| distance < known) {
                        best = Some((distance, p.z));
                    }
                }
            }
        }
        best
    }
}

fn cell(x_m: f64, y_m: f64) -> [i64; 2] {
    [(x_m / CELL_M).floor() as i64, (y_m / CELL_M).floor() as i64]
}
