//! Keeps a repository in a directory: `metadata/` and `targets/` are what a web server serves, `staging/`
//! is what still lacks signatures.
//!
//! Root and targets are drawn up here, carried as files to where their keys are, signed there
//! ([`crate::tuf::editor::sign`]) and brought back; [`publish`] checks them as a client would before it
//! lets anyone see them, and adds snapshot and timestamp with the keys that stay online.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;
use crate::disk::{self, Disk, OnDisk, ReadAt, Section};
use crate::tuf::editor::{self, Edition};
use crate::tuf::{
    Document, KeyPair, PublicKey, Refusal, RoleKeys, Root, Snapshot, TargetFile, Targets,
    Timestamp, Transport, Trusted, Unavailable, UtcTime, check_by_root, key_id,
};
use crate::vehicle::sha256_of;

/// A root that waits for signatures.
pub const STAGED_ROOT: &str = "staging/root.json";
/// Targets that wait for signatures.
pub const STAGED_TARGETS: &str = "staging/targets.json";
const MAX_METADATA_BYTES: u64 = 5_000_000;
const PIECE_BYTES: usize = 1 << 20;

/// Who is to sign for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// `root`, `targets`, `snapshot`, `timestamp`, or in a director's repository `time`.
    pub role: String,
    /// Their keys.
    pub keys: Vec<PublicKey>,
    /// How many of them must.
    pub threshold: usize,
}

/// A change of what targets metadata lists.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Targets to list, by name.
    pub add: BTreeMap<String, TargetFile>,
    /// Whether to forget everything that was listed before.
    pub clear: bool,
    /// In a director's repository: the vehicle.
    pub vehicle: Option<String>,
}

/// Stages the next root. Roles that are not assigned keep their keys.
///
/// # Errors
/// [`Error::Plan`] if a required role has no keys or fewer than its threshold, [`Error::Metadata`],
/// [`Error::Io`].
pub fn stage_root(
    disk: &dyn Disk,
    assignments: &[Assignment],
    expires: UtcTime,
) -> Result<u64, Error> {
    let last = newest::<Root>(disk, "root")?;
    let version = last.as_ref().map_or(1, |last| last.version + 1);
    let mut root = last.map_or_else(empty_root, |last| last.body);
    for Assignment { role, keys, threshold } in assignments {
        if keys.len() < *threshold || *threshold == 0 {
            let problem =
                format!("role {role} has {} keys for a threshold of {threshold}", keys.len());
            return Err(Error::Plan { problem });
        }
        for key in keys {
            root.keys.insert(key_id(key), serde_json::to_value(key).expect("a key is plain data"));
        }
        let keyids = keys.iter().map(key_id).collect();
        root.roles.insert(role.clone(), RoleKeys { keyids, threshold: *threshold });
    }
    for role in ["root", "targets", "snapshot", "timestamp"] {
        if !root.roles.contains_key(role) {
            return Err(Error::Plan { problem: format!("role {role} has no key; assign one") });
        }
    }
    let used = |id: &String| root.roles.values().any(|role| role.keyids.contains(id));
    root.keys.retain(|id, _| used(id));
    disk::replace(
        disk,
        STAGED_ROOT,
        &editor::unsigned("root", Edition { version, expires }, &root),
    )?;
    Ok(version)
}

fn empty_root() -> Root {
    Root { consistent_snapshot: true, keys: BTreeMap::new(), roles: BTreeMap::new() }
}

/// Stages the next targets: those staged or published last, with a change.
///
/// # Errors
/// [`Error::Metadata`], [`Error::Io`].
pub fn stage_targets(disk: &dyn Disk, change: Change, expires: UtcTime) -> Result<u64, Error> {
    let published = newest::<Targets>(disk, "targets")?;
    let version = published.as_ref().map_or(1, |last| last.version + 1);
    let staged = read::<Targets>(disk, STAGED_TARGETS, "targets")?;
    let nothing = || Targets { targets: BTreeMap::new(), delegations: None, vehicle: None };
    let mut targets = staged.or(published).map_or_else(nothing, |last| last.body);
    if change.clear {
        targets.targets.clear();
    }
    targets.targets.extend(change.add);
    targets.vehicle = change.vehicle.or(targets.vehicle);
    let bytes = editor::unsigned("targets", Edition { version, expires }, &targets);
    disk::replace(disk, STAGED_TARGETS, &bytes)?;
    Ok(version)
}

/// What is staged or published last.
///
/// # Errors
/// [`Error::Metadata`], [`Error::Io`].
pub fn targets(disk: &dyn Disk) -> Result<Option<Targets>, Error> {
    let staged = read::<Targets>(disk, STAGED_TARGETS, "targets")?;
    let last = if staged.is_some() { staged } else { newest(disk, "targets")? };
    Ok(last.map(|document| document.body))
}

