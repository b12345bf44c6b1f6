//! Runs the program and looks at what it did.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The program with these arguments.
pub fn omma(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omma"));
    command.args(arguments);
    command
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> Output {
    omma(arguments).output().expect("the program starts")
}

/// Runs it with `--json` and parses what it prints; it must succeed and print nothing else.
pub fn json(arguments: &[&str]) -> Value {
    let output = omma(arguments).args(["--json", "--quiet"]).output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {:?}\n{stderr}", output.status.code());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|cause| panic!("{arguments:?}: {cause}"))
}

/// A small rendered drive that has gone all the way, made once per test binary.
pub fn demo() -> &'static Path {
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

/// Every file below a folder, by relative path.
pub fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below the folder").to_owned();
                files.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

/// Path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
