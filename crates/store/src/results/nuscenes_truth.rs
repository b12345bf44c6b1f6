//! The truth of nuScenes' tables for the samples of a submission.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::formats::common::inputs::{Inputs, subdirectories};
use crate::formats::common::table;

/// Longest span that a velocity is taken over, one-sided, seconds; `NuScenes.box_velocity` of the devkit.
const MAX_VELOCITY_SPAN_S: f64 = 1.5;

/// An annotated box of any category. Global frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Position of its category in [`Truth::categories`].
    pub category: u16,
    /// Number of its instance.
    pub instance: u32,
    /// Name of its attribute; empty without one.
    pub attribute: String,
    /// Lidar and radar returns inside.
    pub points: u32,
    /// Centre, metres.
    pub translation_m: [f64; 3],
    /// Width, length, height, metres.
    pub size_m: [f64; 3],
    /// w, x, y, z.
    pub rotation: [f64; 4],
    /// Metres a second; NaN where not known.
    pub velocity_m_s: [f64; 2],
}

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthSample {
    /// Its token.
    pub sample: String,
    /// Its scene's token.
    pub scene: String,
    /// Microseconds.
    pub timestamp_us: i64,
    /// Where the vehicle was at the time of `LIDAR_TOP`, metres.
    pub ego_m: [f64; 3],
    /// Its annotations, in the table's order.
    pub annotations: Vec<Annotation>,
}

/// The truth of whole scenes.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// Names of categories.
    pub categories: Vec<String>,
    /// Samples in the table's order.
    pub samples: Vec<TruthSample>,
    /// Number of scenes.
    pub scenes: usize,
    /// What the scenes are all of.
    pub split: Split,
}

/// Scenes that are evaluated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The official validation scenes of the tables.
    Validation,
    /// The other scenes of the tables.
    Training,
    /// All scenes of the tables.
    All,
}

impl Split {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Training => "training",
            Self::All => "whole",
        }
    }

    fn has(self, is_validation: bool) -> bool {
        match self {
            Self::Validation => is_validation,
            Self::Training => !is_validation,
            Self::All => true,
        }
    }
}

/// Names of the scenes of the official splits `val` and `mini_val`, one a line.
const VALIDATION: &str = include_str!("nuscenes_validation.txt");

#[derive(Deserialize)]
struct Sample {
    token: String,
    timestamp: i64,
    scene_token: String,
}

#[derive(Deserialize)]
struct SampleData {
    sample_token: String,
    ego_pose_token: String,
    calibrated_sensor_token: String,
    is_key_frame: bool,
}

#[derive(Deserialize)]
struct Calibrated {
    token: String,
    sensor_token: String,
}

#[derive(Deserialize)]
struct Sensor {
    token: String,
    channel: String,
}

#[derive(Deserialize)]
struct EgoPose {
    token: String,
    translation: [f64; 3],
}

#[derive(Deserialize)]
struct Named {
    token: String,
    name: String,
}

#[derive(Deserialize)]
struct Instance {
    token: String,
    category_token: String,
}

#[derive(Deserialize)]
struct Row {
    token: String,
    sample_token: String,
    instance_token: String,
    attribute_tokens: Vec<String>,
    translation: [f64; 3],
    size: [f64; 3],
    rotation: [f64; 4],
    prev: String,
    next: String,
    num_lidar_pts: u32,
    num_radar_pts: u32,
}

/// The tables of one version.
struct Tables {
    dir: PathBuf,
}

impl Tables {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    fn rows<T: DeserializeOwned, U>(
        &self,
        name: &str,
        keep: impl FnMut(T) -> Option<U>,
    ) -> Result<Vec<U>, Error> {
        let mut inputs = Inputs::new(&self.dir);
        table::rows(&self.path(name), "the evaluation needs this table", &mut inputs, keep)
    }

    fn lacks<T>(&self, name: &str, token: &str) -> Result<T, Error> {
        let what = format!("has no row {token:?}, which another table refers to");
        Err(Error::source(&self.path(name), what))
    }
}

