//! Rigid transforms between typed frames: SE(3).

use std::marker::PhantomData;
use std::ops::Mul;

use nalgebra::{
    Matrix3, Matrix4, Matrix6, Point3, Quaternion, Rotation3, UnitQuaternion, Vector3, Vector6,
};
use serde::{Deserialize, Serialize};

use crate::so3;

/// Maps coordinates in frame `B` to coordinates in frame `A`: `p_in_a = a_from_b * p_in_b`.
///
/// Translation in metres. Tangent vectors are `[rho (m); phi (rad)]` and act on the right:
/// `pose.retract(d) = pose * Pose::exp(d)`. Composition with the wrong order of frames does not
/// compile:
///
/// ```compile_fail
/// use ommatidia_geometry::{Camera, Ego, Pose, World};
/// fn compose(world_from_ego: Pose<World, Ego>, ego_from_camera: Pose<Ego, Camera>) -> Pose<World, Camera> {
///     ego_from_camera * world_from_ego
/// }
/// ```
/// ```
/// use ommatidia_geometry::{Camera, Ego, Pose, World};
/// fn compose(world_from_ego: Pose<World, Ego>, ego_from_camera: Pose<Ego, Camera>) -> Pose<World, Camera> {
///     world_from_ego * ego_from_camera
/// }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Pose<A, B> {
    /// Rotation from `B` to `A`.
    pub rotation: UnitQuaternion<f64>,
    /// Origin of `B` in `A`, metres.
    pub translation: Vector3<f64>,
    #[serde(skip)]
    frames: PhantomData<fn(B) -> A>,
}

impl<A, B> Clone for Pose<A, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, B> Copy for Pose<A, B> {}

impl<A, B> PartialEq for Pose<A, B> {
    fn eq(&self, other: &Self) -> bool {
        self.rotation == other.rotation && self.translation == other.translation
    }
}

impl<A, B> std::fmt::Debug for Pose<A, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let q = &self.rotation;
        f.debug_struct("Pose")
            .field("wxyz", &[q.w, q.i, q.j, q.k])
            .field("translation", &self.translation.as_slice())
            .finish()
    }
}

impl<A, B> Default for Pose<A, B> {
    fn default() -> Self {
        Self::identity()
    }
}

impl<A, B> Pose<A, B> {
    /// From a rotation and a translation in metres.
    pub fn new(rotation: UnitQuaternion<f64>, translation: Vector3<f64>) -> Self {
        Self { rotation, translation, frames: PhantomData }
    }

    /// Both frames coincide.
    pub fn identity() -> Self {
        Self::new(UnitQuaternion::identity(), Vector3::zeros())
    }

    /// From a quaternion `(w, x, y, z)`, normalised here, and a translation in metres.
    /// `None` if any number is not finite or the quaternion is zero.
    pub fn from_wxyz(wxyz: [f64; 4], translation: [f64; 3]) -> Option<Self> {
        let [w, x, y, z] = wxyz;
        let quaternion = Quaternion::new(w, x, y, z);
        let norm = quaternion.norm();
        let finite = norm.is_finite() && translation.iter().all(|t| t.is_finite());
        (finite && norm > 1e-12)
            .then(|| Self::new(UnitQuaternion::from_quaternion(quaternion), translation.into()))
    }

