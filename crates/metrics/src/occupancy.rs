//! Intersection over union of voxels, by geometry and by class.
//!
//! Only voxels that were observed are judged (Occ3D, Tian et al. 2023, judges within its visibility mask
//! alike): what nobody has seen is neither right nor wrong.

use std::collections::BTreeMap;

use ommatidia_scene::{ClassId, GridSpec, Occupancy, Taxonomy};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::protocol::Protocol;

/// How labels are compared with labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OccupancyProtocol {
    /// Which voxels are judged.
    pub visibility: Visibility,
    /// The grid that both sides are looked up on; without it the truth's.
    #[serde(default)]
    pub grid: Option<GridSpec>,
    /// Classes of our taxonomy that do not count in means.
    pub left_out: Vec<String>,
    /// Where rays start, ego frame, metres.
    pub ray_origin_m: [f64; 3],
}

impl Protocol for OccupancyProtocol {
    const KIND: &'static str = "label occupancy";
    const NAMED: &'static [(&'static str, &'static str)] =
        &[("labels_occupancy", include_str!("../protocols/labels_occupancy.toml"))];

    fn check(&self) -> Result<(), String> {
        let taxonomy = Taxonomy::driving();
        if let Some(name) = self.left_out.iter().find(|name| taxonomy.id(name).is_none()) {
            return Err(format!(
                "{name} in left_out is no class of the taxonomy {}",
                taxonomy.name
            ));
        }
        if !self.ray_origin_m.iter().all(|c| c.is_finite()) {
            return Err("ray_origin_m is not finite".to_owned());
        }
        match &self.grid {
            Some(grid) if grid.is_empty() || grid.len() > 1 << 28 => {
                Err(format!("a grid of {:?} voxels", grid.size))
            }
            Some(grid) if !(grid.voxel_m > 0.0 && grid.voxel_m.is_finite()) => {
                Err(format!("voxels of {} m", grid.voxel_m))
            }
            _ => Ok(()),
        }
    }
}

impl OccupancyProtocol {
    /// Whether a class counts in means.
    pub fn counts(&self, taxonomy: &Taxonomy, class: ClassId) -> bool {
        taxonomy.class(class).is_some_and(|class| !self.left_out.contains(&class.name))
    }
}

/// Which voxels are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Those that both truth and prediction observed.
    #[default]
    Both,
    /// Those that the truth observed; what the prediction did not observe counts as not occupied. Occ3D's
    /// protocol.
    Truth,
}

/// Voxels of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClassCounts {
    /// Of that class in both.
    pub both: u64,
    /// Of that class in the truth.
    pub truth: u64,
    /// Of that class in the prediction.
    pub predicted: u64,
}

impl ClassCounts {
    /// `both / (truth + predicted - both)`; `None` if the class occurs in neither.
    pub fn iou(&self) -> Option<f64> {
        let union = self.truth + self.predicted - self.both;
        (union > 0).then(|| self.both as f64 / union as f64)
    }
}

/// Counts over the judged voxels of one frame, or of many: sum them with [`Self::add`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OccupancyCounts {
    /// Voxels judged.
    pub observed_voxels: u64,
    /// Occupied voxels, whatever their class.
    pub occupied: ClassCounts,
    /// Occupied voxels by class.
    pub classes: BTreeMap<ClassId, ClassCounts>,
}

impl OccupancyCounts {
    /// Intersection over union of occupied voxels. 1 if voxels were judged and neither side has an
    /// occupied one; `None` if none were judged.
    pub fn iou(&self) -> Option<f64> {
        (self.observed_voxels > 0).then(|| self.occupied.iou().unwrap_or(1.0))
    }

    /// Intersection over union of each class that occurs in truth or prediction.
    pub fn per_class(&self) -> BTreeMap<ClassId, f64> {
        let iou = |(&class, counts): (&ClassId, &ClassCounts)| Some((class, counts.iou()?));
        self.classes.iter().filter_map(iou).collect()
    }

    /// Whether a side has occupied voxels and not one of a known class: labels of geometry alone.
    pub fn classless(&self) -> bool {
        let known = self.classes.iter().filter(|(class, _)| **class != ClassId::UNKNOWN);
        let (truth, predicted) =
            known.fold((0, 0), |(t, p), (_, c)| (t + c.truth, p + c.predicted));
        (self.occupied.truth > 0 && truth == 0) || (self.occupied.predicted > 0 && predicted == 0)
    }

