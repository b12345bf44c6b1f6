//! Two repositories and a vehicle that believes neither alone (Uptane 2.1).
//!
//! The *director* says what this vehicle is to install now; its keys are online. The *image* repository
//! says what exists at all; its root and targets keys are offline. A vehicle installs what both list with
//! the same content. A signed time answers a fresh nonce, so that old metadata cannot pass for new.

mod instruction;
mod time;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::bundle::{Manifest, Need, is_name};

pub use instruction::{Confirmed, Held, Highest, Installed, instruction};
pub(crate) use instruction::{check_needs, orders};
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

impl Identity {
    /// Checks that names are names and computers are told apart.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn check(&self) -> Result<(), Error> {
        let names = [&self.vehicle].into_iter();
        let names = names.chain(self.ecus.iter().flat_map(|ecu| [&ecu.id, &ecu.hardware]));
        let mut ids = BTreeSet::new();
        let problem = if let Some(name) = names.into_iter().find(|name| !is_name(name)) {
            format!("{name:?} is no name: give letters, digits, '-', '_' and '.'")
        } else if let Some(ecu) = self.ecus.iter().find(|ecu| !ids.insert(&ecu.id)) {
            format!("it has two computers called {}", ecu.id)
        } else if self.ecus.is_empty() {
            "it has no computer".to_owned()
        } else {
            return Ok(());
        };
        Err(Error::State { problem })
    }
}

/// What a director says of a target beyond its content.
///
/// A vehicle that understood half of this could do harm, so that it refuses what it does not know: another
/// `format`, or a member that the format does not have. Whoever adds a member raises the number, and lists
/// targets in the old format for as long as vehicles need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectorCustom {
    /// [`Self::FORMAT`].
    pub format: String,
    /// Which computers are to run it.
    pub ecus: Vec<String>,
}

impl DirectorCustom {
    /// What `format` must be.
    pub const FORMAT: &str = "ommatidia-director/1";

    /// These computers are to run it.
    pub fn new(ecus: Vec<String>) -> Self {
        Self { format: Self::FORMAT.to_owned(), ecus }
    }
}

/// What the image repository says of a bundle beyond its content: what its manifest says, for those who do
/// not have the bundle yet. Read as [`DirectorCustom`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageCustom {
    /// [`Self::FORMAT`].
    pub format: String,
    /// The bundle's name.
    pub product: String,
    /// The bundle's release; a vehicle never goes back.
    pub release: u64,
    /// Kinds of computer it is for.
    pub hardware: Vec<String>,
    /// What else the vehicle must run with it.
    pub needs: Vec<Need>,
}

impl ImageCustom {
    /// What `format` must be.
    pub const FORMAT: &str = "ommatidia-image/1";

    /// What that manifest says.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            product: manifest.name.clone(),
            release: manifest.release,
            hardware: manifest.requires.hardware.clone(),
            needs: manifest.needs.clone(),
        }
    }
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

/// Whether a target is a delta and not a bundle.
pub(crate) fn is_delta(target: &str) -> bool {
    target.starts_with("deltas/")
}

/// Where the image repository lists the delta between two bundles, named by their SHA-256.
pub fn delta_target(from_sha256: &str, to_sha256: &str) -> String {
    format!("deltas/{from_sha256}.{to_sha256}")
}
