//! Whether bands around two polylines meet: flat ends, mitred joins, as MapTR asks Shapely.

type Point = [f64; 2];

/// Longest mitre in half widths, GEOS's default; sharper joins are cut off.
const MITRE_LIMIT: f64 = 5.0;

/// Whether the band of `half_width` around `a` touches the one around `b`. A line of one place has none.
pub(super) fn buffers_meet(a: &[Point], b: &[Point], half_width: f64) -> bool {
    // A line lies in its own band, so a point of one that falls square onto the other settles it.
    if inside_band(a, b, half_width) || inside_band(b, a, half_width) {
        return true;
    }
    let (a, b) = (pieces(a, half_width), pieces(b, half_width));
    a.iter().any(|p| b.iter().any(|q| convex_meet(p, q)))
}

fn inside_band(points: &[Point], line: &[Point], half_width: f64) -> bool {
    let extended = line.windows(2).any(|s| s[0] != s[1]) && points.windows(2).any(|s| s[0] != s[1]);
    extended
        && points.iter().any(|p| {
            line.windows(2).any(|s| {
                let (along, across, size) = local(s, p);
                size > 0.0 && (0.0..=size).contains(&along) && across.abs() <= half_width
            })
        })
}

/// Where a point lies along and across a segment, and the segment's length.
fn local(segment: &[Point], p: &Point) -> (f64, f64, f64) {
    let d = [segment[1][0] - segment[0][0], segment[1][1] - segment[0][1]];
    let size = d[0].hypot(d[1]);
    let v = [p[0] - segment[0][0], p[1] - segment[0][1]];
    ((v[0] * d[0] + v[1] * d[1]) / size, (d[0] * v[1] - d[1] * v[0]) / size, size)
}

/// The band as convex pieces: a rectangle per segment, a wedge on the outside of each join.
fn pieces(line: &[Point], w: f64) -> Vec<Vec<Point>> {
    let mut line = line.to_vec();
    line.dedup();
    let normals: Vec<Point> = line
        .windows(2)
        .map(|s| {
            let d = [s[1][0] - s[0][0], s[1][1] - s[0][1]];
            let size = d[0].hypot(d[1]);
            [-d[1] / size, d[0] / size]
        })
        .collect();
    let at = |p: Point, n: Point, by: f64| [p[0] + by * n[0], p[1] + by * n[1]];
    let mut found: Vec<Vec<Point>> = line
        .windows(2)
        .zip(&normals)
        .map(|(s, &n)| vec![at(s[0], n, w), at(s[0], n, -w), at(s[1], n, -w), at(s[1], n, w)])
        .collect();
    for (i, pair) in normals.windows(2).enumerate() {
        let (n, m, p) = (pair[0], pair[1], line[i + 1]);
        let turn = n[0] * m[1] - n[1] * m[0];
        let side = if turn > 0.0 { -w } else { w };
        let mut wedge = vec![p, at(p, n, side)];
        // The mitre's tip lies along the bisector at `w / cos(half the turn)`.
        let bisector = [n[0] + m[0], n[1] + m[1]];
        let cosine = bisector[0].hypot(bisector[1]) / 2.0;
        if cosine * MITRE_LIMIT >= 1.0 {
            wedge.push(at(p, bisector, side / (2.0 * cosine * cosine)));
        }
        wedge.push(at(p, m, side));
        found.push(wedge);
    }
    found
}

/// Separating axes of two convex polygons; touching is meeting.
fn convex_meet(a: &[Point], b: &[Point]) -> bool {
    let separated = |edges: &[Point]| {
        (0..edges.len()).any(|i| {
            let (p, q) = (edges[i], edges[(i + 1) % edges.len()]);
            let axis = [p[1] - q[1], q[0] - p[0]];
            let span = |polygon: &[Point]| {
                let along = polygon.iter().map(|v| v[0] * axis[0] + v[1] * axis[1]);
                (
                    along.clone().fold(f64::INFINITY, f64::min),
                    along.fold(f64::NEG_INFINITY, f64::max),
                )
            };
            let ((a0, a1), (b0, b1)) = (span(a), span(b));
            a1 < b0 || b1 < a0
        })
    };
    !separated(a) && !separated(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_by_hand() {
        let check = |a: &[Point], b: &[Point], expected: bool| {
            assert_eq!(buffers_meet(a, b, 2.0), expected, "{a:?} {b:?}");
            assert_eq!(buffers_meet(b, a, 2.0), expected, "{b:?} {a:?}");
        };
        let line = [[0.0, 0.0], [10.0, 0.0]];
        check(&line, &[[0.0, 3.9], [10.0, 3.9]], true);
        check(&line, &[[0.0, 4.1], [10.0, 4.1]], false);
        // Ends are flat: what lies ahead is not touched, however near.
        check(&line, &[[10.5, 0.0], [20.0, 0.0]], false);
        check(&line, &[[10.5, -3.0], [10.5, 3.0]], true);
        // The outside of a corner is filled to its tip.
        let corner = [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]];
        check(&corner, &[[13.9, -1.9], [13.9, -1.5]], true);
        check(&corner[..2], &[[13.9, -1.9], [13.9, -1.5]], false);
        check(&line, &[[5.0, 0.0], [5.0, 0.0]], false);
    }
}
