//! What a client believes, and the rules by which it comes to believe more (section 5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Document, MetaFile, Refusal, RoleKeys, Root, Snapshot, TargetFile, Targets, Timestamp, UtcTime,
};

/// Most roles a search for a target asks.
const MAX_DELEGATIONS: usize = 32;

/// Metadata that was believed, from the root down.
#[derive(Debug, Clone)]
pub struct Trusted {
    pub(super) root: Document<Root>,
    pub(super) timestamp: Option<Document<Timestamp>>,
    pub(super) snapshot: Option<Document<Snapshot>>,
    pub(super) targets: BTreeMap<String, Document<Targets>>,
}

impl Trusted {
    /// Starts from a root file that is trusted as it is; its own signatures are checked all the same.
    ///
    /// # Errors
    /// [`Refusal::Malformed`], [`Refusal::Signatures`].
    pub fn start(root: &[u8]) -> Result<Self, Refusal> {
        let root = Document::<Root>::parse(root, "root", "root")?;
        check_by_root(&root, "root", &root.body)?;
        Ok(Self { root, timestamp: None, snapshot: None, targets: BTreeMap::new() })
    }

    /// The root.
    pub fn root(&self) -> &Document<Root> {
        &self.root
    }

    /// The top-level targets, once fetched.
    pub fn targets(&self) -> Option<&Document<Targets>> {
        self.targets.get("targets")
    }

    /// The next root: signed by the present one's keys and its own, one version later (section 5.3).
    pub(crate) fn update_root(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let new = Document::<Root>::parse(bytes, "root", "root")?;
        check_by_root(&new, "root", &self.root.body)?;
        check_by_root(&new, "root", &new.body)?;
        let (role, found, expected) = ("root".to_owned(), new.version, self.root.version + 1);
        if found < expected {
            return Err(Refusal::RolledBack { role, found, trusted: self.root.version });
        }
        if found > expected {
            return Err(Refusal::WrongVersion { role, found, expected });
        }
        self.root = new;
        Ok(())
    }

    /// A timestamp; `false` if it is the one believed already (section 5.4).
    pub(crate) fn update_timestamp(&mut self, bytes: &[u8]) -> Result<bool, Refusal> {
        let new = Document::<Timestamp>::parse(bytes, "timestamp", "timestamp")?;
        check_by_root(&new, "timestamp", &self.root.body)?;
        let offered = snapshot_of(&new)?.version;
        if let Some(old) = &self.timestamp {
            let back = |role: &str, trusted, found| {
                Err(Refusal::RolledBack { role: role.to_owned(), trusted, found })
            };
            if new.version < old.version {
                return back("timestamp", old.version, new.version);
            }
            if new.version == old.version {
                return Ok(false);
            }
            let trusted = snapshot_of(old)?.version;
            if offered < trusted {
                return back("snapshot", trusted, offered);
            }
        }
        self.timestamp = Some(new);
        Ok(true)
    }

    /// The snapshot that the timestamp names (section 5.5). `listed`: whether its bytes must be the listed
    /// ones; an older one from the disk serves to notice a step back.
    pub(crate) fn update_snapshot(&mut self, bytes: &[u8], listed: bool) -> Result<(), Refusal> {
        let role = "snapshot";
        if listed {
            self.snapshot_listing()?.check(role, bytes)?;
        }
        let new = Document::<Snapshot>::parse(bytes, role, role)?;
        check_by_root(&new, role, &self.root.body)?;
        if let Some(old) = &self.snapshot {
            for (name, trusted) in &old.body.meta {
                let trusted = trusted.version;
                let role = name.strip_suffix(".json").unwrap_or(name).to_owned();
                let found = new.body.meta.get(name).map_or(0, |file| file.version);
                if found < trusted {
                    return Err(Refusal::RolledBack { role, trusted, found });
                }
            }
        }
        if listed {
            self.check_snapshot_version(&new)?;
        }
        self.snapshot = Some(new);
        Ok(())
    }

