//! What each scene or frame had in a metric.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Parts;

/// Which way a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Scores.
    Higher,
    /// Errors.
    Lower,
}

/// How a metric follows from the shares of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Summary {
    /// Sum of sums over sum of weights: means, and ratios such as IoU.
    #[default]
    Ratio,
    /// Root of that: root mean squares.
    RootRatio,
}

impl Summary {
    /// The metric's value; `None` where nothing has weight.
    pub fn of(self, share: Share) -> Option<f64> {
        let ratio = (share.weight > 0.0).then(|| share.sum / share.weight)?;
        Some(match self {
            Self::Ratio => ratio,
            Self::RootRatio => ratio.sqrt(),
        })
    }
}

/// How a metric is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricRule {
    /// Which way it is better.
    pub better: Better,
    /// How it follows from shares.
    #[serde(default)]
    pub summary: Summary,
}

impl MetricRule {
    /// A score: higher is better, the ratio of sums.
    pub const SCORE: Self = Self { better: Better::Higher, summary: Summary::Ratio };
    /// An error: lower is better, the ratio of sums.
    pub const ERROR: Self = Self { better: Better::Lower, summary: Summary::Ratio };
    /// A root mean square error: its shares hold sums of squares.
    pub const RMS_ERROR: Self = Self { better: Better::Lower, summary: Summary::RootRatio };
}

/// One record's part in a metric: `sum` out of `weight`.
///
/// A mean over frames has the frame's value and weight 1; an IoU has intersection and union; a mean
/// over boxes has the sum of errors and the number of boxes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Numerator.
    pub sum: f64,
    /// Denominator; 0 where the record says nothing about the metric.
    pub weight: f64,
}

impl Share {
    /// A mean of `weight` values that this record has.
    pub fn mean(value: f64, weight: f64) -> Self {
        Self { sum: value * weight, weight }
    }

    /// A root mean square of `weight` values, for [`MetricRule::RMS_ERROR`].
    pub fn rms(value: f64, weight: f64) -> Self {
        Self { sum: value * value * weight, weight }
    }

    /// One value of weight 1, or nothing where it is not known or not finite.
    pub fn of(value: Option<f64>) -> Self {
        value.filter(|v| v.is_finite()).map_or_else(Self::default, |v| Self::mean(v, 1.0))
    }
}

impl std::ops::AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.weight += other.weight;
    }
}

/// What one scene, or one frame of it, had in each metric.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The drive, sequence or scene.
    pub scene: String,
    /// The frame, image or sample within it; frames of a scene sort by it. Empty for a whole scene.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub frame: String,
    /// What slices are made by: `weather`, `city`, `time_of_day`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Its part in each metric, by name.
    pub shares: BTreeMap<String, Share>,
}

impl Record {
    /// Of a scene and a frame, without anything measured.
    pub fn new(scene: impl Into<String>, frame: impl Into<String>) -> Self {
        Self { scene: scene.into(), frame: frame.into(), ..Self::default() }
    }

    /// With its part in one metric.
    #[must_use]
    pub fn with(mut self, metric: &str, share: Share) -> Self {
        self.shares.insert(metric.to_owned(), share);
        self
    }
}

/// Everything that one evaluation leaves for later comparison.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// What was evaluated, as in `omma eval KIND`.
    pub kind: String,
    /// How each metric of the records is read.
    pub rules: BTreeMap<String, MetricRule>,
    /// One per scene or frame.
    pub records: Vec<Record>,
    /// What they have in figures that are no ratio of sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Parts>,
}

impl Run {
    /// Without records yet.
    pub fn new(kind: &str, rules: &[(&str, MetricRule)]) -> Self {
        let rules = rules.iter().map(|(name, rule)| ((*name).to_owned(), *rule)).collect();
        Self { kind: kind.to_owned(), rules, ..Self::default() }
    }

    /// A metric over all records; `None` where none says anything about it.
    pub fn value(&self, metric: &str) -> Option<f64> {
        let mut total = Share::default();
        self.records
            .iter()
            .filter_map(|record| record.shares.get(metric))
            .for_each(|s| total += *s);
        self.rules.get(metric)?.summary.of(total)
    }
}
