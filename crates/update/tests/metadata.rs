//! Metadata of any shape is refused or believed, and never more than that.

mod common;

use common::World;
use ommatidia_update::tuf::editor;
use ommatidia_update::vehicle::Outcome;
use proptest::prelude::*;

/// What every metadata file of an update may be turned into by somebody without keys.
fn spoil(bytes: &[u8], edits: &[(prop::sample::Index, String)], keep: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, text) in edits {
        let at = at.index(bytes.len());
        let end = (at + text.len()).min(bytes.len());
        bytes.splice(at..end, text.bytes());
    }
    bytes.truncate(keep.max(1));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mutated_metadata_never_changes_what_is_installed(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,9}"), 1..4),
        keep in prop_oneof![Just(usize::MAX), 0usize..3000],
    ) {
        let mut world = World::new();
        let disk = world.vehicle();
        world.release(2);
        let servers = [&world.director.server, &world.image.server];
        let mut names: Vec<_> = (0..2)
            .flat_map(|i| servers[i].files.borrow().keys().map(|name| (i, name.clone())).collect::<Vec<_>>())
            .collect();
        names.sort();
        let (server, name) = &names[which.index(names.len())];
        let genuine = servers[*server].files.borrow()[name].clone();
        servers[*server].put(name, spoil(&genuine, &edits, keep));
        match world.update(&disk) {
            Ok(Outcome::Activated(_)) => prop_assert_eq!(world.running(&disk), [2, 2]),
            // The root that the vehicle has already is never asked for; others may still be the same.
            Ok(outcome) => prop_assert_eq!(outcome, Outcome::UpToDate),
            Err(_) => prop_assert_eq!(world.running(&disk), [1, 1]),
        }
        servers[*server].put(name, genuine);
        let _ = world.update(&disk);
        prop_assert_eq!(world.running(&disk), [2, 2]);
    }

    #[test]
    fn a_signed_file_stays_what_it_was(seed in 0u8..8) {
        let world = World::new();
        let root = world.director.server.files.borrow()["1.root.json"].clone();
        let twice = editor::sign(&root, &common::key(world.director.seeds["root"])).unwrap();
        prop_assert_eq!(&twice, &root, "signing again changes nothing");
        let more = editor::sign(&root, &common::key(seed)).unwrap();
        prop_assert!(ommatidia_update::tuf::Trusted::start(&more).is_ok());
    }
}
