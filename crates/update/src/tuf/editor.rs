//! Makes metadata. Signing is a step of its own on the finished file, so that a key can stay on a machine
//! without a network: carry the file there, [`sign`], carry it back.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Value, json};

use super::key::to_hex;
use super::{Hashes, KeyPair, MetaFile, PublicKey, Refusal, RoleKeys, UtcTime, key_id};
use crate::canonical::{self, Numbers};

/// The version of the specification that is followed.
const SPEC_VERSION: &str = "1.0.34";

/// What all metadata has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition {
    /// Counts up.
    pub version: u64,
    /// Until when it may be believed.
    pub expires: UtcTime,
}

/// An unsigned file of that type (`_type`).
pub fn unsigned<T: Serialize>(kind: &str, edition: Edition, body: &T) -> Vec<u8> {
    let mut signed = serde_json::to_value(body).expect("metadata is plain data");
    let members = signed.as_object_mut().expect("metadata is an object");
    members.insert("_type".to_owned(), kind.into());
    members.insert("spec_version".to_owned(), SPEC_VERSION.into());
    members.insert("version".to_owned(), edition.version.into());
    members.insert("expires".to_owned(), edition.expires.to_string().into());
    spelled(&json!({ "signatures": [], "signed": signed }))
}

/// The file with one more signature. One of the same key is replaced.
///
/// # Errors
/// [`Refusal::Malformed`] if it is no metadata.
pub fn sign(bytes: &[u8], key: &KeyPair) -> Result<Vec<u8>, Refusal> {
    let malformed = |why: String| Refusal::malformed("file", why);
    let mut envelope: Value =
        serde_json::from_slice(bytes).map_err(|cause| malformed(cause.to_string()))?;
    let signed = envelope.get("signed").filter(|signed| signed.is_object());
    let signed = signed.ok_or_else(|| malformed("it has nothing to sign".to_owned()))?;
    let message = canonical::bytes(signed, Numbers::Whole)
        .map_err(|number| malformed(format!("{number} is no whole number")))?;
    let signatures = envelope.get_mut("signatures").and_then(Value::as_array_mut);
    let signatures = signatures.ok_or_else(|| malformed("it has no signatures".to_owned()))?;
    signatures.retain(|signature| signature["keyid"] != key.id());
    signatures.push(json!({ "keyid": key.id(), "sig": to_hex(&key.sign(&message)) }));
    signatures.sort_by_key(|signature| signature["keyid"].as_str().map(str::to_owned));
    Ok(spelled(&envelope))
}

/// Canonical JSON with a line's end: the same metadata is the same bytes.
fn spelled(value: &Value) -> Vec<u8> {
    let mut bytes = canonical::bytes(value, Numbers::Any).expect("all numbers are allowed");
    bytes.push(b'\n');
    bytes
}

/// How another file lists this one.
pub fn listing(bytes: &[u8], version: u64) -> MetaFile {
    MetaFile { version, length: Some(bytes.len() as u64), hashes: Some(hashes(bytes)) }
}

/// SHA-256 of a small file.
pub fn hashes(bytes: &[u8]) -> Hashes {
    BTreeMap::from([("sha256".to_owned(), to_hex(digest(&SHA256, bytes).as_ref()))])
}

/// Keys and roles for a root file: who signs for what, and how many must.
pub fn roles(
    assignments: &[(&str, usize, &[PublicKey])],
) -> (BTreeMap<String, Value>, BTreeMap<String, RoleKeys>) {
    let (mut keys, mut roles) = (BTreeMap::new(), BTreeMap::new());
    for (role, threshold, members) in assignments {
        let keyids = members.iter().map(|key| {
            let id = key_id(key);
            keys.insert(id.clone(), serde_json::to_value(key).expect("a key is plain data"));
            id
        });
        let keyids = keyids.collect();
        roles.insert((*role).to_owned(), RoleKeys { keyids, threshold: *threshold });
    }
    (keys, roles)
}