/// Reads all samples of the split that `wanted` samples are of, from a folder with tables or one directly above it:
/// the validation or the training scenes where all are of one, else every scene. The devkit evaluates whole splits
/// alike.
///
/// # Errors
/// A missing or unreadable table, no or several folders with tables, a reference to a row that is not there, a box with
/// several attributes.
pub fn read(source: &Path, wanted: &HashSet<&str>) -> Result<Truth, Error> {
    let tables = Tables { dir: find(source)? };
    let all = tables.rows("sample", Some::<Sample>)?;
    let (split, scenes) = scenes_of(&tables, &all, wanted)?;
    let kept: Vec<Sample> = all.into_iter().filter(|s| scenes.contains(&s.scene_token)).collect();
    let place: HashMap<&str, usize> =
        kept.iter().enumerate().map(|(i, sample)| (sample.token.as_str(), i)).collect();
    // The two largest tables at once.
    let (egos, rows) = rayon::join(|| ego_places(&tables, &place), || annotations(&tables, &place));
    let (egos, rows) = (egos?, rows?);
    let mut samples = Vec::with_capacity(kept.len());
    for (sample, ego_m) in kept.iter().zip(egos) {
        let Some(ego_m) = ego_m else {
            let what = format!("has no LIDAR_TOP keyframe of sample {}", sample.token);
            return Err(Error::source(&tables.path("sample_data"), what));
        };
        samples.push(TruthSample {
            sample: sample.token.clone(),
            scene: sample.scene_token.clone(),
            timestamp_us: sample.timestamp,
            ego_m,
            annotations: Vec::new(),
        });
    }
    let times: Vec<i64> = kept.iter().map(|sample| sample.timestamp).collect();
    let categories =
        Annotations::new(&tables, rows)?.fill(&tables, &place, &times, &mut samples)?;
    Ok(Truth { categories, samples, scenes: scenes.len(), split })
}

/// The split that the wanted samples are of, and the tokens of its scenes.
fn scenes_of(
    tables: &Tables,
    all: &[Sample],
    wanted: &HashSet<&str>,
) -> Result<(Split, HashSet<String>), Error> {
    let validation: HashSet<&str> = VALIDATION.lines().collect();
    // Tables without names of scenes are of no official split.
    let named = if tables.path("scene").is_file() {
        tables.rows("scene", Some::<Named>)?
    } else {
        Vec::new()
    };
    let validation: HashSet<String> = named
        .into_iter()
        .filter(|scene| validation.contains(scene.name.as_str()))
        .map(|scene| scene.token)
        .collect();
    let is_validation = |sample: &&Sample| validation.contains(&sample.scene_token);
    let mut wanted = all.iter().filter(|sample| wanted.contains(sample.token.as_str())).peekable();
    let split = match wanted.peek() {
        None => Split::All,
        Some(first) => {
            let first = is_validation(first);
            let same = wanted.all(|sample| is_validation(&sample) == first);
            match (same, first) {
                (true, true) => Split::Validation,
                (true, false) => Split::Training,
                (false, _) => Split::All,
            }
        }
    };
    let of_split = all.iter().filter(|sample| split.has(is_validation(sample)));
    Ok((split, of_split.map(|sample| sample.scene_token.clone()).collect()))
}

fn find(source: &Path) -> Result<PathBuf, Error> {
    let has_tables = |dir: &Path| dir.join("sample_annotation.json").is_file();
    if has_tables(source) {
        return Ok(source.to_owned());
    }
    let dirs: Vec<PathBuf> = subdirectories(source)
        .iter()
        .map(|name| source.join(name))
        .filter(|d| has_tables(d))
        .collect();
    match &dirs[..] {
        [one] => Ok(one.clone()),
        [] => Err(Error::source(
            source,
            "holds no sample_annotation.json, nor does a folder in it; name a folder of nuScenes (v1.0-*)",
        )),
        _ => Err(Error::source(source, "holds several versions; name the folder of one")),
    }
}

/// Where the vehicle was at each sample's `LIDAR_TOP` keyframe.
fn ego_places(
    tables: &Tables,
    place: &HashMap<&str, usize>,
) -> Result<Vec<Option<[f64; 3]>>, Error> {
    let lidar =
        tables.rows("sensor", |row: Sensor| (row.channel == "LIDAR_TOP").then_some(row.token))?;
    let lidar: HashSet<String> = lidar.into_iter().collect();
    let calibrated = tables.rows("calibrated_sensor", |row: Calibrated| {
        lidar.contains(&row.sensor_token).then_some(row.token)
    })?;
    let calibrated: HashSet<String> = calibrated.into_iter().collect();
    let data = tables.rows("sample_data", |row: SampleData| {
        let sample = *place.get(row.sample_token.as_str())?;
        let wanted = row.is_key_frame && calibrated.contains(&row.calibrated_sensor_token);
        wanted.then_some((row.ego_pose_token, sample))
    })?;
    let poses: HashMap<String, usize> = data.into_iter().collect();
    let found = tables.rows("ego_pose", |row: EgoPose| {
        poses.get(&row.token).map(|&sample| (sample, row.translation))
    })?;
    let mut egos = vec![None; place.len()];
    for (sample, translation) in found {
        egos[sample] = Some(translation);
    }
    Ok(egos)
}

