//! The power is cut at every write, rename and fsync of an update; connections break at every byte class;
//! the disk is full at every size. No vehicle is ever without a working release.

mod common;

use common::{Mischief, World};
use ommatidia_update::disk::Disk;
use ommatidia_update::disk::simulated::{SimulatedDisk, Survival};
use ommatidia_update::vehicle::{self, Outcome, State, Status};

/// Every cut of `run`, with every way in which the disk may have lost what was not synchronised: the
/// vehicle starts with a whole release, and afterwards the update still comes through.
fn cut_everywhere(
    world: &World,
    factory: &SimulatedDisk,
    run: impl Fn(&SimulatedDisk),
) -> (u64, u64) {
    let whole = factory.copy();
    run(&whole);
    let operations = whole.operations();
    let mut outcomes = 0;
    // The last cut comes after all of it: what was reported as done stays done.
    for at in 0..=operations {
        for survival in Survival::ALL {
            let disk = factory.copy();
            disk.cut_at(at);
            run(&disk);
            let disk = disk.after_cut(survival);
            let running = world.running(&disk);
            assert!(at < operations || running == [2, 2], "{survival:?} undid the update");
            assert!(running == [1, 1] || running == [2, 2], "cut {at} {survival:?}: {running:?}");
            // On with it: whatever was left behind is no obstacle.
            if running == [1, 1] {
                world
                    .update(&disk)
                    .unwrap_or_else(|error| panic!("cut {at} {survival:?}: {error}"));
            }
            assert_eq!(world.running(&disk), [2, 2], "cut {at} {survival:?}");
            vehicle::confirm(&disk).unwrap();
            outcomes += 1;
        }
    }
    (operations, outcomes)
}

#[test]
fn power_cuts_at_every_operation_of_a_whole_update() {
    let mut world = World::new();
    let factory = world.vehicle();
    // New roots, too: they are what a vehicle cannot do without.
    world.director.rotate(&[]);
    world.image.rotate(&[]);
    world.release(2);
    let run = |disk: &SimulatedDisk| drop(world.update(disk));
    let (operations, outcomes) = cut_everywhere(&world, &factory, run);
    println!("whole bundles: {operations} operations, {outcomes} cuts survived");
    assert!(operations > 60, "{operations}");
}

#[test]
fn power_cuts_at_every_operation_of_an_update_by_delta() {
    let mut world = World::new();
    world.use_deltas = true;
    let factory = world.vehicle();
    world.release(2);
    let run = |disk: &SimulatedDisk| drop(world.update(disk));
    let (operations, outcomes) = cut_everywhere(&world, &factory, run);
    println!("deltas: {operations} operations, {outcomes} cuts survived");
}

#[test]
fn power_cuts_at_every_operation_after_activation() {
    let mut world = World::new();
    let factory = world.vehicle();
    world.release(2);
    world.update(&factory).unwrap();
    assert_eq!(world.running(&factory), [2, 2]);
    let factory = factory.copy();
    for (name, run) in [
        ("start", (|disk| drop(vehicle::start(disk))) as fn(&SimulatedDisk)),
        ("confirm", |disk| drop(vehicle::confirm(disk))),
        ("failure", |disk| drop(vehicle::report_failure(disk, "crashed"))),
    ] {
        let whole = factory.copy();
        run(&whole);
        assert!(whole.operations() > 0, "{name} writes nothing");
        for at in 0..whole.operations() {
            for survival in Survival::ALL {
                let disk = factory.copy();
                disk.cut_at(at);
                run(&disk);
                let running = world.running(&disk.after_cut(survival));
                assert!(running == [1, 1] || running == [2, 2], "{name} {at} {survival:?}");
            }
        }
        println!("{name}: {} operations", whole.operations());
    }
}

/// The program is killed and started again, and the power is cut after that: what the first had not made
/// durable the second does.
#[test]
fn a_killed_program_leaves_nothing_half_done() {
    let mut world = World::new();
    let factory = world.vehicle();
    world.release(2);
    let whole = factory.copy();
    world.update(&whole).unwrap();
    for at in 0..whole.operations() {
        for survival in Survival::ALL {
            let disk = factory.copy();
            disk.cut_at(at);
            drop(world.update(&disk));
            disk.restart_program();
            world.update(&disk).unwrap_or_else(|error| panic!("killed at {at}: {error}"));
            assert_eq!(world.running(&disk.after_cut(survival)), [2, 2], "{at} {survival:?}");
        }
    }
    println!("killed at {} operations", whole.operations());
}

