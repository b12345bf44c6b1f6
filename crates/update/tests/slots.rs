//! What becomes of both slots: disks that rot, fill up or take no writes, other processes in the middle of an
//! update, releases that are revoked.

mod common;

use common::{Clock, World, make_plan, packed, weights};
use ommatidia_update::Error;
use ommatidia_update::bundle::Bundle;
use ommatidia_update::disk::simulated::SimulatedDisk;
use ommatidia_update::disk::{self, Disk};
use ommatidia_update::uptane::{Ecu, Identity, TimeSource};
use ommatidia_update::vehicle::{self, Gate, Outcome, State, Status};

/// A vehicle on which release 2 is good, and release 1 in the other slot.
fn updated(world: &mut World) -> SimulatedDisk {
    let disk = world.vehicle();
    world.release(2);
    assert_eq!(world.update_and_confirm(&disk), [2, 2]);
    disk.copy()
}

fn other(disk: &SimulatedDisk) -> Status {
    State::load(disk).unwrap().inactive().status.clone()
}

/// Something happens while the time server is asked.
struct Meanwhile<'a> {
    clock: &'a Clock,
    act: &'a dyn Fn(),
}

impl TimeSource for Meanwhile<'_> {
    fn attest(&self, nonce: &str) -> Result<Vec<u8>, String> {
        (self.act)();
        self.clock.attest(nonce)
    }
}

/// Something happens while a candidate is judged.
struct ActingGate<'a>(&'a dyn Fn());

impl Gate for ActingGate<'_> {
    fn check(&mut self, _: &Ecu, _: &Bundle<'_>) -> Result<(), Error> {
        (self.0)();
        Ok(())
    }
}

#[test]
fn a_failure_while_an_update_waits_is_not_forgotten() {
    let mut world = World::new();
    let disk = updated(&mut world);
    world.release(3);
    let act = || vehicle::report_failure(&disk, "crashed").unwrap();
    let time = Meanwhile { clock: &world.clock, act: &act };
    let outcome = world.update_with(&disk, &time, &mut common::WeightsGate).unwrap();
    assert!(matches!(outcome, Outcome::Activated(_)), "{outcome:?}");
    // Release 2 crashed: what is kept beside the new one is release 1.
    assert_eq!(world.running(&disk), [3, 3]);
    vehicle::report_failure(&disk, "crashed, too").unwrap();
    assert_eq!(world.running(&disk), [1, 1]);
}

#[test]
fn whatever_is_called_while_a_candidate_is_judged_the_vehicle_runs_on() {
    let mut world = World::new();
    let disk = updated(&mut world);
    world.release(3);
    let act = || {
        assert!(
            vehicle::report_failure(&disk, "crashed").is_err(),
            "there is nothing to return to"
        );
        assert!(!vehicle::confirm(&disk).unwrap());
        assert_eq!(world.running(&disk), [2, 2]);
        let second = world.update(&disk).unwrap_err();
        assert!(matches!(second, Error::Busy { .. }), "{second}");
    };
    let outcome = world.update_with(&disk, &world.clock, &mut ActingGate(&act)).unwrap();
    assert!(matches!(outcome, Outcome::Activated(_)), "{outcome:?}");
    assert_eq!(world.running(&disk), [3, 3]);
}

#[test]
fn a_bundle_or_record_that_rots_or_cannot_be_read_costs_a_step_of_history() {
    let mut world = World::new();
    let disk = updated(&mut world);
    let spoilers: [fn(&SimulatedDisk, &str); 3] = [
        |disk, path| disk.corrupt(path, 20),
        |disk, path| disk.make_unreadable(path),
        |disk, path| disk.append(path, &[b' '; 5 << 20]).unwrap(),
    ];
    for spoil in spoilers {
        let rotten = disk.copy();
        spoil(&rotten, &world.place("radar", 2));
        assert_eq!(world.running(&rotten), [1, 1]);
        for copy in 0..2 {
            let rotten = disk.copy();
            spoil(&rotten, &format!("state.{copy}.json"));
            assert_eq!(world.running(&rotten), [2, 2]);
            assert!(vehicle::report_failure(&rotten, "crashed").is_ok());
            assert_eq!(world.running(&rotten), [1, 1]);
        }
    }
}

