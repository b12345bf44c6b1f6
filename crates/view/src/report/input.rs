//! What a report shows. The caller reads it from a clip and its labels.

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{
    PoseSample, Provenance, RgbImage, Rig, Skipped, Taxonomy, Trajectory, VectorSpace,
};
use ommatidia_store::labels::StageRecord;
use ommatidia_store::{ClipReader, Labels};
use serde::Serialize;
use serde_json::Value;

use super::names;

/// Everything that one page shows.
#[derive(Debug, Clone)]
pub struct ReportInput {
    /// The clip's identity.
    pub clip: String,
    /// The format it was imported from.
    pub format: String,
    /// Sensors.
    pub rig: Rig,
    /// Colours and names of classes.
    pub taxonomy: Taxonomy,
    /// Times of all frames, ascending.
    pub frame_times: Vec<Timestamp>,
    /// The vehicle's path.
    pub trajectory: Option<Trajectory>,
    /// The true path in the same world, to be drawn over it.
    pub truth: Option<Vec<PoseSample>>,
    /// The frames to show in full; see [`choose_frames`].
    pub frames: Vec<ReportFrame>,
    /// What each stage did.
    pub stages: Vec<StageSummary>,
    /// Scores, where something was compared with truth.
    pub metrics: Vec<MetricTable>,
    /// Where the clip and the labels came from.
    pub provenance: Vec<(String, Provenance)>,
    /// Names of artefacts and their content hashes, in hexadecimal.
    pub hashes: Vec<(String, String)>,
}

/// One frame shown in full.
#[derive(Debug, Clone)]
pub struct ReportFrame {
    /// Its index in the clip.
    pub index: usize,
    /// What is there.
    pub space: VectorSpace,
    /// One entry per camera of the rig.
    pub images: Vec<Option<RgbImage>>,
}

/// What one stage did. Time is left out: a report of the same labels has the same bytes.
#[derive(Debug, Clone, Default)]
pub struct StageSummary {
    /// The stage's name.
    pub name: String,
    /// 0 to 1, where the stage says.
    pub confidence: Option<f64>,
    /// Tables it wrote.
    pub outputs: Vec<String>,
    /// What it left out, and why.
    pub skipped: Vec<Skipped>,
}

/// Scores of one comparison.
#[derive(Debug, Clone)]
pub struct MetricTable {
    /// What was compared.
    pub title: String,
    /// Name, value as text, unit.
    pub rows: Vec<MetricRow>,
}

/// One score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricRow {
    /// Its key, as `omma eval --json` prints it; nested keys are joined by a dot.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// Its value for people.
    pub value: String,
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
}

impl ReportInput {
    /// Everything that the clip and its labels hold, with `shown` frames in full. Truth and scores are
    /// the caller's to add.
    ///
    /// # Errors
    /// Where the clip or the labels cannot be read.
    pub fn read(
        clip: &ClipReader,
        labels: &Labels,
        taxonomy: Taxonomy,
        shown: usize,
    ) -> Result<Self, ommatidia_store::Error> {
        let recorded = clip.clip();
        let manifest = labels.manifest();
        let mut frames = Vec::new();
        for index in choose_frames(recorded.frames.len(), shown) {
            let frame = &recorded.frames[index];
            let image = |image: &Option<_>| image.as_ref().map(|image| clip.rgb(image)).transpose();
            let images = frame.images.iter().map(image).collect::<Result<_, _>>()?;
            let cameras = labels.cameras(frame.timestamp)?;
            let space = VectorSpace { cameras, ..labels.vector_space(frame.timestamp)? };
            frames.push(ReportFrame { index, space, images });
        }
        let hashes = std::iter::once(("clip".to_owned(), clip.content_hash().to_string()))
            .chain(manifest.stages.iter().flat_map(|stage| &stage.outputs).map(|output| {
                (format!("{}.parquet", output.table.name()), output.blake3.to_string())
            }))
            .collect();
        Ok(Self {
            clip: recorded.id.clone(),
            format: recorded.format.clone(),
            rig: recorded.rig.clone(),
            taxonomy,
            frame_times: recorded.frames.iter().map(|frame| frame.timestamp).collect(),
            trajectory: labels.trajectory()?.or_else(|| recorded.trajectory.clone()),
            truth: None,
            frames,
            stages: manifest.stages.iter().map(StageSummary::new).collect(),
            metrics: Vec::new(),
            provenance: vec![
                ("clip".to_owned(), recorded.provenance.clone()),
                ("labels".to_owned(), manifest.provenance.clone()),
            ],
            hashes,
        })
    }
}

