//! Voxel grids: Occ3D's and the occupancy challenges' `.npz`, SemanticKITTI's `.label` and `.invalid`.

use std::path::Path;

use crate::Error;
use crate::formats::common::inputs::{MAX_CLOUD_BYTES, read_bounded};
use crate::formats::common::npz::{Array, find_array};

const NEEDED: &str = "it holds voxels";
/// Names under which predictions keep their classes, the first that is there counts. A single unnamed array
/// of `numpy.savez` is `arr_0`.
const SEMANTICS: [&str; 5] = ["semantics", "pred", "pred_occ", "occ_pred", "arr_0"];

/// One frame's voxels, in C order of `[x, y, z]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VoxelFrame {
    /// Lengths along x, y, z, where the file says.
    pub shape: Option<[usize; 3]>,
    /// Number of the class of each voxel, as the file has it.
    pub semantics: Vec<u16>,
    /// Voxels that a camera sees.
    pub mask_camera: Option<Vec<bool>>,
    /// Voxels that the lidar saw.
    pub mask_lidar: Option<Vec<bool>>,
    /// Voxels that no ray reached.
    pub invalid: Option<Vec<bool>>,
    /// Instance of each voxel, 0 for none.
    pub instances: Option<Vec<u32>>,
    /// Velocity of each voxel along x and y, m/s.
    pub flow: Option<Vec<[f32; 2]>>,
    /// Where rays start, ego frame, metres.
    pub origins: Option<Vec<[f64; 3]>>,
}

/// A frame from `.npz`: `semantics` (or `pred`, `arr_0`), and where they are there `mask_camera`, `mask_lidar`,
/// `instances`, `flow` and `lidar_origins`.
///
/// # Errors
/// Damaged file, no classes, another shape than theirs, or numbers that are no classes; names the array.
pub fn read_npz(path: &Path) -> Result<VoxelFrame, Error> {
    let archive = read_bounded(path, MAX_CLOUD_BYTES, NEEDED)?;
    let find = |name: &str| {
        let fail = |what| Error::source(path, format!("array {name}: {what}"));
        find_array(&archive, name).map_err(fail)
    };
    let mut classes = None;
    for name in SEMANTICS {
        if let Some(array) = find(name)? {
            classes = Some((name, array));
            break;
        }
    }
    let (name, array) = classes.ok_or_else(|| {
        Error::source(path, format!("holds none of the arrays {}", SEMANTICS.join(", ")))
    })?;
    let fail = |name: &str, what: String| Error::source(path, format!("array {name}: {what}"));
    let shape: Vec<usize> = array.shape.iter().copied().filter(|&side| side != 1).collect();
    let shape: Option<[usize; 3]> = shape.try_into().ok();
    let integers = array.integers().map_err(|what| fail(name, what))?;
    let class = |(index, number): (usize, u32)| {
        u16::try_from(number)
            .map_err(|_| format!("element {index} is {number}; no class has that number"))
    };
    let semantics: Vec<u16> = integers
        .into_iter()
        .enumerate()
        .map(class)
        .collect::<Result<_, _>>()
        .map_err(|what| fail(name, what))?;
    let sized = |name: &str, per_voxel: usize| -> Result<Option<Array>, Error> {
        let Some(array) = find(name)? else { return Ok(None) };
        if array.len() != semantics.len() * per_voxel {
            let what = format!("has shape {:?}; there are {} voxels", array.shape, semantics.len());
            return Err(fail(name, what));
        }
        Ok(Some(array))
    };
    let integers = |name: &str| -> Result<Option<Vec<u32>>, Error> {
        let read = |array: Array| array.integers().map_err(|what| fail(name, what));
        sized(name, 1)?.map(read).transpose()
    };
    let mask = |name: &str| -> Result<Option<Vec<bool>>, Error> {
        Ok(integers(name)?.map(|numbers| numbers.into_iter().map(|n| n != 0).collect()))
    };
    let floats = |name: &str, array: Array| array.floats().map_err(|what| fail(name, what));
    let flow = sized("flow", 2)?.map(|array| floats("flow", array)).transpose()?;
    let origins = find("lidar_origins")?;
    if let Some(array) = origins.as_ref().filter(|array| array.shape.last() != Some(&3)) {
        let what = format!("has shape {:?}; it must be N x 3", array.shape);
        return Err(fail("lidar_origins", what));
    }
    let origins = origins.map(|array| floats("lidar_origins", array)).transpose()?;
    if let Some(place) = origins.iter().flatten().position(|number| !number.is_finite()) {
        let what = format!("origin {} holds a number that is not finite", place / 3);
        return Err(fail("lidar_origins", what));
    }
    Ok(VoxelFrame {
        shape,
        mask_camera: mask("mask_camera")?,
        mask_lidar: mask("mask_lidar")?,
        invalid: None,
        instances: integers("instances")?,
        flow: flow.map(|f| f.as_chunks::<2>().0.iter().map(|v| v.map(|c| c as f32)).collect()),
        origins: origins.map(|o| o.as_chunks::<3>().0.to_vec()),
        semantics,
    })
}

