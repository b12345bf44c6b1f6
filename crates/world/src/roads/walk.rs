//! Where people walk, where vehicles stop and stand.

use nalgebra::Point3;
use ommatidia_geometry::{Pose, World, frames};

use super::{JunctionId, LaneId};

/// Index into [`super::Network::walks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WalkId(pub u32);

/// What people walk on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WalkKind {
    /// Along a road.
    #[default]
    Pavement,
    /// Around a corner of a junction.
    Corner,
    /// Over a carriageway.
    Crossing,
}

/// A stretch that people walk, in both directions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Walk {
    /// What it is.
    pub kind: WalkKind,
    /// Middle line on the ground in `World`, metres; at least two points.
    pub points_m: Vec<Point3<f64>>,
    /// Width, metres.
    pub width_m: f64,
    /// Stretches that begin or end where this one begins.
    pub at_start: Vec<WalkId>,
    /// Stretches that begin or end where this one ends.
    pub at_end: Vec<WalkId>,
    /// For a crossing: its index in [`super::Network::crossings`].
    pub crossing: Option<u32>,
}

/// A pedestrian crossing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Crossing {
    /// Corners on the ground in `World`, counter-clockwise from above, metres.
    pub polygon_m: Vec<Point3<f64>>,
    /// Lanes that it crosses, with the distances along each where it begins and ends, metres.
    pub lanes: Vec<(LaneId, [f64; 2])>,
    /// Zebra stripes: people go first. Otherwise lights or nobody.
    pub zebra: bool,
    /// The junction that it belongs to.
    pub junction: Option<JunctionId>,
}

/// A line before which drivers wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StopLine {
    /// The lane.
    pub lane: LaneId,
    /// Where along it the front of a vehicle has to stay, metres.
    pub s_m: f64,
    /// The junction or crossing behind it has lights or a stop sign; otherwise one gives way.
    pub must_stop: bool,
}

/// A place for one parked car.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParkingPlace {
    /// Middle of the place on the ground, x along the vehicle.
    pub world_from_place: Pose<World, frames::Object>,
    /// Length, metres.
    pub length_m: f64,
    /// Width, metres.
    pub width_m: f64,
    /// The driving lane beside it.
    pub lane: LaneId,
}
