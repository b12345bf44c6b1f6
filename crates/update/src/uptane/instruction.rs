//! What both repositories together tell a vehicle to run.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DirectorCustom, Identity, Image, ImageCustom};
use crate::Error;
use crate::bundle::is_name;
use crate::tuf::{Refusal, Repository, TargetFile, Targets};

/// What runs on each computer, by its id.
pub type Installed = BTreeMap<String, Image>;

/// By computer and product, the highest release that ran well there.
pub type Highest = BTreeMap<String, BTreeMap<String, Confirmed>>;

/// A release that ran well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// Its number.
    pub release: u64,
    /// Its content, hexadecimal.
    pub sha256: String,
}

/// What a vehicle knows of its releases.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// What is active.
    pub active: &'a Installed,
    /// What it does not go back behind.
    pub highest: &'a Highest,
}

/// The director's targets, if they are for this vehicle.
///
/// # Errors
/// [`Error::Instruction`].
pub(crate) fn orders<'a>(
    identity: &Identity,
    director: &'a Repository<'_>,
) -> Result<&'a Targets, Error> {
    let targets = &director.trusted().targets().expect("the director was refreshed").body;
    if targets.vehicle.as_deref() != Some(&identity.vehicle) {
        let whom = targets.vehicle.as_deref().unwrap_or("no vehicle");
        return refuse(format!("the director instructs {whom}, and this is {}", identity.vehicle));
    }
    if targets.delegations.is_some() {
        return refuse("the director delegates, which only the image repository may".to_owned());
    }
    let (targets_count, computers) = (targets.targets.len(), identity.ecus.len());
    if targets_count > computers {
        return refuse(format!(
            "the director assigns {targets_count} images to {computers} computers"
        ));
    }
    Ok(targets)
}

/// Reads the director's targets, finds each in the image repository, and returns everything that the
/// vehicle would run afterwards: all of it or nothing. Both repositories are fresh.
///
/// # Errors
/// [`Error::Instruction`] if the two contradict each other, name another vehicle, a computer it does not
/// have or one twice, another kind of hardware, a release that is revoked or older than one that ran well,
/// or releases that do not go together; [`Error::Metadata`] from the search.
pub fn instruction(
    identity: &Identity,
    held: Held<'_>,
    director: &Repository<'_>,
    image: &mut Repository<'_>,
) -> Result<Installed, Error> {
    let targets = orders(identity, director)?;
    let mut assigned = Installed::new();
    for (name, directed) in &targets.targets {
        let custom: DirectorCustom = custom(name, directed, DirectorCustom::FORMAT)?;
        if custom.ecus.is_empty() {
            return refuse(format!("{name} is for no computer"));
        }
        let listed = image
            .find(name)
            .map_err(|refusal| Error::Metadata { repository: "image".to_owned(), refusal })?;
        let Some(listed) = listed else {
            return refuse(format!("{name} is not in the image repository"));
        };
        let (found, kinds) = agreed(name, directed, &listed)?;
        if targets.revoked.contains(&found.sha256) {
            return refuse(format!("the director assigns {name} and revokes it"));
        }
        for id in custom.ecus {
            assign(identity, held, &mut assigned, id, &found, &kinds)?;
        }
    }
    let mut after = held.active.clone();
    after.extend(assigned);
    check_needs(&after)?;
    Ok(after)
}

/// The image and the kinds of computer it is for, if both list the same content.
fn agreed(
    name: &str,
    directed: &TargetFile,
    listed: &TargetFile,
) -> Result<(Image, Vec<String>), Error> {
    if directed.length != listed.length || directed.hashes != listed.hashes {
        return refuse(format!("the repositories list different contents for {name}"));
    }
    let sha256 = listed.hashes.get("sha256").filter(|hash| is_sha256(hash));
    let Some(sha256) = sha256 else { return refuse(format!("{name} has no SHA-256")) };
    let ImageCustom { product, release, hardware, mut needs, .. } =
        custom(name, listed, ImageCustom::FORMAT)?;
    if !is_name(&product) {
        return refuse(format!("{name} is of a product {product:?}, which is no name"));
    }
    needs.sort();
    let (target, sha256) = (name.to_owned(), sha256.clone());
    Ok((Image { target, product, release, sha256, bytes: listed.length, needs }, hardware))
}

fn assign(
    identity: &Identity,
    held: Held<'_>,
    assigned: &mut Installed,
    id: String,
    image: &Image,
    kinds: &[String],
) -> Result<(), Error> {
    let Some(ecu) = identity.ecus.iter().find(|ecu| ecu.id == id) else {
        return refuse(format!("{} is for {id}, which this vehicle does not have", image.target));
    };
    if !kinds.contains(&ecu.hardware) {
        let kinds = kinds.join(", ");
        return refuse(format!("{} is for {kinds}, and {id} is {}", image.target, ecu.hardware));
    }
    let runs = held.active.get(&id).is_some_and(|active| active.sha256 == image.sha256);
    let highest = held.highest.get(&id).and_then(|products| products.get(&image.product));
    // What runs may stay, even if a higher release ran well and failed later.
    if let Some(old) = highest.filter(|_| !runs) {
        if image.release < old.release {
            let (product, old, new) = (&image.product, old.release, image.release);
            return refuse(format!("{id} would go back from {product} release {old} to {new}"));
        }
        if image.release == old.release && image.sha256 != old.sha256 {
            let release = old.release;
            return refuse(format!("{id} ran other content of release {release} already"));
        }
    }
    if assigned.insert(id.clone(), image.clone()).is_some() {
        return refuse(format!("{id} is assigned two images"));
    }
    Ok(())
}

/// Checks that releases go together.
///
/// # Errors
/// [`Error::Instruction`].
pub(crate) fn check_needs(after: &Installed) -> Result<(), Error> {
    for (id, image) in after {
        for need in &image.needs {
            let (from, to) = (need.from_release, need.to_release);
            let fits = |other: &&Image| other.product == need.product;
            let others: Vec<_> = after.values().filter(fits).collect();
            if others.is_empty() || others.iter().any(|other| !(from..=to).contains(&other.release))
            {
                let (name, product) = (&image.target, &need.product);
                return refuse(format!("{name} on {id} needs {product} of release {from} to {to}"));
            }
        }
    }
    Ok(())
}

fn custom<T: DeserializeOwned>(name: &str, target: &TargetFile, format: &str) -> Result<T, Error> {
    let custom = target.custom.clone().unwrap_or_default();
    let found = custom.get("format").and_then(Value::as_str).unwrap_or_default();
    if found != format {
        return refuse(format!(
            "{name} is described in format {found:?}, and this vehicle reads {format:?}"
        ));
    }
    serde_json::from_value(custom).map_err(|cause| Error::Instruction {
        problem: Refusal::malformed("targets", format!("{name}: custom: {cause}")).to_string(),
    })
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn refuse<T>(problem: String) -> Result<T, Error> {
    Err(Error::Instruction { problem })
}
