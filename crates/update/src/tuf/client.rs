//! Fetches a repository's metadata and keeps on disk what was believed.

use std::fmt;
use std::io::{self, Read};

use super::metadata::encoded;
use super::trusted::Search;
use super::{Refusal, TargetFile, Trusted, UtcTime};
use crate::disk::{self, Disk};

/// Largest files that are read where nothing signed says a size, bytes.
const MAX_ROOT_BYTES: u64 = 512_000;
const MAX_TIMESTAMP_BYTES: u64 = 16_384;
const MAX_SNAPSHOT_BYTES: u64 = 2_000_000;
const MAX_TARGETS_BYTES: u64 = 5_000_000;
/// Most roots that are walked through at once.
const MAX_ROOTS: u64 = 256;

/// Why a server did not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable {
    /// It has no such file.
    Missing,
    /// It gives this file from its start alone.
    NoRanges,
    /// Anything else, in words.
    Failed(String),
}

/// Where files come from.
pub trait Transport {
    /// A file's bytes from `offset` on, in pieces of any size.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn get(&self, path: &str, offset: u64) -> Result<Box<dyn Read + '_>, Unavailable>;
}

/// A clock that only runs forward, to notice downloads that never end.
pub trait Watch {
    /// Seconds since some moment.
    fn seconds(&self) -> f64;
}

/// Why a download was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retrieval {
    /// The server has no such file.
    Missing,
    /// The server gives this file from its start alone, and not from where an earlier try stopped.
    NoRanges,
    /// It failed, in words.
    Failed(String),
    /// It went on behind the largest size that was allowed.
    TooLarge {
        /// That size, bytes.
        max_bytes: u64,
    },
    /// It came too slowly for too long.
    TooSlow {
        /// What came, bytes.
        bytes: u64,
        /// For how long, whole seconds.
        seconds: u64,
    },
}

impl Retrieval {
    /// Whether the rest may come another time.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::TooSlow { .. })
    }
}

impl fmt::Display for Retrieval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "the server does not have it"),
            Self::NoRanges => {
                write!(f, "the server cannot go on where a download stopped; let it answer ranges")
            }
            Self::Failed(why) => write!(f, "{why}"),
            Self::TooLarge { max_bytes } => write!(f, "it is larger than {max_bytes} bytes"),
            Self::TooSlow { bytes, seconds } => {
                write!(f, "it came too slowly: {bytes} bytes in {seconds} s")
            }
        }
    }
}

/// A server, and how patient one is with it.
#[derive(Clone, Copy)]
pub struct Link<'a> {
    /// Where files come from.
    pub transport: &'a dyn Transport,
    /// Measures how long they take.
    pub watch: &'a dyn Watch,
    /// Slowest mean rate that is borne, bytes/s.
    pub slowest_bytes_per_s: u64,
    /// How long any rate is borne, seconds.
    pub patience_s: u64,
}

impl Link<'_> {
    /// Fetches a file from `offset` on and hands it on in pieces; at most `max_bytes` of them.
    ///
    /// # Errors
    /// [`Retrieval`], or what `take` says, as [`Retrieval::Failed`].
    pub fn stream(
        &self,
        path: &str,
        offset: u64,
        max_bytes: u64,
        piece_bytes: usize,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<u64, Retrieval> {
        let start = self.watch.seconds();
        let mut body =
            self.transport.get(path, offset).map_err(|unavailable| match unavailable {
                Unavailable::Missing => Retrieval::Missing,
                Unavailable::NoRanges => Retrieval::NoRanges,
                Unavailable::Failed(why) => Retrieval::Failed(why),
            })?;
        let (mut buffer, mut bytes) = (vec![0; piece_bytes], 0u64);
        loop {
            let count = match body.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                count => count.map_err(|cause| Retrieval::Failed(cause.to_string()))?,
            };
            if count == 0 {
                return Ok(bytes);
            }
            bytes += count as u64;
            if bytes > max_bytes {
                return Err(Retrieval::TooLarge { max_bytes });
            }
            let seconds = self.watch.seconds() - start;
            if seconds > self.patience_s as f64
                && (bytes as f64) < seconds * self.slowest_bytes_per_s as f64
            {
                return Err(Retrieval::TooSlow { bytes, seconds: seconds as u64 });
            }
            take(&buffer[..count]).map_err(|cause| Retrieval::Failed(cause.to_string()))?;
        }
    }

    /// Fetches a small file whole.
    ///
    /// # Errors
    /// [`Retrieval`].
    pub fn fetch(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, Retrieval> {
        let mut bytes = Vec::new();
        self.stream(path, 0, max_bytes, 1 << 14, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }
}

/// A repository's metadata: where it comes from, and where what was believed is kept.
pub struct Repository<'a> {
    link: Link<'a>,
    disk: &'a dyn Disk,
    directory: &'a str,
    trusted: Trusted,
    now: Option<UtcTime>,
}

impl<'a> Repository<'a> {
    /// Starts from the root that is kept in `directory`.
    ///
    /// # Errors
    /// [`Refusal`] if there is none or it is damaged.
    pub fn open(link: Link<'a>, disk: &'a dyn Disk, directory: &'a str) -> Result<Self, Refusal> {
        let root = read(disk, directory, "root")?;
        let root = root.ok_or_else(|| Refusal::Disk {
            role: "root".to_owned(),
            why: "there is none; the vehicle was not provisioned".to_owned(),
        })?;
        Ok(Self { link, disk, directory, trusted: Trusted::start(&root)?, now: None })
    }

