//! Files whose names are frame numbers.

use std::path::{Path, PathBuf};

use super::inputs::list;
use super::skips::Skips;
use crate::Error;

/// The files of one sensor, `000000.png` and so on, in the order of their numbers.
pub(crate) struct Numbered {
    /// Which of the sensors of its kind.
    pub(crate) sensor: usize,
    dir: PathBuf,
    files: Vec<(usize, String)>,
}

impl Numbered {
    /// The numbered files in `dir/name` with one of the extensions; `None` where there are none.
    pub(crate) fn list(
        dir: &Path,
        name: &str,
        sensor: usize,
        extensions: &[&str],
        skips: &mut Skips,
    ) -> Result<Option<Self>, Error> {
        let dir = dir.join(name);
        if !dir.is_dir() {
            return Ok(None);
        }
        let mut files = Vec::new();
        let mut others = 0;
        for file in list(&dir)? {
            match number_of(&file, extensions) {
                Some(number) => files.push((number, file)),
                None => others += 1,
            }
        }
        skips.add(format!("files in {name}"), "the name is no frame number", others);
        files.sort_unstable();
        if let Some(pair) = files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let what = format!("{} and {} are the same frame; keep one", pair[0].1, pair[1].1);
            return Err(Error::source(&dir, what));
        }
        Ok((!files.is_empty()).then_some(Self { sensor, dir, files }))
    }

    /// Number of files.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// The lowest frame number.
    pub(crate) fn first(&self) -> Option<usize> {
        self.files.first().map(|&(number, _)| number)
    }

    /// The highest frame number.
    pub(crate) fn last(&self) -> Option<usize> {
        self.files.last().map(|&(number, _)| number)
    }

    /// There is a file of that frame.
    pub(crate) fn has(&self, frame: usize) -> bool {
        self.position(frame).is_ok()
    }

    fn position(&self, frame: usize) -> Result<usize, usize> {
        self.files.binary_search_by_key(&frame, |&(number, _)| number)
    }

    /// The file of a frame; where it is missing, the name it should have.
    pub(crate) fn path(&self, frame: usize) -> PathBuf {
        match self.position(frame) {
            Ok(found) => self.dir.join(&self.files[found].1),
            Err(_) => {
                let extension = self.files.first().and_then(|(_, name)| name.rsplit_once('.'));
                self.dir.join(format!("{frame:06}.{}", extension.map_or("png", |(_, ext)| ext)))
            }
        }
    }
}

fn number_of(file: &str, extensions: &[&str]) -> Option<usize> {
    let (stem, extension) = file.rsplit_once('.')?;
    let digits = stem.bytes().all(|byte| byte.is_ascii_digit());
    (digits && extensions.contains(&extension)).then(|| stem.parse().ok())?
}
