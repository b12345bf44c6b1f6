//! What a bundle says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use ommatidia_scene::{ContentHash, Provenance};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::tar;
use crate::Error;
use crate::canonical::{self, Numbers};

/// What `format` must be.
pub const FORMAT: &str = "ommatidia-bundle/2";
/// Largest manifest that is read, bytes.
pub const MAX_MANIFEST_BYTES: u64 = 16 << 20;
/// Most files of a bundle.
pub const MAX_FILES: usize = 4096;
/// Where the manifest lies, before all files.
pub const MANIFEST_PATH: &str = "manifest.json";

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The network as ONNX.
    Onnx,
    /// The network's weights as the trainer keeps them.
    Weights,
    /// The network's and the training's configuration.
    Config,
    /// Classes and their numbers.
    Taxonomy,
    /// How the look-up table from pixels to voxels is to be made: grid, strides, cameras.
    LiftContract,
    /// What the vehicle's calibration must look like: cameras, models, bounds.
    CalibrationContract,
    /// An input or an expected output of the replay set.
    Replay,
    /// Distributions of the network's outputs at release, which drift is measured against.
    Reference,
    /// Anything else, for people.
    Document,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Name within the bundle, parts separated by `/`.
    pub path: String,
    /// What it is for.
    pub role: Role,
    /// Size.
    pub bytes: u64,
    /// Content.
    pub blake3: ContentHash,
}

/// A version of the runtime: `major.minor.patch`, compared number by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u32; 3]);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.').map(str::parse);
        let mut next = || parts.next().and_then(Result::ok);
        let version = next().zip(next()).zip(next()).map(|((a, b), c)| Self([a, b, c]));
        let version = version.filter(|version| version.to_string() == text);
        version.ok_or("a version is three numbers, as in 0.1.0")
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a vehicle must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    /// Oldest version of the runtime that runs it.
    pub runtime: Version,
    /// Kinds of computer it was released for.
    pub hardware: Vec<String>,
    /// Memory it needs, bytes.
    pub memory_bytes: u64,
}

/// A figure measured before release, with its interval of confidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// As `omma eval` calls it.
    pub name: String,
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Share of intervals that hold the true value, 0 to 1, exclusive.
    pub confidence: f64,
}

/// One output that replay compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The network's name for it.
    pub output: String,
    /// A file of the bundle: 32-bit floats, little endian, row by row.
    pub path: String,
    /// Largest difference that is no fault, in the output's unit.
    pub absolute: f64,
    /// Largest difference as a share of the expected value, on top of `absolute`.
    pub relative: f64,
}

/// One moment that is computed again on the vehicle before activation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayCase {
    /// For people.
    pub name: String,
    /// Files of the bundle by the network's names for its inputs.
    pub inputs: BTreeMap<String, String>,
    /// What must come out.
    pub expected: Vec<Expected>,
}

/// Releases of another bundle that one goes together with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The other bundle's name.
    pub product: String,
    /// The first release that fits.
    pub from_release: u64,
    /// The last release that fits; it does, too.
    pub to_release: u64,
}

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The product: releases of one name follow each other.
    pub name: String,
    /// Counts up; a vehicle never goes back.
    pub release: u64,
    /// All files but the manifest, by path.
    pub files: Vec<Entry>,
    /// What a vehicle must have.
    pub requires: Requirements,
    /// What else the vehicle must run with it, sorted.
    pub needs: Vec<Need>,
    /// Figures at release.
    pub metrics: Vec<Metric>,
    /// What the replay gate computes.
    pub replay: Vec<ReplayCase>,
    /// What it was made from, down to clips.
    pub provenance: Provenance,
}

