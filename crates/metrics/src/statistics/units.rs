//! What is resampled: scenes, or blocks of a single drive.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{MetricRule, Record, Share};

/// Fewer scenes than this say too little about their spread; blocks of frames take their place.
const MIN_SCENES: usize = 5;
/// Blocks that the frames of all scenes are cut into then, at most.
const BLOCKS: usize = 20;

/// What was resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole scenes.
    Scenes,
    /// Runs of neighbouring frames, since there are fewer than five scenes. They see the noise within
    /// these drives, not that between drives.
    Blocks,
}

/// Records grouped into what is drawn together, in the order of scenes and frames.
#[derive(Debug, Clone)]
pub struct Units<'a> {
    /// What they are.
    pub unit: Unit,
    groups: Vec<Vec<&'a Record>>,
}

impl<'a> Units<'a> {
    /// Groups records by scene, or where there are fewer than five scenes into blocks of frames.
    pub fn of(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut scenes: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in records {
            scenes.entry(&record.scene).or_default().push(record);
        }
        for frames in scenes.values_mut() {
            frames.sort_by(|a, b| a.frame.cmp(&b.frame));
        }
        if scenes.len() >= MIN_SCENES {
            return Self { unit: Unit::Scenes, groups: scenes.into_values().collect() };
        }
        let frames: usize = scenes.values().map(Vec::len).sum();
        let length = frames.div_ceil(BLOCKS).max(1);
        let blocks = scenes.values().flat_map(|frames| frames.chunks(length).map(<[_]>::to_vec));
        Self { unit: Unit::Blocks, groups: blocks.collect() }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Each unit's share in a metric.
    pub fn shares(&self, metric: &str) -> Vec<Share> {
        let of = |group: &Vec<&Record>| {
            let mut sum = Share::default();
            group.iter().filter_map(|record| record.shares.get(metric)).for_each(|s| sum += *s);
            sum
        };
        self.groups.iter().map(of).collect()
    }
}

/// A metric over drawn units.
pub(super) fn value_of(rule: MetricRule, shares: impl IntoIterator<Item = Share>) -> Option<f64> {
    let mut total = Share::default();
    shares.into_iter().for_each(|share| total += share);
    rule.summary.of(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(scenes: usize, frames: usize) -> Vec<Record> {
        (0..scenes * frames)
            .map(|i| Record::new(format!("s{}", i / frames), format!("{:04}", i % frames)))
            .collect()
    }

    #[test]
    fn scenes_where_there_are_enough_and_blocks_where_not() {
        let check = |scenes, frames, unit, len| {
            let records = records(scenes, frames);
            let units = Units::of(&records);
            assert_eq!((units.unit, units.len()), (unit, len), "{scenes} x {frames}");
        };
        check(6, 40, Unit::Scenes, 6);
        check(1, 40, Unit::Blocks, 20);
        check(2, 15, Unit::Blocks, 16); // Blocks of two; no block spans two scenes.
        check(0, 0, Unit::Blocks, 0);
    }
}
