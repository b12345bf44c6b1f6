//! Keeps a repository in a directory: `metadata/` and `targets/` are what a web server serves, `staging/`
//! is what still lacks signatures.
//!
//! Root and targets are drawn up here, carried as files to where their keys are, signed there
//! ([`crate::tuf::editor::sign`]) and brought back; [`publish`] adds snapshot and timestamp with the keys that
//! stay online, and lets anyone see the four only after a client that had the last ones believed them.

use std::collections::BTreeMap;
use std::io::{self, Read};

use ring::digest::{Context, SHA256};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;
use crate::disk::{self, Disk, OnDisk, ReadAt, Section};
use crate::tuf::editor::{self, Edition};
use crate::tuf::{
    Document, KeyPair, PublicKey, Refusal, RoleKeys, Root, Snapshot, TargetFile, Targets,
    Timestamp, Transport, Trusted, Unavailable, UtcTime, check_by_root, key_id, to_hex,
};
use crate::uptane::is_delta;

/// A root that waits for signatures.
pub const STAGED_ROOT: &str = "staging/root.json";
/// Targets that wait for signatures.
pub const STAGED_TARGETS: &str = "staging/targets.json";
const TIMESTAMP: &str = "metadata/timestamp.json";
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
    /// In a director's repository: contents (SHA-256, hexadecimal) that the vehicle must not run any more.
    pub revoke: Vec<String>,
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
/// [`Error::Plan`] if a name is public with other content, which vehicles that have it would refuse for
/// ever, or if something listed is revoked; [`Error::Metadata`], [`Error::Io`].
pub fn stage_targets(disk: &dyn Disk, change: Change, expires: UtcTime) -> Result<u64, Error> {
    let published = newest::<Targets>(disk, "targets")?;
    check_unchanged(published.as_ref(), &change)?;
    let version = published.as_ref().map_or(1, |last| last.version + 1);
    let staged = read::<Targets>(disk, STAGED_TARGETS, "targets")?;
    let nothing = || Targets {
        targets: BTreeMap::new(),
        delegations: None,
        vehicle: None,
        revoked: Vec::new(),
    };
    let mut targets = staged.or(published).map_or_else(nothing, |last| last.body);
    if change.clear {
        targets.targets.clear();
    }
    targets.targets.extend(change.add);
    targets.vehicle = change.vehicle.or(targets.vehicle);
    targets.revoked.extend(change.revoke);
    targets.revoked.sort();
    targets.revoked.dedup();
    let is_revoked = |target: &TargetFile| {
        target.hashes.get("sha256").is_some_and(|sha256| targets.revoked.contains(sha256))
    };
    if let Some((name, _)) = targets.targets.iter().find(|(_, target)| is_revoked(target)) {
        let problem = format!("{name} is assigned and revoked; assign another release");
        return Err(Error::Plan { problem });
    }
    let bytes = editor::unsigned("targets", Edition { version, expires }, &targets);
    disk::replace(disk, STAGED_TARGETS, &bytes)?;
    Ok(version)
}

