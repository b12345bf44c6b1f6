//! Results as JSON, whole or a value per line. The types are those of whoever evaluates them.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::Error;
use crate::formats::common::inputs::{MAX_RECORDS, MAX_TEXT_BYTES, parse_json, read_bounded, utf8};

/// A JSON file.
///
/// # Errors
/// Missing or unreadable file, one that is too large, or JSON of another shape, with line and column.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    parse_json(path, &read_bounded(path, MAX_TEXT_BYTES, "it holds results")?)
}

/// A value per line, with lines from 1. Blank lines are left out.
///
/// # Errors
/// As [`read`]; names the line.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<(usize, T)>, Error> {
    let text = utf8(path, read_bounded(path, MAX_TEXT_BYTES, "it holds results")?)?;
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let value = serde_json::from_str(line);
        let value = value.map_err(|cause| {
            Error::source(path, format!("line {}, column {}: {cause}", i + 1, cause.column()))
        })?;
        found.push((i + 1, value));
        if found.len() > MAX_RECORDS {
            return Err(Error::source(path, format!("has more than {MAX_RECORDS} lines")));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lines_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.json");
        fs::write(&path, "[1, 2]\n\n[3]\n").unwrap();
        let found: Vec<(usize, Vec<u32>)> = read_lines(&path).unwrap();
        assert_eq!(found, [(1, vec![1, 2]), (3, vec![3])]);
        fs::write(&path, "[1]\n[2, -3]\n").unwrap();
        let message = read_lines::<Vec<u32>>(&path).unwrap_err().to_string();
        assert!(message.contains("lines.json: line 2, column"), "{message}");
        assert!(read::<Vec<u32>>(&path).is_err());
        assert!(read::<Vec<u32>>(&folder.path().join("none.json")).is_err());
    }
}
