//! What calibration and poses must satisfy before anything is computed from them.

use std::path::Path;

use nalgebra::Vector3;
use ommatidia_geometry::{Pose, Timestamp};

use crate::Error;

/// Farthest sensor from the vehicle's origin, metres.
const MAX_MOUNT_M: f64 = 100.0;
/// Farthest vehicle from a data set's origin, metres: any projected coordinate on Earth fits.
const MAX_WORLD_M: f64 = 1e8;
/// Longest focal length and principal point, pixels.
const MAX_FOCAL_PX: f64 = 1e6;
/// A quaternion's length may differ from 1 by this much: what rounding to four digits does.
const MAX_STRETCH: f64 = 1e-3;
/// The year 2262, the last that nanoseconds in 64 bits reach.
const MAX_SECONDS: f64 = 9.2e9;

/// A rigid transform read from `path`; `what` names the place in it.
///
/// # Errors
/// Where there is none (its numbers are not finite or its rotation is none), or it is too long.
fn checked<A, B>(
    pose: Option<Pose<A, B>>,
    limit_m: f64,
    path: &Path,
    what: &str,
) -> Result<Pose<A, B>, Error> {
    let Some(pose) = pose.filter(Pose::is_finite) else {
        let what = format!(
            "{what}: not a rigid transform; the numbers must be finite and the rotation orthonormal"
        );
        return Err(Error::source(path, what));
    };
    within(&pose.translation, limit_m, path, what)?;
    Ok(pose)
}

fn within(translation: &Vector3<f64>, limit_m: f64, path: &Path, what: &str) -> Result<(), Error> {
    if translation.iter().all(|t| t.abs() <= limit_m) {
        return Ok(());
    }
    let [x, y, z]: [f64; 3] = (*translation).into();
    let what = format!("{what}: the offset ({x}, {y}, {z}) m is beyond {limit_m} m");
    Err(Error::source(path, what))
}

/// A quaternion's length is 1, or nearly; [`Pose::from_wxyz`] then makes it so.
///
/// # Errors
/// It is not.
pub(crate) fn unit(wxyz: [f64; 4], path: &Path, what: &str) -> Result<(), Error> {
    let length = wxyz.iter().map(|q| q * q).sum::<f64>().sqrt();
    if (length - 1.0).abs() <= MAX_STRETCH {
        return Ok(());
    }
    let what = format!("{what}: the quaternion {wxyz:?} has length {length}; it must be 1");
    Err(Error::source(path, what))
}

/// Where a sensor sits on the vehicle.
///
/// # Errors
/// Not a rigid transform, or farther than any vehicle is long.
pub(crate) fn mount<A, B>(
    pose: Option<Pose<A, B>>,
    path: &Path,
    what: &str,
) -> Result<Pose<A, B>, Error> {
    checked(pose, MAX_MOUNT_M, path, what)
}

/// Where the vehicle or an object is in the world.
///
/// # Errors
/// Not a rigid transform, or off the Earth.
pub(crate) fn place<A, B>(
    pose: Option<Pose<A, B>>,
    path: &Path,
    what: &str,
) -> Result<Pose<A, B>, Error> {
    checked(pose, MAX_WORLD_M, path, what)
}

/// Focal lengths and principal point in pixels.
///
/// # Errors
/// Not finite, not positive focal lengths, or absurdly long.
pub(crate) fn intrinsics([fx, fy, cx, cy]: [f64; 4], path: &Path, what: &str) -> Result<(), Error> {
    if !(fx > 0.0 && fy > 0.0 && fx <= MAX_FOCAL_PX && fy <= MAX_FOCAL_PX) {
        let what = format!("{what}: focal length is {fx} x {fy} px; both must be positive");
        return Err(Error::source(path, what));
    }
    if !(cx.abs() <= MAX_FOCAL_PX && cy.abs() <= MAX_FOCAL_PX) {
        let what = format!("{what}: principal point is ({cx}, {cy}) px, far outside any image");
        return Err(Error::source(path, what));
    }
    Ok(())
}

/// A time in seconds as a timestamp.
///
/// # Errors
/// Beyond what nanoseconds in 64 bits hold.
pub(crate) fn seconds(time_s: f64, path: &Path, what: &str) -> Result<Timestamp, Error> {
    if time_s.abs() <= MAX_SECONDS {
        return Ok(Timestamp::from_secs_f64(time_s));
    }
    Err(Error::source(path, format!("{what}: the time {time_s} s is out of range")))
}

/// An integer time of `unit_ns` nanoseconds as a timestamp.
///
/// # Errors
/// Beyond what nanoseconds in 64 bits hold.
pub(crate) fn ticks(time: i64, unit_ns: i64, path: &Path, what: &str) -> Result<Timestamp, Error> {
    let out_of_range = || Error::source(path, format!("{what}: the time {time} is out of range"));
    time.checked_mul(unit_ns).map(Timestamp).ok_or_else(out_of_range)
}

/// Each time comes after the one before.
///
/// # Errors
/// The first that does not, named by `name(index)`.
pub(crate) fn ascending(
    times: &[Timestamp],
    path: &Path,
    name: impl Fn(usize) -> String,
) -> Result<(), Error> {
    match times.windows(2).position(|pair| pair[0] >= pair[1]) {
        None => Ok(()),
        Some(i) => {
            let what = format!(
                "{}: the time {} s is not after {} s before it; times must ascend",
                name(i + 1),
                times[i + 1],
                times[i]
            );
            Err(Error::source(path, what))
        }
    }
}
