//! The Update Framework: who may say what is in a repository, and how a client that trusts only a root
//! file finds out. TUF specification 1.0; parts are cited by its sections.

mod client;
mod glob;
mod key;
mod metadata;
mod time;
mod trusted;

pub mod editor;

use std::fmt;

use thiserror::Error;

pub use client::{Link, Repository, Retrieval, Transport, Unavailable, Watch};
pub use key::{KeyPair, KeyValue, PublicKey, key_id};
pub use metadata::{
    DelegatedRole, Delegations, Document, Hashes, MetaFile, RoleKeys, Root, Snapshot, TargetFile,
    Targets, Timestamp,
};
pub use time::UtcTime;
pub use trusted::Trusted;

pub(crate) use key::to_hex;
pub(crate) use trusted::check_by_root;

/// Why metadata was not believed. Each names the role: `root`, `timestamp`, `snapshot`, `targets`, `time`
/// or a delegated role's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not what metadata looks like.
    #[error("{role} metadata is malformed: {why}")]
    Malformed {
        /// The role.
        role: String,
        /// What is wrong.
        why: String,
    },
    /// Too few of the role's keys signed it.
    #[error("{role} metadata has {valid} good signatures of the {threshold} it needs")]
    Signatures {
        /// The role.
        role: String,
        /// How many keys signed it.
        valid: usize,
        /// How many must.
        threshold: usize,
    },
    /// It is too old to be believed.
    #[error("{role} metadata expired at {expires}, and it is {now}")]
    Expired {
        /// The role.
        role: String,
        /// When it ended.
        expires: UtcTime,
        /// The attested time.
        now: UtcTime,
    },
    /// It is older than what was believed before.
    #[error("{role} metadata goes back from version {trusted} to {found}")]
    RolledBack {
        /// The role.
        role: String,
        /// Version believed.
        trusted: u64,
        /// Version offered.
        found: u64,
    },
    /// It is earlier than the last time that was believed.
    #[error("the time goes back from {trusted} to {found}")]
    TimeWentBack {
        /// Time believed.
        trusted: UtcTime,
        /// Time offered.
        found: UtcTime,
    },
    /// It is not the version that what lists it names.
    #[error("{role} metadata has version {found} instead of {expected}")]
    WrongVersion {
        /// The role.
        role: String,
        /// Version named.
        expected: u64,
        /// Version offered.
        found: u64,
    },
    /// It is not the content that what lists it names.
    #[error("{role} metadata is not the one that is listed: its {what} differs")]
    NotListed {
        /// The role.
        role: String,
        /// Length, or a hash's name.
        what: String,
    },
    /// It could not be had.
    #[error("{role} metadata could not be fetched: {why}")]
    Retrieval {
        /// The role.
        role: String,
        /// What happened.
        why: Retrieval,
    },
    /// What is kept on the disk cannot be read or written.
    #[error("{role} metadata on the disk: {why}")]
    Disk {
        /// The role.
        role: String,
        /// What the system said.
        why: String,
    },
    /// More delegations than are followed.
    #[error("the search for {target} passed through more than {max} delegations")]
    TooManyDelegations {
        /// What was looked for.
        target: String,
        /// How many are followed.
        max: usize,
    },
}

impl Refusal {
    /// Whether the machine or the network is at fault and not what was said.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Disk { .. } => true,
            Self::Retrieval { why, .. } => why.is_interruption(),
            _ => false,
        }
    }

    pub(crate) fn malformed(role: &str, why: impl fmt::Display) -> Self {
        Self::Malformed { role: role.to_owned(), why: why.to_string() }
    }
}
