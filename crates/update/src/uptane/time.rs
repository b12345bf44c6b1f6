//! The time, as somebody who signs it says.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::disk::{self, Disk};
use crate::tuf::{Document, Refusal, Root, UtcTime, check_by_root};

const PATH: &str = "time.json";
const MAX_BYTES: u64 = 64 << 10;

/// What a time server signs, as metadata of type `time` by the role `time` of the director's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// What time it was.
    pub time: UtcTime,
    /// Whom it answers.
    pub nonces: Vec<String>,
}

/// Whoever brings the time server's answer.
pub trait TimeSource {
    /// The signed answer to a nonce.
    ///
    /// # Errors
    /// In words, why there is none.
    fn attest(&self, nonce: &str) -> Result<Vec<u8>, String>;
}

/// Asks for the time, checks the answer, keeps it, and returns it. It must answer this nonce and not go
/// back behind the last answer that the director's present time key vouches for: a stolen key's far
/// future is forgotten when that key is replaced in the root.
///
/// # Errors
/// [`Error::Metadata`] of role `time`, [`Error::Io`].
pub fn attested_time(
    disk: &dyn Disk,
    source: &dyn TimeSource,
    nonce: &str,
    root: &Root,
) -> Result<UtcTime, Error> {
    let role = || "time".to_owned();
    let refuse = |refusal| Error::Metadata { repository: "director".to_owned(), refusal };
    // One that the disk lost does not hold a vehicle back.
    let last = disk::read_small(disk, PATH, MAX_BYTES)
        .ok()
        .flatten()
        .and_then(|bytes| checked(&bytes, root).ok())
        .map(|attestation| attestation.time);
    let bytes = source.attest(nonce).map_err(|why| {
        refuse(Refusal::Retrieval { role: role(), why: crate::tuf::Retrieval::Failed(why) })
    })?;
    let attestation = checked(&bytes, root).map_err(refuse)?;
    if !attestation.nonces.iter().any(|other| other == nonce) {
        return Err(refuse(Refusal::malformed(
            "time",
            "it does not answer this vehicle's question",
        )));
    }
    if let Some(last) = last
        && attestation.time < last
    {
        return Err(refuse(Refusal::TimeWentBack { trusted: last, found: attestation.time }));
    }
    disk::replace(disk, PATH, &bytes)?;
    Ok(attestation.time)
}

fn checked(bytes: &[u8], root: &Root) -> Result<Attestation, Refusal> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Refusal::malformed("time", "it is larger than any"));
    }
    let document = Document::<Attestation>::parse(bytes, "time", "time")?;
    check_by_root(&document, "time", root)?;
    Ok(document.body)
}