    /// Whether the snapshot at hand is the one that the timestamp names.
    pub(super) fn snapshot_is_current(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| self.check_snapshot_version(snapshot).is_ok())
    }

    fn check_snapshot_version(&self, snapshot: &Document<Snapshot>) -> Result<(), Refusal> {
        let (found, expected) = (snapshot.version, self.snapshot_listing()?.version);
        let role = "snapshot".to_owned();
        if found == expected {
            Ok(())
        } else {
            Err(Refusal::WrongVersion { role, found, expected })
        }
    }

    pub(crate) fn snapshot_listing(&self) -> Result<&MetaFile, Refusal> {
        snapshot_of(self.timestamp.as_ref().expect("a timestamp is fetched before the snapshot"))
    }

    /// How the snapshot lists a targets role.
    pub(super) fn targets_listing(&self, role: &str) -> Result<&MetaFile, Refusal> {
        let snapshot = self.snapshot.as_ref().expect("a snapshot is fetched before targets");
        let listing = snapshot.body.meta.get(&format!("{role}.json"));
        listing.ok_or_else(|| Refusal::malformed("snapshot", format!("{role} is not listed")))
    }

    /// Targets metadata of a role that `parent` delegated to, or the top-level role (section 5.6).
    pub(crate) fn update_targets(
        &mut self,
        bytes: &[u8],
        role: &str,
        parent: Option<&str>,
        now: UtcTime,
    ) -> Result<(), Refusal> {
        let listing = self.targets_listing(role)?;
        listing.check(role, bytes)?;
        let new = Document::<Targets>::parse(bytes, "targets", role)?;
        new.body.check(role)?;
        match parent {
            None => check_by_root(&new, role, &self.root.body)?,
            Some(parent) => {
                let (keys, role_keys) = self.delegation(parent, role)?;
                new.check_signatures(role, &role_keys, keys)?;
            }
        }
        let (found, expected) = (new.version, listing.version);
        if found != expected {
            return Err(Refusal::WrongVersion { role: role.to_owned(), found, expected });
        }
        new.check_expiry(role, now)?;
        self.targets.insert(role.to_owned(), new);
        Ok(())
    }

    /// Checks a role at hand against the keys that `parent` names for it.
    pub(super) fn check_delegated(&self, role: &str, parent: &str) -> Result<(), Refusal> {
        let (keys, role_keys) = self.delegation(parent, role)?;
        self.targets.get(role).expect("it is at hand").check_signatures(role, &role_keys, keys)
    }

    fn delegation(
        &self,
        parent: &str,
        role: &str,
    ) -> Result<(&BTreeMap<String, Value>, RoleKeys), Refusal> {
        let missing = || Refusal::malformed(parent, format!("it does not delegate to {role}"));
        let delegations =
            self.targets.get(parent).and_then(|parent| parent.body.delegations.as_ref());
        let delegations = delegations.ok_or_else(missing)?;
        let role = delegations.roles.iter().find(|delegated| delegated.name == role);
        Ok((&delegations.keys, role.ok_or_else(missing)?.role_keys()))
    }

    /// What a role at hand says of a path: the target, or which roles to ask next and whether nobody else.
    fn visit(&self, role: &str, path: &str) -> Answer {
        let targets = &self.targets.get(role).expect("it was fetched").body;
        if let Some(target) = targets.targets.get(path) {
            return Answer::Found(target.clone());
        }
        let (mut next, mut terminating) = (Vec::new(), false);
        let delegated = targets.delegations.iter().flat_map(|delegations| &delegations.roles);
        for child in delegated.filter(|child| child.covers(path)) {
            next.push(child.name.clone());
            if child.terminating {
                terminating = true;
                break;
            }
        }
        Answer::Ask { next, terminating }
    }
}

enum Answer {
    Found(TargetFile),
    Ask { next: Vec<String>, terminating: bool },
}

/// A search for a target: the top-level role first, then delegated ones in order, each before those it
/// delegates to (section 5.6.7).
pub(super) struct Search<'a> {
    path: &'a str,
    visited: BTreeSet<String>,
    /// Roles with who delegated to them; the last is asked next.
    stack: Vec<(String, Option<String>)>,
}

impl<'a> Search<'a> {
    pub(super) fn new(path: &'a str) -> Self {
        Self { path, visited: BTreeSet::new(), stack: vec![("targets".to_owned(), None)] }
    }

    /// The role whose metadata is to be at hand before [`Self::visit`], with who delegated to it.
    pub(super) fn next(&mut self) -> Result<Option<(String, Option<String>)>, Refusal> {
        while let Some((role, parent)) = self.stack.pop() {
            if self.visited.contains(&role) {
                continue;
            }
            if self.visited.len() > MAX_DELEGATIONS {
                let (target, max) = (self.path.to_owned(), MAX_DELEGATIONS);
                return Err(Refusal::TooManyDelegations { target, max });
            }
            return Ok(Some((role, parent)));
        }
        Ok(None)
    }

    pub(super) fn visit(&mut self, trusted: &Trusted, role: String) -> Option<TargetFile> {
        match trusted.visit(&role, self.path) {
            Answer::Found(target) => return Some(target),
            Answer::Ask { next, terminating } => {
                if terminating {
                    self.stack.clear();
                }
                self.stack.extend(next.into_iter().rev().map(|name| (name, Some(role.clone()))));
            }
        }
        self.visited.insert(role);
        None
    }
}

fn snapshot_of(timestamp: &Document<Timestamp>) -> Result<&MetaFile, Refusal> {
    let listing = timestamp.body.meta.get("snapshot.json");
    listing.ok_or_else(|| Refusal::malformed("timestamp", "it does not list snapshot.json"))
}

/// Checks a document against the role of that name in a root.
pub(crate) fn check_by_root<T: serde::de::DeserializeOwned>(
    document: &Document<T>,
    role: &str,
    root: &Root,
) -> Result<(), Refusal> {
    let keys = root.roles.get(role);
    let keys = keys.ok_or_else(|| Refusal::malformed("root", format!("it has no role {role}")))?;
    document.check_signatures(role, keys, &root.keys)
}
