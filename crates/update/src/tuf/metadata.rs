//! Metadata files: an envelope of signatures around the canonical form of what is signed.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA256, SHA512, digest};
use ring::signature::UnparsedPublicKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::{from_hex, to_hex};
use super::{PublicKey, Refusal, UtcTime};
use crate::canonical::{self, Numbers};

/// Roles that nobody can be delegated as.
const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];
/// Longest name of a delegated role, percent-encoded: with its version and its place on the disk it stays
/// within the 255 bytes that file systems allow.
const MAX_ROLE_NAME: usize = 200;

/// Hashes by algorithm, hexadecimal.
pub type Hashes = BTreeMap<String, String>;

/// The root of trust: which keys make up each role (section 4.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Root {
    /// Whether file names carry versions and hashes.
    #[serde(default)]
    pub consistent_snapshot: bool,
    /// Keys by id. Kinds that are not known are kept and verify nothing.
    pub keys: BTreeMap<String, Value>,
    /// Which of them make up a role, and how many must sign.
    pub roles: BTreeMap<String, RoleKeys>,
}

/// Who may sign for a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// Ids of keys.
    pub keyids: Vec<String>,
    /// How many different ones must sign.
    pub threshold: usize,
}

/// What the newest snapshot is (section 4.6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timestamp {
    /// `snapshot.json` alone.
    pub meta: BTreeMap<String, MetaFile>,
}

/// Which versions of targets metadata belong together (section 4.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// By file name.
    pub meta: BTreeMap<String, MetaFile>,
}

/// A metadata file as another lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaFile {
    /// Its version.
    pub version: u64,
    /// Its size, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Its content, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
}

/// What may be installed (section 4.5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Targets {
    /// By path.
    pub targets: BTreeMap<String, TargetFile>,
    /// Who else may list targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegations: Option<Delegations>,
    /// In a director repository: the vehicle that this instruction is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
    /// In a director repository: contents (SHA-256, hexadecimal) that the vehicle must not run. If it runs
    /// one, it returns to its other slot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<String>,
}

/// A file that may be installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetFile {
    /// Its size.
    pub length: u64,
    /// Its content.
    pub hashes: Hashes,
    /// What else its signer says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Value>,
}

/// Who else may list targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delegations {
    /// Keys by id.
    pub keys: BTreeMap<String, Value>,
    /// In the order in which they are asked.
    pub roles: Vec<DelegatedRole>,
}

/// One who may list some targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegatedRole {
    /// Names its metadata file.
    pub name: String,
    /// Ids of keys.
    pub keyids: Vec<String>,
    /// How many different ones must sign.
    pub threshold: usize,
    /// Whether nobody behind it is asked for its paths.
    pub terminating: bool,
    /// Patterns of paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// Instead of patterns: how SHA-256 of a path may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_hash_prefixes: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Envelope {
    signatures: Vec<Signature>,
    signed: Value,
}

#[derive(Deserialize)]
struct Signature {
    keyid: String,
    sig: String,
}

#[derive(Deserialize)]
struct Common {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    version: u64,
    expires: UtcTime,
}

/// A metadata file that was read and not yet believed.
#[derive(Debug, Clone)]
pub struct Document<T> {
    /// What it says.
    pub body: T,
    /// Counts up.
    pub version: u64,
    /// Until when it may be believed.
    pub expires: UtcTime,
    /// The file as it came.
    pub bytes: Vec<u8>,
    message: Vec<u8>,
    signatures: BTreeMap<String, String>,
}