/// A frame from SemanticKITTI's `.label`: 16 bits a voxel.
///
/// # Errors
/// Unreadable file, or an odd number of bytes.
pub fn read_label(path: &Path) -> Result<VoxelFrame, Error> {
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, NEEDED)?;
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        let what = format!("is {} bytes long; voxels take two each", bytes.len());
        return Err(Error::source(path, what));
    }
    let semantics = pairs.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
    Ok(VoxelFrame { semantics, ..VoxelFrame::default() })
}

/// SemanticKITTI's `.invalid`, `.bin` or `.occluded`: a bit a voxel, the highest of each byte first.
///
/// # Errors
/// Unreadable file, or another number of voxels.
pub fn read_bits(path: &Path, voxels: usize) -> Result<Vec<bool>, Error> {
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, NEEDED)?;
    if bytes.len() != voxels.div_ceil(8) {
        let what = format!("holds {} bits; there are {voxels} voxels", 8 * bytes.len());
        return Err(Error::source(path, what));
    }
    let bit = |index: usize| bytes[index / 8] >> (7 - index % 8) & 1 == 1;
    Ok((0..voxels).map(bit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn labels_and_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000000.label");
        std::fs::write(&path, [40, 0, 3, 1]).unwrap();
        assert_eq!(read_label(&path).unwrap().semantics, [40, 259]);
        std::fs::write(&path, [40, 0, 3]).unwrap();
        check(read_label(&path), "is 3 bytes long");
        std::fs::write(&path, [0b1010_0001, 0b1000_0000]).unwrap();
        let bits = read_bits(&path, 10).unwrap();
        assert_eq!(bits, [true, false, true, false, false, false, false, true, true, false]);
        check(read_bits(&path, 17), "holds 16 bits; there are 17 voxels");
        check(read_label(&folder.path().join("none")), "is missing");
    }

    // Written by NumPy 2.4: numpy.savez_compressed with semantics uint8 (2, 2, 2) of 0 to 7, mask_camera bool,
    // flow float32 (2, 2, 2, 2) of 0 to 15 and lidar_origins float64 (1, 3) of 1, 2, 3.
    const FRAME: &[u8] = include_bytes!("../../tests/data/voxels.npz");

    #[test]
    fn arrays_of_a_frame() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.npz");
        std::fs::write(&path, FRAME).unwrap();
        let frame = read_npz(&path).unwrap();
        assert_eq!(frame.shape, Some([2, 2, 2]));
        assert_eq!(frame.semantics, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(frame.mask_camera.unwrap().iter().filter(|seen| **seen).count(), 3);
        assert_eq!(frame.flow.unwrap()[7], [14.0, 15.0]);
        assert_eq!(frame.origins, Some(vec![[1.0, 2.0, 3.0]]));
        assert_eq!((frame.mask_lidar, frame.instances), (None, None));
    }

    #[test]
    fn a_damaged_file_is_refused_and_never_panics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.npz");
        for at in 0..FRAME.len() {
            let mut damaged = FRAME.to_vec();
            damaged[at] ^= 0x55;
            std::fs::write(&path, &damaged).unwrap();
            if let Ok(frame) = read_npz(&path) {
                assert_eq!(frame.semantics.len(), 8);
            }
            // The last two bytes only say that no comment follows.
            if at < FRAME.len() - 2 {
                std::fs::write(&path, &FRAME[..at]).unwrap();
                check(read_npz(&path), "labels.npz");
            }
        }
    }
}
