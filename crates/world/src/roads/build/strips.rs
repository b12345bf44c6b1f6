//! Roads as ground: strips beside each other, with the paint cut into them.

use super::mesh::{GroundMesh, Surface, surface_of};
use crate::roads::road::{Line, Mark, Road, Section, Side, Strip, StripKind, mark_at};

/// Longest step along a road, metres; shorter in curves and at dashes.
const LONGEST_STEP_M: f64 = 2.0;
/// Largest distance of a curved edge from its chord, metres.
const CHORD_M: f64 = 0.004;
/// Paint at the edge of the carriageway keeps this distance from it, metres.
const INSET_M: f64 = 0.12;
/// Narrower than this a strip has no surface, metres.
const THIN_M: f64 = 1e-3;

/// One column of the mesh across the road: from its left edge to that of the next column.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// Distance of its left edge from a strip edge, metres to the left.
    offset_m: f64,
    /// The strip edge, counted from the left.
    edge: usize,
    /// Paint, if any.
    line: Option<(Line, bool)>,
    /// The strip that it lies on, counted from the left.
    strip: usize,
    /// Its left edge is the middle of that strip.
    middle: bool,
}

/// Wider strips have a row of vertices along their middle, metres.
const WIDE_M: f64 = 2.2;

/// Adds a road's surface.
pub(crate) fn pave(road: &Road, mesh: &mut GroundMesh) {
    for section in &road.sections {
        let [start, end] = section.range_m;
        let mut cuts = vec![start, end];
        let sides = section.left.iter().chain(&section.right);
        let marks = sides.flat_map(|strip| &strip.marks).chain(&section.centre);
        cuts.extend(marks.map(|mark| start + mark.0).filter(|s| *s > start && *s < end));
        cuts.sort_by(f64::total_cmp);
        cuts.dedup_by(|a, b| (*a - *b).abs() < 1e-6);
        for pair in cuts.windows(2) {
            pave_stretch(road, section, [pair[0], pair[1]], mesh);
        }
    }
}

fn pave_stretch(road: &Road, section: &Section, range_m: [f64; 2], mesh: &mut GroundMesh) {
    // From left to right, as seen along s.
    let strips: Vec<&Strip> = section.left.iter().rev().chain(&section.right).collect();
    if strips.is_empty() {
        return;
    }
    let marks = marks(section, range_m[0]);
    let columns = columns(&strips, &marks);
    let rows = rows(road, &marks, range_m);
    let mut last: Option<Vec<[u32; 2]>> = None;
    for (index, &s) in rows.iter().enumerate() {
        let edges = edges(road, section, s);
        let row = lay_row(road, (&strips, &columns, &edges), s, mesh);
        if let Some(last) = &last {
            let middle = 0.5 * (rows[index - 1] + s);
            join_rows(&strips, &columns, (last, &row), middle, mesh);
        }
        rim(road, &strips, &edges, s, mesh);
        last = Some(row);
    }
}

/// `t` of the vertices of the row at the start or the end of a road, from left to right.
pub(crate) fn end_row(road: &Road, at_end: bool) -> Vec<f64> {
    let section = if at_end { road.sections.last() } else { road.sections.first() };
    let Some(section) = section else { return Vec::new() };
    let s_m = if at_end { section.range_m[1] } else { section.range_m[0] };
    let strips: Vec<&Strip> = section.left.iter().rev().chain(&section.right).collect();
    let edges = edges(road, section, s_m);
    // Marks of the stretch that the row belongs to, not of the one that would begin there.
    let columns = columns(&strips, &marks(section, if at_end { s_m - 1e-3 } else { s_m }));
    let mut row: Vec<f64> =
        columns.iter().map(|column| edges[column.edge] + fitted(column, &edges)).collect();
    row.extend(edges.last());
    row
}

/// Paint at each strip edge from left to right.
fn marks(section: &Section, s_m: f64) -> Vec<Mark> {
    let at = s_m - section.range_m[0];
    let left = section.left.iter().rev().map(|strip| strip.mark_at(at));
    let right = section.right.iter().map(|strip| strip.mark_at(at));
    left.chain([mark_at(&section.centre, at)]).chain(right).collect()
}

