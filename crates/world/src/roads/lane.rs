//! One lane: its line, its edges, and what it joins.

use nalgebra::{Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Pose, World};
use ommatidia_scene::BoundaryKind;

use super::JunctionId;

/// Index into [`super::Network::lanes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// What a lane is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum LaneKind {
    /// Motor traffic.
    #[default]
    Driving,
    /// Standing vehicles.
    Parking,
    /// Bicycles.
    Bicycle,
    /// Hard shoulder.
    Shoulder,
}

/// A sample of a lane's centreline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// Distance from the lane's start in plan, metres.
    pub s_m: f64,
    /// Position in `World`, metres.
    pub p_m: Point3<f64>,
    /// Driving direction, counter-clockwise from x, radians; not wrapped along a lane.
    pub heading_rad: f64,
    /// Positive to the left, 1/m.
    pub curvature_per_m: f64,
    /// Rise in driving direction, metres a metre.
    pub grade: f64,
    /// Rise towards the left, metres a metre.
    pub bank: f64,
    /// Width of the lane, metres.
    pub width_m: f64,
}

/// One edge of a lane: a point for each station of the centreline.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edge {
    /// Position in `World`, metres, in driving direction.
    pub points_m: Vec<Point3<f64>>,
    /// How it is marked.
    pub kind: BoundaryKind,
}

/// A lane segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Its identity.
    pub id: LaneId,
    /// What it is for.
    pub kind: LaneKind,
    /// Centreline in driving direction, at least two stations, about a metre apart.
    pub stations: Vec<Station>,
    /// Edge on the left of the driving direction.
    pub left: Edge,
    /// Edge on the right.
    pub right: Edge,
    /// Speed limit, m/s.
    pub speed_limit_m_s: f64,
    /// The junction that it crosses.
    pub junction: Option<JunctionId>,
    /// Lanes that it leads into.
    pub successors: Vec<LaneId>,
    /// Lanes that lead into it.
    pub predecessors: Vec<LaneId>,
    /// The lane on the left in the same direction (of any kind).
    pub left_neighbour: Option<LaneId>,
    /// The lane on the right in the same direction (of any kind).
    pub right_neighbour: Option<LaneId>,
    /// The driving lane on the left in the opposite direction.
    pub opposite: Option<LaneId>,
}

/// A place on a lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Which lane.
    pub lane: LaneId,
    /// Distance along it, metres.
    pub s_m: f64,
    /// Distance to the left of its centreline, metres.
    pub left_m: f64,
}

impl Lane {
    /// Length in plan, metres.
    pub fn length_m(&self) -> f64 {
        self.stations.last().map_or(0.0, |last| last.s_m)
    }

    /// Lies within an intersection.
    pub fn in_intersection(&self) -> bool {
        self.junction.is_some()
    }

    /// The centreline at a distance from the start (m), held at the ends. Between stations the position
    /// follows a cubic with the headings of both, so that it and its direction are continuous.
    pub fn at(&self, s_m: f64) -> Station {
        let next = self.stations.partition_point(|station| station.s_m <= s_m);
        if next == 0 {
            return self.stations[0];
        }
        if next == self.stations.len() {
            return self.stations[next - 1];
        }
        between(&self.stations[next - 1], &self.stations[next], s_m)
    }

    /// A frame on the lane: x along it, y to the left, z off the ground.
    pub fn world_from_lane<F>(&self, s_m: f64, left_m: f64) -> Pose<World, F> {
        let station = self.at(s_m);
        let ahead = station.ahead();
        let side = station.left();
        let up = ahead.cross(&side).normalize();
        let rotation = Matrix3::from_columns(&[ahead, up.cross(&ahead), up]);
        let p = station.p_m + side * left_m;
        let rotation = Rotation3::from_matrix_unchecked(rotation);
        Pose::new(UnitQuaternion::from_rotation_matrix(&rotation), p.coords)
    }

    /// The place on this lane that is nearest to a point in plan, and its distance in plan, metres.
    pub fn nearest(&self, x_m: f64, y_m: f64) -> (Place, f64) {
        let mut best = (Place { lane: self.id, s_m: 0.0, left_m: 0.0 }, f64::INFINITY);
        for pair in self.stations.windows(2) {
            let (a, b) = (pair[0].p_m.xy(), pair[1].p_m.xy());
            let along = b - a;
            let offset = nalgebra::Point2::new(x_m, y_m) - a;
            let share = (offset.dot(&along) / along.norm_squared().max(1e-12)).clamp(0.0, 1.0);
            let rest = offset - along * share;
            if rest.norm() < best.1 {
                let s_m = pair[0].s_m + share * (pair[1].s_m - pair[0].s_m);
                let sign = (along.x * rest.y - along.y * rest.x).signum();
                best = (Place { lane: self.id, s_m, left_m: sign * rest.norm() }, rest.norm());
            }
        }
        best
    }
}

impl Station {
    /// Unit vector in driving direction, on the slope.
    pub fn ahead(&self) -> Vector3<f64> {
        let (sin, cos) = self.heading_rad.sin_cos();
        Vector3::new(cos, sin, self.grade).normalize()
    }

    /// Unit vector to the left, on the slope.
    pub fn left(&self) -> Vector3<f64> {
        let (sin, cos) = self.heading_rad.sin_cos();
        Vector3::new(-sin, cos, self.bank).normalize()
    }
}

fn between(a: &Station, b: &Station, s_m: f64) -> Station {
    let length = b.s_m - a.s_m;
    let t = (s_m - a.s_m) / length;
    let lerp = |from: f64, to: f64| from + (to - from) * t;
    let tangent = |station: &Station| {
        let (sin, cos) = station.heading_rad.sin_cos();
        Vector3::new(cos, sin, station.grade) * length
    };
    let (t2, t3) = (t * t, t * t * t);
    let p = a.p_m.coords * (2.0 * t3 - 3.0 * t2 + 1.0)
        + tangent(a) * (t3 - 2.0 * t2 + t)
        + b.p_m.coords * (3.0 * t2 - 2.0 * t3)
        + tangent(b) * (t3 - t2);
    Station {
        s_m,
        p_m: Point3::from(p),
        heading_rad: lerp(a.heading_rad, b.heading_rad),
        curvature_per_m: lerp(a.curvature_per_m, b.curvature_per_m),
        grade: lerp(a.grade, b.grade),
        bank: lerp(a.bank, b.bank),
        width_m: lerp(a.width_m, b.width_m),
    }
}
