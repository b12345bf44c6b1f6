//! Two repositories and a vehicle that believes neither alone (Uptane 2.1).
//!
//! The *director* says what this vehicle is to install now; its keys are online. The *image* repository
//! says what exists at all; its root and targets keys are offline. A vehicle installs what both list with
//! the same content. A signed time answers a fresh nonce, so that old metadata cannot pass for new.

mod instruction;
mod time;

use serde::{Deserialize, Serialize};

pub use instruction::{Installed, instruction};
pub use time::{Attestation, TimeSource, attested_time};

/// One computer of a vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ecu {
    /// Its name in this vehicle.
    pub id: String,
    /// Its kind, as bundles name it.
    pub hardware: String,
}

/// Who a vehicle is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Its name in the fleet.
    pub vehicle: String,
    /// Its computers.
    pub ecus: Vec<Ecu>,
}

/// What a director says of a target beyond its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorCustom {
    /// Which computers are to run it.
    pub ecus: Vec<String>,
}

/// What the image repository says of a bundle beyond its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageCustom {
    /// The bundle's name.
    pub product: String,
    /// The bundle's release; a vehicle never goes back.
    pub release: u64,
    /// Kinds of computer it is for.
    pub hardware: Vec<String>,
    /// What else the vehicle must run with it.
    #[serde(default)]
    pub needs: Vec<Need>,
}

/// Releases of another bundle that one goes together with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The other bundle's name.
    pub product: String,
    /// The first release that fits.
    pub from_release: u64,
    /// The last release that fits.
    pub to_release: u64,
}

/// A bundle that both repositories vouch for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its path in the image repository.
    pub target: String,
    /// The bundle's name.
    pub product: String,
    /// The bundle's release.
    pub release: u64,
    /// Its content, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// What else the vehicle must run with it.
    pub needs: Vec<Need>,
}

/// Where the image repository lists the delta between two bundles, named by their SHA-256.
pub fn delta_target(from_sha256: &str, to_sha256: &str) -> String {
    format!("deltas/{from_sha256}.{to_sha256}")
}
