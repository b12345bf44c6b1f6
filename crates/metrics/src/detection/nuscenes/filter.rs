//! Which boxes count: `filter_eval_boxes` of the devkit, for detection and tracking.

use super::OrientedBox;

/// Boxes that do not count, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Uncounted {
    /// Boxes given.
    pub given: u64,
    /// Beyond their class's range.
    pub out_of_range: u64,
    /// Without any lidar or radar return inside.
    pub without_points: u64,
    /// In a bicycle rack.
    pub in_bicycle_rack: u64,
}

impl Uncounted {
    pub(crate) fn add(&mut self, other: &Self) {
        self.given += other.given;
        self.out_of_range += other.out_of_range;
        self.without_points += other.without_points;
        self.in_bicycle_rack += other.in_bicycle_rack;
    }
}

/// Where boxes of one class of one sample count.
pub(crate) struct Filter<'a> {
    pub(crate) range_m: f64,
    pub(crate) not_in_bicycle_racks: bool,
    pub(crate) ego_m: [f64; 3],
    pub(crate) bicycle_racks: &'a [OrientedBox],
}

impl Filter<'_> {
    /// Whether a box counts; counts why not. In the devkit's order: range, points, racks.
    pub(crate) fn keeps(
        &self,
        center_m: [f64; 3],
        points: Option<u32>,
        out: &mut Uncounted,
    ) -> bool {
        let [dx, dy] = [0, 1].map(|i| center_m[i] - self.ego_m[i]);
        out.given += 1;
        if (dx * dx + dy * dy).sqrt() >= self.range_m {
            out.out_of_range += 1;
            return false;
        }
        if points == Some(0) {
            out.without_points += 1;
            return false;
        }
        let racked = self.not_in_bicycle_racks
            && self.bicycle_racks.iter().any(|rack| rack.contains(center_m));
        out.in_bicycle_rack += u64::from(racked);
        !racked
    }
}
