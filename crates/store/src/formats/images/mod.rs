//! Images without a data set: folders of them, or videos, with a rig in TOML.
//!
//! The cameras are those of the rig, `docs/rig.md`. The k-th images of all cameras make a frame.

mod rig_file;
mod video;

use std::path::{Path, PathBuf};

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{Provenance, Skipped};

use super::common::image_file::read_image;
use super::common::inputs::{Inputs, inside, list};
use super::common::skips::Skips;
use super::common::thinning::Thinning;
use super::common::{TAXONOMY, resolved_config, sanity};
use super::{Drive, FORMATS, Format, ImportOptions};
use crate::{ClipHeader, EncodedImage, Error, FrameData};
use rig_file::{CameraEntry, RigFile, Times};
use video::{Video, announced_rate_hz, is_video};

/// Folders of images and videos.
pub(super) struct Images;

const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];
/// The rig's name where the source brings it along.
const RIG_NAME: &str = "rig.toml";

impl Format for Images {
    fn name(&self) -> &'static str {
        "images"
    }

    fn looks_for(&self) -> &'static str {
        "a video, or a folder with rig.toml, with images, or with folders of images, where nothing else fits"
    }

    fn detect(&self, source: &Path) -> bool {
        let holds_images = |dir: &Path| {
            list(dir).is_ok_and(|names| names.iter().any(|name| is_image(Path::new(name))))
        };
        let below = || super::common::inputs::subdirectories(source);
        let fits = is_video(source)
            || source.join(RIG_NAME).is_file()
            || holds_images(source)
            || below().iter().any(|name| holds_images(&source.join(name)));
        let others = FORMATS.iter().filter(|format| format.name() != self.name());
        fits && !others.into_iter().any(|format| format.detect(source))
    }

    fn open(&self, source: &Path, options: &ImportOptions) -> Result<Box<dyn Drive>, Error> {
        Ok(Box::new(ImagesDrive::open(source, options)?))
    }
}