impl<T: DeserializeOwned> Document<T> {
    /// Reads a file of that type (`_type`); `role` is named in errors.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn parse(bytes: &[u8], kind: &str, role: &str) -> Result<Self, Refusal> {
        let malformed = |why: String| Refusal::malformed(role, why);
        let envelope: Envelope =
            serde_json::from_slice(bytes).map_err(|cause| malformed(cause.to_string()))?;
        let message = canonical::bytes(&envelope.signed, Numbers::Whole)
            .map_err(|number| malformed(format!("{number} is no whole number")))?;
        let common =
            Common::deserialize(&envelope.signed).map_err(|cause| malformed(cause.to_string()))?;
        if common.kind != kind {
            return Err(malformed(format!("it is of type {:?} instead of {kind:?}", common.kind)));
        }
        if common.spec_version != "1" && !common.spec_version.starts_with("1.") {
            return Err(malformed(format!("it follows specification {}", common.spec_version)));
        }
        if common.version == 0 {
            return Err(malformed("versions count from 1".to_owned()));
        }
        let body =
            T::deserialize(&envelope.signed).map_err(|cause| malformed(cause.to_string()))?;
        let mut signatures = BTreeMap::new();
        for Signature { keyid, sig } in envelope.signatures {
            if signatures.insert(keyid, sig).is_some() {
                return Err(malformed("a key signed it twice".to_owned()));
            }
        }
        let Common { version, expires, .. } = common;
        Ok(Self { body, version, expires, bytes: bytes.to_vec(), message, signatures })
    }

    /// Checks that enough of `role`'s keys signed it. A key under two names or in two spellings counts once.
    ///
    /// # Errors
    /// [`Refusal::Signatures`].
    pub fn check_signatures(
        &self,
        name: &str,
        role: &RoleKeys,
        keys: &BTreeMap<String, Value>,
    ) -> Result<(), Refusal> {
        let mut signers = BTreeSet::new();
        for id in &role.keyids {
            let key = keys.get(id).and_then(|key| PublicKey::deserialize(key).ok());
            let signature = self.signatures.get(id).and_then(|signature| from_hex(signature));
            if let (Some(key), Some(signature)) = (key, signature)
                && let Some((algorithm, key)) = key.decoded()
                && UnparsedPublicKey::new(algorithm, &key).verify(&self.message, &signature).is_ok()
            {
                signers.insert(key);
            }
        }
        let (valid, threshold) = (signers.len(), role.threshold);
        if threshold == 0 || valid < threshold {
            return Err(Refusal::Signatures { role: name.to_owned(), valid, threshold });
        }
        Ok(())
    }

    /// Checks that it may still be believed.
    ///
    /// # Errors
    /// [`Refusal::Expired`].
    pub fn check_expiry(&self, role: &str, now: UtcTime) -> Result<(), Refusal> {
        if self.expires <= now {
            return Err(Refusal::Expired { role: role.to_owned(), expires: self.expires, now });
        }
        Ok(())
    }
}

impl MetaFile {
    /// Checks that these are the bytes it lists.
    ///
    /// # Errors
    /// [`Refusal::NotListed`].
    pub fn check(&self, role: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let differs =
            |what: &str| Refusal::NotListed { role: role.to_owned(), what: what.to_owned() };
        if self.length.is_some_and(|length| length != bytes.len() as u64) {
            return Err(differs("length"));
        }
        let Some(hashes) = &self.hashes else { return Ok(()) };
        check_hashes(hashes, bytes).map_err(|what| differs(&what))
    }
}

/// All hashes of known kinds must agree, and there must be one; else the kind at fault.
fn check_hashes(hashes: &Hashes, bytes: &[u8]) -> Result<(), String> {
    let mut known = false;
    for (name, algorithm) in [("sha256", &SHA256), ("sha512", &SHA512)] {
        let Some(expected) = hashes.get(name) else { continue };
        known = true;
        if !expected.eq_ignore_ascii_case(&to_hex(digest(algorithm, bytes).as_ref())) {
            return Err(name.to_owned());
        }
    }
    known.then_some(()).ok_or_else(|| "kind of hash".to_owned())
}

impl Targets {
    /// Checks that names and hashes can be parts of addresses and of files' names.
    pub(super) fn check(&self, role: &str) -> Result<(), Refusal> {
        let malformed = |why: String| Err(Refusal::malformed(role, why));
        let delegated = self.delegations.iter().flat_map(|delegations| &delegations.roles);
        for DelegatedRole { name, .. } in delegated {
            if TOP_LEVEL.contains(&name.as_str()) {
                return malformed(format!("it delegates to {name}, which is a top-level role"));
            }
            if name.is_empty() || encoded(name).len() > MAX_ROLE_NAME {
                return malformed(
                    "it delegates to a role with no name or too long a one".to_owned(),
                );
            }
        }
        for (name, target) in &self.targets {
            if name.split('/').any(|part| matches!(part, "." | "..")) {
                return malformed(format!("target {name:?} leads out of its directory"));
            }
            if target.hashes.values().any(|hash| from_hex(hash).is_none_or(|hash| hash.is_empty()))
            {
                return malformed(format!("target {name:?} has a hash that is not hexadecimal"));
            }
        }
        Ok(())
    }
}