fn annotations(tables: &Tables, place: &HashMap<&str, usize>) -> Result<Vec<Row>, Error> {
    tables.rows("sample_annotation", |row: Row| {
        place.contains_key(row.sample_token.as_str()).then_some(row)
    })
}

/// Rows of annotations with what they refer to.
struct Annotations {
    rows: Vec<Row>,
    attributes: HashMap<String, String>,
    categories: Vec<String>,
    /// Number and category by token.
    instances: HashMap<String, (u32, u16)>,
}

impl Annotations {
    fn new(tables: &Tables, rows: Vec<Row>) -> Result<Self, Error> {
        let attributes = tables.rows("attribute", |row: Named| Some((row.token, row.name)))?;
        let named = tables.rows("category", Some::<Named>)?;
        let place: HashMap<&str, u16> =
            named.iter().enumerate().map(|(i, row)| (row.token.as_str(), i as u16)).collect();
        let given = tables.rows("instance", Some::<Instance>)?;
        let mut instances = HashMap::with_capacity(given.len());
        for (number, row) in given.into_iter().enumerate() {
            let Some(&category) = place.get(row.category_token.as_str()) else {
                return tables.lacks("category", &row.category_token);
            };
            instances.insert(row.token, (number as u32, category));
        }
        let categories = named.into_iter().map(|row| row.name).collect();
        Ok(Self { rows, attributes: attributes.into_iter().collect(), categories, instances })
    }

    /// Puts each annotation into its sample; the names of categories.
    fn fill(
        self,
        tables: &Tables,
        place: &HashMap<&str, usize>,
        times: &[i64],
        samples: &mut [TruthSample],
    ) -> Result<Vec<String>, Error> {
        let by_token: HashMap<&str, &Row> =
            self.rows.iter().map(|row| (row.token.as_str(), row)).collect();
        for row in &self.rows {
            let Some(&(instance, category)) = self.instances.get(&row.instance_token) else {
                return tables.lacks("instance", &row.instance_token);
            };
            let attribute = match &row.attribute_tokens[..] {
                [] => String::new(),
                [one] => match self.attributes.get(one) {
                    Some(name) => name.clone(),
                    None => return tables.lacks("attribute", one),
                },
                _ => {
                    let what = format!("row {} has several attributes; one is allowed", row.token);
                    return Err(Error::source(&tables.path("sample_annotation"), what));
                }
            };
            let neighbour = |token: &String| match by_token.get(token.as_str()) {
                _ if token.is_empty() => Ok(None),
                Some(&found) => Ok(Some((found, times[place[found.sample_token.as_str()]]))),
                None => tables.lacks("sample_annotation", token),
            };
            let sample = place[row.sample_token.as_str()];
            let own = (row, times[sample]);
            samples[sample].annotations.push(Annotation {
                category,
                instance,
                attribute,
                points: row.num_lidar_pts.saturating_add(row.num_radar_pts),
                translation_m: row.translation,
                size_m: row.size,
                rotation: row.rotation,
                velocity_m_s: velocity(own, neighbour(&row.prev)?, neighbour(&row.next)?),
            });
        }
        Ok(self.categories)
    }
}

type At<'a> = (&'a Row, i64);

