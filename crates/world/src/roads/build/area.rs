//! The ground of junctions: everything between the mouths of the arms.
//!
//! The carriageway is a star-shaped polygon around the middle, of mouths and corners in turn; it is laid
//! in rings. Kerb, pavement and verge follow the corners outwards.

use nalgebra::{Point2, Point3, Vector2};

use super::mesh::{GroundMesh, Surface, surface_of};
use super::mouth::{Beside, Mouth};
use super::terrain::Land;
use super::{JunctionPlan, Plan};
use crate::roads::road::StripKind;

/// Distance between vertices along corners and between rings, metres.
const STEP_M: f64 = 1.5;
/// Corners blunter than this have no arc, radians.
const BLUNT_RAD: f64 = 2.8;

/// The kerb line of one corner, from the left of one mouth to the right of the next.
#[derive(Debug, Clone)]
pub(crate) struct Corner {
    pub(crate) points_m: Vec<Point2<f64>>,
    /// Unit vectors away from the carriageway.
    pub(crate) outwards: Vec<Vector2<f64>>,
    /// What lies beside it, widths by point.
    pub(crate) beside: Vec<Vec<Beside>>,
    /// How far outwards the strips may go before they fold, metres.
    room_m: f64,
}

/// Mouths of a junction's arms and the corners after each of them.
pub(crate) fn outline(plan: &Plan, junction: &JunctionPlan) -> (Vec<Mouth>, Vec<Corner>) {
    let mouths: Vec<Mouth> = junction.arms.iter().map(|arm| Mouth::new(plan, arm)).collect();
    let corners = (0..mouths.len())
        .map(|index| corner(junction, &mouths[index], &mouths[(index + 1) % mouths.len()]))
        .collect();
    (mouths, corners)
}

/// Half the width of the lane around an island, metres.
pub(crate) const RING_HALF_WIDTH_M: f64 = 2.75;

fn corner(junction: &JunctionPlan, from: &Mouth, to: &Mouth) -> Corner {
    let (start, end) = (from.at(from.left_m()), to.at(to.right_m()));
    let turn = (to.heading_rad() - from.heading_rad()).rem_euclid(std::f64::consts::TAU);
    let mut room_m = f64::INFINITY;
    let points_m = if junction.ring_m > 0.0 {
        ring_corner(junction, from, to)
    } else if turn < BLUNT_RAD {
        room_m = junction.corner_m - 0.15;
        let lines = Lines { start, end, from: from.out, to: to.out };
        lines.fillet(turn, junction.corner_m)
    } else {
        // Level with both arms at its ends.
        let reach = 0.4 * (end - start).norm();
        bezier([start, start - from.out * reach, end - to.out * reach, end])
    };
    let outwards = normals(&points_m, -from.out, to.out);
    let last = (points_m.len() - 1) as f64;
    let beside = (0..points_m.len())
        .map(|i| blend(&from.beside_left, &to.beside_right, i as f64 / last))
        .collect();
    Corner { points_m, outwards, beside, room_m }
}

struct Lines {
    start: Point2<f64>,
    end: Point2<f64>,
    from: Vector2<f64>,
    to: Vector2<f64>,
}

impl Lines {
    /// Straight inwards, an arc, straight outwards.
    fn fillet(&self, turn: f64, radius_m: f64) -> Vec<Point2<f64>> {
        let between = self.end - self.start;
        let cross = self.from.perp(&self.to);
        // start + from * a = end + to * b
        let (a, b) = (between.perp(&self.to) / cross, between.perp(&self.from) / cross);
        let meet = self.start + self.from * a;
        let room = (-a).min(-b).max(0.1);
        let tangent = (radius_m / (0.5 * turn).tan()).min(room);
        let radius = tangent * (0.5 * turn).tan();
        let (first, last) = (meet + self.from * tangent, meet + self.to * tangent);
        let middle = first + Vector2::new(-self.from.y, self.from.x) * radius;
        let arc = arc(middle, first, last, true);
        let mut points = straight(self.start, first);
        points.extend(arc.iter().skip(1));
        points.extend(straight(last, self.end).iter().skip(1));
        points
    }
}