/// A cut in the update that follows a cut: a grid over both places, with the two harshest losses.
#[test]
fn two_power_cuts_in_a_row() {
    let mut world = World::new();
    let factory = world.vehicle();
    world.release(2);
    let whole = factory.copy();
    world.update(&whole).unwrap();
    for first in (0..whole.operations()).step_by(3) {
        for survival in [Survival::Nothing, Survival::Torn] {
            let disk = factory.copy();
            disk.cut_at(first);
            drop(world.update(&disk));
            let once = disk.after_cut(survival);
            let again = once.copy();
            drop(world.update(&again));
            for second in (0..again.operations()).step_by(5) {
                let disk = once.copy();
                disk.cut_at(second);
                drop(world.update(&disk));
                let running = world.running(&disk.after_cut(survival));
                assert!(running == [1, 1] || running == [2, 2], "{first} {second} {survival:?}");
            }
        }
    }
}

#[test]
fn a_full_disk_leaves_what_runs() {
    let mut world = World::new();
    let factory = world.vehicle();
    world.release(2);
    let whole = factory.copy();
    world.update(&whole).unwrap();
    let (before, after) = (factory.used_bytes(), whole.used_bytes());
    let mut full = 0;
    for capacity in (before..after).step_by(97) {
        let disk = factory.copy();
        disk.limit(Some(capacity));
        if let Err(error) = world.update(&disk) {
            assert!(error.is_environment(), "{error}");
            full += 1;
        }
        assert_eq!(world.running(&disk), [1, 1]);
        disk.limit(None);
        assert_eq!(world.running(&disk), [1, 1]);
        world.update(&disk).unwrap();
        assert_eq!(world.running(&disk), [2, 2]);
    }
    assert!(full > 100, "{full}");
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let mut world = World::new();
    let disk = world.vehicle();
    world.release(2);
    let bytes: u64 = world
        .bundles
        .iter()
        .filter(|(name, _)| name.ends_with("-2.omma"))
        .map(|(_, bytes)| bytes.len() as u64)
        .sum();
    *world.files.mischief.borrow_mut() = Mischief::CutAfter(700);
    let mut tries = 0;
    while world.update(&disk).is_err() {
        assert_eq!(world.running(&disk), [1, 1]);
        tries += 1;
        assert!(tries < 100);
    }
    assert!(tries > 10);
    assert_eq!(world.files.served_bytes.get(), bytes, "nothing was fetched twice");
    assert_eq!(world.running(&disk), [2, 2]);
}

#[test]
fn a_delta_goes_on_where_it_was_cut() {
    let mut world = World::new();
    world.use_deltas = true;
    let disk = world.vehicle();
    world.release(2);
    let files = world.files.files.borrow().clone();
    let deltas = files.iter().filter(|(path, _)| path.starts_with("deltas/"));
    let bytes: u64 = deltas.map(|(_, bytes)| bytes.len() as u64).sum();
    *world.files.mischief.borrow_mut() = Mischief::CutAfter(700);
    let mut tries = 0;
    while let Err(error) = world.update(&disk) {
        assert!(error.is_environment(), "{error}");
        tries += 1;
        assert!(tries < 100);
    }
    assert!(tries > 3, "{tries}");
    assert_eq!(world.files.served_bytes.get(), bytes, "no whole bundle was begun");
    assert_eq!(world.running(&disk), [2, 2]);
    let left = disk.list("bundles").unwrap();
    assert!(left.len() == 4 && left.iter().all(|name| name.ends_with(".omma")), "{left:?}");
}

