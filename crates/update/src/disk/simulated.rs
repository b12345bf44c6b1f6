//! A disk whose power can be cut at any write, rename or fsync, that can fill up, and whose sectors can
//! become unreadable.
//!
//! It keeps what is durable apart from what a running program sees. A cut fails the operation at hand
//! (an append is half done) and all after it; [`SimulatedDisk::after_cut`] is what the next start finds,
//! for each way in which a file system may have lost what was not synchronised.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{Disk, Guard, directory_of};

/// What a power cut leaves of what was not synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// All of it.
    Everything,
    /// Names but not bytes: the empty file behind a rename without fsync.
    Names,
    /// Bytes but not names.
    Bytes,
    /// Half of the changes of names, and half of each file's bytes with rubbish at the end.
    Torn,
}

impl Survival {
    /// Every way.
    pub const ALL: [Self; 5] =
        [Self::Nothing, Self::Everything, Self::Names, Self::Bytes, Self::Torn];
}

#[derive(Debug, Clone, Default)]
struct Content {
    durable: Vec<u8>,
    live: Vec<u8>,
    unreadable: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Link(String, usize),
    Rename(String, String),
    Remove(String),
}

type Names = BTreeMap<String, usize>;

impl Change {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Link(path, content) => {
                names.insert(path.clone(), *content);
            }
            Self::Rename(from, to) => {
                if let Some(content) = names.remove(from) {
                    names.insert(to.clone(), content);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }

    fn directory(&self) -> &str {
        match self {
            Self::Link(path, _) | Self::Rename(path, _) | Self::Remove(path) => directory_of(path),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Platter {
    contents: Vec<Content>,
    durable: Names,
    live: Names,
    pending: Vec<Change>,
}

/// A disk in memory.
#[derive(Debug, Default)]
pub struct SimulatedDisk {
    platter: RefCell<Platter>,
    operations: Cell<u64>,
    cut_at: Cell<Option<u64>>,
    capacity_bytes: Cell<Option<u64>>,
    held: RefCell<BTreeSet<String>>,
}

struct Held<'a> {
    disk: &'a SimulatedDisk,
    path: String,
}

impl Guard for Held<'_> {}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.disk.held.borrow_mut().remove(&self.path);
    }
}

impl SimulatedDisk {
    /// Cuts the power at the operation of that number, from 0.
    pub fn cut_at(&self, operation: u64) {
        self.cut_at.set(Some(operation));
    }

    /// Goes on after a cut as if only the program had been killed: nothing is lost, and what was not
    /// synchronised still is not.
    pub fn restart_program(&self) {
        self.cut_at.set(None);
    }

    /// How many operations that change something were asked for.
    pub fn operations(&self) -> u64 {
        self.operations.get()
    }

    /// Lets writing fail when more bytes than that are in files.
    pub fn limit(&self, capacity_bytes: Option<u64>) {
        self.capacity_bytes.set(capacity_bytes);
    }

    /// Bytes in files.
    pub fn used_bytes(&self) -> u64 {
        let platter = self.platter.borrow();
        platter.live.values().map(|content| platter.contents[*content].live.len() as u64).sum()
    }

    /// The same disk with all of it durable: how a test starts many times from one place.
    pub fn copy(&self) -> Self {
        self.after_cut(Survival::Everything)
    }

    /// What the next start finds.
    pub fn after_cut(&self, survival: Survival) -> Self {
        let platter = self.platter.borrow();
        let mut names = platter.durable.clone();
        let changes = match survival {
            Survival::Nothing | Survival::Bytes => 0,
            Survival::Everything | Survival::Names => platter.pending.len(),
            Survival::Torn => platter.pending.len().div_ceil(2),
        };
        platter.pending[..changes].iter().for_each(|change| change.apply(&mut names));
        let kept = |content: &Content| match survival {
            Survival::Nothing | Survival::Names => content.durable.clone(),
            Survival::Everything | Survival::Bytes => content.live.clone(),
            Survival::Torn => torn(content),
        };
        let contents = platter.contents.iter().map(|content| {
            let bytes = kept(content);
            Content { durable: bytes.clone(), live: bytes, unreadable: content.unreadable }
        });
        let contents = contents.collect();
        let platter =
            Platter { contents, durable: names.clone(), live: names, pending: Vec::new() };
        Self { platter: RefCell::new(platter), ..Self::default() }
    }

