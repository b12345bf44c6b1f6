use super::*;
use crate::disk::simulated::{SimulatedDisk, Survival};
use crate::tuf::{Link, Repository, Watch};

fn key(seed: u8) -> KeyPair {
    KeyPair::from_seed([seed; 32])
}

fn assign(role: &str, seeds: &[u8], threshold: usize) -> Assignment {
    let keys = seeds.iter().map(|seed| key(*seed).public()).collect();
    Assignment { role: role.to_owned(), keys, threshold }
}

fn sign(disk: &dyn Disk, path: &str, seed: u8) {
    let bytes = disk::read_small(disk, path, 1 << 20).unwrap().unwrap();
    disk::replace(disk, path, &editor::sign(&bytes, &key(seed)).unwrap()).unwrap();
}

const NOW: UtcTime = UtcTime(1_900_000_000);
const LATER: UtcTime = UtcTime(2_000_000_000);

fn four_roles() -> [Assignment; 4] {
    [
        assign("root", &[1, 2], 2),
        assign("targets", &[3], 1),
        assign("snapshot", &[4], 1),
        assign("timestamp", &[5], 1),
    ]
}

fn online() -> [KeyPair; 2] {
    [key(4), key(5)]
}

fn stage(disk: &dyn Disk, name: &str, content: &[u8]) -> Result<u64, Error> {
    let target = store_target(disk, name, &content, None).unwrap();
    let add = BTreeMap::from([(name.to_owned(), target)]);
    stage_targets(disk, Change { add, ..Change::default() }, LATER)
}

/// A repository with one target.
fn published() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    stage_root(&disk, &four_roles(), LATER).unwrap();
    stage(&disk, "a.omma", b"abc").unwrap();
    sign(&disk, STAGED_ROOT, 1);
    sign(&disk, STAGED_ROOT, 2);
    sign(&disk, STAGED_TARGETS, 3);
    publish(&disk, &online(), NOW, LATER).unwrap();
    disk
}

fn stage_new_root(disk: &dyn Disk, assignments: &[Assignment], expires: UtcTime) {
    stage_root(disk, assignments, expires).unwrap();
    sign(disk, STAGED_ROOT, 1);
    sign(disk, STAGED_ROOT, 2);
}

/// Whether a client that knows the first root believes what is public.
fn client_believes(disk: &dyn Disk) -> Result<u64, Refusal> {
    struct Still;
    impl Watch for Still {
        fn seconds(&self) -> f64 {
            0.0
        }
    }
    let client = SimulatedDisk::default();
    let root = disk::read_small(disk, "metadata/1.root.json", 1 << 20).unwrap().unwrap();
    disk::replace(&client, "it/root.json", &root).unwrap();
    let transport = Directory { disk, part: "metadata" };
    let (slowest_bytes_per_s, patience_s) = (1, 1);
    let link = Link { transport: &transport, watch: &Still, slowest_bytes_per_s, patience_s };
    let mut repository = Repository::open(link, &client, "it")?;
    repository.refresh_root()?;
    repository.refresh(NOW)?;
    Ok(repository.trusted().root().version)
}

#[test]
fn nothing_is_public_before_enough_have_signed() {
    let disk = SimulatedDisk::default();
    let fails = |online: &[KeyPair], expected: &str| {
        let error = publish(&disk, online, NOW, LATER).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(disk.list("metadata").unwrap().is_empty());
    };
    assert!(stage_root(&disk, &[assign("root", &[1], 2)], LATER).is_err());
    assert!(stage_root(&disk, &[assign("root", &[1, 2], 2)], LATER).is_err());
    stage_root(&disk, &four_roles(), LATER).unwrap();
    stage(&disk, "a.omma", b"abc").unwrap();
    sign(&disk, STAGED_TARGETS, 3);
    sign(&disk, STAGED_ROOT, 1);
    fails(&online(), "root");
    sign(&disk, STAGED_ROOT, 2);
    stage(&disk, "a.omma", b"abc").unwrap();
    fails(&online(), "targets");
    sign(&disk, STAGED_TARGETS, 3);
    fails(&online()[..1], "timestamp");
    let published = publish(&disk, &online(), NOW, LATER).unwrap();
    assert_eq!((published.root, published.targets, published.timestamp), (1, 1, 1));
    // A root that only its new key signed does not follow.
    stage_root(&disk, &[assign("root", &[9], 1)], LATER).unwrap();
    sign(&disk, STAGED_ROOT, 9);
    assert!(publish(&disk, &online(), NOW, LATER).is_err());
    sign(&disk, STAGED_ROOT, 1);
    sign(&disk, STAGED_ROOT, 2);
    assert_eq!(publish(&disk, &online(), NOW, LATER).unwrap().root, 2);
}