/// Its whole bundle is fetched instead of a delta from what cannot be read.
#[test]
fn a_bundle_that_cannot_be_read_does_not_stop_updates() {
    let mut world = World::new();
    world.use_deltas = true;
    let disk = world.vehicle();
    world.release(2);
    disk.make_unreadable(&world.place("radar", 1));
    assert!(matches!(world.update(&disk).unwrap(), Outcome::Activated(_)));
    assert_eq!(world.running(&disk), [2, 2]);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let mut world = World::new();
    let disk = world.vehicle();
    world.release(2);
    *world.files.mischief.borrow_mut() = Mischief::CutAfter(700);
    assert!(world.update(&disk).is_err());
    *world.files.mischief.borrow_mut() = Mischief::NoRanges(800);
    for _ in 0..2 {
        let error = world.update(&disk).unwrap_err().to_string();
        assert!(error.contains("cut; it had to start over: the server cannot go on"), "{error}");
        assert_eq!(world.running(&disk), [1, 1]);
    }
    *world.files.mischief.borrow_mut() = Mischief::NoRanges(u64::MAX);
    assert!(matches!(world.update(&disk).unwrap(), Outcome::Activated(_)));
    assert_eq!(world.running(&disk), [2, 2]);
}

#[test]
fn what_the_network_or_the_server_is_at_fault_for_is_told_apart() {
    let check = |server: fn(&World) -> &common::Server, mischief: Mischief, environment| {
        let mut world = World::new();
        let disk = world.vehicle();
        world.release(2);
        *server(&world).mischief.borrow_mut() = mischief;
        let error = world.update(&disk).unwrap_err();
        assert_eq!(error.is_environment(), environment, "{error}");
    };
    check(|world| &world.director.server, Mischief::Drop, true);
    check(|world| &world.image.server, Mischief::Slow, true);
    check(|world| &world.image.server, Mischief::Endless, false);
    check(|world| &world.files, Mischief::Drop, true);
    check(|world| &world.files, Mischief::CutAfter(100), true);
    check(|world| &world.files, Mischief::Endless, false);
}

#[test]
fn deltas_are_taken_and_whole_bundles_are_there_if_they_fail() {
    let check = |spoil: bool| {
        let mut world = World::new();
        world.use_deltas = true;
        let disk = world.vehicle();
        world.release(2);
        if spoil {
            for (path, bytes) in &mut *world.files.files.borrow_mut() {
                if path.starts_with("deltas/") {
                    bytes[100] ^= 1;
                }
            }
        }
        assert_eq!(world.update_and_confirm(&disk), [2, 2]);
        world.files.served_bytes.get()
    };
    let (by_delta, whole) = (check(false), check(true));
    assert!(by_delta * 2 < whole, "{by_delta} of {whole}");
}

#[test]
fn trials_end_in_confirmation_or_return() {
    let mut world = World::new();
    let disk = world.vehicle();
    world.release(2);
    world.update(&disk).unwrap();
    assert_eq!(world.running(&disk), [2, 2]);
    assert_eq!(world.update(&disk).unwrap(), Outcome::UpToDate);
    assert_eq!(world.running(&disk), [2, 2]);
    // Two starts without confirmation are what it had.
    let started = vehicle::start(&disk).unwrap();
    assert!(started.returned.is_some() && !started.on_trial);
    assert_eq!(world.running(&disk), [1, 1]);
    // The director still wants it; the vehicle does not try again.
    assert!(matches!(world.update(&disk).unwrap(), Outcome::FailedBefore { .. }));
    world.release(3);
    assert_eq!(world.update_and_confirm(&disk), [3, 3]);
    assert!(!vehicle::confirm(&disk).unwrap());
    // A crash after confirmation: back to release 1, which the other slot has kept as good.
    assert!(matches!(State::load(&disk).unwrap().inactive().status, Status::Good));
    vehicle::report_failure(&disk, "crashed").unwrap();
    assert_eq!(world.running(&disk), [1, 1]);
}

#[test]
fn a_release_that_nobody_confirms_runs_on_if_there_is_nothing_else() {
    let mut world = World::new();
    let disk = world.vehicle();
    world.release(2);
    let first = State::load(&disk).unwrap().active().images["radar"].sha256.clone();
    world.update(&disk).unwrap();
    disk.corrupt(&vehicle::bundle_path(&first), 1000);
    for _ in 0..5 {
        assert_eq!(world.running(&disk), [2, 2]);
    }
    let error = vehicle::report_failure(&disk, "crashed").unwrap_err().to_string();
    assert!(error.contains("no good release"), "{error}");
    assert_eq!(world.running(&disk), [2, 2]);
}