/// `t` of each strip edge from left to right.
fn edges(road: &Road, section: &Section, s_m: f64) -> Vec<f64> {
    let offset = road.offset.at(s_m);
    let left = section.edges(Side::Left, s_m);
    let right = section.edges(Side::Right, s_m);
    let left = left.iter().rev().map(|edge| offset + edge);
    left.chain(right.iter().skip(1).map(|edge| offset - edge)).collect()
}

fn columns(strips: &[&Strip], marks: &[Mark]) -> Vec<Column> {
    let mut columns = Vec::new();
    for (edge, mark) in marks.iter().enumerate() {
        let (left, right) = (edge.checked_sub(1), (edge < strips.len()).then_some(edge));
        let lines: Vec<Line> = mark.lines.iter().flatten().copied().collect();
        let rolls = |strip: Option<usize>| strip.is_some_and(|i| strips[i].kind.is_carriageway());
        let total: f64 = lines.iter().map(|line| line.width_m).sum::<f64>()
            + lines.first().map_or(0.0, |line| line.width_m * (lines.len() - 1) as f64);
        // Centred between two strips of the carriageway, inside of it at its edge.
        let (mut at, under) = match (rolls(left), rolls(right)) {
            (true, true) => (0.5 * total, left),
            (true, false) => (total + INSET_M, left),
            (false, true) => (-INSET_M, right),
            (false, false) => (0.0, None),
        };
        if let (Some(under), false) = (under, lines.is_empty()) {
            if at < 0.0 {
                columns.push(Column {
                    offset_m: 0.0,
                    edge,
                    line: None,
                    strip: under,
                    middle: false,
                });
            }
            for line in lines {
                let paint = Some((line, mark.yellow));
                columns.push(Column {
                    offset_m: at,
                    edge,
                    line: paint,
                    strip: under,
                    middle: false,
                });
                at -= line.width_m;
                let strip = if at <= 0.0 && right.is_some() && rolls(right) { edge } else { under };
                columns.push(Column { offset_m: at, edge, line: None, strip, middle: false });
                at -= line.width_m;
            }
            if rolls(left) && !rolls(right) && right.is_some() {
                columns.push(Column {
                    offset_m: 0.0,
                    edge,
                    line: None,
                    strip: edge,
                    middle: false,
                });
            }
        } else if right.is_some() {
            columns.push(Column { offset_m: 0.0, edge, line: None, strip: edge, middle: false });
        }
        if right.is_some_and(|strip| strips[strip].width.largest() > WIDE_M) {
            columns.push(Column { offset_m: 0.0, edge, line: None, strip: edge, middle: true });
        }
    }
    columns
}

/// Where along the road rows of vertices are.
fn rows(road: &Road, marks: &[Mark], [start, end]: [f64; 2]) -> Vec<f64> {
    let mut rows = vec![start];
    let mut s = start;
    while s < end {
        let curvature = road.curve.at(s).curvature_per_m.abs().max(1e-6);
        s += (8.0 * CHORD_M / curvature).sqrt().clamp(0.4, LONGEST_STEP_M);
        rows.push(s.min(end));
    }
    for [on_m, off_m] in marks.iter().flat_map(|m| m.lines).flatten().filter_map(|l| l.dash_m) {
        let period_m = (on_m + off_m).max(0.1);
        let mut dash = (start / period_m).floor() * period_m;
        while dash < end {
            rows.extend([dash, dash + on_m].into_iter().filter(|s| *s > start && *s < end));
            dash += period_m;
        }
    }
    rows.sort_by(f64::total_cmp);
    rows.dedup_by(|later, earlier| *later - *earlier < 1e-3);
    if let Some(last) = rows.last_mut() {
        *last = end;
    }
    rows
}

