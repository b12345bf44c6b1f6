//! Where a thing is at any time.

use std::sync::Arc;

use ommatidia_geometry::{Pose, World, frames};

/// Poses at a fixed step: between two of them the twist is constant, outside of them it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Keys<A, B> {
    /// Time of the first key, seconds.
    pub start_s: f64,
    /// Between keys, seconds.
    pub step_s: f64,
    /// `a_from_b` at each key; at least one.
    pub poses: Vec<Pose<A, B>>,
}

impl<A: Copy, B: Copy> Keys<A, B> {
    /// `a_from_b` at a time.
    pub fn at(&self, time_s: f64) -> Pose<A, B> {
        let last = self.poses.len() - 1;
        let steps = ((time_s - self.start_s) / self.step_s).clamp(0.0, last as f64);
        let index = (steps as usize).min(last.saturating_sub(1));
        match self.poses.get(index + 1) {
            Some(next) => self.poses[index].interpolate(next, steps - index as f64),
            None => self.poses[index],
        }
    }
}

/// `world_from_x` over time, for whatever `x` moves.
#[derive(Debug, Clone, PartialEq)]
pub enum Motion<X> {
    /// It stands.
    Still(Pose<World, X>),
    /// It follows a path of its own.
    Keyed(Arc<Keys<World, X>>),
    /// It is carried by an object that follows a path: a body, a box.
    Carried {
        /// Path of the object.
        by: Arc<Keys<World, frames::Object>>,
        /// Where it sits on the object.
        object_from_x: Pose<frames::Object, X>,
    },
    /// It moves against an object that follows a path: limbs, wheels, doors.
    Jointed {
        /// Path of the object.
        by: Arc<Keys<World, frames::Object>>,
        /// Movement against the object.
        object_from_x: Arc<Keys<frames::Object, X>>,
    },
}

impl<X> Default for Motion<X> {
    fn default() -> Self {
        Self::Still(Pose::identity())
    }
}

impl<X: Copy> Motion<X> {
    /// `world_from_x` at a time, seconds since the clip's start.
    pub fn at(&self, time_s: f64) -> Pose<World, X> {
        match self {
            Self::Still(world_from_x) => *world_from_x,
            Self::Keyed(keys) => keys.at(time_s),
            Self::Carried { by, object_from_x } => by.at(time_s) * *object_from_x,
            Self::Jointed { by, object_from_x } => by.at(time_s) * object_from_x.at(time_s),
        }
    }

    /// It never moves.
    pub fn is_still(&self) -> bool {
        matches!(self, Self::Still(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{UnitQuaternion, Vector3};

    #[test]
    fn keys_meet_and_hold_outside() {
        let pose = |x: f64| {
            let turn = UnitQuaternion::from_euler_angles(0.0, 0.0, 0.3 * x);
            Pose::<World, frames::Part>::new(turn, Vector3::new(x, 0.0, 0.0))
        };
        let keys =
            Keys { start_s: 1.0, step_s: 0.5, poses: (0..4).map(|i| pose(f64::from(i))).collect() };
        let motion = Motion::Keyed(Arc::new(keys));
        for (time_s, index) in
            [(0.0, 0.0), (1.0, 0.0), (1.5, 1.0), (2.0, 2.0), (2.5, 3.0), (9.0, 3.0)]
        {
            let error = motion.at(time_s).inverse() * pose(index);
            assert!(error.log().norm() < 1e-12, "{time_s}");
        }
    }
}