/// Copies a file to where it is served and says how it is listed.
///
/// # Errors
/// [`Error::Io`].
pub fn store_target(
    disk: &dyn Disk,
    name: &str,
    source: &dyn ReadAt,
    custom: Option<Value>,
) -> Result<TargetFile, Error> {
    let fail = |cause| Error::io(format!("cannot store {name}"), cause);
    let length = source.bytes().map_err(fail)?;
    let sha256 = sha256_of(source).map_err(fail)?;
    let target = TargetFile { length, hashes: [("sha256".to_owned(), sha256)].into(), custom };
    let path = format!("targets/{}", target.path(name, true));
    let part = format!("{path}.new");
    let copy = || {
        disk.create(&part)?;
        let (mut stream, mut buffer) = (Section::new(source, 0, length), vec![0; PIECE_BYTES]);
        loop {
            match stream.read(&mut buffer)? {
                0 => break,
                count => disk.append(&part, &buffer[..count])?,
            }
        }
        disk.sync(&part)?;
        disk.rename(&part, &path)?;
        disk.sync_directory(disk::directory_of(&path))
    };
    copy().map_err(fail)?;
    Ok(target)
}

/// What [`publish`] made public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Version of the root.
    pub root: u64,
    /// Version of the targets.
    pub targets: u64,
    /// Version of the snapshot.
    pub snapshot: u64,
    /// Version of the timestamp.
    pub timestamp: u64,
}

/// Publishes what is staged and sufficiently signed, with a new snapshot and timestamp.
///
/// # Errors
/// [`Error::Metadata`] of what lacks signatures; nothing of it is public then. [`Error::Io`].
pub fn publish(disk: &dyn Disk, online: &[KeyPair], expires: UtcTime) -> Result<Published, Error> {
    let root = publish_root(disk)?;
    let targets = publish_targets(disk, &root)?;
    let meta =
        [("targets.json".to_owned(), editor::listing(&targets.bytes, targets.version))].into();
    let version = 1 + newest::<Snapshot>(disk, "snapshot")?.map_or(0, |last| last.version);
    let edition = Edition { version, expires };
    let snapshot = signed("snapshot", edition, &Snapshot { meta }, online, &root)?;
    disk::replace(disk, &format!("metadata/{version}.snapshot.json"), &snapshot)?;
    let listing = editor::listing(&snapshot, version);
    let last = read::<Timestamp>(disk, "metadata/timestamp.json", "timestamp")?;
    let edition = Edition { version: 1 + last.map_or(0, |last| last.version), expires };
    let body = Timestamp { meta: [("snapshot.json".to_owned(), listing)].into() };
    let timestamp = signed("timestamp", edition, &body, online, &root)?;
    disk::replace(disk, "metadata/timestamp.json", &timestamp)?;
    Ok(Published {
        root: root.version,
        targets: targets.version,
        snapshot: version,
        timestamp: edition.version,
    })
}

fn publish_root(disk: &dyn Disk) -> Result<Document<Root>, Error> {
    let last = newest::<Root>(disk, "root")?;
    let Some(staged) = disk::read_small(disk, STAGED_ROOT, MAX_METADATA_BYTES)? else {
        let none = || refused(Refusal::malformed("root", "there is none; stage one first"));
        return last.ok_or_else(none);
    };
    let trusted = match last {
        None => Trusted::start(&staged).map_err(refused)?,
        Some(last) => {
            let mut trusted = Trusted::start(&last.bytes).map_err(refused)?;
            trusted.update_root(&staged).map_err(refused)?;
            trusted
        }
    };
    let root = trusted.root().clone();
    unstage(disk, STAGED_ROOT, &format!("metadata/{}.root.json", root.version), &staged)?;
    Ok(root)
}

fn publish_targets(disk: &dyn Disk, root: &Document<Root>) -> Result<Document<Targets>, Error> {
    let staged = read::<Targets>(disk, STAGED_TARGETS, "targets")?;
    let is_staged = staged.is_some();
    let targets = if is_staged { staged } else { newest(disk, "targets")? };
    let none = || refused(Refusal::malformed("targets", "there are none; stage some first"));
    let targets = targets.ok_or_else(none)?;
    check_by_root(&targets, "targets", &root.body).map_err(refused)?;
    if is_staged {
        let path = format!("metadata/{}.targets.json", targets.version);
        unstage(disk, STAGED_TARGETS, &path, &targets.bytes)?;
    }
    Ok(targets)
}

fn unstage(disk: &dyn Disk, staged: &str, public: &str, bytes: &[u8]) -> Result<(), Error> {
    disk::replace(disk, public, bytes)?;
    disk.remove(staged).map_err(|cause| Error::io(format!("cannot remove {staged}"), cause))
}

/// Signs with those of the keys that the role has.
fn signed<T: serde::Serialize + DeserializeOwned>(
    role: &str,
    edition: Edition,
    body: &T,
    keys: &[KeyPair],
    root: &Document<Root>,
) -> Result<Vec<u8>, Error> {
    let mut bytes = editor::unsigned(role, edition, body);
    let members = root.body.roles.get(role).map_or(&[][..], |role| &role.keyids);
    for key in keys.iter().filter(|key| members.contains(&key.id())) {
        bytes = editor::sign(&bytes, key).map_err(refused)?;
    }
    let document = Document::<T>::parse(&bytes, role, role).map_err(refused)?;
    check_by_root(&document, role, &root.body).map_err(refused)?;
    Ok(bytes)
}