    /// Flips bits of a byte of a file, as a disk that rots does.
    pub fn corrupt(&self, path: &str, at: usize) {
        let mut platter = self.platter.borrow_mut();
        let content = platter.live[path];
        let content = &mut platter.contents[content];
        content.live[at] ^= 0x55;
        content.durable = content.live.clone();
    }

    /// Lets reading a file fail (`EIO`) until another takes its place.
    pub fn make_unreadable(&self, path: &str) {
        let mut platter = self.platter.borrow_mut();
        let content = platter.live[path];
        platter.contents[content].unreadable = true;
    }

    fn step(&self) -> io::Result<()> {
        let operation = self.operations.get();
        self.operations.set(operation + 1);
        match self.cut_at.get() {
            Some(cut) if operation >= cut => Err(io::Error::other("the power is cut")),
            _ => Ok(()),
        }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.step()?;
        let platter = &mut *self.platter.borrow_mut();
        change.apply(&mut platter.live);
        platter.pending.push(change);
        Ok(())
    }

    fn content<T>(&self, path: &str, f: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        let platter = &mut *self.platter.borrow_mut();
        let content = platter.live.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(f(&mut platter.contents[*content]))
    }
}

fn torn(content: &Content) -> Vec<u8> {
    let (durable, live) = (content.durable.len(), content.live.len());
    let mut bytes = content.live[..durable + (live - durable) / 2].to_vec();
    if bytes.len() > durable
        && let Some(last) = bytes.last_mut()
    {
        *last ^= 0xff;
    }
    bytes
}

impl Disk for SimulatedDisk {
    fn lock(&self, path: &str, wait: bool) -> io::Result<Box<dyn Guard + '_>> {
        if self.held.borrow_mut().insert(path.to_owned()) {
            return Ok(Box::new(Held { disk: self, path: path.to_owned() }));
        }
        assert!(!wait, "whoever holds {path} would wait for itself for ever");
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        Ok(self.content(path, |content| content.live.len() as u64).ok())
    }

    fn read_at(&self, path: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.content(path, |content| match content.unreadable {
            true => Err(io::Error::other("a sector cannot be read")),
            false => super::ReadAt::read_at(&content.live, offset, buffer),
        })?
    }

    fn create(&self, path: &str) -> io::Result<()> {
        let content = {
            let mut platter = self.platter.borrow_mut();
            platter.contents.push(Content::default());
            platter.contents.len() - 1
        };
        self.change(Change::Link(path.to_owned(), content))
    }

    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let room =
            self.capacity_bytes.get().map(|capacity| capacity.saturating_sub(self.used_bytes()));
        if room.is_some_and(|room| room < bytes.len() as u64) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Err(cut) = self.step() {
            let first = self.cut_at.get().is_some_and(|at| at + 1 == self.operations.get());
            if first {
                self.content(path, |content| content.live.extend(&bytes[..bytes.len() / 2]))?;
            }
            return Err(cut);
        }
        self.content(path, |content| content.live.extend(bytes))
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        self.step()?;
        self.content(path, |content| content.durable = content.live.clone())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        assert_eq!(directory_of(from), directory_of(to), "renames stay in their directory");
        self.content(from, |_| ())?;
        self.change(Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.change(Change::Remove(path.to_owned()))
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        self.step()?;
        let platter = &mut *self.platter.borrow_mut();
        let (here, rest) = std::mem::take(&mut platter.pending)
            .into_iter()
            .partition(|change: &Change| change.directory() == directory);
        let here: Vec<Change> = here;
        here.iter().for_each(|change| change.apply(&mut platter.durable));
        platter.pending = rest;
        Ok(())
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let platter = self.platter.borrow();
        let here = platter.live.keys().filter(|path| directory_of(path) == directory);
        Ok(here.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect())
    }
}