#[test]
fn kept_metadata_that_cannot_be_read_is_fetched_again() {
    let mut world = World::new();
    let disk = updated(&mut world);
    let mut spoilt = 0;
    for directory in ["director", "image", ""] {
        for name in disk.list(directory).unwrap().iter().filter(|name| *name != "root.json") {
            let is_metadata = !directory.is_empty() || name == "time.json";
            if is_metadata {
                disk.make_unreadable(format!("{directory}/{name}").trim_start_matches('/'));
                spoilt += 1;
            }
        }
    }
    assert_eq!(spoilt, 7);
    world.release(3);
    assert_eq!(world.update_and_confirm(&disk), [3, 3]);
}

#[test]
fn what_rotted_is_fetched_again_and_what_failed_is_not() {
    let mut world = World::new();
    let disk = updated(&mut world);
    disk.corrupt(&world.place("radar", 2), 1000);
    assert_eq!(world.running(&disk), [1, 1]);
    assert_eq!(other(&disk), Status::Damaged);
    let before = world.files.served_bytes.get();
    assert_eq!(world.update_and_confirm(&disk), [2, 2]);
    let radar = world.bundles[&World::target("radar", 2)].len() as u64;
    assert_eq!(world.files.served_bytes.get() - before, radar, "the other bundle was whole");
    vehicle::report_failure(&disk, "crashed").unwrap();
    assert!(matches!(world.update(&disk).unwrap(), Outcome::FailedBefore { .. }));
}

/// From the factory there is no other slot to return to.
#[test]
fn a_vehicle_with_one_damaged_release_repairs_it() {
    let world = World::new();
    let disk = world.vehicle();
    disk.make_unreadable(&world.place("cameras", 1));
    let error = vehicle::start(&disk).unwrap_err().to_string();
    assert!(error.contains("no whole release"), "{error}");
    assert_eq!(world.update(&disk).unwrap(), Outcome::Repaired);
    assert_eq!(world.running(&disk), [1, 1]);
    assert_eq!(world.update(&disk).unwrap(), Outcome::UpToDate);
}

/// Everything that writes fails.
fn read_only(disk: &SimulatedDisk) -> SimulatedDisk {
    let disk = disk.copy();
    disk.cut_at(0);
    disk
}

fn full(disk: &SimulatedDisk) -> SimulatedDisk {
    let disk = disk.copy();
    disk.limit(Some(disk.used_bytes()));
    disk
}

#[test]
fn a_disk_that_takes_no_writes_starts_what_is_known_to_be_good() {
    for unwritable in [read_only, full] {
        let mut world = World::new();
        let good = updated(&mut world);
        let started = vehicle::start(&unwritable(&good)).unwrap();
        assert_eq!((started.unrecorded, world.running(&unwritable(&good))), (None, vec![2, 2]));
        // A damaged release is left, although that cannot be written down.
        let rotten = good.copy();
        rotten.corrupt(&world.place("radar", 2), 1000);
        let rotten = unwritable(&rotten);
        let started = vehicle::start(&rotten).unwrap();
        assert!(started.unrecorded.is_some() && started.returned.is_some() && !started.on_trial);
        assert_eq!(world.running(&rotten), [1, 1]);
        // A trial that cannot be counted waits for a disk on which it can.
        world.release(3);
        world.update(&good).unwrap();
        for _ in 0..5 {
            let disk = unwritable(&good);
            let started = vehicle::start(&disk).unwrap();
            assert!(started.unrecorded.is_some() && !started.on_trial, "{started:?}");
            assert_eq!(world.running(&disk), [2, 2]);
        }
        // Where nothing else is left, it runs uncounted.
        let alone = good.copy();
        alone.corrupt(&world.place("radar", 2), 1000);
        let started = vehicle::start(&unwritable(&alone)).unwrap();
        assert!(started.unrecorded.is_some() && started.on_trial, "{started:?}");
        assert_eq!(world.running(&unwritable(&alone)), [3, 3]);
        assert_eq!(world.running(&good), [3, 3]);
    }
}

