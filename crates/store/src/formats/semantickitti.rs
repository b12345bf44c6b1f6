//! SemanticKITTI: KITTI odometry with a class and an instance for each lidar return, and voxels.
//!
//! Behley et al.: *SemanticKITTI: a dataset for semantic scene understanding of lidar sequences*,
//! ICCV 2019. Adds `labels/*.label` and `voxels/*.{bin, label, invalid, occluded}` to a sequence. Its
//! `poses.txt` are of camera 0, as KITTI's: only then do static returns of several scans coincide.

use std::path::Path;

use nalgebra::Point3;
use ommatidia_geometry::{Ego, Lidar, Pose};
use ommatidia_scene::{
    BitGrid, ClassId, GridSpec, Occupancy, PointCloud, Skipped, Taxonomy, VectorSpace,
};

use super::common::inputs::{MAX_CLOUD_BYTES, read_bounded};
use super::common::skips::Skips;
use super::kitti_odometry::{KittiDrive, Uncalibrated, has_semantics, sequence_dirs};
use super::{Drive, Format, ImportOptions};
use crate::{ClipHeader, Error, FrameData};

/// SemanticKITTI sequences.
pub(super) struct SemanticKitti;

impl Format for SemanticKitti {
    fn name(&self) -> &'static str {
        "semantickitti"
    }

    fn looks_for(&self) -> &'static str {
        "a KITTI odometry sequence with labels/ or voxels/"
    }

    fn detect(&self, source: &Path) -> bool {
        sequence_dirs(source).iter().any(|dir| has_semantics(dir))
    }

    fn open(&self, source: &Path, options: &ImportOptions) -> Result<Box<dyn Drive>, Error> {
        let kitti = KittiDrive::open(source, options, self.name(), Uncalibrated::Refused)?;
        let ego_from_lidar = kitti.header().rig.lidars.first().map(|lidar| lidar.ego_from_lidar);
        Ok(Box::new(SemanticDrive { kitti, ego_from_lidar, classes: Classes::driving() }))
    }
}

struct SemanticDrive {
    kitti: KittiDrive,
    ego_from_lidar: Option<Pose<Ego, Lidar>>,
    classes: Classes,
}

impl Drive for SemanticDrive {
    fn header(&self) -> &ClipHeader {
        self.kitti.header()
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        let Some((number, mut frame)) = self.kitti.next_numbered()? else { return Ok(None) };
        let dir = self.kitti.dir().to_owned();
        let skips = self.kitti.skips();
        if let Some((_, cloud)) = frame.clouds.first_mut().and_then(Option::as_mut) {
            let path = dir.join(format!("labels/{number:06}.label"));
            if path.is_file() {
                label_returns(cloud, &path, &self.classes, skips)?;
            } else {
                skips.add("point labels", "labels/ has no such file", 1);
            }
        }
        if let Some(ego_from_lidar) = &self.ego_from_lidar {
            let stem = dir.join(format!("voxels/{number:06}"));
            let voxels = read_voxels(&stem, &self.classes, skips)?;
            frame.truth = voxels.map(|voxels| VectorSpace {
                timestamp: frame.timestamp,
                occupancy: Some(resample(&voxels, ego_from_lidar)),
                ..VectorSpace::default()
            });
        }
        Ok(Some(frame))
    }

    fn skipped(&self) -> Vec<Skipped> {
        self.kitti.skipped()
    }
}

/// Our class for each of the 2^16 class numbers; `None` where the taxonomy does not map it.
struct Classes(Vec<Option<ClassId>>);

impl Classes {
    fn driving() -> Self {
        let taxonomy = Taxonomy::driving();
        let number = |number: u16| taxonomy.from_foreign("semantickitti", &number.to_string());
        Self((0..=u16::MAX).map(number).collect())
    }

    fn get(&self, number: u16) -> Option<ClassId> {
        self.0[usize::from(number)]
    }
}

/// Each return has four bytes: the class in the low half, the instance in the high half.
fn label_returns(
    cloud: &mut PointCloud,
    path: &Path,
    classes: &Classes,
    skips: &mut Skips,
) -> Result<(), Error> {
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, "it labels a scan")?;
    if bytes.len() != 4 * cloud.len() {
        let what = format!(
            "is {} bytes long; the scan has {} returns and needs {} bytes. One of the two was cut short or belongs to another frame",
            bytes.len(),
            cloud.len(),
            4 * cloud.len()
        );
        return Err(Error::source(path, what));
    }
    let mut unmapped = 0;
    for label in bytes.as_chunks::<4>().0 {
        let class = classes.get(u16::from_le_bytes([label[0], label[1]]));
        unmapped += usize::from(class.is_none());
        cloud.class.push(class.unwrap_or(ClassId::UNKNOWN).0);
        cloud.instance.push(u16::from_le_bytes([label[2], label[3]]));
    }
    skips.add("classes of returns", "the taxonomy does not map their number", unmapped);
    Ok(())
}

/// The data set's grid in the `Lidar` frame: 51.2 m ahead, 25.6 m to each side. The lowest layer starts
/// 2.2 m below the sensor: of all offsets this one agrees best with the scans.
const GRID_IN_LIDAR: GridSpec =
    GridSpec { min_corner_m: [0.0, -25.6, -2.2], voxel_m: 0.2, size: [256, 256, 32] };

/// Voxels of [`GRID_IN_LIDAR`], in its index order, which is also that of the files.
struct Voxels {
    observed: BitGrid,
    occupied: BitGrid,
    /// Class of every voxel; empty where only occupancy is known.
    classes: Vec<ClassId>,
}

