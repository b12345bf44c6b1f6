//! Folders of pictures with class maps: `train/` beside `trainannot/`, as CamVid is laid out by SegNet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ommatidia_geometry::{Pose, Timestamp, camera::Pinhole};
use ommatidia_model::{Moment, Sample};
use ommatidia_scene::{
    CameraSensor, CameraView, ClassId, Input, RgbImage, Rig, Shutter, Taxonomy, VectorSpace,
};
use ommatidia_store::{EncodedImage, hash, image, results::class_maps};
use rayon::prelude::*;

use super::Source;
use crate::Error;

/// Name of the only camera.
pub const CAMERA: &str = "camera";
/// The data set that a taxonomy maps class maps' numbers by.
pub const MAP: &str = "pictures";

/// Pictures of one folder and their class maps.
#[derive(Debug)]
pub struct Pictures {
    folder: PathBuf,
    pictures: Vec<PathBuf>,
    /// Of the same length; empty where there are none.
    maps: Vec<PathBuf>,
    /// Our class for each number; `None` where the taxonomy does not know it.
    classes: Vec<Option<ClassId>>,
    taxonomy: String,
}

impl Pictures {
    /// Pictures of `folder`, and class maps of the same names in the folder beside it whose name ends in
    /// `annot`, where there is one.
    ///
    /// # Errors
    /// [`Error::Data`] if there is no picture, or a picture has no class map.
    pub fn open(folder: &Path, taxonomy: &Taxonomy) -> Result<Self, Error> {
        let mut opened = Self::unlabelled(folder)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let beside = folder.with_file_name(format!("{name}annot"));
        if beside.is_dir() {
            opened.maps = paired(&opened.pictures, &beside)?;
        }
        let class = |number: u8| taxonomy.from_foreign(MAP, &number.to_string());
        opened.classes = (0..=255).map(class).collect();
        opened.taxonomy.clone_from(&taxonomy.name);
        if opened.has_truth() && opened.classes.iter().all(Option::is_none) {
            let what = format!(
                "has class maps, and taxonomy {} has no [map.{MAP}] that says what their numbers mean",
                taxonomy.name
            );
            return Err(Error::Data { path: folder.to_owned(), what });
        }
        Ok(opened)
    }

    /// Pictures alone, to predict for.
    ///
    /// # Errors
    /// [`Error::Data`] if there is no picture.
    pub fn unlabelled(folder: &Path) -> Result<Self, Error> {
        let pictures = list(folder, &["jpg", "jpeg", "png"])?;
        if pictures.is_empty() {
            let what = "holds no picture (.jpg, .png)".to_owned();
            return Err(Error::Data { path: folder.to_owned(), what });
        }
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            pictures,
            maps: Vec::new(),
            classes: Vec::new(),
            taxonomy: String::new(),
        })
    }

    /// File of a picture.
    pub fn path(&self, index: usize) -> &Path {
        &self.pictures[index]
    }

    /// Whether there are class maps.
    pub fn has_truth(&self) -> bool {
        !self.maps.is_empty()
    }

    fn classes(&self, index: usize, size: [usize; 2]) -> Result<Option<Vec<ClassId>>, Error> {
        let Some(path) = self.maps.get(index) else { return Ok(None) };
        let (width, height, numbers) = class_maps::read_classes(path)?;
        let fail = |what: String| Error::Data { path: path.clone(), what };
        if [width, height] != size {
            let [w, h] = size;
            return Err(fail(format!("is {width} x {height} pixels, its picture {w} x {h}")));
        }
        let known = |(place, &number): (usize, &u8)| {
            self.classes[usize::from(number)].ok_or_else(|| {
                let (x, y) = (place % width, place / width);
                fail(format!(
                    "pixel {x}, {y} is {number}, which is in no [map.{MAP}] of taxonomy {}",
                    self.taxonomy
                ))
            })
        };
        numbers.iter().enumerate().map(known).collect::<Result<_, _>>().map(Some)
    }
}

impl Source for Pictures {
    fn inputs(&self) -> Result<Vec<Input>, Error> {
        let files: Vec<&PathBuf> = self.pictures.iter().chain(&self.maps).collect();
        let hashes: Vec<_> =
            files.par_iter().map(|path| hash::of_file(path)).collect::<Result<_, _>>()?;
        let mut listing = String::new();
        for (path, hash) in files.iter().zip(hashes) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            listing += &format!("{hash}  {name}\n");
        }
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(vec![Input { name, blake3: hash::of_bytes(listing.as_bytes()) }])
    }

    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn name(&self, index: usize) -> String {
        self.pictures[index].display().to_string()
    }

    fn read(&self, index: usize) -> Result<Sample, Error> {
        let picture = image::rgb(&EncodedImage::read(&self.pictures[index])?)?;
        let semantics = self.classes(index, [picture.width, picture.height])?;
        let view = CameraView { camera: CAMERA.to_owned(), semantics, ..CameraView::default() };
        let moment = Moment {
            timestamp: Timestamp(0),
            rig: rig(&picture),
            images: vec![picture],
            world_from_ego: None,
            truth: VectorSpace { cameras: vec![view], ..VectorSpace::default() },
        };
        Ok(Sample { name: self.name(index), moments: vec![moment] })
    }
}

/// A rig for a picture of an unknown camera: heads of pictures do not look at it.
fn rig(picture: &RgbImage) -> Rig {
    let (width, height) = (picture.width as f64, picture.height as f64);
    let pinhole = Pinhole { fx: width, fy: width, cx: width / 2.0, cy: height / 2.0 };
    let camera = CameraSensor {
        name: CAMERA.to_owned(),
        width: picture.width as u32,
        height: picture.height as u32,
        intrinsics: pinhole.into(),
        ego_from_camera: Pose::identity(),
        shutter: Shutter::Global,
    };
    Rig { cameras: vec![camera], ..Rig::default() }
}

/// Files of these endings, by name.
fn list(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, Error> {
    let fail = |cause| ommatidia_store::Error::read(folder, cause);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if ending.is_some_and(|ending| endings.contains(&ending.as_str())) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The class map of every picture, by name without ending.
fn paired(pictures: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let maps = list(folder, &["png"])?;
    let by_stem: BTreeMap<_, _> =
        maps.iter().filter_map(|path| Some((path.file_stem()?, path))).collect();
    let of = |picture: &PathBuf| {
        let found = picture.file_stem().and_then(|stem| by_stem.get(stem));
        found.map(|path| (*path).clone()).ok_or_else(|| Error::Data {
            path: folder.to_owned(),
            what: format!("has no class map for {}", picture.display()),
        })
    };
    pictures.iter().map(of).collect()
}
