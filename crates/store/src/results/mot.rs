//! MOTChallenge text: `frame, id, left, top, width, height, confidence, class or x, visibility or y, z`.

use std::path::Path;

use crate::Error;
use crate::formats::common::inputs::{MAX_RECORDS, MAX_TEXT_BYTES, read_bounded, utf8};

/// A row of a result or truth file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotRow {
    /// Line, from 1.
    pub line: usize,
    /// Frame, from 1.
    pub frame: u32,
    /// Identity.
    pub id: u64,
    /// Left, top, right, bottom, pixels.
    pub bounds_px: [f64; 4],
    /// Confidence; in truth files 0 marks what does not count.
    pub confidence: f64,
    /// Class where given: the eighth column of truth files.
    pub class: Option<u32>,
}

/// Rows of a file, in its order.
///
/// # Errors
/// Missing or unreadable file; a line with fewer than six columns or a column that is not a finite number, a frame
/// below 1, a negative identity or size. The line is named.
pub fn read(path: &Path) -> Result<Vec<MotRow>, Error> {
    let text = utf8(path, read_bounded(path, MAX_TEXT_BYTES, "it holds tracks")?)?;
    let mut rows = Vec::new();
    for (index, content) in text.lines().enumerate() {
        if content.trim().is_empty() {
            continue;
        }
        let row = parse(index + 1, content);
        rows.push(row.map_err(|what| Error::source(path, format!("line {}: {what}", index + 1)))?);
        if rows.len() > MAX_RECORDS {
            return Err(Error::source(path, format!("has more than {MAX_RECORDS} rows")));
        }
    }
    Ok(rows)
}

fn parse(line: usize, content: &str) -> Result<MotRow, String> {
    let words: Vec<&str> = content.split(',').map(str::trim).collect();
    let number = |place: usize| -> Result<f64, String> {
        let word = words.get(place).copied().unwrap_or_default();
        let value: Option<f64> = word.parse().ok().filter(|value: &f64| value.is_finite());
        value.ok_or_else(|| format!("column {}: {word:?} is not a finite number", place + 1))
    };
    if words.len() < 6 {
        return Err(format!("{} columns; needs frame, id, left, top, width, height", words.len()));
    }
    let (frame, id) = (number(0)?, number(1)?);
    let whole = |value: f64, most: f64| value.fract() == 0.0 && (0.0..=most).contains(&value);
    if !whole(frame, 1e9) || frame < 1.0 {
        return Err(format!("the frame {frame} is not a whole number from 1"));
    }
    if !whole(id, 1e15) {
        return Err(format!("the identity {id} is not a whole number from 0"));
    }
    let [left, top, width, height] = [number(2)?, number(3)?, number(4)?, number(5)?];
    if width < 0.0 || height < 0.0 {
        return Err(format!("the box is {width} x {height} px"));
    }
    let confidence = if words.len() > 6 { number(6)? } else { 1.0 };
    let class = if words.len() > 7 { Some(number(7)?) } else { None };
    Ok(MotRow {
        line,
        frame: frame as u32,
        id: id as u64,
        bounds_px: [left, top, left + width, top + height],
        confidence,
        class: class.filter(|&class| whole(class, 1e6)).map(|class| class as u32),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<Vec<MotRow>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gt.txt");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn rows_are_read() {
        let rows =
            parse_text("1,2,10,20,30,40,1,7,0.5\n\n2, 3, 1.5, 2, 3, 4, 0.9, -1, -1, -1\n").unwrap();
        assert_eq!((rows[0].frame, rows[0].id, rows[0].class), (1, 2, Some(7)));
        assert_eq!(rows[0].bounds_px, [10.0, 20.0, 40.0, 60.0]);
        assert_eq!((rows[1].line, rows[1].confidence, rows[1].class), (3, 0.9, None));
    }

    #[test]
    fn lines_are_named() {
        let check = |text: &str, expected: &str| {
            let why = parse_text(&format!("1,1,0,0,1,1\n{text}\n")).unwrap_err().to_string();
            assert!(why.contains("gt.txt: line 2") && why.contains(expected), "{why}");
        };
        check("1,2,3", "3 columns");
        check("0,2,1,1,1,1", "the frame 0");
        check("1,2,nan,1,1,1", "column 3: \"nan\"");
        check("1,-2,1,1,1,1", "the identity -2");
        check("1,2,1,1,-1,1", "-1 x 1 px");
    }
}
