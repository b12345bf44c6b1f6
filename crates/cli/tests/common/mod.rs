//! Runs the program and looks at what it did.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use ommatidia_scene::RgbImage;
use serde_json::Value;
use tempfile::TempDir;

/// The program with these arguments.
pub(crate) fn omma(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omma"));
    command.args(arguments);
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    omma(arguments).output().expect("the program starts")
}

/// Runs it with `--json` and parses what it prints; it must succeed and print nothing else.
pub(crate) fn json(arguments: &[&str]) -> Value {
    let output = omma(arguments).args(["--json", "--quiet"]).output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {:?}\n{stderr}", output.status.code());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|cause| panic!("{arguments:?}: {cause}"))
}

/// The command must fail with code 2 and say these words.
#[allow(dead_code, reason = "not every test refuses")]
pub(crate) fn refused(arguments: &[&str], words: &[&str]) {
    let output = run(arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{arguments:?}: {word:?} is not in {message}");
    }
}

/// A small rendered drive that has gone all the way, made once per test binary.
#[allow(dead_code, reason = "not every test renders a drive")]
pub(crate) fn demo() -> &'static Path {
    static DEMO: OnceLock<TempDir> = OnceLock::new();
    let folder = DEMO.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().to_str().expect("a plain path");
        let result = json(&["demo", "--quick", "--out", out]);
        fs::write(folder.path().join("result.json"), result.to_string())
            .expect("the result is kept");
        folder
    });
    folder.path()
}

/// A training of two steps, in seconds.
#[allow(dead_code, reason = "not every test trains")]
pub(crate) const TRAINING: &str = r#"
taxonomy = "camvid"
steps = 2

[data]
microbatches = 2
samples = 1
workers = 1
ahead = 2

[schedule]
shape = "constant"

[record]
checkpoint_every = 1
best = "semantics.miou"

[network]
image = { width = 64, height = 64 }
neck = { channels = 8, repeats = 1 }

[network.backbone]
kind = "regnet"
stem = 8
widths = [8, 16, 16, 16]
depths = [1, 1, 1, 1]

[[network.heads]]
task = "semantics"
classes = [1, 2, 3]
"#;

/// Four pictures of a colour a half, the class maps that say so, and a training.
#[allow(dead_code, reason = "not every test trains")]
pub(crate) fn pictures(folder: &Path) -> (PathBuf, PathBuf) {
    let data = folder.join("data");
    for split in ["train", "val"] {
        let (shown, labelled) = (data.join(split), data.join(format!("{split}annot")));
        fs::create_dir_all(&shown).unwrap();
        fs::create_dir_all(&labelled).unwrap();
        for index in 0..4_u8 {
            let left = |at: usize| at % 40 < 20 + usize::from(index);
            let colour = |at: usize| if left(at) { [200, 40, 10 * index] } else { [20, 60, 220] };
            let picture = RgbImage::new(40, 30, (0..1200).flat_map(colour).collect());
            let encoded = ommatidia_store::image::encode(&picture, "made for a test");
            fs::write(shown.join(format!("{index}.png")), &encoded.bytes).unwrap();
            let classes: Vec<u8> = (0..1200).map(|at| u8::from(left(at))).collect();
            let path = labelled.join(format!("{index}.png"));
            ommatidia_store::results::class_maps::write_classes(&path, (40, 30), &classes).unwrap();
        }
    }
    let training = folder.join("training.toml");
    fs::write(&training, TRAINING).unwrap();
    (data, training)
}

/// Path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A training of two steps of a tiny network of space with a memory; `neck`: more settings of the pyramid.
#[allow(dead_code, reason = "not every test trains a memory")]
pub(crate) fn temporal(neck: &str, heads: &str) -> String {
    format!(
        r#"
steps = 2

[data]
samples = 1
workers = 1
ahead = 2
moments = 2
stride = 0

[record]
validate_samples = 2

[network]
image = {{ width = 64, height = 32 }}
neck = {{ channels = 8, repeats = 1{neck} }}

[network.backbone]
kind = "regnet"
stem = 8
widths = [8, 16, 16, 16]
depths = [1, 1, 1, 1]

[network.space]
grid = {{ min_corner_m = [-16.0, -16.0, -1.6], voxel_m = 1.6, size = [20, 20, 4] }}
channels = 8
blocks = 1
lift = {{ level = 0, channels = 4 }}
memory = {{ fusion = "recurrent", spacing_s = 0.4, spacing_m = 1.0 }}
{heads}"#
    )
}
