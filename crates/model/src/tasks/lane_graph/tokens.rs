//! Lane graphs as sequences of points.

use ommatidia_scene::{GridSpec, Lane, LaneGraph};

use crate::tasks::lanes::raster::{along, inside};

/// What a step of a sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// First point of a lane.
    Start = 0,
    /// A further point of it.
    On = 1,
    /// Its last point, where it leads into the lanes that start there.
    Join = 2,
    /// No more lanes.
    End = 3,
}

/// Kinds that are predicted.
pub(super) const KINDS: usize = 4;

impl Kind {
    pub(super) fn of(number: usize) -> Self {
        [Self::Start, Self::On, Self::Join, Self::End][number]
    }
}

/// One point and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) kind: Kind,
    /// Its cell in the grid; without meaning at the end.
    pub(super) cell: [usize; 2],
}

/// The lanes inside the grid, the nearest start first, with points `spacing_m` apart, and the end. Lanes that
/// do not fit into `most` steps are left out, the farthest first.
pub(super) fn steps(graph: &LaneGraph, grid: &GridSpec, spacing_m: f32, most: usize) -> Vec<Step> {
    let starts_inside = |id: &u64| {
        let lane = graph.lanes.iter().find(|lane| lane.id == *id);
        let start = lane.and_then(|lane| lane.centreline_m.first());
        start.is_some_and(|p| inside(grid, [p[0], p[1]]))
    };
    let mut lanes: Vec<(f32, u64, Vec<Step>)> = Vec::new();
    for lane in &graph.lanes {
        let (cells, whole) = cells(lane, grid, spacing_m);
        if cells.len() < 2 {
            continue;
        }
        let joins = whole && lane.successors.iter().any(starts_inside);
        let kind = |i: usize| match i {
            0 => Kind::Start,
            _ if joins && i + 1 == cells.len() => Kind::Join,
            _ => Kind::On,
        };
        let centre = grid.centre([cells[0][0] as u32, cells[0][1] as u32, 0]);
        let steps = cells.iter().enumerate().map(|(i, &cell)| Step { kind: kind(i), cell });
        lanes.push((centre.x.hypot(centre.y) as f32, lane.id, steps.collect()));
    }
    lanes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut all = Vec::new();
    for (_, _, steps) in lanes {
        if all.len() + steps.len() < most {
            all.extend(steps);
        }
    }
    all.push(Step { kind: Kind::End, cell: [0, 0] });
    all
}

/// Cells of a lane's first stretch inside the grid, neighbours different, and whether it reaches the lane's end.
fn cells(lane: &Lane, grid: &GridSpec, spacing_m: f32) -> (Vec<[usize; 2]>, bool) {
    let mut points = along(&lane.centreline_m, spacing_m);
    points.extend(lane.centreline_m.last());
    let seen = |p: &[f32; 3]| inside(grid, [p[0], p[1]]);
    let first = points.iter().position(seen).unwrap_or(points.len());
    let stretch: Vec<_> = points[first..].iter().take_while(|p| seen(p)).collect();
    let whole = first + stretch.len() == points.len();
    let cell = |p: &&[f32; 3]| {
        [0, 1].map(|axis| ((f64::from(p[axis]) - grid.min_corner_m[axis]) / grid.voxel_m) as usize)
    };
    let mut cells: Vec<_> = stretch.iter().map(cell).collect();
    cells.dedup();
    (cells, whole)
}

/// The graph of a sequence; points at the middles of their cells, height 0. Lanes of one point are left out.
pub(super) fn graph(steps: &[Step], grid: &GridSpec) -> LaneGraph {
    let mut lanes: Vec<(Vec<[usize; 2]>, bool)> = Vec::new();
    for step in steps {
        match (step.kind, lanes.last_mut()) {
            (Kind::End, _) => break,
            (Kind::Start, _) | (_, None) => lanes.push((vec![step.cell], false)),
            (kind, Some((cells, joins))) => {
                cells.push(step.cell);
                *joins = kind == Kind::Join;
            }
        }
    }
    lanes.retain(|(cells, _)| cells.len() > 1);
    let starts: Vec<_> = lanes.iter().map(|(cells, _)| cells[0]).collect();
    let lane = |(i, (cells, joins)): (usize, &(Vec<[usize; 2]>, bool))| {
        let end = cells[cells.len() - 1];
        let meets = |start: &[usize; 2]| (0..2).all(|axis| start[axis].abs_diff(end[axis]) <= 1);
        let next = starts.iter().enumerate().filter(|(j, start)| *joins && *j != i && meets(start));
        let point = |cell: &[usize; 2]| {
            let centre = grid.centre([cell[0] as u32, cell[1] as u32, 0]);
            [centre.x as f32, centre.y as f32, 0.0]
        };
        Lane {
            id: i as u64 + 1,
            centreline_m: cells.iter().map(point).collect(),
            successors: next.map(|(j, _)| j as u64 + 1).collect(),
            ..Lane::default()
        }
    };
    LaneGraph { lanes: lanes.iter().enumerate().map(lane).collect(), crossings: Vec::new() }
}