/// From the box before to the one after, where there are such. Times are floats of seconds, as the devkit's are:
/// their rounding, a quarter of a microsecond, shows in the last digits.
fn velocity(own: At<'_>, previous: Option<At<'_>>, next: Option<At<'_>>) -> [f64; 2] {
    let both = previous.is_some() && next.is_some();
    if previous.is_none() && next.is_none() {
        return [f64::NAN; 2];
    }
    let (first, last) = (previous.unwrap_or(own), next.unwrap_or(own));
    let span_s = 1e-6 * last.1 as f64 - 1e-6 * first.1 as f64;
    if span_s > MAX_VELOCITY_SPAN_S * if both { 2.0 } else { 1.0 } {
        return [f64::NAN; 2];
    }
    [0, 1].map(|i| (last.0.translation[i] - first.0.translation[i]) / span_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three samples a second apart, one thing seen in all, and a rack.
    fn tables(change: impl Fn(&str, String) -> String) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(format!("{name}.json")), change(name, text.to_owned()))
                .unwrap();
        };
        let annotation = |i: usize, prev: &str, next: &str| {
            format!(
                r#"{{"token": "a{i}", "sample_token": "s{i}", "instance_token": "i", "attribute_tokens": ["t"],
                "translation": [{i}, 0, 0], "size": [1, 2, 3], "rotation": [1, 0, 0, 0], "prev": "{prev}",
                "next": "{next}", "num_lidar_pts": 2, "num_radar_pts": 1}}"#
            )
        };
        let rows = [annotation(0, "", "a1"), annotation(1, "a0", "a2"), annotation(2, "a1", "")];
        write("sample_annotation", &format!("[{}]", rows.join(",")));
        let sample = |i: usize| {
            let timestamp_us = i * 1_000_000;
            format!(r#"{{"token": "s{i}", "timestamp": {timestamp_us}, "scene_token": "c"}}"#)
        };
        let other = r#"{"token": "x", "timestamp": 0, "scene_token": "d"}"#;
        write("sample", &format!("[{}, {other}]", [0, 1, 2].map(sample).join(",")));
        let data = |i: usize| {
            format!(
                r#"{{"sample_token": "s{i}", "ego_pose_token": "p{i}", "calibrated_sensor_token": "k", "is_key_frame": true}}"#
            )
        };
        write("sample_data", &format!("[{}]", [0, 1, 2].map(data).join(",")));
        let pose = |i: usize| format!(r#"{{"token": "p{i}", "translation": [{i}, 1, 0]}}"#);
        write("ego_pose", &format!("[{}]", [0, 1, 2].map(pose).join(",")));
        write("sensor", r#"[{"token": "l", "channel": "LIDAR_TOP"}]"#);
        write("calibrated_sensor", r#"[{"token": "k", "sensor_token": "l"}]"#);
        write("attribute", r#"[{"token": "t", "name": "vehicle.moving"}]"#);
        write("category", r#"[{"token": "g", "name": "vehicle.car"}]"#);
        write("instance", r#"[{"token": "i", "category_token": "g"}]"#);
        // The first is of the validation split, the second is not.
        write(
            "scene",
            r#"[{"token": "c", "name": "scene-0003"}, {"token": "d", "name": "scene-0001"}]"#,
        );
        dir
    }

    #[test]
    fn whole_splits_are_read() {
        let dir = tables(|_, text| text);
        let check = |wanted: &[&str], split: Split| {
            let tables = Tables { dir: dir.path().to_owned() };
            let all = tables.rows("sample", Some::<Sample>).unwrap();
            let found = scenes_of(&tables, &all, &wanted.iter().copied().collect());
            assert_eq!(found.unwrap().0, split, "{wanted:?}");
        };
        check(&["s1"], Split::Validation);
        check(&["x"], Split::Training);
        check(&["s1", "x"], Split::All);
        check(&[], Split::All);
        let truth = read(dir.path(), &HashSet::from(["s1"])).unwrap();
        assert_eq!((truth.samples.len(), truth.scenes), (3, 1));
        let second = &truth.samples[1];
        assert_eq!((second.ego_m, second.timestamp_us), ([1.0, 1.0, 0.0], 1_000_000));
        let annotation = &second.annotations[0];
        assert_eq!((annotation.points, &*annotation.attribute), (3, "vehicle.moving"));
        assert_eq!(annotation.velocity_m_s, [1.0, 0.0]);
        assert_eq!(truth.samples[0].annotations[0].velocity_m_s, [1.0, 0.0]);
    }

    #[test]
    fn missing_rows_are_named() {
        let check = |table: &'static str, from: &'static str, to: &'static str, expected: &str| {
            let dir =
                tables(|name, text| if name == table { text.replace(from, to) } else { text });
            let why = read(dir.path(), &HashSet::from(["s1"])).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        };
        check("instance", "\"i\"", "\"j\"", "no row \"i\"");
        check("category", "\"g\"", "\"h\"", "no row \"g\"");
        check("sample_data", "true", "false", "no LIDAR_TOP keyframe of sample s0");
        check("sample_annotation", "\"next\": \"a2\"", "\"next\": \"a9\"", "no row \"a9\"");
        check("sample_annotation", "[\"t\"]", "[\"t\", \"t\"]", "several attributes");
        check("ego_pose", "\"token\"", "\"tok\"", "ego_pose.json");
    }
}
