//! Keys and signatures: Ed25519 for our own; ECDSA on P-256 and RSA, too, for foreign repositories.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Error;
use crate::canonical::{self, Numbers};

/// What of a key everyone may know, as metadata spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublicKey {
    /// `ed25519`, `ecdsa` or `rsa`.
    pub keytype: String,
    /// How it signs.
    pub scheme: String,
    /// The key.
    pub keyval: KeyValue,
}

/// The key itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyValue {
    /// Hexadecimal for Ed25519, else PEM of a `SubjectPublicKeyInfo`.
    pub public: String,
}

/// SHA-256 of a key's canonical form: the name under which metadata lists it (section 4.2).
pub fn key_id(key: &PublicKey) -> String {
    let value = json!({ "keytype": key.keytype, "scheme": key.scheme, "keyval": { "public": key.keyval.public } });
    let bytes = canonical::bytes(&value, Numbers::Whole).expect("a key holds no numbers");
    to_hex(digest(&SHA256, &bytes).as_ref())
}

impl PublicKey {
    /// Whether this key made that signature. A key of a kind that is not known here made none.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.decoded().is_some_and(|(algorithm, key)| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        })
    }

    /// The key itself, however it was spelled, and how it signs; nothing if that is not known here.
    pub(super) fn decoded(&self) -> Option<(&'static dyn VerificationAlgorithm, Vec<u8>)> {
        let public = &self.keyval.public;
        let (algorithm, key): (&'static dyn VerificationAlgorithm, _) =
            match (self.keytype.as_str(), self.scheme.as_str()) {
                ("ed25519", "ed25519") => (&signature::ED25519, from_hex(public)),
                ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                    (&signature::ECDSA_P256_SHA256_ASN1, pem_key(public, P256))
                }
                ("rsa", "rsassa-pss-sha256") => {
                    (&signature::RSA_PSS_2048_8192_SHA256, pem_key(public, RSA))
                }
                ("rsa", "rsa-pkcs1v15-sha256") => {
                    (&signature::RSA_PKCS1_2048_8192_SHA256, pem_key(public, RSA))
                }
                _ => return None,
            };
        Some((algorithm, key?))
    }
}

/// `SEQUENCE { OID id-ecPublicKey, OID prime256v1 }`.
const P256: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// `SEQUENCE { OID rsaEncryption, NULL }`.
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// The bits of a `SubjectPublicKeyInfo` of that algorithm (RFC 5280, section 4.1).
fn pem_key(pem: &str, algorithm: &[u8]) -> Option<Vec<u8>> {
    let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
    let body = body.strip_suffix("-----END PUBLIC KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    let der = BASE64_STANDARD.decode(body).ok()?;
    let (info, rest) = der_content(&der, 0x30)?;
    let (bits, end) = der_content(info.strip_prefix(algorithm)?, 0x03)?;
    let key = bits.strip_prefix(&[0])?;
    (rest.is_empty() && end.is_empty()).then(|| key.to_vec())
}

/// Content of the element with that tag, and what follows it.
fn der_content(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, bytes) = bytes.split_first()?;
    let (&short, bytes) = bytes.split_first()?;
    let (length, bytes) = match short {
        0..=0x7f => (usize::from(short), bytes),
        0x81..=0x83 => {
            let (digits, bytes) = bytes.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), bytes)
        }
        _ => return None,
    };
    (first == tag).then(|| bytes.split_at_checked(length)).flatten()
}

/// An Ed25519 key that signs. Its seed is all there is to keep secret.
pub struct KeyPair {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.id())
    }
}

impl KeyPair {
    /// The key with that seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed is any 32 bytes");
        Self { seed, pair }
    }

    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// [`Error::Io`] if the system has none.
    pub fn generate() -> Result<Self, Error> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| {
            Error::io(
                "cannot make a key",
                std::io::Error::other("the system has no random numbers"),
            )
        })?;
        Ok(Self::from_seed(seed))
    }

    /// What must be kept secret.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// What everyone may know.
    pub fn public(&self) -> PublicKey {
        PublicKey {
            keytype: "ed25519".to_owned(),
            scheme: "ed25519".to_owned(),
            keyval: KeyValue { public: to_hex(self.pair.public_key().as_ref()) },
        }
    }

    /// Its name in metadata.
    pub fn id(&self) -> String {
        key_id(&self.public())
    }

    /// Signs; the same message gets the same signature.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// Lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn a_published_signature() {
        let seed =
            from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let pair = KeyPair::from_seed(seed.try_into().unwrap());
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(pair.public().keyval.public, public);
        let signature = pair.sign(&[0x72]);
        assert_eq!(&to_hex(&signature)[..16], "92a009a9f0d4cab8");
        assert!(pair.public().verifies(&[0x72], &signature));
        assert!(!pair.public().verifies(&[0x73], &signature));
    }

    #[test]
    fn keys_that_are_none_verify_nothing() {
        for (keytype, scheme, public) in [
            ("ed25519", "ed25519", "zz"),
            ("x", "y", ""),
            (
                "rsa",
                "rsassa-pss-sha256",
                "-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----",
            ),
        ] {
            let keyval = KeyValue { public: public.to_owned() };
            let key = PublicKey { keytype: keytype.to_owned(), scheme: scheme.to_owned(), keyval };
            assert!(!key.verifies(b"", &[0; 64]));
        }
    }
}