/// Vertices of one row: for each column's left edge, and the right edge of the last, the vertex that
/// the column on its left uses and the one that the column on its right uses; they differ at steps.
fn lay_row(
    road: &Road,
    (strips, columns, edges): (&[&Strip], &[Column], &[f64]),
    s_m: f64,
    mesh: &mut GroundMesh,
) -> Vec<[u32; 2]> {
    let mut row = Vec::with_capacity(columns.len() + 1);
    let mut last_t = f64::INFINITY;
    for index in 0..=columns.len() {
        let column = columns.get(index);
        let t = match column {
            Some(column) => edges[column.edge] + fitted(column, edges),
            None => edges[edges.len() - 1],
        }
        .min(last_t);
        last_t = t;
        let height = |column: Option<&Column>| {
            column.map(|column| strip_height(strips[column.strip], edges, column.strip, t))
        };
        let left = height(index.checked_sub(1).map(|left| &columns[left]));
        let right = height(column);
        let place = |up: f64, mesh: &mut GroundMesh| {
            let p = road.point(s_m, t, up);
            mesh.vertex(&p)
        };
        let first = place(left.or(right).unwrap_or(0.0), mesh);
        let second = match (left, right) {
            (Some(left), Some(right)) if (left - right).abs() > 1e-6 => place(right, mesh),
            _ => first,
        };
        row.push([first, second]);
    }
    row
}

/// A column's offset, less where the strips beside the edge are too narrow for the paint.
fn fitted(column: &Column, edges: &[f64]) -> f64 {
    if column.middle {
        return 0.5 * (edges[column.strip + 1] - edges[column.strip]);
    }
    let room = if column.offset_m > 0.0 {
        column.edge.checked_sub(1).map_or(0.0, |left| edges[left] - edges[column.edge])
    } else {
        edges.get(column.edge + 1).map_or(0.0, |right| edges[column.edge] - right)
    };
    column.offset_m.clamp(-0.45 * room, 0.45 * room)
}

fn strip_height(strip: &Strip, edges: &[f64], index: usize, t_m: f64) -> f64 {
    let [inner, outer] = strip.height_m;
    let (left, right) = (edges[index], edges[index + 1]);
    if left - right < THIN_M || inner == outer {
        return inner;
    }
    // The strip's inner edge is the one nearer to the reference line.
    let share = (left - t_m) / (left - right);
    let share = if right.abs() < left.abs() { 1.0 - share } else { share };
    inner + (outer - inner) * share
}

fn join_rows(
    strips: &[&Strip],
    columns: &[Column],
    (last, row): (&[[u32; 2]], &[[u32; 2]]),
    s_m: f64,
    mesh: &mut GroundMesh,
) {
    for (index, column) in columns.iter().enumerate() {
        let bare = surface_of(strips[column.strip].kind);
        let painted = column.line.filter(|(line, _)| is_on(line, s_m));
        let surface = match painted {
            Some((_, true)) => Some(Surface::Yellow),
            Some((_, false)) => Some(Surface::White),
            None => bare,
        };
        let (near, far) = ([last[index], last[index + 1]], [row[index], row[index + 1]]);
        if let Some(surface) = surface {
            let corners = [near[0][1], near[1][0], far[1][0], far[0][1]];
            mesh.quad_if_wide(corners, surface);
        }
        if index > 0 && near[0][0] != near[0][1] && bare.is_some() {
            mesh.quad([near[0][0], near[0][1], far[0][1], far[0][0]], Surface::Kerb);
        }
    }
}

/// Whether a dash covers `s`.
fn is_on(line: &Line, s_m: f64) -> bool {
    line.dash_m.is_none_or(|[on_m, off_m]| s_m.rem_euclid((on_m + off_m).max(0.1)) < on_m)
}

/// Notes where the land begins: the outer edges without verges and gaps.
fn rim(road: &Road, strips: &[&Strip], edges: &[f64], s_m: f64, mesh: &mut GroundMesh) {
    let paved = |strip: &&Strip| !matches!(strip.kind, StripKind::Verge | StripKind::Gap);
    let first = strips.iter().position(paved);
    let last = strips.iter().rposition(paved);
    if let (Some(first), Some(last)) = (first, last) {
        for (edge, strip) in [(first, first), (last + 1, last)] {
            let up = strips[strip].height_m[1];
            mesh.rim.push(road.point(s_m, edges[edge], up));
        }
    }
}
