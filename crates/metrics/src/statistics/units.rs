//! What is resampled: scenes, or blocks of a single drive.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{MetricRule, Record, Share};

/// Fewer scenes than this say too little about their spread; blocks of frames take their place.
const MIN_SCENES: usize = 5;
/// So many are enough for a comparison at any significance.
const MAX_SCENES: usize = 64;
/// Blocks that the frames of all scenes are cut into then, at most.
const BLOCKS: usize = 20;

/// What was resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole scenes.
    Scenes,
    /// Runs of neighbouring frames, since there are too few scenes: fewer than five, or in a test than can reach its
    /// significance. They see the noise within these drives, not that between drives.
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
        Self::of_at_least(MIN_SCENES, records)
    }

    /// The same for an exchange test of `metrics` at once: where no difference of these scenes, however clear, could
    /// reach the significance, blocks of frames take their place.
    pub fn for_test(
        records: impl IntoIterator<Item = &'a Record>,
        metrics: usize,
        significance: f64,
    ) -> Self {
        Self::of_at_least(scenes_for(metrics, significance), records)
    }

    fn of_at_least(min_scenes: usize, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut scenes: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in records {
            scenes.entry(&record.scene).or_default().push(record);
        }
        for frames in scenes.values_mut() {
            frames.sort_by(|a, b| a.frame.cmp(&b.frame));
        }
        if scenes.len() >= min_scenes {
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

    /// The records of each.
    pub(super) fn groups(&self) -> &[Vec<&'a Record>] {
        &self.groups
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

/// Fewest scenes of which the exchange test can find anything: the least two-sided p-value of `n` units is
/// 2^(1 - n), and Holm's correction multiplies it by the number of metrics.
fn scenes_for(metrics: usize, significance: f64) -> usize {
    let least_p = |scenes: usize| 0.5f64.powi(scenes as i32 - 1) * metrics.max(1) as f64;
    let enough = (MIN_SCENES..MAX_SCENES).find(|&scenes| least_p(scenes) <= significance);
    enough.unwrap_or(MAX_SCENES)
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

    #[test]
    fn a_test_needs_scenes_that_can_reach_its_significance() {
        let check = |metrics, significance, expected| {
            assert_eq!(scenes_for(metrics, significance), expected, "{metrics} {significance}");
        };
        check(1, 0.05, 6); // 2^-5 = 0.031
        check(2, 0.05, 7);
        check(4, 0.05, 8);
        check(0, 1.0, 5);
        check(1, 0.0, 64);
        let five = records(5, 4);
        assert_eq!(Units::for_test(&five, 1, 0.05).unit, Unit::Blocks);
        let six = records(6, 4);
        assert_eq!(Units::for_test(&six, 1, 0.05).unit, Unit::Scenes);
    }
}