#[test]
fn a_failed_release_is_the_last_resort() {
    let mut world = World::new();
    let disk = world.vehicle();
    world.release(2);
    world.update(&disk).unwrap();
    world.running(&disk);
    vehicle::report_failure(&disk, "crashed").unwrap();
    disk.corrupt(&world.place("radar", 1), 1000);
    for _ in 0..3 {
        let started = vehicle::start(&disk).unwrap();
        assert!(started.last_resort && !started.on_trial, "{started:?}");
        assert_eq!(world.running(&disk), [2, 2]);
    }
    // What the director wants next takes the place of the damaged one.
    world.release(3);
    assert_eq!(world.update_and_confirm(&disk), [3, 3]);
    assert!(!vehicle::start(&disk).unwrap().last_resort);
}

#[test]
fn only_what_was_started_is_confirmed() {
    let mut world = World::new();
    let disk = updated(&mut world);
    world.release(3);
    world.update(&disk).unwrap();
    assert!(!vehicle::confirm(&disk).unwrap());
    assert_eq!(world.running(&disk), [3, 3]);
    assert!(vehicle::confirm(&disk).unwrap());
}

#[test]
fn a_revoked_release_is_left_for_the_vehicles_own_last_good_one() {
    let mut world = World::new();
    let disk = updated(&mut world);
    let (before, bundles) = (world.files.served_bytes.get(), disk.list("bundles").unwrap());
    world.revoke("cameras", 2);
    world.assign(&[("cameras", 1), ("radar", 1)]);
    // The image repository is not needed to stop what does harm.
    *world.image.server.mischief.borrow_mut() = common::Mischief::Drop;
    let outcome = world.update(&disk).unwrap();
    assert!(matches!(&outcome, Outcome::Returned { reason } if reason.contains("cameras-2")));
    assert_eq!(world.running(&disk), [1, 1]);
    *world.image.server.mischief.borrow_mut() = common::Mischief::None;
    assert_eq!(world.update(&disk).unwrap(), Outcome::UpToDate);
    assert_eq!(world.files.served_bytes.get(), before, "nothing was fetched");
    assert_eq!(disk.list("bundles").unwrap(), bundles);
    // The next release comes as any other.
    world.release(3);
    assert_eq!(world.update_and_confirm(&disk), [3, 3]);
}

#[test]
fn a_revoked_trial_is_left_before_it_was_confirmed() {
    let mut world = World::new();
    let disk = updated(&mut world);
    world.release(3);
    world.update(&disk).unwrap();
    assert_eq!(world.running(&disk), [3, 3]);
    world.revoke("radar", 3);
    world.assign(&[("cameras", 2), ("radar", 2)]);
    assert!(matches!(world.update(&disk).unwrap(), Outcome::Returned { .. }));
    assert_eq!(world.running(&disk), [2, 2]);
    assert!(!vehicle::confirm(&disk).unwrap());
}

#[test]
fn a_vehicle_with_nowhere_to_return_runs_a_revoked_release_until_a_new_one_comes() {
    let mut world = World::new();
    let disk = world.vehicle();
    world.revoke("radar", 1);
    world.director.publish();
    let error = world.update(&disk).unwrap_err().to_string();
    assert!(error.contains("assigns radar-1.omma and revokes it"), "{error}");
    assert_eq!(world.running(&disk), [1, 1]);
    world.release(2);
    assert_eq!(world.update_and_confirm(&disk), [2, 2]);
}

#[test]
fn another_product_is_no_way_back_to_an_older_release() {
    let mut world = World::new();
    let disk = updated(&mut world);
    let mut plan = make_plan("night", 1, weights(50));
    plan.requires.hardware = vec!["cameras".to_owned()];
    world.offer(packed(plan));
    world.image.publish();
    world.director.targets.targets.clear();
    world.assign_to("night", 1, &["cameras"]);
    world.director.publish();
    assert_eq!(world.update_and_confirm(&disk), [1, 2]);
    world.assign(&[("cameras", 1), ("radar", 2)]);
    let error = world.update(&disk).unwrap_err().to_string();
    assert!(error.contains("go back from cameras release 2 to 1"), "{error}");
    // The release that it had may come again.
    world.assign(&[("cameras", 2), ("radar", 2)]);
    assert_eq!(world.update_and_confirm(&disk), [2, 2]);
}

