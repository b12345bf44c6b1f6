//! KITTI text: objects of one image (`000000.txt`) or tracks of a sequence (`0000.txt`).

use std::path::Path;

use crate::Error;
use crate::formats::common::inputs::{MAX_RECORDS, MAX_TEXT_BYTES, list, read_bounded, utf8};

/// An object as KITTI writes it. Camera frame: x right, y down, z forward.
#[derive(Debug, Clone, PartialEq)]
pub struct KittiRow {
    /// Line, from 1.
    pub line: usize,
    /// Frame and identity; of tracks only.
    pub track: Option<(u32, i64)>,
    /// `Car`, `DontCare` and so on.
    pub class: String,
    /// 0 to 1; -1 where not given.
    pub truncation: f64,
    /// 0 to 3; -1 where not given.
    pub occlusion: i32,
    /// Observation angle, radians; -10 where not given.
    pub alpha_rad: f64,
    /// Left, top, right, bottom, pixels.
    pub bounds_px: [f64; 4],
    /// Height, width, length, metres.
    pub size_m: [f64; 3],
    /// Middle of the bottom, metres.
    pub location_m: [f64; 3],
    /// About the y axis, radians.
    pub rotation_y_rad: f64,
    /// Confidence of a prediction.
    pub score: Option<f64>,
}

/// Rows of a file. `tracks`: lines begin with frame and identity.
///
/// # Errors
/// Missing or unreadable file; a line with another number of columns, or one that is not a finite number. The line is
/// named.
pub fn read(path: &Path, tracks: bool) -> Result<Vec<KittiRow>, Error> {
    let text = utf8(path, read_bounded(path, MAX_TEXT_BYTES, "it holds objects")?)?;
    let mut rows = Vec::new();
    for (index, content) in text.lines().enumerate() {
        if content.trim().is_empty() {
            continue;
        }
        let row = parse(index + 1, content, tracks);
        rows.push(row.map_err(|what| Error::source(path, format!("line {}: {what}", index + 1)))?);
        if rows.len() > MAX_RECORDS {
            return Err(Error::source(path, format!("has more than {MAX_RECORDS} rows")));
        }
    }
    Ok(rows)
}

/// Names of the text files of a folder without their ending, sorted.
///
/// # Errors
/// Where the folder cannot be read.
pub fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let files = list(folder)?;
    Ok(files.iter().filter_map(|name| name.strip_suffix(".txt")).map(str::to_owned).collect())
}

fn parse(line: usize, content: &str, tracks: bool) -> Result<KittiRow, String> {
    let words: Vec<&str> = content.split_whitespace().collect();
    let first = if tracks { 2 } else { 0 };
    if words.len() != first + 15 && words.len() != first + 16 {
        let needed = first + 15;
        return Err(format!("{} columns; needs {needed}, and a score if predicted", words.len()));
    }
    let number = |place: usize| -> Result<f64, String> {
        let word = words[first + place];
        let value: Option<f64> = word.parse().ok().filter(|value: &f64| value.is_finite());
        value
            .ok_or_else(|| format!("column {}: {word:?} is not a finite number", first + place + 1))
    };
    let whole = |place: usize| -> Result<i64, String> {
        words[place]
            .parse()
            .map_err(|_| format!("column {}: {:?} is not a whole number", place + 1, words[place]))
    };
    let track = if tracks {
        let frame = u32::try_from(whole(0)?).map_err(|_| "the frame is negative".to_owned())?;
        Some((frame, whole(1)?))
    } else {
        None
    };
    Ok(KittiRow {
        line,
        track,
        class: words[first].to_owned(),
        truncation: number(1)?,
        occlusion: number(2)? as i32,
        alpha_rad: number(3)?,
        bounds_px: [number(4)?, number(5)?, number(6)?, number(7)?],
        size_m: [number(8)?, number(9)?, number(10)?],
        location_m: [number(11)?, number(12)?, number(13)?],
        rotation_y_rad: number(14)?,
        score: if words.len() == first + 16 { Some(number(15)?) } else { None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAR: &str =
        "Car 0.00 1 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56";

    fn parse_text(text: &str, tracks: bool) -> Result<Vec<KittiRow>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000001.txt");
        std::fs::write(&path, text).unwrap();
        assert_eq!(names(dir.path()).unwrap(), ["000001"]);
        read(&path, tracks)
    }

    #[test]
    fn rows_are_read() {
        let rows = parse_text(&format!("{CAR}\n{CAR} 0.9\n"), false).unwrap();
        assert_eq!((&*rows[0].class, rows[0].occlusion, rows[0].score), ("Car", 1, None));
        assert_eq!((rows[1].score, rows[1].rotation_y_rad), (Some(0.9), -1.56));
        let tracks = parse_text(&format!("3 7 {CAR}\n"), true).unwrap();
        assert_eq!(tracks[0].track, Some((3, 7)));
    }

    #[test]
    fn lines_are_named() {
        let check = |text: &str, tracks: bool, expected: &str| {
            let why = parse_text(&format!("{text}\n"), tracks).unwrap_err().to_string();
            assert!(why.contains("000001.txt: line 1") && why.contains(expected), "{why}");
        };
        check("Car 1 2", false, "3 columns; needs 15");
        check(&CAR.replace("2.85", "nan"), false, "column 9: \"nan\"");
        check(&format!("x 7 {CAR}"), true, "column 1: \"x\"");
    }
}