impl TargetFile {
    /// Where a repository serves it: with its hash before the last part of its name where names carry
    /// hashes (section 6.2). Percent-encoded but for `/`.
    pub fn path(&self, name: &str, consistent_snapshot: bool) -> String {
        let (directory, file) = name.rsplit_once('/').unwrap_or(("", name));
        let hash = self.hashes.get("sha256").or_else(|| self.hashes.values().next());
        let file = match hash.filter(|_| consistent_snapshot) {
            Some(hash) => format!("{hash}.{}", encoded(file)),
            None => encoded(file),
        };
        let directory = directory.split('/').filter(|part| !part.is_empty());
        directory.map(|part| encoded(part) + "/").collect::<String>() + &file
    }

    /// Checks that these are its bytes.
    ///
    /// # Errors
    /// [`Refusal::NotListed`].
    pub fn check(&self, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let (length, hashes) = (Some(self.length), Some(self.hashes.clone()));
        MetaFile { version: 1, length, hashes }.check(name, bytes)
    }
}

/// A name as a part of an address or a file's name: everything but letters, digits, `-`, `_`, `.` and `~`
/// as `%` and two digits.
pub(super) fn encoded(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

impl DelegatedRole {
    /// Whether it may list that path (section 4.5).
    pub fn covers(&self, path: &str) -> bool {
        let by_pattern =
            self.paths.iter().flatten().any(|pattern| super::glob::matches(pattern, path));
        let hash = to_hex(digest(&SHA256, path.as_bytes()).as_ref());
        by_pattern
            || self.path_hash_prefixes.iter().flatten().any(|prefix| hash.starts_with(prefix))
    }

    /// Who may sign for it.
    pub fn role_keys(&self) -> RoleKeys {
        RoleKeys { keyids: self.keyids.clone(), threshold: self.threshold }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tuf::editor::{self, Edition};
    use crate::tuf::{KeyPair, key_id};

    #[test]
    fn a_key_in_two_spellings_counts_once() {
        let pair = KeyPair::from_seed([1; 32]);
        let mut shouted = pair.public();
        shouted.keyval.public = shouted.keyval.public.to_uppercase();
        let ids = [pair.id(), key_id(&shouted)];
        let spellings = [pair.public(), shouted].map(|key| serde_json::to_value(key).unwrap());
        let keys = ids.iter().cloned().zip(spellings).collect();
        let edition = Edition { version: 1, expires: UtcTime(0) };
        let signed = editor::sign(&editor::unsigned("x", edition, &json!({})), &pair).unwrap();
        let mut signed: Value = serde_json::from_slice(&signed).unwrap();
        let mut again = signed["signatures"][0].clone();
        again["keyid"] = ids[1].as_str().into();
        signed["signatures"].as_array_mut().unwrap().push(again);
        let document = Document::<Value>::parse(signed.to_string().as_bytes(), "x", "x").unwrap();
        let check = |threshold| {
            document.check_signatures("x", &RoleKeys { keyids: ids.to_vec(), threshold }, &keys)
        };
        assert_eq!(check(1), Ok(()));
        let role = "x".to_owned();
        assert_eq!(check(2), Err(Refusal::Signatures { role, valid: 1, threshold: 2 }));
    }

    #[test]
    fn names_and_hashes_stay_within_their_directories() {
        let check = |role: &str, target: &str, hash: &str, expected: Option<&str>| {
            let targets = json!({
                "targets": { target: { "length": 1, "hashes": { "sha256": hash } } },
                "delegations": { "keys": {}, "roles": [
                    { "name": role, "keyids": [], "threshold": 1, "terminating": false, "paths": [] },
                ] },
            });
            let targets: Targets = serde_json::from_value(targets).unwrap();
            match (targets.check("targets"), expected) {
                (Ok(()), None) => {}
                (Err(refusal), Some(expected)) if refusal.to_string().contains(expected) => {}
                (other, _) => panic!("{role} {target} {hash}: {other:?}"),
            }
        };
        check("../releases", "a/b..c/.d", "0a", None);
        for role in ["root", "timestamp", "snapshot", "targets"] {
            check(role, "a", "0a", Some("which is a top-level role"));
        }
        check("", "a", "0a", Some("no name"));
        check(&"x".repeat(201), "a", "0a", Some("too long"));
        check(&"/".repeat(67), "a", "0a", Some("too long"));
        check("x", "a/../b", "0a", Some("leads out"));
        check("x", ".", "0a", Some("leads out"));
        check("x", "a", "../0a", Some("not hexadecimal"));
        check("x", "a", "", Some("not hexadecimal"));
    }
}
