//! Annotated boxes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ommatidia_geometry::{Ego, Pose, Timestamp, frames};
use ommatidia_scene::{ClassId, Object, Taxonomy, TrackId};

use super::{AxleFrame, POSE_COLUMNS, PoseColumns, ego_from_axle};
use crate::Error;
use crate::formats::common::feather::Table;
use crate::formats::common::inputs::Inputs;
use crate::formats::common::sanity;
use crate::formats::common::skips::Skips;

/// Largest side of a box, metres.
const MAX_SIDE_M: f64 = 1000.0;

/// The boxes of a log, in the ego frame at their own sweep. The data set gives no velocities.
pub(super) struct Annotations {
    path: PathBuf,
    by_time: BTreeMap<i64, Vec<Object>>,
}

impl Annotations {
    /// `None` where the log has none, as in the test split.
    pub(super) fn read(
        dir: &Path,
        inputs: &mut Inputs,
        skips: &mut Skips,
    ) -> Result<Option<Self>, Error> {
        let path = dir.join("annotations.feather");
        if !path.exists() {
            skips.add("annotations", "the log has none", 1);
            return Ok(None);
        }
        let mut wanted = vec![
            "timestamp_ns",
            "track_uuid",
            "category",
            "length_m",
            "width_m",
            "height_m",
            "num_interior_pts",
        ];
        wanted.extend(POSE_COLUMNS);
        let table = Table::read(&path, &wanted, inputs, "it holds the boxes")?;
        let poses = PoseColumns::of(&table)?;
        let sides =
            [table.floats("length_m")?, table.floats("width_m")?, table.floats("height_m")?];
        let tracks = table.texts("track_uuid")?;
        // Numbered in the order of their names: the same for every reading of the log.
        let numbers: BTreeSet<&str> = tracks.iter().map(String::as_str).collect();
        let numbers: BTreeMap<&str, u64> = numbers.into_iter().zip(0..).collect();
        let classes = Classes::new();
        let mut by_time: BTreeMap<i64, Vec<Object>> = BTreeMap::new();
        for (row, &time) in table.integers("timestamp_ns")?.iter().enumerate() {
            let size_m = [sides[0][row], sides[1][row], sides[2][row]];
            if !size_m.iter().all(|side| (0.0..=MAX_SIDE_M).contains(side)) {
                let what = format!("row {row}: the size {size_m:?} m is none of a box");
                return Err(Error::source(&path, what));
            }
            let axle_from_object: Pose<AxleFrame, frames::Object> =
                poses.row(row, sanity::place)?;
            let ego_from_object: Pose<Ego, frames::Object> = ego_from_axle() * axle_from_object;
            let points = u32::try_from(table.integers("num_interior_pts")?[row]).ok();
            by_time.entry(time).or_default().push(Object {
                track: Some(TrackId(numbers[tracks[row].as_str()])),
                class: classes.get(&table.texts("category")?[row], skips),
                ego_from_object,
                size_m,
                velocity_m_s: None,
                keypoints: Vec::new(),
                confidence: 1.0,
                lidar_points: points,
            });
        }
        Ok(Some(Self { path, by_time }))
    }

    /// The boxes of the sweep at that time; none annotated is no box.
    pub(super) fn at(&self, timestamp: Timestamp) -> Result<Vec<Object>, Error> {
        let objects = self.by_time.get(&timestamp.0).cloned().unwrap_or_default();
        let mut tracks: Vec<_> = objects.iter().map(|object| object.track).collect();
        tracks.sort_unstable();
        if tracks.windows(2).any(|pair| pair[0] == pair[1]) {
            let what = format!("a track has two boxes at {} ns", timestamp.0);
            return Err(Error::source(&self.path, what));
        }
        Ok(objects)
    }
}

struct Classes(Taxonomy);

impl Classes {
    fn new() -> Self {
        Self(Taxonomy::driving())
    }

    fn get(&self, category: &str, skips: &mut Skips) -> ClassId {
        self.0.from_foreign("argoverse2", category).unwrap_or_else(|| {
            let shown: String = category.chars().take(60).collect();
            skips.add("classes of boxes", format!("the taxonomy does not map {shown}"), 1);
            ClassId::UNKNOWN
        })
    }
}
