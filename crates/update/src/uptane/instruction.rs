//! What both repositories together tell a vehicle to run.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::{DirectorCustom, Identity, Image, ImageCustom};
use crate::Error;
use crate::bundle::is_name;
use crate::tuf::{Refusal, Repository, TargetFile};

/// What runs on each computer, by its id.
pub type Installed = BTreeMap<String, Image>;

/// Reads the director's targets, finds each in the image repository, and returns everything that the
/// vehicle would run afterwards: all of it or nothing. Both repositories are fresh.
///
/// # Errors
/// [`Error::Instruction`] if the two contradict each other, name another vehicle, a computer it does not
/// have or one twice, another kind of hardware, a release older than what runs, or releases that do not
/// go together; [`Error::Metadata`] from the search.
pub fn instruction(
    identity: &Identity,
    installed: &Installed,
    director: &Repository<'_>,
    image: &mut Repository<'_>,
) -> Result<Installed, Error> {
    let targets = &director.trusted().targets().expect("the director was refreshed").body;
    if targets.vehicle.as_deref() != Some(&identity.vehicle) {
        let whom = targets.vehicle.as_deref().unwrap_or("no vehicle");
        return refuse(format!("the director instructs {whom}, and this is {}", identity.vehicle));
    }
    if targets.delegations.is_some() {
        return refuse("the director delegates, which only the image repository may".to_owned());
    }
    let mut assigned = Installed::new();
    for (name, directed) in &targets.targets {
        let custom: DirectorCustom = custom(name, directed)?;
        let listed = image
            .find(name)
            .map_err(|refusal| Error::Metadata { repository: "image".to_owned(), refusal })?;
        let Some(listed) = listed else {
            return refuse(format!("{name} is not in the image repository"));
        };
        let found = agreed(name, directed, &listed)?;
        let kinds = self::custom::<ImageCustom>(name, &listed)?.hardware;
        for id in custom.ecus {
            assign(identity, installed, &mut assigned, id, &found, &kinds)?;
        }
    }
    let mut after = installed.clone();
    after.extend(assigned);
    check_needs(&after)?;
    Ok(after)
}

/// The image, if both list the same content.
fn agreed(name: &str, directed: &TargetFile, listed: &TargetFile) -> Result<Image, Error> {
    if directed.length != listed.length || directed.hashes != listed.hashes {
        return refuse(format!("the repositories list different contents for {name}"));
    }
    let sha256 = listed.hashes.get("sha256").filter(|hash| is_sha256(hash));
    let Some(sha256) = sha256 else { return refuse(format!("{name} has no SHA-256")) };
    let ImageCustom { product, release, mut needs, .. } = custom(name, listed)?;
    if !is_name(&product) {
        return refuse(format!("{name} is of a product {product:?}, which is no name"));
    }
    needs.sort();
    let (target, sha256) = (name.to_owned(), sha256.clone());
    Ok(Image { target, product, release, sha256, bytes: listed.length, needs })
}

fn assign(
    identity: &Identity,
    installed: &Installed,
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
    if let Some(old) = installed.get(&id).filter(|old| old.product == image.product) {
        if image.release < old.release {
            let (old, new) = (old.release, image.release);
            return refuse(format!("{id} would go back from release {old} to {new}"));
        }
        if image.release == old.release && image.sha256 != old.sha256 {
            let release = old.release;
            return refuse(format!("{id} runs other content of release {release} already"));
        }
    }
    if assigned.insert(id.clone(), image.clone()).is_some() {
        return refuse(format!("{id} is assigned two images"));
    }
    Ok(())
}

fn check_needs(after: &Installed) -> Result<(), Error> {
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

fn custom<T: DeserializeOwned>(name: &str, target: &TargetFile) -> Result<T, Error> {
    let custom = target.custom.clone().unwrap_or_default();
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