/// Around an island: from the arm an arc onto the outer circle, along it, and an arc off it.
fn ring_corner(junction: &JunctionPlan, from: &Mouth, to: &Mouth) -> Vec<Point2<f64>> {
    let outer_m = junction.ring_m + RING_HALF_WIDTH_M;
    let radius = junction.corner_m;
    let side = |mouth: &Mouth, edge_m: f64| {
        let lateral = edge_m + radius.copysign(edge_m);
        let along = ((outer_m + radius).powi(2) - lateral * lateral).max(0.0).sqrt();
        let middle = junction.centre_m + mouth.out * along + mouth.left * lateral;
        let on_line = junction.centre_m + mouth.out * along + mouth.left * edge_m;
        let on_ring = junction.centre_m + (middle - junction.centre_m).normalize() * outer_m;
        (middle, on_line, on_ring)
    };
    let (first, first_line, first_ring) = side(from, from.left_m());
    let (last, last_line, last_ring) = side(to, to.right_m());
    let mut points = straight(from.at(from.left_m()), first_line);
    points.extend(arc(first, first_line, first_ring, true).iter().skip(1));
    points.extend(arc(junction.centre_m, first_ring, last_ring, false).iter().skip(1));
    points.extend(arc(last, last_ring, last_line, true).iter().skip(1));
    points.extend(straight(last_line, to.at(to.right_m())).iter().skip(1));
    points
}

fn straight(from: Point2<f64>, to: Point2<f64>) -> Vec<Point2<f64>> {
    let length = (to - from).norm();
    if length < 1e-6 {
        return vec![from];
    }
    let steps = (length / STEP_M).ceil().max(1.0);
    (0..=steps as usize).map(|i| from + (to - from) * (i as f64 / steps)).collect()
}

fn arc(
    middle: Point2<f64>,
    from: Point2<f64>,
    to: Point2<f64>,
    clockwise: bool,
) -> Vec<Point2<f64>> {
    let (a, b) = (from - middle, to - middle);
    let mut turn = a.perp(&b).atan2(a.dot(&b));
    if clockwise && turn > 1e-9 {
        turn -= std::f64::consts::TAU;
    } else if !clockwise && turn < -1e-9 {
        turn += std::f64::consts::TAU;
    }
    let steps = (turn.abs() / 0.15).ceil().max((turn.abs() * a.norm() / STEP_M).ceil()).max(1.0);
    let points = (0..=steps as usize).map(|i| {
        let rotation = nalgebra::Rotation2::new(turn * i as f64 / steps);
        middle + rotation * a
    });
    points.collect()
}

fn bezier([a, b, c, d]: [Point2<f64>; 4]) -> Vec<Point2<f64>> {
    let steps = ((d - a).norm() / STEP_M).ceil().max(2.0);
    let point = |i: usize| {
        let t = i as f64 / steps;
        let u = 1.0 - t;
        let sum = a.coords * (u * u * u)
            + b.coords * (3.0 * u * u * t)
            + c.coords * (3.0 * u * t * t)
            + d.coords * (t * t * t);
        Point2::from(sum)
    };
    (0..=steps as usize).map(point).collect()
}

/// Unit vectors to the right of a polyline, with given directions at its ends.
fn normals(points: &[Point2<f64>], first: Vector2<f64>, last: Vector2<f64>) -> Vec<Vector2<f64>> {
    let right = |v: Vector2<f64>| Vector2::new(v.y, -v.x).normalize();
    (0..points.len())
        .map(|i| match i {
            0 => right(first),
            i if i + 1 == points.len() => right(last),
            i => right(points[i + 1] - points[i - 1]),
        })
        .collect()
}

/// Strips between those of two arms; kinds of the first.
fn blend(from: &[Beside], to: &[Beside], share: f64) -> Vec<Beside> {
    let mix = |a: f64, b: f64| a + (b - a) * share;
    let pairs = from.iter().zip(to.iter());
    pairs
        .map(|((kind, a, up), (_, b, up_b))| {
            (*kind, mix(*a, *b), [mix(up[0], up_b[0]), mix(up[1], up_b[1])])
        })
        .collect()
}

/// Adds a junction's ground.
pub(crate) fn pave(plan: &Plan, junction: &JunctionPlan, mesh: &mut GroundMesh) {
    let Land::Relief(relief, _) = &plan.land else { return };
    let lie = |p: Point2<f64>, up: f64| Point3::new(p.x, p.y, relief.height_m(p.x, p.y) + up);
    let (mouths, corners) = outline(plan, junction);
    let mut edge: Vec<Point3<f64>> = Vec::new();
    for ((mouth, corner), arm) in mouths.iter().zip(&corners).zip(&junction.arms) {
        let road = &plan.roads[arm.road];
        edge.extend(mouth.across_m.iter().map(|left_m| mouth.on_road(road, *left_m)));
        let inner = 1..corner.points_m.len().saturating_sub(1);
        edge.extend(corner.points_m[inner].iter().map(|p| lie(*p, 0.0)));
        beside(corner, &lie, mesh);
    }
    let inner_m = (junction.ring_m - RING_HALF_WIDTH_M).max(0.0);
    rings(junction.centre_m, inner_m, &edge, &lie, mesh);
    if inner_m > 0.0 {
        island(junction.centre_m, inner_m, &lie, mesh);
    }
}

