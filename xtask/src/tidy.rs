//! Rules of the house that no lint knows: layers between crates, the code map, file sizes, banned words.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Crates from the bottom up: a crate may depend on those of lower layers only.
const LAYERS: &[&[&str]] = &[
    &["geometry"],
    &["scene"],
    &["kernels", "trigger", "update"],
    &["store", "world", "metrics"],
    &["model", "label", "deploy"],
    &["onnx", "train"],
    &["view", "runtime"],
    &["fleet", "view-rerun", "python", "cluster"],
    &["fleet-server"],
    &["cli"],
];
/// Crates that never touch files, and what would let them.
const PURE: &[&str] = &["geometry", "scene", "metrics"];
const IO_WORDS: &[&str] = &["std::fs", "std::net", "std::process", "std::env"];
/// Most lines of a file, unless it says why with `// tidy: long file, because …`.
const MAX_FILE_LINES: usize = 1000;
/// Names that hide which frame maps to which, and what must not be left behind.
const BANNED: &[(&str, &str)] = &[
    ("T_world_cam", "poses are named a_from_b"),
    ("c2w", "poses are named a_from_b"),
    ("viewmat", "poses are named a_from_b"),
    ("car_to_velo", "poses are named a_from_b"),
    ("#[ignore", "a test that does not run tests nothing"),
];

/// Runs every rule and lists all violations.
pub(crate) fn run() -> Result<(), String> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask lies outside the workspace")?;
    let mut violations = layers(root)?;
    violations.extend(sources(root)?);
    if violations.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n{} violations", violations.join("\n"), violations.len()))
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|crates| crates.contains(&name))
}

fn layers(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root)
        .output()
        .map_err(|cause| format!("cargo metadata: {cause}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|cause| format!("cargo metadata: {cause}"))?;
    let map = fs::read_to_string(root.join("ARCHITECTURE.md"))
        .map_err(|cause| format!("ARCHITECTURE.md: {cause}"))?;
    let mut dependencies: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let short = |value: &Value| {
            value.as_str().and_then(|name| name.strip_prefix("ommatidia-")).map(str::to_owned)
        };
        let Some(name) = short(&package["name"]) else { continue };
        // Dev-dependencies may point anywhere: tests of a lower crate may use a higher one's scenes.
        let normal = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|d| d["kind"].is_null());
        dependencies
            .insert(name, normal.filter_map(|dependency| short(&dependency["name"])).collect());
    }
    let mut violations = Vec::new();
    for (name, needs) in &dependencies {
        let Some(own) = layer(name) else {
            violations.push(format!("crate {name} has no layer in xtask/src/tidy.rs"));
            continue;
        };
        if !map.contains(&format!("`crates/{name}`")) {
            violations.push(format!("crate {name} is not in ARCHITECTURE.md"));
        }
        let upward = needs.iter().filter(|need| layer(need).is_none_or(|other| other >= own));
        violations
            .extend(upward.map(|need| format!("{name} depends on {need}, which is not below it")));
    }
    Ok(violations)
}

fn sources(root: &Path) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    collect(&root.join("crates"), &mut files)?;
    let mut violations = Vec::new();
    for path in files {
        let text =
            fs::read_to_string(&path).map_err(|cause| format!("{}: {cause}", path.display()))?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if text.lines().count() > MAX_FILE_LINES && !text.contains("// tidy: long file, because") {
            violations.push(format!("{shown}: over {MAX_FILE_LINES} lines"));
        }
        let pure = PURE.iter().any(|name| shown.starts_with(&format!("crates/{name}/src")));
        for (number, line) in text.lines().enumerate() {
            let at = format!("{shown}:{}", number + 1);
            let code = line.split("//").next().unwrap_or(line);
            if code.trim_start().starts_with("pub use") && code.contains("::*") {
                violations.push(format!("{at}: a glob re-export hides what a crate offers"));
            }
            let banned = BANNED.iter().filter(|(word, _)| code.contains(word));
            violations.extend(banned.map(|(word, why)| format!("{at}: {word}: {why}")));
            if pure {
                let io = IO_WORDS.iter().filter(|word| code.contains(*word));
                violations.extend(io.map(|word| format!("{at}: {word} in a crate without I/O")));
            }
        }
    }
    Ok(violations)
}

/// All Rust files below a folder, sorted.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|cause| format!("{}: {cause}", folder.display()))?;
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
