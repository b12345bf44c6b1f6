//! The rig of a source without calibration, in TOML. `docs/rig.md` explains it with an example.

use std::path::Path;

use ommatidia_geometry::{Camera, CameraModel, Ego, Intrinsics, Pose};
use ommatidia_scene::{CameraSensor, Rig, Shutter};
use serde::Deserialize;

use crate::Error;
use crate::formats::common::inputs::Inputs;
use crate::formats::common::{PIXEL_CENTRE_PX, sanity};

/// The file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RigFile {
    /// The clip's name; the source's own where there is none.
    pub(super) id: Option<String>,
    /// Images per second of a source without times.
    pub(super) rate_hz: Option<f64>,
    /// Where the images' times come from.
    #[serde(default)]
    pub(super) times: Times,
    /// Which coordinates the centre of the first pixel has.
    #[serde(default)]
    pixel_centres: PixelCentres,
    /// At least one.
    pub(super) cameras: Vec<CameraEntry>,
}

/// Where the images' times come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Times {
    /// The position among a camera's images, and the rate.
    #[default]
    Rate,
    /// Their file names, in nanoseconds.
    FileNameNs,
    /// Their file names, in seconds.
    FileNameS,
}

/// Which coordinates the centre of the first pixel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PixelCentres {
    /// (0.5, 0.5), as everywhere in this program.
    #[default]
    Half,
    /// (0, 0), as in OpenCV.
    Integer,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CameraEntry {
    pub(super) name: String,
    /// A folder, an image, a video, or a pattern with one `*` in its last part; relative to the source.
    pub(super) images: Option<String>,
    width: u32,
    height: u32,
    intrinsics: Intrinsics,
    ego_from_camera: Mounting,
    #[serde(default)]
    shutter: Shutter,
}

/// Where a camera sits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mounting {
    wxyz: Option<[f64; 4]>,
    translation_m: Option<[f64; 3]>,
    /// Row-major 3x4 or 4x4.
    matrix: Option<Vec<f64>>,
}

impl Mounting {
    fn pose(&self, path: &Path, what: &str) -> Result<Pose<Ego, Camera>, Error> {
        let pose = match (&self.wxyz, &self.translation_m, &self.matrix) {
            (Some(wxyz), Some(translation_m), None) => {
                sanity::unit(*wxyz, path, what)?;
                Pose::from_wxyz(*wxyz, *translation_m)
            }
            (None, None, Some(matrix)) if matches!(matrix.len(), 12 | 16) => {
                Pose::from_row_major(matrix)
            }
            _ => {
                let what = format!(
                    "{what}: ego_from_camera takes either wxyz and translation_m, or a matrix of 12 or 16 numbers"
                );
                return Err(Error::source(path, what));
            }
        };
        sanity::mount(pose, path, what)
    }
}

impl RigFile {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// Not TOML of this shape, or a number out of bounds.
    pub(super) fn read(path: &Path, inputs: &mut Inputs) -> Result<Self, Error> {
        let content = inputs.text(path, "it describes the cameras")?;
        let file: Self = toml::from_str(&content)
            .map_err(|cause| Error::source(path, format!("is no rig: {cause}")))?;
        if file.cameras.is_empty() {
            return Err(Error::source(path, "has no [[cameras]]"));
        }
        if file.rate_hz.is_some_and(|rate| !(rate > 1e-6 && rate < 1e6)) {
            return Err(Error::source(path, "rate_hz must be a positive number"));
        }
        Ok(file)
    }

    /// The cameras in our convention.
    ///
    /// # Errors
    /// A number out of bounds.
    pub(super) fn rig(&self, path: &Path) -> Result<Rig, Error> {
        let mut rig = Rig::default();
        for camera in &self.cameras {
            let what = format!("camera {}", camera.name);
            rig.cameras.push(CameraSensor {
                name: camera.name.clone(),
                width: camera.width,
                height: camera.height,
                intrinsics: self.intrinsics(&camera.intrinsics, path, &what)?,
                ego_from_camera: camera.ego_from_camera.pose(path, &what)?,
                shutter: camera.shutter,
            });
        }
        rig.check().map_err(|cause| Error::Rig { path: path.to_owned(), cause })?;
        Ok(rig)
    }

    fn intrinsics(&self, given: &Intrinsics, path: &Path, what: &str) -> Result<Intrinsics, Error> {
        let mut parameters = given.parameters();
        if !parameters.iter().all(|parameter| parameter.is_finite()) {
            return Err(Error::source(path, format!("{what}: an intrinsic is not finite")));
        }
        let [fx, fy, cx, cy] = [0, 1, 2, 3].map(|i| parameters[i]);
        sanity::intrinsics([fx, fy, cx, cy], path, what)?;
        if self.pixel_centres == PixelCentres::Integer {
            parameters[2] += PIXEL_CENTRE_PX;
            parameters[3] += PIXEL_CENTRE_PX;
        }
        Ok(given.with_parameters(&parameters))
    }
}
