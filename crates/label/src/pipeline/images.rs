//! Decoded images of the frames in hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use ommatidia_geometry::Timestamp;
use ommatidia_scene::GrayImage;
use ommatidia_store::ClipReader;
use rayon::prelude::*;

use crate::Error;

/// The images of one frame: per camera the middle of its exposure and its luminance.
pub type FrameImages = Vec<Option<(Timestamp, GrayImage)>>;

/// Decodes each frame once while a window slides over the clip.
pub struct Images<'a> {
    reader: &'a ClipReader,
    decoded: BTreeMap<usize, Arc<FrameImages>>,
}

impl<'a> Images<'a> {
    /// Nothing decoded yet.
    pub fn new(reader: &'a ClipReader) -> Self {
        Self { reader, decoded: BTreeMap::new() }
    }

    /// The images of a frame.
    ///
    /// # Errors
    /// Where the clip cannot be read or an image not decoded.
    pub fn frame(&mut self, index: usize) -> Result<Arc<FrameImages>, Error> {
        if let Some(images) = self.decoded.get(&index) {
            return Ok(Arc::clone(images));
        }
        let images = Arc::new(decode(self.reader, index)?);
        self.decoded.insert(index, Arc::clone(&images));
        Ok(images)
    }

    /// Drops frames before this one.
    pub fn forget_before(&mut self, index: usize) {
        self.decoded = self.decoded.split_off(&index);
    }
}

fn decode(reader: &ClipReader, index: usize) -> Result<FrameImages, Error> {
    let images = &reader.clip().frames[index].images;
    let decoded: Result<FrameImages, ommatidia_store::Error> = images
        .par_iter()
        .map(|image| image.map(|image| Ok((image.timestamp, reader.gray(&image)?))).transpose())
        .collect();
    Ok(decoded?)
}
