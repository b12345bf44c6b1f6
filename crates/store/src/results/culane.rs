//! CULane's `.lines.txt`: a lane per line, `x y x y …` in pixels.

use std::path::Path;

use crate::Error;
use crate::formats::common::inputs::{MAX_TEXT_BYTES, read_bounded, utf8};

/// Lanes of a file, in its order. A blank line is a lane without points, as the official program reads it.
///
/// # Errors
/// Missing or unreadable file; a word that is no finite number or a lane with an odd count of them, by its line.
pub fn read(path: &Path) -> Result<Vec<Vec<[f32; 2]>>, Error> {
    parse(path, &utf8(path, read_bounded(path, MAX_TEXT_BYTES, "it holds lanes")?)?)
}

fn parse(path: &Path, text: &str) -> Result<Vec<Vec<[f32; 2]>>, Error> {
    let lane = |(i, line): (usize, &str)| {
        let wrong = |what: String| Error::source(path, format!("line {}: {what}", i + 1));
        let number = |word: &str| {
            let value: Option<f32> = word.parse().ok().filter(|value: &f32| value.is_finite());
            value.ok_or_else(|| {
                let shown: String = word.chars().take(40).collect();
                wrong(format!("{shown:?} is not a finite number"))
            })
        };
        let numbers: Vec<f32> = line.split_whitespace().map(number).collect::<Result<_, _>>()?;
        if !numbers.len().is_multiple_of(2) {
            return Err(wrong(format!("{} numbers; points have two each", numbers.len())));
        }
        Ok(numbers.chunks_exact(2).map(|p| [p[0], p[1]]).collect())
    };
    text.lines().enumerate().map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_what_is_none() {
        let of = |text: &str| parse(Path::new("a.lines.txt"), text);
        assert_eq!(
            of("1 2 3.5 4\n\n5 6 \n").unwrap(),
            [vec![[1.0, 2.0], [3.5, 4.0]], vec![], vec![[5.0, 6.0]]]
        );
        assert!(of("").unwrap().is_empty());
        let message = |text: &str| of(text).unwrap_err().to_string();
        assert!(message("1 2\n1 2 3\n").contains("a.lines.txt: line 2: 3 numbers"));
        assert!(message("1 x\n").contains("line 1: \"x\" is not a finite number"));
        assert!(message("1 nan\n").contains("\"nan\""));
    }
}