/// A delta may be made anew; what it leads to stays the same.
fn check_unchanged(published: Option<&Document<Targets>>, change: &Change) -> Result<(), Error> {
    let Some(published) = published else { return Ok(()) };
    for (name, target) in change.add.iter().filter(|(name, _)| !is_delta(name)) {
        let old = published.body.targets.get(name);
        if old.is_some_and(|old| old.hashes != target.hashes) {
            let problem = format!("{name} is public with other content; give it a new release");
            return Err(Error::Plan { problem });
        }
    }
    Ok(())
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

/// Copies a file to where it is served and says how it is listed. Reads it once, so that what is listed is
/// what is served.
///
/// # Errors
/// [`Error::Io`].
pub fn store_target(
    disk: &dyn Disk,
    name: &str,
    source: &dyn ReadAt,
    custom: Option<Value>,
) -> Result<TargetFile, Error> {
    let mut target = TargetFile { length: 0, hashes: BTreeMap::new(), custom };
    let part = format!("targets/{}.new", target.path(name, false));
    let mut copy = || {
        disk.create(&part)?;
        let mut stream = Section::new(source, 0, source.bytes()?);
        let (mut context, mut buffer) = (Context::new(&SHA256), vec![0; PIECE_BYTES]);
        loop {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            context.update(&buffer[..count]);
            disk.append(&part, &buffer[..count])?;
            target.length += count as u64;
        }
        target.hashes.insert("sha256".to_owned(), to_hex(context.finish().as_ref()));
        let path = format!("targets/{}", target.path(name, true));
        disk.sync(&part)?;
        disk.rename(&part, &path)?;
        disk.sync_directory(disk::directory_of(&path))
    };
    copy().map_err(|cause| Error::io(format!("cannot store {name}"), cause))?;
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
    /// Which of root and targets expire before this timestamp does, and when: sign new ones by then, or all
    /// vehicles refuse what is published.
    pub expiring: Vec<(&'static str, UtcTime)>,
}

/// Publishes what is staged and sufficiently signed, with a new snapshot and timestamp. Nothing is public
/// before all four are known to be believed now by a client that has the last ones.
///
/// # Errors
/// [`Error::Metadata`] of what lacks signatures, has expired or goes back; [`Error::Plan`] if the timestamp
/// would have expired; [`Error::Io`].
pub fn publish(
    disk: &dyn Disk,
    online: &[KeyPair],
    now: UtcTime,
    expires: UtcTime,
) -> Result<Published, Error> {
    if expires <= now {
        let problem = format!("they would expire at {expires}, and it is {now}");
        return Err(Error::Plan { problem });
    }
    let root = next::<Root>(disk, "root", STAGED_ROOT)?;
    let targets = next::<Targets>(disk, "targets", STAGED_TARGETS)?;
    check_by_root(&targets.document, "targets", &root.document.body).map_err(refused)?;
    let listing = editor::listing(&targets.document.bytes, targets.document.version);
    let body = Snapshot { meta: [("targets.json".to_owned(), listing)].into() };
    let version = 1 + newest::<Snapshot>(disk, "snapshot")?.map_or(0, |last| last.version);
    let edition = Edition { version, expires };
    let snapshot = signed("snapshot", edition, &body, online, &root.document)?;
    let listing = editor::listing(&snapshot, version);
    let last = read::<Timestamp>(disk, TIMESTAMP, "timestamp")?;
    let edition = Edition { version: 1 + last.map_or(0, |last| last.version), expires };
    let body = Timestamp { meta: [("snapshot.json".to_owned(), listing)].into() };
    let timestamp = signed("timestamp", edition, &body, online, &root.document)?;
    check_as_client(disk, (&root, &targets), (&snapshot, &timestamp), now).map_err(refused)?;
    // A client sees the new targets and snapshot by the timestamp alone, and the root that names its keys
    // comes right before it.
    targets.publish(disk)?;
    disk::replace(disk, &format!("metadata/{version}.snapshot.json"), &snapshot)?;
    root.publish(disk)?;
    disk::replace(disk, TIMESTAMP, &timestamp)?;
    clear_staging(disk)?;
    let ends = [("root", root.document.expires), ("targets", targets.document.expires)];
    Ok(Published {
        root: root.document.version,
        targets: targets.document.version,
        snapshot: version,
        timestamp: edition.version,
        expiring: ends.into_iter().filter(|(_, end)| *end < expires).collect(),
    })
}

/// What a role says from now on.
struct Next<T> {
    document: Document<T>,
    role: &'static str,
    /// What it said before.
    last: Option<Document<T>>,
    is_new: bool,
}

impl<T> Next<T> {
    fn publish(&self, disk: &dyn Disk) -> Result<(), Error> {
        let path = format!("metadata/{}.{}.json", self.document.version, self.role);
        if self.is_new { disk::replace(disk, &path, &self.document.bytes) } else { Ok(()) }
    }
}

/// What is staged, or published last.
fn next<T: DeserializeOwned + Clone>(
    disk: &dyn Disk,
    role: &'static str,
    path: &str,
) -> Result<Next<T>, Error> {
    let last = newest::<T>(disk, role)?;
    let staged = read::<T>(disk, path, role)?;
    // The last time may have been cut off before it cleared the staging.
    let staged =
        staged.filter(|staged| last.as_ref().is_none_or(|last| last.bytes != staged.bytes));
    let is_new = staged.is_some();
    if let (Some(staged), Some(last)) = (&staged, &last)
        && staged.version <= last.version
    {
        let problem =
            format!("{path} is version {}, which is public; stage it again", last.version);
        return Err(Error::Plan { problem });
    }
    let none = || refused(Refusal::malformed(role, "there is none; stage one first"));
    let document = staged.or_else(|| last.clone()).ok_or_else(none)?;
    Ok(Next { document, role, last, is_new })
}

/// Does what a client does that has what is public now.
fn check_as_client(
    disk: &dyn Disk,
    (root, targets): (&Next<Root>, &Next<Targets>),
    (snapshot, timestamp): (&[u8], &[u8]),
    now: UtcTime,
) -> Result<(), Refusal> {
    let first = root.last.as_ref().unwrap_or(&root.document);
    let mut client = Trusted::start(&first.bytes)?;
    if root.is_new && root.last.is_some() {
        client.update_root(&root.document.bytes)?;
    }
    client.root().check_expiry("root", now)?;
    // What its keys no longer vouch for, a client forgets.
    let public = |path: &str| disk::read_small(disk, path, MAX_METADATA_BYTES).ok().flatten();
    if let Some(kept) = public(TIMESTAMP)
        && client.update_timestamp(&kept).is_ok()
    {
        let version = client.snapshot_listing()?.version;
        if let Some(kept) = public(&format!("metadata/{version}.snapshot.json")) {
            let _ = client.update_snapshot(&kept, false);
        }
    }
    client.update_timestamp(timestamp)?;
    client.update_snapshot(snapshot, true)?;
    client.update_targets(&targets.document.bytes, "targets", None, now)
}

fn clear_staging(disk: &dyn Disk) -> Result<(), Error> {
    let clear = || {
        let mut cleared = false;
        for path in [STAGED_ROOT, STAGED_TARGETS] {
            if disk.length(path)?.is_some() {
                disk.remove(path)?;
                cleared = true;
            }
        }
        if cleared { disk.sync_directory("staging") } else { Ok(()) }
    };
    clear().map_err(|cause| Error::io("cannot clear staging/", cause))
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
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(Unavailable::Missing);
        }
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
mod tests;