/// With `.label`, the scene completed from many scans: all but `.invalid` is observed. Without, what the
/// one scan of `.bin` hit, and as free what it passed: all but `.occluded`, if that is there.
fn read_voxels(stem: &Path, classes: &Classes, skips: &mut Skips) -> Result<Option<Voxels>, Error> {
    let mask = |extension: &str| read_mask(&stem.with_extension(extension));
    if let Some(labels) = optional(&stem.with_extension("label"), 2 * GRID_IN_LIDAR.len())? {
        let mut observed = BitGrid::new(GRID_IN_LIDAR.len());
        let invalid = mask("invalid")?;
        skips.add(
            "masks of unseen voxels",
            "voxels/ has no .invalid file",
            usize::from(invalid.is_none()),
        );
        let mut occupied = observed.clone();
        let mut mapped = Vec::with_capacity(GRID_IN_LIDAR.len());
        let mut unmapped = 0;
        for (index, label) in labels.as_chunks::<2>().0.iter().enumerate() {
            let number = u16::from_le_bytes(*label);
            let class = classes.get(number);
            unmapped += usize::from(class.is_none());
            mapped.push(class.unwrap_or(ClassId::UNKNOWN));
            occupied.set(index, number != 0);
            let unseen = invalid.as_ref().is_some_and(|invalid| invalid.get(index));
            observed.set(index, number != 0 || !unseen);
        }
        skips.add("classes of voxels", "the taxonomy does not map their number", unmapped);
        return Ok(Some(Voxels { observed, occupied, classes: mapped }));
    }
    let Some(occupied) = mask("bin")? else { return Ok(None) };
    skips.add("classes of voxels", "voxels/ has no .label file; only the scan's hits are taken", 1);
    let mut observed = occupied.clone();
    match mask("occluded")? {
        Some(occluded) => {
            (0..occluded.len()).filter(|&i| !occluded.get(i)).for_each(|i| observed.set(i, true));
        }
        None => skips.add("free voxels", "voxels/ has no .occluded file", 1),
    }
    Ok(Some(Voxels { observed, occupied, classes: Vec::new() }))
}

/// A file of an exact length, if it is there.
fn optional(path: &Path, expected_bytes: usize) -> Result<Option<Vec<u8>>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, "it holds voxels")?;
    if bytes.len() != expected_bytes {
        let [x, y, z] = GRID_IN_LIDAR.size;
        let what = format!(
            "is {} bytes long; a grid of {x} x {y} x {z} voxels needs {expected_bytes}. It was cut short or holds something else",
            bytes.len()
        );
        return Err(Error::source(path, what));
    }
    Ok(Some(bytes))
}

/// One bit per voxel, the most significant first.
fn read_mask(path: &Path) -> Result<Option<BitGrid>, Error> {
    let Some(bytes) = optional(path, GRID_IN_LIDAR.len() / 8)? else { return Ok(None) };
    let mut bits = BitGrid::new(GRID_IN_LIDAR.len());
    for (byte_index, byte) in bytes.iter().enumerate() {
        for bit in (0..8).filter(|bit| byte >> (7 - bit) & 1 == 1) {
            bits.set(8 * byte_index + bit, true);
        }
    }
    Ok(Some(bits))
}

/// The voxels in a grid along the ego frame's axes that encloses the data set's, which is tilted by the
/// lidar's mounting (about half a degree). Each of our voxels takes the one that its centre lies in.
fn resample(voxels: &Voxels, ego_from_lidar: &Pose<Ego, Lidar>) -> Occupancy {
    let grid = enclosing(ego_from_lidar);
    let lidar_from_ego = ego_from_lidar.inverse();
    let mut occupancy = Occupancy::unobserved(grid);
    for index in 0..grid.len() {
        let centre_in_lidar = lidar_from_ego * grid.centre(grid.cell(index));
        let Some(cell) = GRID_IN_LIDAR.cell_at(&centre_in_lidar) else { continue };
        let source = GRID_IN_LIDAR.index(cell);
        occupancy.observed.set(index, voxels.observed.get(source));
        if voxels.occupied.get(source) {
            occupancy.occupied.set(index, true);
            let class = voxels.classes.get(source).copied();
            occupancy.classes.push(class.unwrap_or(ClassId::UNKNOWN));
        }
    }
    occupancy
}

/// The smallest grid along the ego frame's axes, its corner at whole voxels, around the data set's grid.
fn enclosing(ego_from_lidar: &Pose<Ego, Lidar>) -> GridSpec {
    let GridSpec { min_corner_m, voxel_m, size } = GRID_IN_LIDAR;
    let corner = |which: usize| {
        let upper = |axis: usize| f64::from(size[axis]) * voxel_m * ((which >> axis) & 1) as f64;
        *ego_from_lidar * Point3::from([0, 1, 2].map(|axis| min_corner_m[axis] + upper(axis)))
    };
    let mut low = [f64::INFINITY; 3];
    let mut high = [f64::NEG_INFINITY; 3];
    for corner in (0..8).map(corner) {
        for axis in 0..3 {
            low[axis] = low[axis].min((corner[axis] / voxel_m).floor());
            high[axis] = high[axis].max((corner[axis] / voxel_m).ceil());
        }
    }
    GridSpec {
        min_corner_m: low.map(|steps| steps * voxel_m),
        voxel_m,
        size: [0, 1, 2].map(|axis| (high[axis] - low[axis]) as u32),
    }
}
