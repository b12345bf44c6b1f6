//! Kills, full disks and damaged files.

use super::*;

/// A labels directory with one small table, its manifest, and their bytes.
fn labels(directory: &Path) {
    let writer = LabelsWriter::open(directory).unwrap();
    let rows: Vec<ObjectsRow> = (0..3)
        .map(|k| ObjectsRow {
            timestamp: Timestamp(100 * k),
            objects: (0..k)
                .map(|seed| Object {
                    track: Some(TrackId(seed as u64)),
                    class: ClassId(3),
                    ego_from_object: testing::pose(seed as f64),
                    size_m: [4.0, 2.0, 1.5],
                    velocity_m_s: None,
                    keypoints: vec![],
                    confidence: 0.5,
                    lidar_points: Some(7),
                })
                .collect(),
        })
        .collect();
    writer.write_part(0, &rows[..2]).unwrap();
    writer.write_part(1, &rows[2..]).unwrap();
    let mut manifest = manifest(3);
    manifest.stages.push(StageRecord {
        name: "objects".to_owned(),
        key: ContentHash([1; 32]),
        confidence: 0.5,
        skipped: vec![],
        outputs: vec![writer.assemble(Table::Objects).unwrap()],
    });
    writer.finish(&manifest).unwrap();
}

/// Reads everything that is there.
fn read(directory: &Path) -> Result<Vec<Option<Vec<Object>>>, Error> {
    let labels = Labels::open(directory)?;
    [0, 100, 200].iter().map(|&time| labels.objects(Timestamp(time))).collect()
}

/// Damaged in every way `damage` makes, a file either reads as before or is an error that names it.
fn never_silently_wrong(name: &str, damage: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let directory = tempfile::tempdir().unwrap();
    labels(directory.path());
    let path = directory.path().join(name);
    let whole = std::fs::read(&path).unwrap();
    let expected = read(directory.path()).unwrap();
    let mut errors = 0;
    for bytes in damage(&whole) {
        std::fs::write(&path, bytes).unwrap();
        match read(directory.path()) {
            Ok(found) => assert!(found == expected, "damaged {name} was believed"),
            Err(error) => {
                errors += 1;
                assert!(error.to_string().contains(name), "{error}");
                assert!(!error.is_environment(), "{error}");
            }
        }
    }
    assert!(errors > 0);
}

fn cuts(whole: &[u8]) -> Vec<Vec<u8>> {
    (0..whole.len()).step_by(3).map(|length| whole[..length].to_vec()).collect()
}

fn flips(whole: &[u8]) -> Vec<Vec<u8>> {
    let flip = |at: usize| {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1 << (at % 8);
        bytes
    };
    (0..whole.len()).step_by(3).map(flip).collect()
}

#[test]
fn a_cut_table_is_an_error_at_every_length() {
    never_silently_wrong("objects.parquet", cuts);
}

#[test]
fn a_flipped_bit_in_a_table_is_harmless_or_an_error() {
    never_silently_wrong("objects.parquet", flips);
}

#[test]
fn a_cut_manifest_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    labels(directory.path());
    let path = directory.path().join("manifest.json");
    let whole = std::fs::read(&path).unwrap();
    // The last byte is a newline.
    for length in 0..whole.len() - 1 {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = Labels::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("manifest.json"), "{error}");
    }
}

/// Everything under a directory, by name.
fn contents(directory: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    found
}

#[test]
fn a_disk_that_fills_at_any_byte_leaves_the_old_table_and_the_parts() {
    let directory = tempfile::tempdir().unwrap();
    labels(directory.path());
    let writer = LabelsWriter::open(directory.path()).unwrap();
    let row = ObjectsRow { timestamp: Timestamp(0), objects: vec![] };
    writer.write_part(0, &[row]).unwrap();
    let before = contents(directory.path());
    let mut size = 0;
    let record = loop {
        faults::DISK_BYTES.set(Some(size));
        let result = writer.assemble(Table::Objects);
        faults::DISK_BYTES.set(None);
        match result {
            Ok(record) => break record,
            Err(error) => assert!(matches!(error, Error::DiskFull { .. }), "{error}"),
        }
        assert!(contents(directory.path()) == before, "with {size} bytes of disk");
        // A prime step: every byte would be slow, a round one would meet only some boundaries.
        size += 13;
    };
    assert!(record.bytes <= size && size < record.bytes + 13);
}
