//! Occupancy in official grids: Occ3D's mIoU, SemanticKITTI's completion IoU and mIoU.
//!
//! Classes are dense, one number a voxel, free space being one of them. The geometric IoU asks whether a
//! voxel is occupied, whatever its class. Rays through the same grids: [`crate::occupancy_rays`].

use std::collections::BTreeMap;

use ommatidia_scene::{ClassId, GridSpec};
use serde::{Deserialize, Serialize};

use crate::confusion::{Absent, Confusion};
use crate::protocol::Protocol;

/// Which voxels are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoxelMask {
    /// All.
    None,
    /// Those that a camera sees: `mask_camera`.
    Camera,
    /// Those that the lidar saw: `mask_lidar`.
    Lidar,
    /// Those that a ray reached: not `invalid`.
    Invalid,
}

/// Settings of an official occupancy evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridProtocol {
    /// Class names; the position is the class's number.
    pub classes: Vec<String>,
    /// The class of free space, not averaged.
    pub free: String,
    /// Numbers that are not judged where the truth has them.
    pub ignored: Vec<u8>,
    /// What a class that neither side has contributes to the mean.
    #[serde(default)]
    pub absent: Absent,
    /// Which voxels are judged by IoU. Rays pass through all.
    pub mask: VoxelMask,
    /// Classes with instances.
    pub things: Vec<String>,
    /// Classes with velocities.
    pub moving: Vec<String>,
    /// RayPQ: unmatched segments with fewer rays do not count.
    pub min_rays: u64,
    /// Where the voxels are, ego frame.
    pub grid: GridSpec,
    /// Numbers in files onto classes; numbers not listed become 255. Without it they are the classes.
    #[serde(default)]
    pub labels: BTreeMap<String, u8>,
}

impl Protocol for GridProtocol {
    const KIND: &'static str = "occupancy";
    const NAMED: &'static [(&'static str, &'static str)] = &[
        ("occ3d_nuscenes", include_str!("../protocols/occ3d_nuscenes.toml")),
        ("openocc_2024", include_str!("../protocols/openocc_2024.toml")),
        ("semantickitti_completion", include_str!("../protocols/semantickitti_completion.toml")),
    ];

    fn check(&self) -> Result<(), String> {
        let count = self.classes.len();
        if !(2..=255).contains(&count) {
            return Err(format!("{count} classes; 2 to 255 can be told apart"));
        }
        for (index, class) in self.classes.iter().enumerate() {
            if self.classes[..index].contains(class) {
                return Err(format!("class {class} is listed twice"));
            }
        }
        let named = [&self.free].into_iter().chain(&self.things).chain(&self.moving);
        if let Some(name) = named.into_iter().find(|name| !self.classes.contains(name)) {
            return Err(format!("{name} is no class"));
        }
        if let Some((label, _)) =
            self.labels.iter().find(|(label, _)| label.parse::<u16>().is_err())
        {
            return Err(format!("label {label} is no number up to 65535"));
        }
        if let Some((label, class)) =
            self.labels.iter().find(|(_, class)| usize::from(**class) >= count)
        {
            return Err(format!("label {label} becomes class {class} of {count}"));
        }
        let voxels: u64 = self.grid.size.iter().map(|&n| u64::from(n)).product();
        if voxels == 0 || voxels > 1 << 30 || self.grid.size.iter().any(|&n| n > 1 << 15) {
            return Err(format!("a grid of {:?} voxels", self.grid.size));
        }
        if !(self.grid.voxel_m > 0.0 && self.grid.voxel_m.is_finite()) {
            return Err(format!("voxels of {} m", self.grid.voxel_m));
        }
        Ok(())
    }
}

impl GridProtocol {
    /// Number of a class.
    pub fn number(&self, name: &str) -> Option<u8> {
        self.classes.iter().position(|class| class == name).map(|class| class as u8)
    }

    /// Number of the free class.
    pub fn free_number(&self) -> u8 {
        self.number(&self.free).expect("a checked protocol's free class is one of its classes")
    }

    /// Whether a class has velocities.
    pub fn is_moving(&self, class: ClassId) -> bool {
        self.classes.get(usize::from(class.0)).is_some_and(|name| self.moving.contains(name))
    }

    /// Classes of numbers in files; without [`Self::labels`] the numbers themselves, those above 255
    /// being 255.
    pub fn class_of_label(&self) -> impl Fn(u16) -> u8 + use<> {
        let direct = self.labels.is_empty();
        let mut table = vec![255u8; if direct { 0 } else { 1 << 16 }];
        for (label, class) in &self.labels {
            if let Ok(label) = label.parse::<u16>() {
                table[usize::from(label)] = *class;
            }
        }
        move |label| {
            if direct { u8::try_from(label).unwrap_or(255) } else { table[usize::from(label)] }
        }
    }

