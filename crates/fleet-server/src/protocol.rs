//! How vehicles prove who they are.
//!
//! A vehicle makes a key and signs everything it sends with it ([`sign`]). At enrolment the server answers
//! with a [`Credential`]: vehicle, key, group and attributes under the server's signature. The vehicle
//! sends it along, so that a server knows whose key it is without asking the database.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ommatidia_fleet::filter::Attributes;
use ommatidia_update::tuf::{KeyPair, KeyValue, PublicKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Header with a vehicle's credential.
pub const CREDENTIAL: &str = "omma-credential";
/// Header with the time of a request, or the server's in an answer, seconds since 1970.
pub const TIME: &str = "omma-time";
/// Header with the signature of a request.
pub const SIGNATURE: &str = "omma-signature";
/// Header with the server's signature of a document.
pub const DOCUMENT_SIGNATURE: &str = "omma-document-signature";
/// Longest credential, bytes: sixteen attributes at their longest fit.
pub const MAX_CREDENTIAL: usize = 6144;

/// What a vehicle asks for first, signed with the key it names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Its name.
    pub vehicle: String,
    /// Its public key (Ed25519), hexadecimal.
    pub key: String,
    /// The token that lets one vehicle in.
    pub token: String,
    /// What it says of itself. What the token says counts more.
    #[serde(default)]
    pub attributes: Attributes,
}

/// What the server vouches for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The vehicle.
    pub vehicle: String,
    /// Its group.
    pub group: String,
    /// Its public key (Ed25519), hexadecimal.
    pub key: String,
    /// Which of the vehicle's enrolments, from 1.
    pub generation: u64,
    /// What is known of it.
    pub attributes: Attributes,
}

/// The answer to an enrolment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enrolled {
    /// To send with every request.
    pub credential: String,
    /// Key that signs documents and credentials, hexadecimal.
    pub server_key: String,
    /// Its group: where to ask.
    pub group: String,
}

const REQUEST: &str = "ommatidia-fleet-request-1";
const CREDENTIALS: &str = "ommatidia-fleet-credential-1";
const DOCUMENT: &str = "ommatidia-fleet-document-1";

/// What a request's signature is over. `path`: with its query, as sent.
fn request(method: &str, path: &str, time: u64, body: &[u8]) -> Vec<u8> {
    format!("{REQUEST}\n{method}\n{path}\n{time}\n{}", blake3::hash(body).to_hex()).into_bytes()
}

fn in_context(context: &str, bytes: &[u8]) -> Vec<u8> {
    [context.as_bytes(), b"\n", bytes].concat()
}

/// A vehicle's signature of a request.
pub fn sign(key: &KeyPair, method: &str, path: &str, time: u64, body: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key.sign(&request(method, path, time, body)))
}

/// Whether the key (hexadecimal) made that signature of a request.
pub fn verifies(
    key: &str,
    signature: &str,
    (method, path): (&str, &str),
    time: u64,
    body: &[u8],
) -> bool {
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
    signature.is_ok_and(|signature| {
        ed25519(key).verifies(&request(method, path, time, body), &signature)
    })
}

/// The credential as it is sent.
pub(crate) fn issue(server: &KeyPair, credential: &Credential) -> String {
    let json = serde_json::to_vec(credential).expect("a credential is plain data");
    let signature = server.sign(&in_context(CREDENTIALS, &json));
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}", encode(&json), encode(&signature))
}

/// The credential, if the server made it.
pub(crate) fn believe(server: &PublicKey, sent: &str) -> Option<Credential> {
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let (json, signature) = sent.split_once('.')?;
    let json = decode(json)?;
    let good = server.verifies(&in_context(CREDENTIALS, &json), &decode(signature)?);
    good.then(|| serde_json::from_slice(&json).ok()).flatten()
}

/// The server's signature of a document.
pub(crate) fn sign_document(server: &KeyPair, body: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(server.sign(&in_context(DOCUMENT, body)))
}

/// Whether the server (key hexadecimal) signed that document: what a vehicle checks before it believes a
/// cache.
pub fn document_verifies(server_key: &str, body: &[u8], signature: &str) -> bool {
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
    signature.is_ok_and(|signature| {
        ed25519(server_key).verifies(&in_context(DOCUMENT, body), &signature)
    })
}

/// The key of that hexadecimal spelling; one that is none verifies nothing.
pub(crate) fn ed25519(public: &str) -> PublicKey {
    let ed25519 = || "ed25519".to_owned();
    let keyval = KeyValue { public: public.to_owned() };
    PublicKey { keytype: ed25519(), scheme: ed25519(), keyval }
}

/// A secret of 256 bits that tells what it is for.
pub(crate) fn random_secret(what: &str) -> Result<String, Error> {
    let mut bytes = [0; 32];
    let none = |_| Error::io("random numbers", std::io::Error::other("the system has none"));
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(format!("omma-{what}-{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// Under which a secret is kept. Secrets are random and long: a slow hash would add nothing.
pub(crate) fn secret_hash(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_hold_for_what_was_signed_and_nothing_else() {
        let key = KeyPair::from_seed([1; 32]);
        let public = key.public().keyval.public;
        let signature = sign(&key, "POST", "/v1/reports", 7, b"body");
        let check = |good: bool, key: &str, method: &str, path: &str, time: u64, body: &[u8]| {
            assert_eq!(verifies(key, &signature, (method, path), time, body), good);
        };
        check(true, &public, "POST", "/v1/reports", 7, b"body");
        check(false, &public, "GET", "/v1/reports", 7, b"body");
        check(false, &public, "POST", "/v1/reports?x", 7, b"body");
        check(false, &public, "POST", "/v1/reports", 8, b"body");
        check(false, &public, "POST", "/v1/reports", 7, b"body2");
        check(false, "00", "POST", "/v1/reports", 7, b"body");
    }

    #[test]
    fn credentials_are_believed_as_issued_only() {
        let server = KeyPair::from_seed([2; 32]);
        let credential = Credential {
            vehicle: "VIN1".to_owned(),
            group: "cars".to_owned(),
            key: "00".repeat(32),
            generation: 1,
            attributes: Attributes::new(),
        };
        let sent = issue(&server, &credential);
        assert_eq!(believe(&server.public(), &sent), Some(credential));
        assert_eq!(believe(&KeyPair::from_seed([3; 32]).public(), &sent), None);
        assert_eq!(believe(&server.public(), &sent.replacen('e', "f", 1)), None);
        assert_eq!(believe(&server.public(), ""), None);
    }
}