/// The carriageway from its edge inwards.
fn rings(
    centre: Point2<f64>,
    inner_m: f64,
    edge: &[Point3<f64>],
    lie: &impl Fn(Point2<f64>, f64) -> Point3<f64>,
    mesh: &mut GroundMesh,
) {
    let reach = edge.iter().map(|p| (p.xy() - centre).norm()).fold(0.0, f64::max);
    let count = ((reach - inner_m) / STEP_M).ceil().max(2.0) as usize;
    let mut outer: Vec<u32> = edge.iter().map(|p| mesh.vertex(p)).collect();
    for ring in 1..=count {
        let share = ring as f64 / count as f64;
        if ring == count && inner_m == 0.0 {
            let middle = mesh.vertex(&lie(centre, 0.0));
            for i in 0..outer.len() {
                mesh.triangle([outer[i], outer[(i + 1) % outer.len()], middle], Surface::Asphalt);
            }
            return;
        }
        let inner: Vec<u32> = edge
            .iter()
            .map(|p| {
                let from_centre = p.xy() - centre;
                let stop = from_centre.normalize() * inner_m;
                let at = centre + from_centre + (stop - from_centre) * share;
                mesh.vertex(&lie(at, 0.0))
            })
            .collect();
        for i in 0..outer.len() {
            let next = (i + 1) % outer.len();
            mesh.quad_if_wide([outer[i], outer[next], inner[next], inner[i]], Surface::Asphalt);
        }
        outer = inner;
    }
}

/// Kerb, pavement and verge outside of a corner.
fn beside(corner: &Corner, lie: &impl Fn(Point2<f64>, f64) -> Point3<f64>, mesh: &mut GroundMesh) {
    let strips = corner.beside.first().map_or(0, Vec::len);
    let mut last: Option<Vec<[u32; 2]>> = None;
    for (i, (point, outwards)) in corner.points_m.iter().zip(&corner.outwards).enumerate() {
        let (mut at, mut row) = (0.0f64, Vec::new());
        let mut below = lie(*point, 0.0);
        let ends = i == 0 || i + 1 == corner.points_m.len();
        for (kind, width, up) in &corner.beside[i] {
            let limit = if ends { f64::INFINITY } else { corner.room_m };
            let inner = lie(point + outwards * at.min(limit), up[0]);
            at += width;
            let outer = lie(point + outwards * at.min(limit), up[1]);
            row.push([mesh.vertex(&below), mesh.vertex(&inner)]);
            if *kind != StripKind::Verge {
                mesh.rim.push(outer);
            }
            below = outer;
        }
        row.push([mesh.vertex(&below); 2]);
        if corner.beside[i].first().is_none_or(|strip| strip.0 == StripKind::Verge) {
            mesh.rim.push(lie(*point, 0.0));
        }
        if let Some(last) = &last {
            for strip in 0..strips {
                let Some(surface) = surface_of(corner.beside[i][strip].0) else { continue };
                // Seen along the corner the strips lie on the right.
                let (near, far) = ([last[strip], last[strip + 1]], [row[strip], row[strip + 1]]);
                mesh.quad_if_wide([near[0][1], near[1][0], far[1][0], far[0][1]], surface);
                mesh.upright([near[0][0], near[0][1], far[0][1], far[0][0]], Surface::Kerb);
            }
        }
        last = Some(row);
    }
}

/// A kerbed island with a mound.
fn island(
    centre: Point2<f64>,
    radius_m: f64,
    lie: &impl Fn(Point2<f64>, f64) -> Point3<f64>,
    mesh: &mut GroundMesh,
) {
    const KERB_M: f64 = 0.12;
    let sides = 72;
    let rings = [
        (radius_m, 0.0, Surface::Kerb),
        (radius_m, KERB_M, Surface::Kerb),
        (radius_m - 0.3, KERB_M, Surface::Island),
        (radius_m - 1.5, KERB_M + 0.04, Surface::Grass),
        (0.6 * radius_m, 0.5, Surface::Grass),
        (0.3 * radius_m, 0.75, Surface::Grass),
    ];
    let at = |radius: f64, up: f64, side: usize| {
        let (sin, cos) = (std::f64::consts::TAU * side as f64 / sides as f64).sin_cos();
        lie(centre + Vector2::new(cos, sin) * radius, up)
    };
    let mut last: Vec<u32> = Vec::new();
    for (index, (radius, up, _)) in rings.iter().enumerate() {
        let row: Vec<u32> = (0..sides).map(|side| mesh.vertex(&at(*radius, *up, side))).collect();
        if index > 0 {
            let surface = rings[index - 1].2;
            for side in 0..sides {
                let next = (side + 1) % sides;
                mesh.quad([last[side], last[next], row[next], row[side]], surface);
            }
        }
        last = row;
    }
    let top = mesh.vertex(&lie(centre, 0.8));
    for side in 0..sides {
        mesh.triangle([last[side], last[(side + 1) % sides], top], Surface::Grass);
    }
}