/// The cameras that a rig file describes (`docs/rig.md`), without images.
///
/// # Errors
/// The file cannot be read, is no rig, or holds a number out of bounds.
pub(super) fn read_rig(path: &Path) -> Result<ommatidia_scene::Rig, Error> {
    let mut inputs = Inputs::new(path.parent().unwrap_or(path));
    RigFile::read(path, &mut inputs)?.rig(path)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// An image with its time, where it was asked for.
type Stamped = Option<(Timestamp, EncodedImage)>;

/// Where a camera's images come from.
enum Feed {
    Files(std::vec::IntoIter<(Timestamp, PathBuf)>),
    Video { video: Video, rate_hz: f64, next: u64 },
}

impl Feed {
    /// The time of the next image and the image, which is read only if `wanted` says so of its time.
    fn next_image(
        &mut self,
        wanted: impl FnOnce(Timestamp) -> bool,
    ) -> Result<Option<(Timestamp, Option<EncodedImage>)>, Error> {
        match self {
            Self::Files(files) => {
                let Some((timestamp, path)) = files.next() else { return Ok(None) };
                let image = wanted(timestamp).then(|| read_image(&path, "its folder lists it"));
                Ok(Some((timestamp, image.transpose()?)))
            }
            Self::Video { video, rate_hz, next } => {
                let Some(image) = video.next_image()? else { return Ok(None) };
                let timestamp = Timestamp::from_secs_f64(*next as f64 / *rate_hz);
                *next += 1;
                Ok(Some((timestamp, wanted(timestamp).then_some(image))))
            }
        }
    }
}

struct ImagesDrive {
    header: ClipHeader,
    feeds: Vec<Feed>,
    thinning: Thinning,
    skips: Skips,
    ended: bool,
}

impl ImagesDrive {
    fn open(source: &Path, options: &ImportOptions) -> Result<Self, Error> {
        let rig_path = find_rig(source, options)?;
        let mut inputs = Inputs::new(rig_path.parent().unwrap_or(source));
        let file = RigFile::read(&rig_path, &mut inputs)?;
        let rig = file.rig(&rig_path)?;
        let rate_hz = file.rate_hz.or(super::common::thinning::checked_rate(options, source)?);
        let mut feeds = Vec::with_capacity(file.cameras.len());
        for camera in &file.cameras {
            let place = place(source, camera, file.cameras.len(), &rig_path)?;
            feeds.push(open_feed(&place, camera, file.times, rate_hz, &rig_path)?);
        }
        check_counts(&feeds, &file.cameras, source)?;
        let own_name = || source.file_stem().map(|name| name.to_string_lossy().into_owned());
        let id = file.id.clone().or_else(own_name).unwrap_or_else(|| "images".to_owned());
        let header = ClipHeader {
            id,
            format: "images".to_owned(),
            rig,
            taxonomy: TAXONOMY.to_owned(),
            trajectory: None,
            provenance: Provenance::new(inputs.into_read(), resolved_config(options)),
        };
        let thinning = Thinning::new(options, source)?;
        Ok(Self { header, feeds, thinning, skips: Skips::default(), ended: false })
    }

    /// The next images of all cameras; of the first one's time `wanted` is asked.
    fn next_images(&mut self) -> Result<Option<(bool, Vec<Stamped>)>, Error> {
        let mut images = Vec::with_capacity(self.feeds.len());
        let mut keep = None;
        let mut ended = 0;
        for feed in &mut self.feeds {
            let thinning = &mut self.thinning;
            let next = feed.next_image(|time| *keep.get_or_insert_with(|| thinning.keeps(time)))?;
            ended += usize::from(next.is_none());
            images.push(next.and_then(|(time, image)| image.map(|image| (time, image))));
        }
        if ended == 0 {
            return Ok(Some((keep.unwrap_or(false), images)));
        }
        // Folders were counted; only videos can end apart.
        let rest = self.feeds.len() - ended;
        self.skips.add("ends of videos", "another camera's video is shorter", rest);
        Ok(None)
    }
}

impl Drive for ImagesDrive {
    fn header(&self) -> &ClipHeader {
        &self.header
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        while !self.ended {
            let Some((kept, images)) = self.next_images()? else {
                self.ended = true;
                break;
            };
            let Some(timestamp) = images.iter().flatten().map(|(time, _)| *time).next() else {
                continue;
            };
            if kept {
                return Ok(Some(FrameData { timestamp, images, ..FrameData::default() }));
            }
        }
        Ok(None)
    }

    fn skipped(&self) -> Vec<Skipped> {
        self.skips.list().into_iter().chain(self.thinning.skipped()).collect()
    }
}

fn find_rig(source: &Path, options: &ImportOptions) -> Result<PathBuf, Error> {
    if let Some(rig) = &options.rig {
        return Ok(rig.clone());
    }
    let beside = source.join(RIG_NAME);
    if beside.is_file() {
        return Ok(beside);
    }
    let what = "images alone do not say how their cameras project and where they sit; describe them with --rig RIG.toml (docs/rig.md has an example)";
    Err(Error::source(source, what))
}

/// Where a camera's images are: as its entry says; else the source for a single camera, and for one of
/// several the folder of its name.
fn place(
    source: &Path,
    camera: &CameraEntry,
    cameras: usize,
    rig_path: &Path,
) -> Result<PathBuf, Error> {
    let root = if source.is_file() { source.parent().unwrap_or(source) } else { source };
    match &camera.images {
        Some(images) => inside(root, images.trim_end_matches('/'), rig_path),
        None if cameras == 1 => Ok(source.to_owned()),
        None => inside(root, &camera.name, rig_path),
    }
}

fn open_feed(
    place: &Path,
    camera: &CameraEntry,
    times: Times,
    rate_hz: Option<f64>,
    rig_path: &Path,
) -> Result<Feed, Error> {
    if is_video(place) {
        let rate_hz = announced_rate_hz(place)?;
        return Ok(Feed::Video { video: Video::open(place, rate_hz)?, rate_hz, next: 0 });
    }
    let files = find_images(place, camera, rig_path)?;
    let times = match times {
        Times::Rate => by_rate(files.len(), rate_hz, rig_path)?,
        Times::FileNameNs | Times::FileNameS => by_name(&files, times)?,
    };
    sanity::ascending(&times, place, |i| files[i].display().to_string())?;
    Ok(Feed::Files(times.into_iter().zip(files).collect::<Vec<_>>().into_iter()))
}

/// A single image needs no rate.
fn by_rate(count: usize, rate_hz: Option<f64>, rig_path: &Path) -> Result<Vec<Timestamp>, Error> {
    let rate_hz = match rate_hz {
        Some(rate_hz) => rate_hz,
        None if count == 1 => 1.0,
        None => {
            let what = "has no rate_hz, and images in folders have no times; give it there or with --rate, or set times to file_name_ns or file_name_s";
            return Err(Error::source(rig_path, what));
        }
    };
    Ok((0..count).map(|index| Timestamp::from_secs_f64(index as f64 / rate_hz)).collect())
}

fn by_name(files: &[PathBuf], times: Times) -> Result<Vec<Timestamp>, Error> {
    let time = |path: &PathBuf| {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        let time = match times {
            Times::FileNameNs => stem.parse().ok().map(Timestamp),
            _ => stem.parse().ok().and_then(|s: f64| sanity::seconds(s, path, "its name").ok()),
        };
        time.ok_or_else(|| Error::source(path, "the file's name is no time, as the rig says it is"))
    };
    files.iter().map(time).collect()
}

/// The images of a camera, sorted by name.
fn find_images(place: &Path, camera: &CameraEntry, rig_path: &Path) -> Result<Vec<PathBuf>, Error> {
    let missing = |path: &Path| Error::MissingFile {
        path: path.to_owned(),
        needed_by: format!("camera {} of {} has its images there", camera.name, rig_path.display()),
    };
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let (dir, pattern) = match name.split_once('*') {
        Some(pattern) => (place.parent().unwrap_or(place), pattern),
        None => (place, ("", "")),
    };
    if !dir.is_dir() {
        return Err(missing(dir));
    }
    let (before, after) = pattern;
    let fits = |name: &String| {
        name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
            && is_image(Path::new(name))
    };
    let files = list(dir)?.into_iter().filter(fits).map(|name| dir.join(name));
    let files: Vec<PathBuf> = files.collect();
    if files.is_empty() { Err(missing(place)) } else { Ok(files) }
}

/// All folders hold the same number of images.
fn check_counts(feeds: &[Feed], cameras: &[CameraEntry], source: &Path) -> Result<(), Error> {
    let counts: Vec<(&str, usize)> = feeds
        .iter()
        .zip(cameras)
        .filter_map(|(feed, camera)| match feed {
            Feed::Files(files) => Some((camera.name.as_str(), files.len())),
            Feed::Video { .. } => None,
        })
        .collect();
    if counts.windows(2).all(|pair| pair[0].1 == pair[1].1) {
        return Ok(());
    }
    let listed: Vec<String> =
        counts.iter().map(|(name, count)| format!("{name} has {count}")).collect();
    let what = format!(
        "the cameras do not have the same number of images ({}); an image is missing somewhere",
        listed.join(", ")
    );
    Err(Error::source(source, what))
}
