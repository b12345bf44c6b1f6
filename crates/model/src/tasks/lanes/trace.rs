//! Polylines through the points that cells say lie on a line.

use ommatidia_scene::{GridSpec, Lane, LaneGraph};

use super::{
    LanesSettings,
    raster::{CHANNELS, HEIGHT_M},
};

/// Length of a step along a line, cells.
const STEP: f32 = 1.5;

/// Points this far from where a step leads continue the line, cells.
const CATCH: f32 = 1.1;

/// Points this far from a traced piece belong to it, cells.
const OWN: f32 = 0.9;

/// Least cosine between directions of neighbours on one line.
const ALIGNED: f32 = 0.7;

/// What a cell says about its line.
#[derive(Clone, Copy)]
struct Point {
    /// Cells from the grid's corner.
    p: [f32; 2],
    direction: [f32; 2],
    height_m: f32,
}

/// The points of a map that are still free, by cell.
struct Points {
    size: [usize; 2],
    by_cell: Vec<Option<Point>>,
}

/// Traces lines from the surest cells on, both ways, each cell once.
pub(super) fn trace(
    score: &[f32],
    numbers: &[f32],
    grid: &GridSpec,
    settings: &LanesSettings,
) -> LaneGraph {
    let mut points = Points::new(score, numbers, grid, settings.min_score);
    let mut order: Vec<usize> =
        (0..score.len()).filter(|&at| points.by_cell[at].is_some()).collect();
    order.sort_by(|&a, &b| score[b].total_cmp(&score[a]).then(a.cmp(&b)));
    let mut lanes = Vec::new();
    for at in order {
        let Some(seed) = points.by_cell[at] else { continue };
        points.take_near(seed, seed);
        let mut line = points.follow(seed, -1.0);
        line.reverse();
        line.push(seed);
        line.extend(points.follow(seed, 1.0));
        let centreline_m: Vec<_> = line.iter().map(|point| in_ego(point, grid)).collect();
        let pieces = centreline_m.windows(2);
        let length_m: f32 = pieces.map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1])).sum();
        if length_m >= settings.min_length_m {
            lanes.push(Lane { id: lanes.len() as u64 + 1, centreline_m, ..Lane::default() });
        }
    }
    join(&mut lanes, 2.0 * CATCH * grid.voxel_m as f32);
    LaneGraph { lanes, crossings: Vec::new() }
}

impl Points {
    fn new(score: &[f32], numbers: &[f32], grid: &GridSpec, min_score: f32) -> Self {
        let size = [grid.size[0] as usize, grid.size[1] as usize];
        let number = |channel: usize, at: usize| numbers[channel * score.len() + at];
        let point = |at: usize| {
            let length = number(2, at).hypot(number(3, at));
            let centre = [(at / size[1]) as f32 + 0.5, (at % size[1]) as f32 + 0.5];
            (score[at] >= min_score && length > 1e-3).then(|| Point {
                p: [centre[0] + number(0, at), centre[1] + number(1, at)],
                direction: [number(2, at) / length, number(3, at) / length],
                height_m: number(4, at) * HEIGHT_M,
            })
        };
        assert_eq!(numbers.len(), CHANNELS * score.len(), "the numbers of each cell");
        Self { size, by_cell: (0..score.len()).map(point).collect() }
    }

    /// Cells whose centres are at most three cells from a point along either axis: their points may be near.
    fn around(&self, p: [f32; 2]) -> impl Iterator<Item = usize> + use<> {
        let size = self.size;
        let range = |axis: usize| {
            let low = (p[axis] - 3.0).floor().clamp(0.0, size[axis] as f32) as usize;
            low..(p[axis] + 3.0).ceil().clamp(0.0, size[axis] as f32) as usize
        };
        let columns = range(1);
        range(0).flat_map(move |x| columns.clone().map(move |y| x * size[1] + y))
    }

    /// The line from a point on, along its direction or against it.
    fn follow(&mut self, start: Point, sign: f32) -> Vec<Point> {
        let mut line = Vec::new();
        let mut last = start;
        while let Some(next) = self.next(last, sign) {
            self.take_near(last, next);
            line.push(next);
            last = next;
        }
        line
    }

    /// The free point nearest to where a step leads, if there is one that leads on.
    fn next(&self, last: Point, sign: f32) -> Option<Point> {
        let aim = [0, 1].map(|axis| last.p[axis] + sign * STEP * last.direction[axis]);
        let near = self.around(aim).filter_map(|at| self.by_cell[at]);
        let near = near.filter(|point| dot(point.direction, last.direction) >= ALIGNED);
        let ahead = |point: &Point| {
            let step = [point.p[0] - last.p[0], point.p[1] - last.p[1]];
            sign * dot(step, last.direction) > 0.25
        };
        near.filter(ahead)
            .map(|point| (distance(point.p, aim), point))
            .filter(|(away, _)| *away <= CATCH)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, point)| point)
    }

    /// Takes away what lies along a piece and leads its way.
    fn take_near(&mut self, a: Point, b: Point) {
        let middle = [0, 1].map(|axis| 0.5 * (a.p[axis] + b.p[axis]));
        for at in self.around(middle) {
            let own = self.by_cell[at].is_some_and(|point| {
                to_segment(point.p, a.p, b.p) <= OWN && dot(point.direction, b.direction) > 0.0
            });
            if own {
                self.by_cell[at] = None;
            }
        }
    }
}

fn dot(a: [f32; 2], b: [f32; 2]) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn to_segment(p: [f32; 2], a: [f32; 2], b: [f32; 2]) -> f32 {
    let along = [b[0] - a[0], b[1] - a[1]];
    let squared = dot(along, along);
    let t = if squared > 0.0 { dot([p[0] - a[0], p[1] - a[1]], along) / squared } else { 0.0 };
    let t = t.clamp(0.0, 1.0);
    distance(p, [a[0] + t * along[0], a[1] + t * along[1]])
}

fn in_ego(point: &Point, grid: &GridSpec) -> [f32; 3] {
    let along =
        |axis: usize| (grid.min_corner_m[axis] + f64::from(point.p[axis]) * grid.voxel_m) as f32;
    [along(0), along(1), point.height_m]
}

/// A lane that starts where another ends succeeds it.
fn join(lanes: &mut [Lane], reach_m: f32) {
    let starts: Vec<_> = lanes.iter().map(|lane| (lane.id, lane.centreline_m[0])).collect();
    for lane in lanes {
        let end = lane.centreline_m[lane.centreline_m.len() - 1];
        let near = |start: &[f32; 3]| distance([start[0], start[1]], [end[0], end[1]]) <= reach_m;
        let next = starts.iter().filter(|(id, start)| *id != lane.id && near(start));
        lane.successors = next.map(|(id, _)| *id).collect();
    }
}
