//! Centrelines on cells.

use ommatidia_scene::{GridSpec, LaneGraph};

/// Numbers of a cell near a line: offset of the line's nearest point from the cell's centre along x and y in
/// cells, cosine and sine of the line's direction there, its height in metres over 4.
pub(super) const CHANNELS: usize = 5;

/// Heights leave the network divided by this, metres.
pub(super) const HEIGHT_M: f32 = 4.0;

/// Maps `[channels, x, y]` of one moment.
pub(super) struct Raster {
    pub(super) near: Vec<f32>,
    pub(super) judged: Vec<f32>,
    pub(super) points: Vec<f32>,
}

impl Raster {
    /// Of a graph; `None` where it is not known.
    pub(super) fn new(graph: Option<&LaneGraph>, grid: &GridSpec, reach_cells: f32) -> Self {
        let area = (grid.size[0] * grid.size[1]) as usize;
        let mut raster = Self {
            near: vec![0.0; area],
            judged: vec![f32::from(u8::from(graph.is_some())); area],
            points: vec![0.0; CHANNELS * area],
        };
        let mut distance = vec![reach_cells; area];
        for lane in graph.iter().flat_map(|graph| &graph.lanes) {
            for pair in lane.centreline_m.windows(2) {
                raster.add([pair[0], pair[1]], grid, reach_cells, &mut distance);
            }
        }
        raster
    }

    /// Marks the cells that a segment is the nearest to. `distance`: to the nearest so far, in cells.
    fn add(&mut self, [a, b]: [[f32; 3]; 2], grid: &GridSpec, reach: f32, distance: &mut [f32]) {
        // In cells from here on; cell (i, j) has its centre at (i + 0.5, j + 0.5).
        let [p, q] = [a, b].map(|p| to_cells(grid, [p[0], p[1]]));
        let along = [q[0] - p[0], q[1] - p[1]];
        let length = along[0].hypot(along[1]);
        if !(length > 1e-6 && length.is_finite()) {
            return;
        }
        let range = |axis: usize| {
            let (low, high) = (p[axis].min(q[axis]) - reach, p[axis].max(q[axis]) + reach);
            let last = grid.size[axis] as f32;
            low.floor().clamp(0.0, last) as usize..high.ceil().clamp(0.0, last) as usize
        };
        let area = distance.len();
        for x in range(0) {
            for y in range(1) {
                let centre = [x as f32 + 0.5, y as f32 + 0.5];
                let dot = (centre[0] - p[0]) * along[0] + (centre[1] - p[1]) * along[1];
                let t = (dot / (length * length)).clamp(0.0, 1.0);
                let offset = [0, 1].map(|axis| p[axis] + t * along[axis] - centre[axis]);
                let at = x * grid.size[1] as usize + y;
                let away = offset[0].hypot(offset[1]);
                if away < distance[at] {
                    distance[at] = away;
                    self.near[at] = 1.0;
                    let height = (a[2] + t * (b[2] - a[2])) / HEIGHT_M;
                    let numbers =
                        [offset[0], offset[1], along[0] / length, along[1] / length, height];
                    for (channel, number) in numbers.into_iter().enumerate() {
                        self.points[channel * area + at] = number;
                    }
                }
            }
        }
    }
}

/// A point of the ego frame in cells from the grid's corner.
fn to_cells(grid: &GridSpec, p_m: [f32; 2]) -> [f32; 2] {
    [0, 1].map(|axis| ((f64::from(p_m[axis]) - grid.min_corner_m[axis]) / grid.voxel_m) as f32)
}

/// Whether a point lies over the grid.
pub(in crate::tasks) fn inside(grid: &GridSpec, p_m: [f32; 2]) -> bool {
    let p = to_cells(grid, p_m);
    (0..2).all(|axis| (0.0..grid.size[axis] as f32).contains(&p[axis]))
}

/// Points of a polyline a step apart, metres, from its first point on.
pub(in crate::tasks) fn along(line: &[[f32; 3]], step_m: f32) -> Vec<[f32; 3]> {
    let mut points = Vec::new();
    let mut due_m = 0.0;
    for pair in line.windows(2) {
        let d = [0, 1, 2].map(|i| pair[1][i] - pair[0][i]);
        let length_m = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt();
        while due_m <= length_m && length_m > 0.0 {
            let t = due_m / length_m;
            points.push([0, 1, 2].map(|i| pair[0][i] + t * d[i]));
            due_m += step_m;
        }
        due_m -= length_m;
    }
    points
}

/// Share of the maps that have a line in a cell, and its mean numbers there.
pub(super) fn mean(all: impl Iterator<Item = Raster>) -> (Vec<f32>, Vec<f32>) {
    let (mut near, mut points) = (Vec::<f32>::new(), Vec::<f32>::new());
    let mut count = 0.0;
    for raster in all {
        near.resize(raster.near.len(), 0.0);
        points.resize(raster.points.len(), 0.0);
        near.iter_mut().zip(&raster.near).for_each(|(sum, near)| *sum += near);
        points.iter_mut().zip(&raster.points).for_each(|(sum, number)| *sum += number);
        count += 1.0;
    }
    let area = near.len();
    for (i, number) in points.iter_mut().enumerate() {
        *number /= near[i % area].max(1.0);
    }
    near.iter_mut().for_each(|near| *near /= count);
    (near, points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_a_step_apart() {
        let line = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 2.0, 0.0]];
        let points = along(&line, 0.75);
        let expected = [[0.0, 0.0], [0.75, 0.0], [1.0, 0.5], [1.0, 1.25], [1.0, 2.0]];
        assert_eq!(points.len(), expected.len(), "{points:?}");
        for (point, expected) in points.iter().zip(expected) {
            assert!((point[0] - expected[0]).hypot(point[1] - expected[1]) < 1e-6, "{points:?}");
        }
    }

    #[test]
    fn cells_hold_their_nearest_point() {
        let grid = GridSpec { min_corner_m: [0.0; 3], voxel_m: 2.0, size: [4, 3, 1] };
        let lane = ommatidia_scene::Lane {
            centreline_m: vec![[1.0, 2.5, 4.0], [7.0, 2.5, 4.0]],
            ..Default::default()
        };
        let graph = LaneGraph { lanes: vec![lane], crossings: Vec::new() };
        let raster = Raster::new(Some(&graph), &grid, 1.0);
        // Rows of y: centres at 1, 3 and 5 m; the line runs at 2.5 m.
        assert_eq!(raster.near, [1.0, 1.0, 0.0].repeat(4));
        let number = |channel: usize, at: usize| raster.points[channel * 12 + at];
        let numbers: Vec<_> = (0..CHANNELS).map(|channel| number(channel, 3)).collect();
        assert_eq!(numbers, [0.0, 0.75, 1.0, 0.0, 1.0]);
        assert!(Raster::new(None, &grid, 1.0).judged.iter().all(|&judged| judged == 0.0));
    }
}