    /// What is believed.
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// Walks from the root at hand to the newest, each signed by the one before (section 5.3). Needs no
    /// time; expiry is checked in [`Self::refresh`].
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn refresh_root(&mut self) -> Result<(), Refusal> {
        for _ in 0..MAX_ROOTS {
            let next = self.trusted.root.version + 1;
            let bytes = match self.link.fetch(&format!("{next}.root.json"), MAX_ROOT_BYTES) {
                Err(Retrieval::Missing) => return Ok(()),
                bytes => bytes.map_err(|why| retrieval("root", why))?,
            };
            self.trusted.update_root(&bytes)?;
            self.keep("root", &bytes)?;
        }
        Ok(())
    }

    /// Brings timestamp, snapshot and top-level targets up to date (sections 5.3.10 to 5.6).
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn refresh(&mut self, now: UtcTime) -> Result<(), Refusal> {
        self.now = Some(now);
        self.trusted.root.check_expiry("root", now)?;
        self.refresh_timestamp(now)?;
        self.refresh_snapshot(now)?;
        self.fetch_targets("targets", None)
    }

    fn refresh_timestamp(&mut self, now: UtcTime) -> Result<(), Refusal> {
        // One that its own keys no longer vouch for does not hold a client back (section 5.3.11).
        if let Some(kept) = self.kept("timestamp") {
            let _ = self.trusted.update_timestamp(&kept);
        }
        let bytes = self
            .link
            .fetch("timestamp.json", MAX_TIMESTAMP_BYTES)
            .map_err(|why| retrieval("timestamp", why))?;
        let newer = self.trusted.update_timestamp(&bytes)?;
        let timestamp = self.trusted.timestamp.as_ref().expect("it was fetched");
        timestamp.check_expiry("timestamp", now)?;
        if newer { self.keep("timestamp", &bytes) } else { Ok(()) }
    }

    fn refresh_snapshot(&mut self, now: UtcTime) -> Result<(), Refusal> {
        if let Some(kept) = self.kept("snapshot") {
            let _ = self.trusted.update_snapshot(&kept, false);
        }
        if !self.trusted.snapshot_is_current() {
            let listing = self.trusted.snapshot_listing()?;
            let max_bytes = listing.length.unwrap_or(MAX_SNAPSHOT_BYTES).min(MAX_SNAPSHOT_BYTES);
            let name = self.name("snapshot", listing.version);
            let bytes =
                self.link.fetch(&name, max_bytes).map_err(|why| retrieval("snapshot", why))?;
            self.trusted.update_snapshot(&bytes, true)?;
            self.trusted
                .snapshot
                .as_ref()
                .expect("it was fetched")
                .check_expiry("snapshot", now)?;
            return self.keep("snapshot", &bytes);
        }
        self.trusted.snapshot.as_ref().expect("it is current").check_expiry("snapshot", now)
    }

    fn fetch_targets(&mut self, role: &str, parent: Option<&str>) -> Result<(), Refusal> {
        if self.trusted.targets.contains_key(role) {
            // Another parent may have brought it in; this one's keys must vouch for it, too.
            return parent.map_or(Ok(()), |parent| self.trusted.check_delegated(role, parent));
        }
        let now = self.now.expect("targets come after the refresh");
        let file = encoded(role);
        // No delegated role's file can take the place of a top-level role's.
        let kept_as = parent.map_or(file.clone(), |_| format!("delegated.{file}"));
        if let Some(kept) = self.kept(&kept_as)
            && self.trusted.update_targets(&kept, role, parent, now).is_ok()
        {
            return Ok(());
        }
        let listing = self.trusted.targets_listing(role)?;
        let max_bytes = listing.length.unwrap_or(MAX_TARGETS_BYTES).min(MAX_TARGETS_BYTES);
        let name = self.name(&file, listing.version);
        let bytes = self.link.fetch(&name, max_bytes).map_err(|why| retrieval(role, why))?;
        self.trusted.update_targets(&bytes, role, parent, now)?;
        self.keep(&kept_as, &bytes)
    }

    /// What the repository says of a target, `None` if it does not have it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn find(&mut self, path: &str) -> Result<Option<TargetFile>, Refusal> {
        let mut search = Search::new(path);
        while let Some((role, parent)) = search.next()? {
            if parent.is_some() {
                self.fetch_targets(&role, parent.as_deref())?;
            }
            if let Some(target) = search.visit(&self.trusted, role) {
                return Ok(Some(target));
            }
        }
        Ok(None)
    }

    fn name(&self, file: &str, version: u64) -> String {
        match self.trusted.root.body.consistent_snapshot {
            true => format!("{version}.{file}.json"),
            false => format!("{file}.json"),
        }
    }

    /// What was kept but for the root. What the disk lost is fetched again.
    fn kept(&self, file: &str) -> Option<Vec<u8>> {
        read(self.disk, self.directory, file).ok().flatten()
    }

    fn keep(&self, file: &str, bytes: &[u8]) -> Result<(), Refusal> {
        disk::replace(self.disk, &format!("{}/{file}.json", self.directory), bytes)
            .map_err(|cause| Refusal::Disk { role: file.to_owned(), why: cause.to_string() })
    }
}

fn retrieval(role: &str, why: Retrieval) -> Refusal {
    Refusal::Retrieval { role: role.to_owned(), why }
}

fn read(disk: &dyn Disk, directory: &str, file: &str) -> Result<Option<Vec<u8>>, Refusal> {
    disk::read_small(disk, &format!("{directory}/{file}.json"), MAX_TARGETS_BYTES)
        .map_err(|cause| Refusal::Disk { role: file.to_owned(), why: cause.to_string() })
}
