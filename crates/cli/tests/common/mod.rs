//! Runs the program and looks at what it did.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

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

/// Path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
