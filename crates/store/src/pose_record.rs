//! A pose on disk.

use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use ommatidia_geometry::Pose;
use serde::{Deserialize, Serialize};

/// Farthest that a stored quaternion's norm may be from 1.
const NORM_TOLERANCE: f64 = 1e-9;

/// `[w, x, y, z, x_m, y_m, z_m]`: bit for bit what it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PoseRecord(pub(crate) [f64; 7]);

impl PoseRecord {
    pub(crate) fn new<A, B>(pose: &Pose<A, B>) -> Self {
        let (q, t) = (&pose.rotation, &pose.translation);
        Self([q.w, q.i, q.j, q.k, t.x, t.y, t.z])
    }

    /// The pose; `whose` is for the message.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn pose<A, B>(&self, whose: &str) -> Result<Pose<A, B>, String> {
        let [w, x, y, z, tx, ty, tz] = self.0;
        let quaternion = Quaternion::new(w, x, y, z);
        let unit = (quaternion.norm() - 1.0).abs() <= NORM_TOLERANCE;
        if !unit || self.0.iter().any(|value| !value.is_finite()) {
            return Err(format!("the pose of {whose} is no rigid transform"));
        }
        Ok(Pose::new(UnitQuaternion::new_unchecked(quaternion), Vector3::new(tx, ty, tz)))
    }
}
