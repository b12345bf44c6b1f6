//! Rows of nuScenes' tables, as `docs/schema_nuscenes.md` of its devkit defines them; what is not used
//! here is left out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::formats::common::inputs::Inputs;
use crate::formats::common::skips::Skips;
use crate::formats::common::table;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Scene {
    pub(super) token: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) log_token: String,
    pub(super) nbr_samples: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Sample {
    pub(super) token: String,
    /// Microseconds.
    pub(super) timestamp: i64,
    pub(super) scene_token: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct SampleData {
    pub(super) token: String,
    pub(super) sample_token: String,
    pub(super) ego_pose_token: String,
    pub(super) calibrated_sensor_token: String,
    /// Microseconds.
    pub(super) timestamp: i64,
    pub(super) is_key_frame: bool,
    #[serde(default)]
    pub(super) width: u32,
    #[serde(default)]
    pub(super) height: u32,
    pub(super) filename: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CalibratedSensor {
    pub(super) token: String,
    pub(super) sensor_token: String,
    pub(super) translation: [f64; 3],
    /// w, x, y, z.
    pub(super) rotation: [f64; 4],
    pub(super) camera_intrinsic: Vec<Vec<f64>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Sensor {
    pub(super) token: String,
    pub(super) channel: String,
    pub(super) modality: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct EgoPose {
    pub(super) token: String,
    pub(super) translation: [f64; 3],
    /// w, x, y, z.
    pub(super) rotation: [f64; 4],
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct SampleAnnotation {
    pub(super) token: String,
    pub(super) sample_token: String,
    pub(super) instance_token: String,
    #[serde(default)]
    pub(super) visibility_token: String,
    #[serde(default)]
    pub(super) attribute_tokens: Vec<String>,
    /// Centre in the global frame, metres.
    pub(super) translation: [f64; 3],
    /// Width, length, height, metres.
    pub(super) size: [f64; 3],
    /// w, x, y, z.
    pub(super) rotation: [f64; 4],
    #[serde(default)]
    pub(super) prev: String,
    #[serde(default)]
    pub(super) next: String,
    pub(super) num_lidar_pts: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Instance {
    pub(super) token: String,
    pub(super) category_token: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Category {
    pub(super) token: String,
    pub(super) name: String,
}

/// A row of which only the identity matters: attribute, visibility, map.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Named {
    pub(super) token: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Log {
    pub(super) token: String,
    #[serde(default)]
    pub(super) location: String,
    #[serde(default)]
    pub(super) vehicle: String,
}

/// The tables of one version.
pub(super) struct Tables<'a> {
    dir: PathBuf,
    pub(super) inputs: &'a mut Inputs,
}

impl<'a> Tables<'a> {
    pub(super) fn new(dir: &Path, inputs: &'a mut Inputs) -> Self {
        Self { dir: dir.to_owned(), inputs }
    }

    /// The file of a table.
    pub(super) fn path(&self, table: &str) -> PathBuf {
        self.dir.join(format!("{table}.json"))
    }

    /// The rows of a table that `keep` wants.
    pub(super) fn rows<T: DeserializeOwned, U>(
        &mut self,
        name: &str,
        keep: impl FnMut(T) -> Option<U>,
    ) -> Result<Vec<U>, Error> {
        table::rows(&self.path(name), "every nuScenes version has this table", self.inputs, keep)
    }

    /// As [`Self::rows`]; a missing table counts as skipped and is empty.
    pub(super) fn optional<T: DeserializeOwned, U>(
        &mut self,
        name: &str,
        skips: &mut Skips,
        keep: impl FnMut(T) -> Option<U>,
    ) -> Result<Vec<U>, Error> {
        if self.path(name).exists() {
            return self.rows(name, keep);
        }
        skips.add(format!("table {name}"), "the file is missing", 1);
        Ok(Vec::new())
    }
}

/// Rows by token.
pub(super) struct Index<T> {
    path: PathBuf,
    rows: HashMap<String, T>,
}

impl<T> Index<T> {
    /// Rows of the table at `path`.
    ///
    /// # Errors
    /// A token that occurs twice.
    pub(super) fn new(
        path: PathBuf,
        rows: Vec<T>,
        token: impl Fn(&T) -> &str,
    ) -> Result<Self, Error> {
        let mut by_token = HashMap::with_capacity(rows.len());
        for row in rows {
            let token = token(&row).to_owned();
            if by_token.insert(token.clone(), row).is_some() {
                let what = format!("two rows have the token {token}; tokens must be unique");
                return Err(Error::source(&path, what));
            }
        }
        Ok(Self { path, rows: by_token })
    }

    /// The row of a token that `from` refers to.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn get(&self, token: &str, from: &str) -> Result<&T, Error> {
        self.rows.get(token).ok_or_else(|| {
            let what = format!(
                "has no row {token:?}, which {from} refers to; the tables are incomplete or of different versions"
            );
            Error::source(&self.path, what)
        })
    }

    /// There are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// There is a row of that token.
    pub(super) fn has(&self, token: &str) -> bool {
        self.rows.contains_key(token)
    }
}
