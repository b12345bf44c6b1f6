//! Bad input gets an error that names the file and the reason, exit code 2, and nothing written.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{demo, run, text};

/// Runs a command that must fail on its input and leave `out` alone.
fn check(arguments: &[&str], out: &Path, words: &[&str]) {
    let output = run(arguments);
    let message = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed on standard output");
    for word in words {
        assert!(message.contains(word), "{arguments:?}: {word:?} is not in {message}");
    }
    assert!(!out.exists(), "{arguments:?} wrote {}", out.display());
}

/// A sequence of three stereo pairs in KITTI's layout.
fn kitti(folder: &Path) -> PathBuf {
    let root = folder.join("kitti");
    let sequence = root.join("sequences/00");
    for camera in ["image_0", "image_1"] {
        fs::create_dir_all(sequence.join(camera)).unwrap();
        for frame in 0..3 {
            fs::write(sequence.join(camera).join(format!("{frame:06}.png")), png(64, 48)).unwrap();
        }
    }
    let p = |t: f64| format!("60 0 32 {t} 0 60 24 0 0 0 1 0");
    fs::write(sequence.join("calib.txt"), format!("P0: {}\nP1: {}\n", p(0.0), p(-30.0))).unwrap();
    fs::write(sequence.join("times.txt"), "0.0\n0.1\n0.2\n").unwrap();
    fs::create_dir_all(root.join("poses")).unwrap();
    fs::write(root.join("poses/00.txt"), "1 0 0 0 0 1 0 0 0 0 1 0\n".repeat(3)).unwrap();
    root
}

fn png(width: u32, height: u32) -> Vec<u8> {
    use ommatidia_scene::RgbImage;
    let data = (0..3 * width * height).map(|i| (i % 251) as u8).collect();
    let image = RgbImage::new(width as usize, height as usize, data);
    ommatidia_store::image::encode(&image, "made for a test").bytes.to_vec()
}

/// Damages a good drive in one way and imports it.
fn import_damaged(damage: impl FnOnce(&Path), words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let root = kitti(folder.path());
    damage(&root);
    let out = folder.path().join("clip.mcap");
    check(&["import", text(&root), "--out", text(&out)], &out, words);
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["kitti"], "something was left behind");
}

#[test]
fn a_good_drive_imports() {
    let folder = tempfile::tempdir().unwrap();
    let root = kitti(folder.path());
    let out = folder.path().join("clip.mcap");
    let output = run(&["import", text(&root), "--out", text(&out)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(out.is_file());
}

#[test]
fn damaged_drives_are_refused() {
    let sequence = |root: &Path| root.join("sequences/00");
    import_damaged(
        |root| fs::remove_file(sequence(root).join("image_1/000001.png")).unwrap(),
        &["000001.png"],
    );
    import_damaged(
        |root| {
            let path = sequence(root).join("image_0/000002.png");
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
        &["000002.png"],
    );
    import_damaged(
        |root| fs::write(sequence(root).join("image_0/000001.png"), png(65, 48)).unwrap(),
        &["65", "64"],
    );
    import_damaged(
        |root| fs::write(sequence(root).join("times.txt"), "0.0\n0.2\n0.1\n").unwrap(),
        &["times.txt"],
    );
    import_damaged(
        |root| {
            fs::write(root.join("poses/00.txt"), "1 0 0 nan 0 1 0 0 0 0 1 0\n".repeat(3)).unwrap()
        },
        &["00.txt"],
    );
    import_damaged(
        |root| {
            let path = sequence(root).join("calib.txt");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("60", "0")).unwrap();
        },
        &["calib.txt", "focal"],
    );
}

#[test]
fn unknown_sources_and_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("clip.mcap");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    check(&["import", text(&empty), "--out", text(&out)], &out, &["empty", "kitti_odometry"]);
    check(&["import", "/no/such/place", "--out", text(&out)], &out, &["/no/such/place"]);
    check(&["import", text(&empty), "--out", text(&out), "--format", "vhs"], &out, &["vhs"]);
    let labels = folder.path().join("labels");
    check(&["label", "/no/such.mcap", "--out", text(&labels)], &labels, &["/no/such.mcap"]);
    let clip = demo().join("drive.mcap");
    let stages = ["label", text(&clip), "--out", text(&labels), "--stages", "teleport"];
    check(&stages, &labels, &["teleport", "odometry"]);
    check(&["info", text(&clip), "--threads", "0"], &labels, &["--threads"]);
    check(&["info", text(&clip), "--threads", "100000"], &labels, &["--threads", "1 to 1024"]);
}

#[test]
fn clips_cut_short_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(demo().join("drive.mcap")).unwrap();
    let labels = folder.path().join("labels");
    for share in [0, 1, 50, 99] {
        let clip = folder.path().join("cut.mcap");
        fs::write(&clip, &bytes[..bytes.len() * share / 100]).unwrap();
        check(&["label", text(&clip), "--out", text(&labels)], &labels, &["cut.mcap"]);
    }
}

#[test]
fn wrong_usage_is_one_json_object_too() {
    for arguments in [vec!["--json"], vec!["label", "--json"], vec!["paint", "--json"]] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed["exit_code"], 2, "{arguments:?}");
        assert!(!printed["error"].as_str().unwrap().is_empty(), "{arguments:?}");
    }
    let help = run(&["label", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    let script = common::json(&["completions", "bash"]);
    assert_eq!(script["shell"], "bash");
    assert!(script["script"].as_str().unwrap().contains("omma"));
}

#[test]
fn a_quaternion_of_another_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (images, rig) = (folder.path().join("front"), folder.path().join("rig.toml"));
    fs::create_dir_all(&images).unwrap();
    (0..3).for_each(|i| fs::write(images.join(format!("{i}.png")), png(64, 48)).unwrap());
    let describe = |w: f64| {
        format!(
            "rate_hz = 10.0\n[[cameras]]\nname = \"front\"\nimages = \"front\"\nwidth = 64\nheight = 48\n\
             [cameras.intrinsics]\nmodel = \"pinhole\"\nfx = 60.0\nfy = 60.0\ncx = 32.0\ncy = 24.0\n\
             [cameras.ego_from_camera]\nwxyz = [{w}, 0.5, -0.5, 0.5]\ntranslation_m = [0.0, 0.0, 1.5]\n"
        )
    };
    let out = folder.path().join("clip.mcap");
    let source = text(folder.path());
    let arguments =
        ["import", source, "--out", text(&out), "--format", "images", "--rig", text(&rig)];
    fs::write(&rig, describe(-2.0)).unwrap();
    check(&arguments, &out, &["rig.toml", "camera front", "length"]);
    // Rounded, it is one.
    fs::write(&rig, describe(-0.5005)).unwrap();
    assert!(run(&arguments).status.success());
}

#[test]
fn a_failure_is_one_json_object_too() {
    let output = run(&["info", "/no/such.mcap", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["exit_code"], 2);
    assert!(result["error"].as_str().unwrap().contains("/no/such.mcap"));
}
