//! nuScenes' lidar sweeps.

use std::path::Path;

use ommatidia_scene::PointCloud;

use crate::Error;
use crate::formats::common::inputs::{MAX_CLOUD_BYTES, read_bounded};

/// Bytes of a return: x, y, z in metres, intensity, ring, each a little-endian f32.
const RETURN_BYTES: usize = 20;

/// A sweep: returns in the `Lidar` frame, intensity 0 to 255.
///
/// # Errors
/// A length that is no multiple of 20 bytes, numbers that are not finite, a ring that is no index.
pub(super) fn read(path: &Path, needed_by: &str) -> Result<PointCloud, Error> {
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, needed_by)?;
    let (returns, rest) = bytes.as_chunks::<RETURN_BYTES>();
    if !rest.is_empty() {
        let what = format!(
            "is {} bytes long, no multiple of {RETURN_BYTES}; it was cut short, copy it again",
            bytes.len()
        );
        return Err(Error::source(path, what));
    }
    let mut cloud = PointCloud::default();
    for (index, record) in returns.iter().enumerate() {
        let (fields, _) = record.as_chunks::<4>();
        let [x, y, z, intensity, ring] = [0, 1, 2, 3, 4].map(|i| f32::from_le_bytes(fields[i]));
        if ![x, y, z, intensity].iter().all(|value| value.is_finite()) {
            let what = format!("return {index} holds a number that is not finite");
            return Err(Error::source(path, what));
        }
        if ring.fract() != 0.0 || !(0.0..=f32::from(u16::MAX)).contains(&ring) {
            return Err(Error::source(path, format!("return {index}: ring {ring} is no index")));
        }
        cloud.xyz_m.push([x, y, z]);
        cloud.intensity.push(intensity);
        cloud.ring.push(ring as u16);
    }
    Ok(cloud)
}