    /// Mean over the classes that occur in truth or prediction, the unknown class left out; `None` if
    /// there are none.
    pub fn miou(&self) -> Option<f64> {
        self.miou_of(|class| class != ClassId::UNKNOWN)
    }

    /// Mean over those of the classes that `counts` names.
    pub fn miou_of(&self, counts: impl Fn(ClassId) -> bool) -> Option<f64> {
        let classes = self.classes.iter().filter(|(class, _)| counts(**class));
        crate::confusion::mean(classes.filter_map(|(_, counts)| counts.iou()))
    }

    /// Adds another frame's counts.
    pub fn add(&mut self, other: &Self) {
        let add = |sum: &mut ClassCounts, more: &ClassCounts| {
            sum.both += more.both;
            sum.truth += more.truth;
            sum.predicted += more.predicted;
        };
        self.observed_voxels += other.observed_voxels;
        add(&mut self.occupied, &other.occupied);
        for (class, counts) in &other.classes {
            add(self.classes.entry(*class).or_default(), counts);
        }
    }
}

/// Compares two occupancies of the same grid.
///
/// # Errors
/// [`Error::Grids`] if the grids differ.
pub fn compare(
    truth: &Occupancy,
    predicted: &Occupancy,
    visibility: Visibility,
) -> Result<OccupancyCounts, Error> {
    if truth.grid != predicted.grid {
        return Err(Error::Grids {
            truth: format!("{:?}", truth.grid),
            predicted: format!("{:?}", predicted.grid),
        });
    }
    let mut counts = OccupancyCounts::default();
    let (mut truth_rank, mut predicted_rank) = (0, 0);
    for w in 0..truth.occupied.words().len() {
        let (mut t, mut p) = (truth.occupied.words()[w], predicted.occupied.words()[w]);
        let judged = match visibility {
            Visibility::Both => truth.observed.words()[w] & predicted.observed.words()[w],
            Visibility::Truth => truth.observed.words()[w],
        };
        counts.observed_voxels += u64::from(judged.count_ones());
        while t | p != 0 {
            let bit = 1 << (t | p).trailing_zeros();
            let class = |words: &mut u64, rank: &mut usize, classes: &[ClassId]| {
                let here = *words & bit != 0;
                *words &= !bit;
                *rank += usize::from(here);
                here.then(|| classes[*rank - 1])
            };
            let in_truth = class(&mut t, &mut truth_rank, &truth.classes);
            let in_predicted = class(&mut p, &mut predicted_rank, &predicted.classes);
            if judged & bit != 0 {
                counts.judge(in_truth, in_predicted);
            }
        }
    }
    Ok(counts)
}

