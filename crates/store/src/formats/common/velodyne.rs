//! KITTI's lidar scans.

use std::path::Path;

use ommatidia_scene::PointCloud;

use super::inputs::{MAX_CLOUD_BYTES, read_bounded};
use crate::Error;

/// Bytes of a return: x, y, z in metres and the reflectance, each a little-endian f32.
const RETURN_BYTES: usize = 16;

/// A scan of the Velodyne: returns in the `Lidar` frame, reflectance 0 to 1.
///
/// # Errors
/// A length that is no multiple of 16 bytes.
pub(crate) fn read_velodyne(path: &Path) -> Result<PointCloud, Error> {
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, "it is a scan of the sequence")?;
    let (returns, rest) = bytes.as_chunks::<RETURN_BYTES>();
    if !rest.is_empty() {
        let what = format!(
            "is {} bytes long, no multiple of {RETURN_BYTES}; it was cut short, copy it again",
            bytes.len()
        );
        return Err(Error::source(path, what));
    }
    let mut cloud = PointCloud::default();
    cloud.xyz_m.reserve_exact(returns.len());
    cloud.intensity.reserve_exact(returns.len());
    for (index, record) in returns.iter().enumerate() {
        let (fields, _) = record.as_chunks::<4>();
        let [x, y, z, reflectance] = [0, 1, 2, 3].map(|i| f32::from_le_bytes(fields[i]));
        if !(x.is_finite() && y.is_finite() && z.is_finite() && reflectance.is_finite()) {
            let what = format!("return {index} holds a number that is not finite");
            return Err(Error::source(path, what));
        }
        cloud.xyz_m.push([x, y, z]);
        cloud.intensity.push(reflectance);
    }
    Ok(cloud)
}
