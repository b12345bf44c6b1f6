//! Where a thing is at any time.

use std::sync::Arc;

use ommatidia_geometry::{Pose, World, frames};

/// Poses at a fixed step: between two of them the twist is constant. It goes on for one step before the
/// first and after the last, so that speeds are right there too; farther out it stands.
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
        let steps = ((time_s - self.start_s) / self.step_s).clamp(-1.0, last as f64 + 1.0);
        let index = (steps.max(0.0) as usize).min(last.saturating_sub(1));
        match self.poses.get(index + 1) {
            Some(next) => self.poses[index].interpolate(next, steps - index as f64),
            None => self.poses[index],
        }
    }

    /// The last key at or before a time: for what jumps from one to the next.
    pub fn held(&self, time_s: f64) -> Pose<A, B> {
        // A time meant to be that of a key may lie a rounding error before it.
        let steps = ((time_s - self.start_s) / self.step_s + 1e-6).max(0.0);
        self.poses[(steps as usize).min(self.poses.len() - 1)]
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
    /// It is shown or hidden by an object that follows a path, by jumping: lenses that light up. A jump
    /// is no movement; see [`Motion::moved`].
    Switched {
        /// Path of the object.
        by: Arc<Keys<World, frames::Object>>,
        /// Place on the object from each key to the next.
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
            Self::Switched { by, object_from_x } => by.at(time_s) * object_from_x.held(time_s),
        }
    }

    /// Where it is at a time, switched as it was at `switched_s`: what it moves by, without jumps.
    pub fn moved(&self, time_s: f64, switched_s: f64) -> Pose<World, X> {
        match self {
            Self::Switched { by, object_from_x } => by.at(time_s) * object_from_x.held(switched_s),
            other => other.at(time_s),
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
    fn keys_meet_go_on_for_a_step_and_hold_outside() {
        let pose = |x: f64| {
            let turn = UnitQuaternion::from_euler_angles(0.0, 0.0, 0.3 * x);
            Pose::<World, World>::new(turn, Vector3::new(x, 0.0, 0.0))
        };
        let keys = Keys {
            start_s: 1.0,
            step_s: 0.5,
            poses: (0..4).map(|i| pose(f64::from(i)).cast()).collect(),
        };
        let motion: Motion<frames::Part> = Motion::Keyed(Arc::new(keys));
        let on = |from: f64, to: f64| pose(to) * (pose(from).inverse() * pose(to));
        let expected = [
            (0.0, on(1.0, 0.0)),
            (0.5, on(1.0, 0.0)),
            (1.0, pose(0.0)),
            (1.5, pose(1.0)),
            (2.0, pose(2.0)),
            (2.5, pose(3.0)),
            (3.0, on(2.0, 3.0)),
            (9.0, on(2.0, 3.0)),
        ];
        for (time_s, expected) in expected {
            let error = motion.at(time_s).inverse() * expected.cast::<World, frames::Part>();
            assert!(error.log().norm() < 1e-12, "{time_s}");
        }
    }

    #[test]
    fn a_lens_jumps_and_moves_with_its_body() {
        fn shift<A, B>(x: f64) -> Pose<A, B> {
            Pose::new(UnitQuaternion::identity(), Vector3::new(x, 0.0, 0.0))
        }
        let by = Keys { start_s: 0.0, step_s: 1.0, poses: vec![shift(0.0), shift(10.0)] };
        let places = vec![shift(0.0), shift(0.3), shift(0.0)];
        let object_from_x = Arc::new(Keys { start_s: 0.0, step_s: 0.1, poses: places });
        let lens = Motion::<frames::Part>::Switched { by: Arc::new(by), object_from_x };
        let x = |pose: Pose<World, frames::Part>| pose.translation.x;
        for (time_s, expected) in [(0.09, 0.9), (0.1, 1.3), (0.15, 1.8), (0.2, 2.0), (0.5, 5.0)] {
            assert!((x(lens.at(time_s)) - expected).abs() < 1e-9, "{time_s}");
        }
        let speed = (x(lens.moved(0.11, 0.1)) - x(lens.moved(0.09, 0.1))) / 0.02;
        assert!((speed - 10.0).abs() < 1e-9, "{speed}");
    }
}
