//! A metric by the values of a column.

use std::collections::BTreeMap;

use serde::Serialize;

use super::units::value_of;
use super::{BootstrapConfig, Interval, Record, Run, Units, bootstrap};

/// All metrics over the records with one value of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// The value; empty for records without the column.
    pub value: String,
    /// Records in it.
    pub records: usize,
    /// Each metric with its interval; metrics that no record says anything about are left out.
    pub metrics: BTreeMap<String, (f64, Option<Interval>)>,
}

/// Cuts a run by a column: `scene`, or an attribute of the records. Sorted by value.
pub fn slices(run: &Run, column: &str, config: &BootstrapConfig) -> Vec<Slice> {
    let mut groups: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in &run.records {
        let value = match column {
            "scene" => &record.scene,
            _ => record.attributes.get(column).map_or("", String::as_str),
        };
        groups.entry(value).or_default().push(record);
    }
    groups.into_iter().map(|(value, records)| slice(run, value, &records, config)).collect()
}

fn slice(run: &Run, value: &str, records: &[&Record], config: &BootstrapConfig) -> Slice {
    let units = Units::of(records.iter().copied());
    let metrics = run.rules.iter().filter_map(|(name, &rule)| {
        let shares = units.shares(name);
        let value = value_of(rule, shares.iter().copied())?;
        let interval = bootstrap(shares.len(), config, |drawn| {
            value_of(rule, drawn.iter().map(|&i| shares[i]))
        });
        Some((name.clone(), (value, interval)))
    });
    Slice { value: value.to_owned(), records: records.len(), metrics: metrics.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{MetricRule, Share};

    #[test]
    fn values_by_hand() {
        let mut run = Run::new("test", &[("iou", MetricRule::SCORE)]);
        for (i, (weather, sum, weight)) in
            [("rain", 1.0, 4.0), ("sun", 3.0, 4.0), ("rain", 2.0, 4.0), ("", 1.0, 1.0)]
                .into_iter()
                .enumerate()
        {
            let mut record = Record::new(format!("s{i}"), "").with("iou", Share { sum, weight });
            if !weather.is_empty() {
                record.attributes.insert("weather".into(), weather.into());
            }
            run.records.push(record);
        }
        let found = slices(&run, "weather", &BootstrapConfig::default());
        let values: Vec<(&str, usize, f64)> =
            found.iter().map(|s| (&s.value[..], s.records, s.metrics["iou"].0)).collect();
        assert_eq!(values, [("", 1, 1.0), ("rain", 2, 0.375), ("sun", 1, 0.75)]);
        assert!(found[2].metrics["iou"].1.is_none(), "one scene has no interval");
        assert_eq!(slices(&run, "scene", &BootstrapConfig::default()).len(), 4);
        assert_eq!(run.value("iou"), Some(7.0 / 13.0));
    }
}
