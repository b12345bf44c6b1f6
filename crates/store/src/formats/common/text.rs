//! Numbers in lines of text.

use std::path::Path;

use crate::Error;

/// The finite numbers of a line, separated by white space or commas.
///
/// # Errors
/// Where there are not `N`, or one is not a finite number; names the line (from 1).
pub(crate) fn numbers<const N: usize>(
    path: &Path,
    line: usize,
    text: &str,
) -> Result<[f64; N], Error> {
    let mut values = [0.0; N];
    let mut found = 0;
    for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
    {
        if let Some(value) = values.get_mut(found) {
            *value = number(path, line, found + 1, word)?;
        }
        found += 1;
    }
    if found != N {
        return Err(Error::source(
            path,
            format!("line {line}: expected {N} numbers, found {found}"),
        ));
    }
    Ok(values)
}

fn number(path: &Path, line: usize, position: usize, word: &str) -> Result<f64, Error> {
    let value: Option<f64> = word.parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| {
        let shown: String = word.chars().take(40).collect();
        let what = format!("line {line}, value {position}: {shown:?} is not a finite number");
        Error::source(path, what)
    })
}

/// Lines with their numbers from 1, without blank ones.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())).filter(|(_, l)| !l.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_and_finite() {
        let check = |text: &str, expected: &str| {
            let error = numbers::<3>(Path::new("p.txt"), 7, text).unwrap_err().to_string();
            assert!(error.contains("p.txt: line 7") && error.contains(expected), "{error}");
        };
        assert_eq!(numbers::<3>(Path::new("p"), 1, " 1, -2e0\t3 ").unwrap(), [1.0, -2.0, 3.0]);
        check("1 2", "expected 3 numbers, found 2");
        check("1 2 3 4", "found 4");
        check("1 nan 3", "value 2: \"nan\"");
        check("1 2 1e999", "value 3");
        check("1 2 x", "not a finite number");
    }
}