    /// From a row-major 3x4 or 4x4 matrix `[R t]`. The nearest rotation to `R` is taken.
    /// `None` if a number is not finite or `R` is farther than `1e-2` (Frobenius) from a rotation.
    pub fn from_row_major(matrix: &[f64]) -> Option<Self> {
        if matrix.len() < 12 || matrix[..12].iter().any(|x| !x.is_finite()) {
            return None;
        }
        let m = |r: usize, c: usize| matrix[4 * r + c];
        let raw = Matrix3::from_fn(m);
        let svd = raw.svd(true, true);
        let nearest = svd.u? * svd.v_t?;
        // Written so that NaN, which huge entries give, is no rotation either.
        if !(nearest.determinant() > 0.0 && (nearest - raw).norm() <= 1e-2) {
            return None;
        }
        let rotation =
            UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(nearest));
        Some(Self::new(rotation, Vector3::new(m(0, 3), m(1, 3), m(2, 3))))
    }

    /// The 4x4 homogeneous matrix.
    pub fn to_matrix(&self) -> Matrix4<f64> {
        let mut matrix = self.rotation.to_homogeneous();
        matrix.fixed_view_mut::<3, 1>(0, 3).copy_from(&self.translation);
        matrix
    }

    /// The rotation as a 3x3 matrix.
    pub fn rotation_matrix(&self) -> Matrix3<f64> {
        self.rotation.to_rotation_matrix().into_inner()
    }

    /// `b_from_a`.
    pub fn inverse(&self) -> Pose<B, A> {
        let rotation = self.rotation.inverse();
        Pose::new(rotation, -(rotation * self.translation))
    }

    /// Rotates a direction or velocity without translating it.
    pub fn rotate(&self, v_in_b: &Vector3<f64>) -> Vector3<f64> {
        self.rotation * v_in_b
    }

    /// Renames the frames. For the one commented line in a reader where a foreign convention is converted.
    pub fn cast<C, D>(self) -> Pose<C, D> {
        Pose::new(self.rotation, self.translation)
    }

    /// All numbers are finite.
    pub fn is_finite(&self) -> bool {
        self.rotation.coords.iter().chain(self.translation.iter()).all(|x| x.is_finite())
    }

    /// Exponential map of `[rho; phi]`. Solà et al. 2018, Eq. (172).
    pub fn exp(tangent: &Vector6<f64>) -> Self {
        let rho: Vector3<f64> = tangent.fixed_rows::<3>(0).into();
        let phi: Vector3<f64> = tangent.fixed_rows::<3>(3).into();
        Self::new(so3::exp(&phi), so3::left_jacobian(&phi) * rho)
    }

    /// Logarithm map to `[rho; phi]`. Eq. (173).
    pub fn log(&self) -> Vector6<f64> {
        let phi = so3::log(&self.rotation);
        let rho = so3::left_jacobian_inverse(&phi) * self.translation;
        Vector6::new(rho.x, rho.y, rho.z, phi.x, phi.y, phi.z)
    }

    /// Adjoint: `pose * exp(d) = exp(Ad d) * pose`. Eq. (175).
    pub fn adjoint(&self) -> Matrix6<f64> {
        let rotation = self.rotation_matrix();
        let mut adjoint = Matrix6::zeros();
        adjoint.fixed_view_mut::<3, 3>(0, 0).copy_from(&rotation);
        adjoint.fixed_view_mut::<3, 3>(3, 3).copy_from(&rotation);
        adjoint.fixed_view_mut::<3, 3>(0, 3).copy_from(&(so3::hat(&self.translation) * rotation));
        adjoint
    }

    /// `self * exp(tangent)`, renormalised.
    pub fn retract(&self, tangent: &Vector6<f64>) -> Self {
        let moved = *self * Pose::<B, B>::exp(tangent);
        Self::new(UnitQuaternion::new_normalize(moved.rotation.into_inner()), moved.translation)
    }

    /// Geodesic on SE(3) from `self` (`share` = 0) to `other` (`share` = 1); extrapolates outside.
    pub fn interpolate(&self, other: &Self, share: f64) -> Self {
        self.retract(&((self.inverse() * *other).log() * share))
    }
}

impl<A, B, C> Mul<Pose<B, C>> for Pose<A, B> {
    type Output = Pose<A, C>;
    fn mul(self, b_from_c: Pose<B, C>) -> Pose<A, C> {
        Pose::new(
            self.rotation * b_from_c.rotation,
            self.rotation * b_from_c.translation + self.translation,
        )
    }
}

impl<A, B> Mul<Point3<f64>> for Pose<A, B> {
    type Output = Point3<f64>;
    fn mul(self, p_in_b: Point3<f64>) -> Point3<f64> {
        self.rotation * p_in_b + self.translation
    }
}

#[cfg(test)]
mod tests;