/// A vehicle's own old release is no other content, whatever ran between.
#[test]
fn a_bundle_that_is_not_what_it_is_listed_as_is_refused_even_if_it_was_there() {
    let mut world = World::new();
    let disk = updated(&mut world);
    world.release(3);
    let name = World::target("radar", 3);
    let custom = world.image.targets.targets.get_mut(&name).unwrap().custom.as_mut().unwrap();
    custom["release"] = 4.into();
    world.image.publish();
    let sha256 = world.sha256("radar", 3);
    let there = disk.copy();
    disk::replace(&there, &vehicle::bundle_path(&sha256), &world.bundles[&name]).unwrap();
    for disk in [disk, there] {
        let error = world.update(&disk).unwrap_err().to_string();
        assert!(error.contains("radar-3.omma is radar release 3, but listed as"), "{error}");
        assert_eq!(world.running(&disk), [2, 2]);
    }
}

#[test]
fn a_vehicle_is_provisioned_once() {
    let world = World::new();
    let disk = world.vehicle();
    let again = |disk: &SimulatedDisk, identity: &Identity| {
        let root = disk::read_small(disk, "director/root.json", 1 << 20).unwrap().unwrap();
        let images = State::load(&world.vehicle()).unwrap().active().images.clone();
        vehicle::provision(disk, identity, &root, &root, &images).unwrap_err().to_string()
    };
    let identity = vehicle::identity(&disk).unwrap();
    assert!(again(&disk, &identity).contains("provisioned before"));
    for copy in 0..2 {
        disk.remove(&format!("state.{copy}.json")).unwrap();
    }
    let mut twice = identity.clone();
    twice.ecus[1].id = twice.ecus[0].id.clone();
    assert!(again(&disk, &twice).contains("two computers called cameras"));
    let mut third = identity.clone();
    third.ecus.push(Ecu { id: "lidar".to_owned(), hardware: "lidar".to_owned() });
    assert!(again(&disk, &third).contains("each computer one bundle"));
    let named = Identity { vehicle: "../VIN1".to_owned(), ..identity };
    assert!(again(&disk, &named).contains("is no name"));
}

#[test]
fn what_describes_images_in_another_format_is_refused_in_words() {
    let check = |spoil: fn(&mut World), expected: &str| {
        let mut world = World::new();
        let disk = world.vehicle();
        world.release(2);
        spoil(&mut world);
        world.director.publish();
        world.image.publish();
        let error = world.update(&disk).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(world.running(&disk), [1, 1]);
    };
    fn custom<'a>(repository: &'a mut common::Repo, name: &str) -> &'a mut serde_json::Value {
        repository.targets.targets.get_mut(name).unwrap().custom.as_mut().unwrap()
    }
    check(
        |world| {
            custom(&mut world.director, "radar-2.omma")["format"] = "ommatidia-director/2".into()
        },
        "in format \"ommatidia-director/2\", and this vehicle reads",
    );
    check(
        |world| custom(&mut world.image, "radar-2.omma")["only_at_night"] = true.into(),
        "unknown field `only_at_night`",
    );
    check(
        |world| custom(&mut world.director, "radar-2.omma")["ecus"] = serde_json::json!([]),
        "radar-2.omma is for no computer",
    );
}

#[test]
fn records_of_another_format_are_told_from_damaged_ones() {
    let world = World::new();
    let disk = world.vehicle();
    let body = r#"{"generation":1,"active":0,"slots":[]}"#;
    let sum = blake3::hash(body.as_bytes()).to_hex();
    disk::replace(&disk, "state.1.json", format!("{body}\n{sum}\n").as_bytes()).unwrap();
    let error = vehicle::start(&disk).unwrap_err().to_string();
    assert!(error.contains("this program reads \"ommatidia-vehicle-state/2\""), "{error}");
}
