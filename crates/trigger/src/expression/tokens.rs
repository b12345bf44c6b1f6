//! From text to words, numbers and signs.

use super::{Compare, MAX_TEXT};
use crate::{Error, unit::Unit};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    /// In metres, seconds and radians.
    Number(f64, Unit),
    Compare(Compare),
    /// One of `+ - * / ( ) ,`.
    Sign(u8),
}

/// A token and its column.
pub(super) type Placed = (usize, Token);

pub(super) fn problem(column: usize, what: impl Into<String>) -> Error {
    Error::Expression { column, what: what.into() }
}

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Error> {
    if text.len() > MAX_TEXT {
        return Err(problem(
            1,
            format!("{} bytes; an expression has at most {MAX_TEXT}", text.len()),
        ));
    }
    if let Some(at) = text.chars().position(|c| !c.is_ascii()) {
        return Err(problem(at + 1, "a character that means nothing here"));
    }
    // Bytes are characters from here on.
    let bytes = text.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let token = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                at += run(&bytes[at..], is_word);
                Token::Word(text[start..at].to_owned())
            }
            b'0'..=b'9' | b'.' => {
                let (token, length) = number(&text[start..], start + 1)?;
                at += length;
                token
            }
            b'=' | b'<' | b'>' | b'!' => {
                at += run(&bytes[at..], |byte| b"=<>!".contains(&byte));
                Token::Compare(compare(&text[start..at], start + 1)?)
            }
            b'+' | b'-' | b'*' | b'/' | b'(' | b')' | b',' => {
                at += 1;
                Token::Sign(byte)
            }
            _ => return Err(problem(start + 1, "a character that means nothing here")),
        };
        tokens.push((start + 1, token));
    }
    Ok(tokens)
}

fn run(bytes: &[u8], accepts: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| accepts(**byte)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn compare(sign: &str, column: usize) -> Result<Compare, Error> {
    Ok(match sign {
        "<" => Compare::Less,
        "<=" => Compare::AtMost,
        ">" => Compare::More,
        ">=" => Compare::AtLeast,
        "=" | "==" => Compare::Equal,
        "!=" => Compare::Other,
        _ => return Err(problem(column, format!("{sign} is no comparison: = != < <= > >="))),
    })
}

/// A number with its unit, and their length.
fn number(text: &str, column: usize) -> Result<(Token, usize), Error> {
    let bytes = text.as_bytes();
    let length = run(bytes, |byte| byte.is_ascii_digit() || byte == b'.');
    let value: f64 = text[..length]
        .parse()
        .map_err(|_| problem(column, format!("{} is no number", &text[..length])))?;
    let gap = run(&bytes[length..], |byte| byte == b' ');
    let from = length + gap;
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let mut to = from + run(&bytes[from..], u8_is_alphabetic);
    // `m/s`, but not `m/2` or `m / speed`: a unit has no blanks.
    if to > from && bytes.get(to) == Some(&b'/') && letter(to + 1) {
        let end = to + 1 + run(&bytes[to + 1..], is_word);
        if Unit::named(&text[from..end]).is_some() {
            to = end;
        }
    }
    let name = &text[from..to];
    match Unit::named(name) {
        Some((size, unit)) => Ok((Token::Number(value * size, unit), to)),
        None if gap == 0 && to > from => Err(problem(
            column + from,
            format!("{name} is no unit: m km s ms min m/s km/h m/s2 deg deg/s"),
        )),
        None => Ok((Token::Number(value, Unit::ONE), length)),
    }
}

fn u8_is_alphabetic(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}
