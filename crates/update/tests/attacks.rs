//! Uptane's attack matrix as one test: a row per attack, what was tried, what the vehicle did. Prints the
//! table: `cargo test -p ommatidia-update --test attacks -- --nocapture`.
//!
//! After every row the vehicle starts with the release it had, and once the attacker is gone (and stolen
//! keys are replaced in the roots) it takes the next release.

mod common;

use common::{Mischief, ROLES, World, key, make_bundle, make_plan, packed, weights};
use ommatidia_update::Error;
use ommatidia_update::bundle::Need;
use ommatidia_update::disk::simulated::SimulatedDisk;
use ommatidia_update::tuf::editor::{self, Edition};
use ommatidia_update::tuf::{DelegatedRole, Delegations, UtcTime};
use ommatidia_update::uptane::{Attestation, Identity, delta_target};
use ommatidia_update::vehicle::{self, Outcome};

/// What is left to do when the attacker is gone.
#[derive(PartialEq)]
enum Stolen {
    Nothing,
    Keys,
}

struct Row {
    attack: &'static str,
    tried: &'static str,
    stolen: Stolen,
    /// Does it and returns what the vehicle answered.
    run: fn(&mut World, &SimulatedDisk) -> Result<Outcome, Error>,
    /// What the answer must say.
    answer: &'static str,
}

const fn row(
    attack: &'static str,
    tried: &'static str,
    stolen: Stolen,
    run: fn(&mut World, &SimulatedDisk) -> Result<Outcome, Error>,
    answer: &'static str,
) -> Row {
    Row { attack, tried, stolen, run, answer }
}

use Stolen::{Keys, Nothing};