    /// Scores of what was counted, voxel by voxel.
    pub fn report(&self, confusion: &Confusion) -> GridReport {
        let free = usize::from(self.free_number());
        let occupied = || (0..confusion.classes()).filter(move |&class| class != free);
        let truth: u64 = occupied().map(|class| confusion.truth(class)).sum();
        let predicted: u64 = occupied().map(|class| confusion.predicted(class)).sum();
        let missed: u64 = occupied().map(|class| confusion.count(class, free)).sum();
        let both = truth - missed;
        let share = |of: u64| (of > 0).then(|| both as f64 / of as f64);
        let per_class = occupied()
            .filter_map(|class| Some((self.classes[class].clone(), confusion.iou(class)?)))
            .collect();
        GridReport {
            iou: share(truth + predicted - both),
            precision: share(predicted),
            recall: share(truth),
            miou: confusion.mean_iou(occupied(), self.absent),
            per_class,
            observed_voxels: confusion.total(),
        }
    }
}

/// Scores over all judged voxels. `None` where there is nothing to divide by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridReport {
    /// Intersection over union of occupied voxels: completion IoU.
    pub iou: Option<f64>,
    /// Share of voxels predicted as occupied that are.
    pub precision: Option<f64>,
    /// Share of occupied voxels that are predicted as such.
    pub recall: Option<f64>,
    /// Mean of the classes' intersection over union, free space left out.
    pub miou: Option<f64>,
    /// Of each class that occurs.
    pub per_class: BTreeMap<String, f64>,
    /// Voxels judged.
    pub observed_voxels: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_protocols_are_sound() {
        crate::protocol::check_named::<GridProtocol>();
    }

    fn report(name: &str, truth: &[u8], predicted: &[u8]) -> GridReport {
        let protocol = GridProtocol::named(name).unwrap();
        let mut confusion = Confusion::new(protocol.classes.len());
        confusion.add(truth, predicted, None, &protocol.ignored).unwrap();
        protocol.report(&confusion)
    }

    #[test]
    fn free_space_is_told_apart_but_not_averaged() {
        let r = report("occ3d_nuscenes", &[4, 4, 17, 17, 0, 255], &[4, 17, 17, 4, 1, 3]);
        assert_eq!((r.iou, r.precision, r.recall), (Some(0.5), Some(2.0 / 3.0), Some(2.0 / 3.0)));
        // Car 1 of 3, others 0 of 1, barrier 0 of 1.
        assert_eq!((r.miou, r.observed_voxels), (Some(1.0 / 9.0), 5));
    }

    #[test]
    fn absent_classes_count_as_the_benchmark_says() {
        let r = report("semantickitti_completion", &[1, 0], &[1, 0]);
        assert_eq!((r.iou, r.miou), (Some(1.0), Some(1.0 / 19.0)));
        assert_eq!(report("occ3d_nuscenes", &[17], &[17]).iou, None);
    }

    #[test]
    fn labels_become_classes() {
        let kitti = GridProtocol::named("semantickitti_completion").unwrap();
        let class = kitti.class_of_label();
        assert_eq!([0, 252, 1, 52, 40, 60000].map(class), [0, 1, 255, 255, 9, 255]);
        let occ3d = GridProtocol::named("occ3d_nuscenes").unwrap();
        assert_eq!([0, 17, 300].map(occ3d.class_of_label()), [0, 17, 255]);
    }

    #[test]
    fn broken_protocols_say_what_is_wrong() {
        let check = |change: fn(&mut GridProtocol), expected: &str| {
            let mut broken = GridProtocol::named("occ3d_nuscenes").unwrap();
            change(&mut broken);
            let error = broken.check().unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(|p| p.free = "air".to_owned(), "air is no class");
        check(|p| p.classes.truncate(1), "1 classes");
        check(|p| p.classes[3] = "car".to_owned(), "car is listed twice");
        check(|p| p.labels = [("x".to_owned(), 0)].into(), "label x");
        check(|p| p.labels = [("7".to_owned(), 90)].into(), "class 90 of 18");
        check(|p| p.grid.size = [0, 1, 1], "a grid of [0, 1, 1]");
        check(|p| p.grid.voxel_m = f64::NAN, "voxels of NaN m");
    }
}