impl Manifest {
    /// The one spelling of this manifest: canonical JSON and a line's end.
    ///
    /// # Errors
    /// [`Error::Manifest`] if it does not hold together.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.validate()?;
        let problem = |problem: String| Error::Manifest { problem };
        let value = serde_json::to_value(self).map_err(|cause| problem(cause.to_string()))?;
        let mut bytes = canonical::bytes(&value, Numbers::Any).map_err(problem)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a manifest and refuses any spelling but the one.
    ///
    /// # Errors
    /// [`Error::Manifest`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let problem = |problem: String| Error::Manifest { problem };
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(problem(format!("{} bytes are more than any has", bytes.len())));
        }
        let manifest: Value =
            serde_json::from_slice(bytes).map_err(|cause| problem(cause.to_string()))?;
        if let Some(found) = manifest.get("format").filter(|found| *found != FORMAT) {
            return Err(problem(other_format(found)));
        }
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|cause| problem(cause.to_string()))?;
        if manifest.to_bytes()? != bytes {
            return Err(problem("it is not in canonical form".to_owned()));
        }
        Ok(manifest)
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&Entry> {
        let at = self.files.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
        Some(&self.files[at])
    }

    /// Whether a vehicle with that runtime, hardware and memory runs it.
    ///
    /// # Errors
    /// [`Error::Unfit`].
    pub fn fits(&self, runtime: &Version, hardware: &str, memory_bytes: u64) -> Result<(), Error> {
        let needs = &self.requires;
        let problem = if *runtime < needs.runtime {
            format!("it needs runtime {} or later, and this is {runtime}", needs.runtime)
        } else if !needs.hardware.iter().any(|kind| kind == hardware) {
            format!("it is for {}, and this is {hardware}", needs.hardware.join(", "))
        } else if memory_bytes < needs.memory_bytes {
            format!("it needs {} bytes of memory, and there are {memory_bytes}", needs.memory_bytes)
        } else {
            return Ok(());
        };
        Err(Error::Unfit { problem })
    }

    /// Whether a fleet may get it: it can be judged before activation, and says how good it was and what it
    /// came from. Bundles that lack this can be made and tried, but not listed.
    ///
    /// # Errors
    /// [`Error::Manifest`] with all that it lacks.
    pub fn releasable(&self) -> Result<(), Error> {
        let lacks = |role| !self.files.iter().any(|file| file.role == role);
        let demands = [
            (lacks(Role::Onnx), "a file of role onnx"),
            (lacks(Role::Taxonomy), "a file of role taxonomy"),
            (self.replay.is_empty(), "a replay case"),
            (self.metrics.is_empty(), "a metric"),
            (self.requires.hardware.is_empty(), "a kind of hardware"),
            (self.provenance.inputs.is_empty(), "an input in its provenance"),
        ];
        let lacking = demands.iter().filter_map(|(lacks, what)| lacks.then_some(*what));
        let lacking: Vec<_> = lacking.collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let problem = format!(
            "a release must have {}; add to its plan and create it again",
            lacking.join(", ")
        );
        Err(Error::Manifest { problem })
    }

    fn validate(&self) -> Result<(), Error> {
        self.problem().map_or(Ok(()), |problem| Err(Error::Manifest { problem }))
    }

    fn problem(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some(other_format(&self.format.as_str().into()));
        }
        if !is_name(&self.name) {
            return Some(format!(
                "{:?} is no name: give letters, digits, '-', '_' and '.'",
                self.name
            ));
        }
        if self.files.len() > MAX_FILES {
            return Some(format!(
                "{} files are more than the {MAX_FILES} a bundle holds",
                self.files.len()
            ));
        }
        if !self.files.is_sorted_by(|a, b| a.path < b.path) {
            return Some("its files are not sorted by path, or one is there twice".to_owned());
        }
        let file = self.files.iter().find_map(|file| {
            let why = path_problem(&file.path)
                .or((file.bytes > tar::MAX_FILE_BYTES).then_some("is larger than 8 GiB"))?;
            Some(format!("file {:?} {why}", file.path))
        });
        file.or_else(|| self.need_problem())
            .or_else(|| self.metric_problem())
            .or_else(|| self.replay_problem())
    }

    fn need_problem(&self) -> Option<String> {
        if !self.needs.is_sorted_by(|a, b| a < b) {
            return Some("its needs are not sorted, or one is there twice".to_owned());
        }
        self.needs.iter().find_map(|Need { product, from_release, to_release }| {
            let why = if !is_name(product) {
                "which is no name"
            } else if from_release > to_release {
                "which is no release"
            } else {
                return None;
            };
            Some(format!("it needs {product:?} of release {from_release} to {to_release}, {why}"))
        })
    }

    fn metric_problem(&self) -> Option<String> {
        self.metrics.iter().find_map(|metric| {
            let Metric { name, value, low, high, confidence } = metric;
            let sound = low <= value && value <= high && *confidence > 0.0 && *confidence < 1.0;
            (!sound).then(|| format!("metric {name}: {value} in {low}..{high} at {confidence} is no interval of confidence"))
        })
    }

    fn replay_problem(&self) -> Option<String> {
        let mut names = BTreeSet::new();
        self.replay.iter().find_map(|case| {
            let expected = case.expected.iter().map(|expected| &expected.path);
            let missing =
                case.inputs.values().chain(expected).find(|path| self.file(path).is_none());
            let tolerance = case.expected.iter().find(|expected| {
                !(expected.absolute >= 0.0
                    && expected.relative >= 0.0
                    && (expected.absolute + expected.relative).is_finite())
            });
            let why = if let Some(path) = missing {
                format!("needs {path:?}, which is not in the bundle")
            } else if let Some(expected) = tolerance {
                format!("has no tolerance for {:?}", expected.output)
            } else if case.expected.is_empty() {
                "expects nothing".to_owned()
            } else if !names.insert(&case.name) {
                "is there twice".to_owned()
            } else {
                return None;
            };
            Some(format!("replay case {:?} {why}", case.name))
        })
    }
}

fn other_format(found: &Value) -> String {
    format!("its format is {found}, and this program reads {FORMAT:?}")
}

/// Names that are safe as a part of a file name everywhere.
pub(crate) fn is_name(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(sound) && !text.starts_with('.')
}

fn path_problem(path: &str) -> Option<&'static str> {
    if path.len() > tar::MAX_NAME {
        return Some("has a name of more than 100 bytes");
    }
    if path == MANIFEST_PATH {
        return Some("has the manifest's own name");
    }
    (!path.split('/').all(is_name))
        .then_some("has a name other than of letters, digits, '-', '_', '.' and '/'")
}