#[test]
fn a_root_that_replaces_the_online_keys_waits_for_them() {
    let disk = published();
    let new = [assign("snapshot", &[7], 1), assign("timestamp", &[7], 1)];
    stage_new_root(&disk, &new, LATER);
    let error = publish(&disk, &online(), NOW, LATER).unwrap_err().to_string();
    assert!(error.contains("snapshot metadata has 0 good signatures"), "{error}");
    assert_eq!(client_believes(&disk), Ok(1));
    assert_eq!(publish(&disk, &[key(7)], NOW, LATER).unwrap().root, 2);
    assert_eq!(client_believes(&disk), Ok(2));
}

#[test]
fn what_has_expired_or_would_is_not_published() {
    let disk = published();
    let fails = |now: UtcTime, expires, expected: &str| {
        let error = publish(&disk, &online(), now, expires).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    fails(NOW, NOW, "would expire");
    fails(LATER, LATER.plus_days(7), "root metadata expired");
    stage_new_root(&disk, &[], LATER.plus_days(30));
    fails(LATER, LATER.plus_days(7), "targets metadata expired");
    assert_eq!(client_believes(&disk), Ok(1));
    let published = publish(&disk, &online(), NOW, LATER.plus_days(7)).unwrap();
    assert_eq!(published.expiring, [("targets", LATER)]);
}

#[test]
fn what_is_public_is_not_replaced() {
    let disk = published();
    let error = stage(&disk, "a.omma", b"other").unwrap_err().to_string();
    assert!(error.contains("a.omma is public with other content"), "{error}");
    stage(&disk, "a.omma", b"abc").unwrap();
    // Until it is public, a mistake can be mended; a delta can be made anew at any time.
    stage(&disk, "b.omma", b"b").unwrap();
    stage(&disk, "b.omma", b"better").unwrap();
    stage(&disk, "deltas/x", b"x").unwrap();
    sign(&disk, STAGED_TARGETS, 3);
    publish(&disk, &online(), NOW, LATER).unwrap();
    stage(&disk, "deltas/x", b"smaller").unwrap();
}

#[test]
fn what_is_revoked_is_not_assigned() {
    let disk = published();
    let sha256 = targets(&disk).unwrap().unwrap().targets["a.omma"].hashes["sha256"].clone();
    let revoke = Change { revoke: vec![sha256.clone()], ..Change::default() };
    let error = stage_targets(&disk, revoke.clone(), LATER).unwrap_err().to_string();
    assert!(error.contains("assigned and revoked"), "{error}");
    stage_targets(&disk, Change { clear: true, ..revoke }, LATER).unwrap();
    assert_eq!(targets(&disk).unwrap().unwrap().revoked, [sha256]);
    assert!(stage(&disk, "a.omma", b"abc").is_err());
}

/// Cut anywhere and published again. The keys stay here, so that clients believe what there is at any
/// moment.
#[test]
fn a_publication_that_was_cut_off_is_done_again() {
    let factory = published();
    stage_new_root(&factory, &[], LATER);
    stage(&factory, "b.omma", b"b").unwrap();
    sign(&factory, STAGED_TARGETS, 3);
    let factory = factory.copy();
    let whole = factory.copy();
    publish(&whole, &online(), NOW, LATER).unwrap();
    for at in 0..whole.operations() {
        for survival in Survival::ALL {
            let disk = factory.copy();
            disk.cut_at(at);
            assert!(publish(&disk, &online(), NOW, LATER).is_err());
            let disk = disk.after_cut(survival);
            client_believes(&disk).unwrap();
            let again = publish(&disk, &online(), NOW, LATER);
            let again = again.unwrap_or_else(|error| panic!("{at} {survival:?}: {error}"));
            assert_eq!((again.root, again.targets), (2, 2), "{at} {survival:?}");
            assert_eq!(client_believes(&disk), Ok(2));
            assert!(disk.list("staging").unwrap().is_empty());
            // Nothing that is staged comes back.
            let later = disk.after_cut(Survival::Nothing);
            assert_eq!(publish(&later, &online(), NOW, LATER).unwrap().root, 2);
        }
    }
}

/// Changes while it is read.
struct Restless(std::cell::Cell<u8>);

impl ReadAt for Restless {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + 1);
        let byte = [self.0.get()];
        byte.as_slice().read_at(offset, buffer)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(1)
    }
}

#[test]
fn what_is_listed_is_what_is_served() {
    let disk = SimulatedDisk::default();
    let target = store_target(&disk, "x/a.omma", &Restless(0.into()), None).unwrap();
    let path = format!("targets/{}", target.path("x/a.omma", true));
    let served = disk::read_small(&disk, &path, 10).unwrap().unwrap();
    target.check("a.omma", &served).unwrap();
}

#[test]
fn no_path_leads_out_of_what_is_served() {
    let disk = published();
    let served = |path: &str| Directory { disk: &disk, part: "targets" }.get(path, 0).err();
    assert_eq!(served("../metadata/timestamp.json"), Some(Unavailable::Missing));
    assert_eq!(served("./../metadata/timestamp.json"), Some(Unavailable::Missing));
}