#[expect(clippy::too_many_lines, reason = "a table, formatted a field a line")]
fn network_rows() -> Vec<Row> {
    vec![
        row(
            "eavesdrop",
            "instruction overheard, replayed to another vehicle",
            Nothing,
            eavesdrop,
            "this is VIN2",
        ),
        row(
            "drop request",
            "director does not answer",
            Nothing,
            |world, disk| mischief(world, disk, 0, Mischief::Drop),
            "no answer",
        ),
        row(
            "drop request",
            "bundles are not delivered",
            Nothing,
            |world, disk| mischief(world, disk, 2, Mischief::Drop),
            "no answer",
        ),
        row(
            "slow retrieval",
            "metadata at 1 byte/s",
            Nothing,
            |world, disk| mischief(world, disk, 1, Mischief::Slow),
            "too slowly",
        ),
        row(
            "slow retrieval",
            "bundle at 1 byte/s",
            Nothing,
            |world, disk| mischief(world, disk, 2, Mischief::Slow),
            "too slowly",
        ),
        row(
            "endless data",
            "metadata without end",
            Nothing,
            |world, disk| mischief(world, disk, 1, Mischief::Endless),
            "larger than",
        ),
        row(
            "endless data",
            "bundle without end",
            Nothing,
            |world, disk| mischief(world, disk, 2, Mischief::Endless),
            "larger than",
        ),
        row("freeze", "old director metadata for 31 days", Nothing, freeze, "expired"),
        row(
            "freeze",
            "old signed time replayed with it",
            Nothing,
            freeze_time,
            "does not answer this vehicle's question",
        ),
        row(
            "rollback",
            "older timestamp replayed",
            Nothing,
            rollback_timestamp,
            "goes back from version",
        ),
        row(
            "partial bundle",
            "second computer's bundle withheld",
            Nothing,
            partial,
            "does not have it",
        ),
        row(
            "mixed bundles",
            "new snapshot with old targets",
            Nothing,
            mixed_targets,
            "is not the one that is listed",
        ),
        row(
            "mixed bundles",
            "computers' bundles exchanged on the way",
            Nothing,
            mixed_files,
            "not the one that was signed",
        ),
        row(
            "arbitrary software",
            "bundle replaced on the way",
            Nothing,
            replaced_file,
            "not the one that was signed",
        ),
        row(
            "arbitrary software",
            "root signed by the attacker's key alone",
            Nothing,
            forged_root,
            "0 good signatures of the 1",
        ),
        row(
            "far-future time",
            "time signed by the attacker's key",
            Nothing,
            forged_time,
            "0 good signatures of the 1",
        ),
        row("expired", "repository stopped being signed", Nothing, expired, "expired"),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, formatted a field a line")]
fn key_rows() -> Vec<Row> {
    vec![
        row(
            "arbitrary software",
            "director's keys: an image that nobody released",
            Keys,
            director_alone,
            "different contents",
        ),
        row(
            "arbitrary software",
            "image repository's online keys: new targets",
            Keys,
            image_online,
            "0 good signatures of the 1",
        ),
        row(
            "arbitrary software",
            "image repository's targets key: other content",
            Keys,
            image_targets,
            "different contents",
        ),
        row(
            "arbitrary software",
            "all keys of both: drifting weights",
            Keys,
            all_keys,
            "replay gate",
        ),
        row(
            "rollback",
            "director's keys: an older release",
            Keys,
            rollback_director,
            "go back from cameras release",
        ),
        row(
            "rollback",
            "director's keys: what runs is revoked, an older release assigned",
            Keys,
            revoked,
            "Returned",
        ),
        row(
            "mix and match",
            "director's keys: more images than computers",
            Keys,
            too_many,
            "assigns 3 images to 2 computers",
        ),
        row(
            "mix and match",
            "director's keys: releases that do not go together",
            Keys,
            mix_and_match,
            "needs radar",
        ),
        row(
            "mix and match",
            "director's keys: the wrong computer",
            Keys,
            wrong_computer,
            "is for radar",
        ),
        row(
            "mix and match",
            "director's keys: two images for one computer",
            Keys,
            two_images,
            "two images",
        ),
        row(
            "fast forward",
            "timestamp key: version far ahead, then the true one",
            Keys,
            fast_forward,
            "goes back from version",
        ),
        row("far-future time", "time key: in 100 years", Keys, stolen_future, "expired"),
        row(
            "time goes back",
            "time key: before the last answer",
            Keys,
            stolen_past,
            "time goes back",
        ),
        row(
            "arbitrary software",
            "targets key: a delta that leads elsewhere",
            Keys,
            forged_delta,
            "Activated",
        ),
        row(
            "arbitrary software",
            "targets key: delegates to a role called root",
            Keys,
            delegated_root,
            "which is a top-level role",
        ),
        row(
            "arbitrary software",
            "targets key: a hash that leads to another file",
            Keys,
            hash_as_path,
            "not hexadecimal",
        ),
        row(
            "months offline",
            "8 months, 6 changed roots, all keys replaced",
            Nothing,
            months_offline,
            "Activated",
        ),
    ]
}

#[test]
fn every_attack_leaves_a_working_vehicle_that_updates_afterwards() {
    println!("| attack | tried | the vehicle |\n|---|---|---|");
    for row in network_rows().into_iter().chain(key_rows()) {
        let mut world = World::new();
        let disk = world.vehicle();
        // Release 2 runs, so that there is something to go back to.
        world.release(2);
        assert_eq!(world.update_and_confirm(&disk), [2, 2]);
        let answer = match (row.run)(&mut world, &disk) {
            Ok(outcome) => format!("{outcome:?}"),
            Err(error) => error.to_string(),
        };
        assert!(answer.contains(row.answer), "{}, {}: {answer}", row.attack, row.tried);
        let (runs, did) = match row.answer {
            "Activated" => ([3, 3], "installed the true release".to_owned()),
            "Returned" => ([1, 1], "returned to its own last good release".to_owned()),
            _ => ([2, 2], answer),
        };
        assert_eq!(world.running(&disk), runs, "{}", row.tried);
        vehicle::confirm(&disk).unwrap();
        println!("| {} | {} | {did} |", row.attack, row.tried);
        recover(&mut world, &row.stolen);
        assert_eq!(world.update_and_confirm(&disk), [9, 9], "{}, {}", row.attack, row.tried);
    }
}

/// The attacker is gone; stolen keys are replaced.
fn recover(world: &mut World, stolen: &Stolen) {
    for server in [&world.director.server, &world.image.server, &world.files] {
        *server.mischief.borrow_mut() = Mischief::None;
    }
    *world.clock.replayed.borrow_mut() = None;
    if *stolen == Stolen::Keys {
        world.clock.now.set(common::START.plus_days(1));
    }
    world.image.targets.delegations = None;
    world.director.expires = world.clock.now.get().plus_days(30);
    world.image.expires = world.director.expires;
    if *stolen == Stolen::Keys {
        world.director.rotate(&replaced(100));
        world.image.rotate(&replaced(120));
        world.clock.seed.set(world.director.seeds["time"]);
    } else {
        // Whatever lies in their place on the server, the true roots are published again.
        world.director.rotate(&[]);
        world.image.rotate(&[]);
    }
    world.release(9);
}

fn replaced(first_seed: u8) -> Vec<(&'static str, u8)> {
    ROLES.into_iter().zip(first_seed..).collect()
}

fn mischief(
    world: &mut World,
    disk: &SimulatedDisk,
    server: usize,
    what: Mischief,
) -> Result<Outcome, Error> {
    world.release(3);
    let servers = [&world.director.server, &world.image.server, &world.files];
    *servers[server].mischief.borrow_mut() = what;
    world.update(disk)
}

fn eavesdrop(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let other = disk.copy();
    let identity = Identity { vehicle: "VIN2".to_owned(), ..vehicle::identity(disk).unwrap() };
    let bytes = serde_json::to_vec(&identity).unwrap();
    ommatidia_update::disk::replace(&other, "identity.json", &bytes).unwrap();
    let outcome = world.update(&other);
    assert_eq!(world.running(&other), [2, 2]);
    outcome
}

fn freeze(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let frozen = world.director.server.files.borrow().clone();
    world.release(3);
    *world.director.server.files.borrow_mut() = frozen;
    assert_eq!(world.update(disk).unwrap(), Outcome::UpToDate, "nothing to notice yet");
    world.clock.now.set(common::START.plus_days(31));
    world.update(disk)
}

fn freeze_time(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let body = Attestation { time: common::START, nonces: vec!["long ago".to_owned()] };
    let edition = Edition { version: 1, expires: common::START.plus_days(10_000) };
    let old = world.director.signed("time", edition, &body);
    *world.clock.replayed.borrow_mut() = Some(old);
    world.clock.now.set(common::START.plus_days(31));
    world.update(disk)
}

fn rollback_timestamp(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let old = world.director.server.files.borrow()["timestamp.json"].clone();
    world.director.publish();
    assert_eq!(world.update(disk).unwrap(), Outcome::UpToDate);
    world.director.server.put("timestamp.json", old);
    world.update(disk)
}

fn served_path(world: &World, product: &str, release: u64) -> String {
    let name = World::target(product, release);
    world.image.targets.targets[&name].path(&name, true)
}

fn partial(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let path = served_path(world, "radar", 3);
    world.files.files.borrow_mut().remove(&path);
    world.update(disk)
}

fn mixed_targets(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let version = world.director.versions["targets"];
    let mut files = world.director.server.files.borrow_mut();
    let old = files[&format!("{}.targets.json", version - 1)].clone();
    let new = files.get_mut(&format!("{version}.targets.json")).unwrap();
    assert_eq!(old.len(), new.len(), "only the hash tells them apart");
    *new = old;
    drop(files);
    world.update(disk)
}

fn mixed_files(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let (cameras, radar) = (served_path(world, "cameras", 3), served_path(world, "radar", 3));
    let bytes = world.files.files.borrow()[&radar].clone();
    world.files.put(&cameras, bytes);
    world.update(disk)
}

fn replaced_file(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let path = served_path(world, "cameras", 3);
    world.files.put(&path, make_bundle("cameras", 3, weights(66)));
    world.update(disk)
}

fn forged_root(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let mut attacker = common::Repo::new(200, Some("VIN1"));
    for _ in 0..3 {
        attacker.rotate(&[]);
    }
    let forged = attacker.server.files.borrow()["2.root.json"].clone();
    world.director.server.put("2.root.json", forged);
    world.update(disk)
}

fn forged_time(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.clock.seed.set(200);
    world.clock.now.set(common::START.plus_days(36_500));
    let outcome = world.update(disk);
    world.clock.seed.set(world.director.seeds["time"]);
    world.clock.now.set(common::START);
    outcome
}

fn expired(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.clock.now.set(common::START.plus_days(400));
    world.update(disk)
}

fn director_alone(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let name = World::target("cameras", 3);
    let evil = make_bundle("cameras", 3, weights(66));
    let custom = world.director.targets.targets[&name].custom.clone().unwrap();
    let target = world.director.list(&name, &evil, custom);
    world.files.put(&target.path(&name, true), evil);
    world.director.publish();
    world.update(disk)
}

fn image_online(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let targets_key = world.image.seeds["targets"];
    world.image.seeds.insert("targets", 200);
    world.release(3);
    let outcome = world.update(disk);
    world.image.seeds.insert("targets", targets_key);
    outcome
}

fn image_targets(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let evil = make_bundle("cameras", 3, weights(66));
    world.offer(evil);
    world.image.publish();
    world.update(disk)
}

fn all_keys(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let mut evil = weights(66);
    evil[..4].copy_from_slice(b"bad!");
    world.offer(make_bundle("cameras", 66, evil));
    world.image.publish();
    world.assign(&[("cameras", 66)]);
    let outcome = world.update(disk);
    world.image.targets.targets.remove(&World::target("cameras", 66));
    outcome
}

fn rollback_director(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.assign(&[("cameras", 1), ("radar", 1)]);
    world.update(disk)
}

fn revoked(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.revoke("radar", 2);
    world.assign(&[("cameras", 1), ("radar", 1)]);
    world.update(disk)
}

fn too_many(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    world.assign_to("cameras", 2, &["cameras"]);
    world.director.publish();
    world.update(disk)
}

/// A search that reaches the role would keep its file in the place of the root.
fn delegated_root(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let keyid = key(world.image.seeds["targets"]).id();
    let public = key(world.image.seeds["targets"]).public();
    let role = DelegatedRole {
        name: "root".to_owned(),
        keyids: vec![keyid.clone()],
        threshold: 1,
        terminating: false,
        paths: Some(vec!["*".to_owned()]),
        path_hash_prefixes: None,
    };
    let keys = [(keyid, serde_json::to_value(public).unwrap())].into();
    world.image.targets.delegations = Some(Delegations { keys, roles: vec![role] });
    world.release(3);
    world.update(disk)
}

fn hash_as_path(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let name = World::target("cameras", 3);
    let target = world.image.targets.targets.get_mut(&name).unwrap();
    target.hashes.insert("sha0".to_owned(), "../../etc/passwd".to_owned());
    world.image.publish();
    let outcome = world.update(disk);
    world.image.targets.targets.remove(&name);
    outcome
}

fn mix_and_match(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let mut plan = make_plan("cameras", 3, weights(3));
    plan.needs = vec![Need { product: "radar".to_owned(), from_release: 3, to_release: 4 }];
    world.offer(packed(plan));
    world.image.publish();
    world.assign(&[("cameras", 3), ("radar", 2)]);
    world.update(disk)
}

fn wrong_computer(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.director.targets.targets.clear();
    world.assign_to("radar", 2, &["cameras"]);
    world.director.publish();
    world.update(disk)
}

fn two_images(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    world.director.targets.targets.clear();
    world.assign_to("cameras", 2, &["cameras"]);
    world.assign_to("cameras", 3, &["cameras"]);
    world.director.publish();
    world.update(disk)
}

fn fast_forward(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    let true_one = world.director.server.files.borrow()["timestamp.json"].clone();
    let snapshot = world.director.versions["snapshot"];
    let snapshot =
        world.director.server.files.borrow()[&format!("{snapshot}.snapshot.json")].clone();
    world.director.versions.insert("timestamp", 1_000_000);
    world.director.publish_timestamp(&snapshot);
    assert_eq!(world.update(disk).unwrap(), Outcome::UpToDate);
    world.director.server.put("timestamp.json", true_one);
    world.director.versions.insert("timestamp", 5);
    world.update(disk)
}

fn stolen_future(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.clock.now.set(common::START.plus_days(36_500));
    world.update(disk)
}

fn stolen_past(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.clock.now.set(common::START.plus_days(-100));
    world.update(disk)
}

fn forged_delta(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.release(3);
    let hash = |name: String| vehicle::sha256_of(&world.bundles[&name]).unwrap();
    let (old, new) = (hash(World::target("radar", 2)), hash(World::target("radar", 3)));
    let (mut delta, evil) = (Vec::new(), make_bundle("radar", 3, weights(66)));
    let from = &world.bundles[&World::target("radar", 2)];
    ommatidia_update::delta::create(from, &evil, Default::default(), &mut delta).unwrap();
    let name = delta_target(&old, &new);
    let target = world.image.list(&name, &delta, serde_json::Value::Null);
    world.files.put(&target.path(&name, true), delta);
    world.image.publish();
    world.update(disk)
}

fn months_offline(world: &mut World, disk: &SimulatedDisk) -> Result<Outcome, Error> {
    world.clock.now.set(common::START.plus_days(240));
    world.director.expires = common::START.plus_days(270);
    world.image.expires = world.director.expires;
    for seed in [100, 110, 120, 130, 140, 150] {
        world.director.rotate(&replaced(seed));
        world.image.rotate(&replaced(seed + 5));
    }
    world.clock.seed.set(world.director.seeds["time"]);
    world.release(3);
    world.update(disk)
}

/// The helper's keys are what the rows say they are.
#[test]
fn a_stranger_signs_nothing_that_counts() {
    let bytes = editor::unsigned(
        "root",
        Edition { version: 1, expires: UtcTime(0) },
        &serde_json::json!({}),
    );
    let signed = editor::sign(&bytes, &key(1)).unwrap();
    assert!(ommatidia_update::tuf::Trusted::start(&signed).is_err());
}