impl StageSummary {
    fn new(record: &StageRecord) -> Self {
        let table = |output: &ommatidia_store::labels::TableRecord| output.table.name().to_owned();
        Self {
            name: record.name.clone(),
            confidence: Some(record.confidence),
            outputs: record.outputs.iter().map(table).collect(),
            skipped: record.skipped.clone(),
        }
    }
}

impl MetricTable {
    /// A table of any report that `omma eval` prints: one row per number or word in it.
    pub fn new(title: impl Into<String>, report: &impl Serialize) -> Self {
        let mut rows = Vec::new();
        match serde_json::to_value(report) {
            Ok(value) => collect(String::new(), &value, &mut rows),
            Err(cause) => {
                let (key, name) = (String::new(), "not shown".to_owned());
                rows.push(MetricRow { key, name, value: cause.to_string(), unit: "" });
            }
        }
        Self { title: title.into(), rows }
    }
}

fn collect(key: String, value: &Value, rows: &mut Vec<MetricRow>) {
    let join = |name: &str| {
        if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
    };
    let text = match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect(join(name), value, rows));
            return;
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| collect(join(&i.to_string()), v, rows));
            return;
        }
        Value::Null => "—".to_owned(),
        Value::Number(number) if number.is_f64() => {
            significant(number.as_f64().unwrap_or(f64::NAN))
        }
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::String(word) => word.clone(),
    };
    let (name, unit) = (names::name_of(&key), names::unit_of(&key));
    rows.push(MetricRow { key, name, value: text, unit });
}

/// Four significant digits, without an exponent where that stays short.
fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if (-4..6).contains(&magnitude) {
        format!("{value:.*}", (3 - magnitude).max(0) as usize)
    } else {
        format!("{value:.3e}")
    }
}

/// At most `count` frames of `total`, spread evenly and away from both ends, where labels know least.
pub fn choose_frames(total: usize, count: usize) -> Vec<usize> {
    let count = count.min(total);
    (0..count).map(|i| (2 * i + 1) * total / (2 * count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_and_distinct() {
        assert_eq!(choose_frames(51, 3), [8, 25, 42]);
        assert_eq!(choose_frames(2, 3), [0, 1]);
        assert_eq!(choose_frames(1, 3), [0]);
        assert!(choose_frames(0, 3).is_empty());
    }

    #[test]
    fn any_report_becomes_rows() {
        let report = serde_json::json!({
            "ate_rmse_m": 0.123_456, "aligned": "none", "points": 12, "t_rel_percent": null,
            "per_class": { "car": 0.5 }
        });
        let table = MetricTable::new("t", &report);
        let row = |key: &str| {
            let row = table.rows.iter().find(|row| row.key == key).unwrap();
            (row.value.as_str(), row.unit)
        };
        assert_eq!(row("ate_rmse_m"), ("0.1235", "m"));
        assert_eq!(row("aligned"), ("none", ""));
        assert_eq!(row("points"), ("12", ""));
        assert_eq!(row("t_rel_percent"), ("—", "%"));
        assert_eq!(row("per_class.car"), ("0.5000", ""));
        let names: Vec<&str> = table.rows.iter().map(|row| row.name.as_str()).collect();
        assert!(names.contains(&"absolute trajectory error, RMSE"), "{names:?}");
        assert!(names.contains(&"IoU of car"), "{names:?}");
    }

    #[test]
    fn four_digits_that_mean_something() {
        for (value, expected) in
            [(0.0, "0"), (1234.5678, "1235"), (-0.001_234_5, "-0.001234"), (3e-9, "3.000e-9")]
        {
            assert_eq!(significant(value), expected);
        }
    }
}