fn newest<T: DeserializeOwned>(disk: &dyn Disk, role: &str) -> Result<Option<Document<T>>, Error> {
    let names = disk.list("metadata").map_err(|cause| Error::io("cannot list metadata/", cause))?;
    let version = |name: &String| {
        let version = name.strip_suffix(".json")?.strip_suffix(role)?.strip_suffix('.')?;
        version.parse::<u64>().ok()
    };
    let Some(version) = names.iter().filter_map(version).max() else { return Ok(None) };
    read(disk, &format!("metadata/{version}.{role}.json"), role)
}

fn read<T: DeserializeOwned>(
    disk: &dyn Disk,
    path: &str,
    role: &str,
) -> Result<Option<Document<T>>, Error> {
    let Some(bytes) = disk::read_small(disk, path, MAX_METADATA_BYTES)? else { return Ok(None) };
    Document::parse(&bytes, role, role).map(Some).map_err(refused)
}

fn refused(refusal: Refusal) -> Error {
    Error::Metadata { repository: "this".to_owned(), refusal }
}

/// Serves a part of a repository's directory as a web server would.
pub struct Directory<'a> {
    /// The repository.
    pub disk: &'a dyn Disk,
    /// `metadata` or `targets`.
    pub part: &'a str,
}

impl Transport for Directory<'_> {
    fn get(&self, path: &str, offset: u64) -> Result<Box<dyn Read + '_>, Unavailable> {
        let path = format!("{}/{path}", self.part);
        let failed = |cause: io::Error| Unavailable::Failed(format!("{path}: {cause}"));
        let length = self.disk.length(&path).map_err(failed)?.ok_or(Unavailable::Missing)?;
        Ok(Box::new(DirectoryFile { disk: self.disk, path, at: offset, length }))
    }
}

struct DirectoryFile<'a> {
    disk: &'a dyn Disk,
    path: String,
    at: u64,
    length: u64,
}

impl Read for DirectoryFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = OnDisk::new(self.disk, &self.path);
        let left = self.length.saturating_sub(self.at);
        let count = Section::new(&file, self.at, left).read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::SimulatedDisk;

    fn key(seed: u8) -> KeyPair {
        KeyPair::from_seed([seed; 32])
    }

    fn assign(role: &str, seeds: &[u8], threshold: usize) -> Assignment {
        let keys = seeds.iter().map(|seed| key(*seed).public()).collect();
        Assignment { role: role.to_owned(), keys, threshold }
    }

    fn sign(disk: &dyn Disk, path: &str, seed: u8) {
        let bytes = disk::read_small(disk, path, 1 << 20).unwrap().unwrap();
        disk::replace(disk, path, &editor::sign(&bytes, &key(seed)).unwrap()).unwrap();
    }

    #[test]
    fn nothing_is_public_before_enough_have_signed() {
        let disk = SimulatedDisk::default();
        let (later, online) = (UtcTime(2_000_000_000), [key(4), key(5)]);
        assert!(stage_root(&disk, &[assign("root", &[1], 2)], later).is_err());
        assert!(stage_root(&disk, &[assign("root", &[1, 2], 2)], later).is_err());
        let all = [
            assign("root", &[1, 2], 2),
            assign("targets", &[3], 1),
            assign("snapshot", &[4], 1),
            assign("timestamp", &[5], 1),
        ];
        stage_root(&disk, &all, later).unwrap();
        let target = store_target(&disk, "a.omma", &b"abc".as_slice(), None).unwrap();
        let add = BTreeMap::from([("a.omma".to_owned(), target)]);
        stage_targets(&disk, Change { add, ..Change::default() }, later).unwrap();
        sign(&disk, STAGED_ROOT, 1);
        assert!(publish(&disk, &online, later).is_err());
        assert!(disk.list("metadata").unwrap().is_empty());
        sign(&disk, STAGED_ROOT, 2);
        assert!(publish(&disk, &online, later).unwrap_err().to_string().contains("targets"));
        sign(&disk, STAGED_TARGETS, 3);
        assert!(publish(&disk, &online[..1], later).unwrap_err().to_string().contains("timestamp"));
        let published = publish(&disk, &online, later).unwrap();
        assert_eq!((published.root, published.targets, published.timestamp), (1, 1, 1));
        // A root that only its new key signed does not follow.
        stage_root(&disk, &[assign("root", &[9], 1)], later).unwrap();
        sign(&disk, STAGED_ROOT, 9);
        assert!(publish(&disk, &online, later).is_err());
        sign(&disk, STAGED_ROOT, 1);
        sign(&disk, STAGED_ROOT, 2);
        assert_eq!(publish(&disk, &online, later).unwrap().root, 2);
    }
}