impl OccupancyCounts {
    fn judge(&mut self, truth: Option<ClassId>, predicted: Option<ClassId>) {
        self.occupied.truth += u64::from(truth.is_some());
        self.occupied.predicted += u64::from(predicted.is_some());
        self.occupied.both += u64::from(truth.is_some() && predicted.is_some());
        if let Some(class) = truth {
            self.classes.entry(class).or_default().truth += 1;
        }
        if let Some(class) = predicted {
            let counts = self.classes.entry(class).or_default();
            counts.predicted += 1;
            counts.both += u64::from(truth == Some(class));
        }
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::GridSpec;
    use proptest::prelude::*;

    use super::*;

    const GRID: GridSpec = GridSpec { min_corner_m: [0.0; 3], voxel_m: 0.5, size: [4, 5, 6] };

    /// 0 unobserved, 1 free, above it an occupied voxel of class `value - 2`.
    fn occupancy(values: &[u8]) -> Occupancy {
        let mut occupancy = Occupancy::unobserved(GRID);
        for (i, &value) in values.iter().enumerate() {
            occupancy.observed.set(i, value > 0);
            occupancy.occupied.set(i, value > 1);
            occupancy.classes.extend((value > 1).then(|| ClassId(value - 2)));
        }
        assert_eq!(occupancy.check(), Ok(()));
        occupancy
    }

    fn any_occupancy() -> impl Strategy<Value = Occupancy> {
        proptest::collection::vec(0u8..6, GRID.len()).prop_map(|values| occupancy(&values))
    }

    proptest! {
        #[test]
        fn identity_scores_one(a in any_occupancy()) {
            let counts = compare(&a, &a, Visibility::Both).unwrap();
            prop_assert_eq!(counts.iou(), Some(1.0));
            prop_assert!(counts.per_class().values().all(|&iou| iou == 1.0));
        }

        #[test]
        fn both_sides_are_alike(a in any_occupancy(), b in any_occupancy()) {
            let there = compare(&a, &b, Visibility::Both).unwrap();
            let back = compare(&b, &a, Visibility::Both).unwrap();
            prop_assert_eq!(there.iou(), back.iou());
            prop_assert_eq!(there.per_class(), back.per_class());
            prop_assert_eq!(there.miou(), back.miou());
            prop_assert!(there.iou().is_none_or(|iou| (0.0..=1.0).contains(&iou)));
        }

        #[test]
        fn counts_agree_with_the_definition(a in any_occupancy(), b in any_occupancy()) {
            let counts = compare(&a, &b, Visibility::Truth).unwrap();
            let judged: Vec<usize> = a.observed.ones().collect();
            let both = judged.iter().filter(|&&i| a.occupied.get(i) && b.occupied.get(i)).count();
            let any = judged.iter().filter(|&&i| a.occupied.get(i) || b.occupied.get(i)).count();
            prop_assert_eq!(counts.observed_voxels, judged.len() as u64);
            prop_assert_eq!(counts.iou(), Some(both as f64 / any as f64));
        }
    }

    fn check(truth: &[u8], predicted: &[u8], visibility: Visibility, expected: (f64, f64)) {
        let pad = |values: &[u8]| {
            let mut all = vec![0; GRID.len()];
            all[..values.len()].copy_from_slice(values);
            occupancy(&all)
        };
        let counts = compare(&pad(truth), &pad(predicted), visibility).unwrap();
        assert_eq!((counts.iou().unwrap(), counts.miou().unwrap()), expected);
    }

    #[test]
    fn by_hand() {
        // Classes 1, 1, 2, free, unobserved against 1, 2, unobserved, 1, 1.
        let (truth, predicted) = ([3, 3, 4, 1, 0], [3, 4, 0, 3, 3]);
        // Judged: the first, second and fourth. Class 1: 1 of 3; class 2: 0 of 1.
        check(&truth, &predicted, Visibility::Both, (2.0 / 3.0, 1.0 / 6.0));
        // The third counts as missed. Class 2: 0 of 2.
        check(&truth, &predicted, Visibility::Truth, (0.5, 1.0 / 6.0));
    }

    #[test]
    fn named_protocols_are_sound() {
        crate::protocol::check_named::<OccupancyProtocol>();
        let of = |text: &str| OccupancyProtocol::parse("p", text).unwrap_err().to_string();
        let rest = "visibility = \"truth\"\nray_origin_m = [0, 0, 0]\n";
        assert!(of(&format!("{rest}left_out = [\"spaceship\"]")).contains("spaceship in left_out"));
        let grid = "left_out = []\n[grid]\nmin_corner_m = [0, 0, 0]\nsize = [2, 2, 0]\nvoxel_m = 1";
        assert!(of(&format!("{rest}{grid}")).contains("a grid of [2, 2, 0]"));
    }

    #[test]
    fn nothing_is_defined() {
        let unseen = Occupancy::unobserved(GRID);
        let counts = compare(&unseen, &unseen, Visibility::Both).unwrap();
        assert_eq!((counts.iou(), counts.miou()), (None, None));
        let free = occupancy(&vec![1; GRID.len()]);
        assert_eq!(compare(&free, &free, Visibility::Both).unwrap().iou(), Some(1.0));
    }

    #[test]
    fn grids_must_agree() {
        let other = Occupancy::unobserved(GridSpec { voxel_m: 0.4, ..GRID });
        let result = compare(&Occupancy::unobserved(GRID), &other, Visibility::Both);
        assert!(matches!(result, Err(Error::Grids { .. })), "{result:?}");
    }
}
