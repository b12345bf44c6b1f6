//! A cursor over JSON in memory, for files so large that building values would take longer than reading.

use std::borrow::Cow;

/// What is wrong, and at which byte.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) what: String,
}

/// Deepest nesting that is skipped over.
const MAX_DEPTH: usize = 64;

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn wrong<T>(&self, what: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong { at: self.at, what: what.into() })
    }

    /// The next byte that is no white space, without taking it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes the next byte if it is the one.
    pub(super) fn takes(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), Wrong> {
        if self.takes(wanted) {
            return Ok(());
        }
        let found = self.peek().map_or("the end".to_owned(), |b| format!("{:?}", char::from(b)));
        self.wrong(format!("expected {:?}, found {found}", char::from(wanted)))
    }

    /// Walks an array or object: calls for each element, from behind the opening bracket to behind the closing one.
    pub(super) fn each(
        &mut self,
        [open, close]: [u8; 2],
        mut element: impl FnMut(&mut Self) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        self.expect(open)?;
        if self.takes(close) {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.takes(close) {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// A string with its escapes resolved.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Wrong> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.bytes.get(self.at) {
                None => return self.wrong("the string does not end"),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        let raw = &self.bytes[start..self.at];
        self.at += 1;
        if !escaped {
            return match std::str::from_utf8(raw) {
                Ok(text) => Ok(Cow::Borrowed(text)),
                Err(_) => self.wrong("the string is not UTF-8"),
            };
        }
        match serde_json::from_slice(&self.bytes[start - 1..self.at]) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(_) => self.wrong("the string has an escape that is none of JSON"),
        }
    }

    /// A key and its colon.
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>, Wrong> {
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// A number; also `NaN`, `Infinity` and `-Infinity`, which Python writes.
    pub(super) fn number(&mut self) -> Result<f64, Wrong> {
        self.peek();
        let start = self.at;
        let of_number =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        self.at += self.bytes[start..].iter().take_while(of_number).count();
        let word = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
        let digits = word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let named = matches!(word, "NaN" | "Infinity" | "-Infinity");
        match word.parse() {
            Ok(number) if digits || named => Ok(number),
            _ => {
                self.at = start;
                self.wrong("expected a number")
            }
        }
    }

    pub(super) fn numbers<const N: usize>(&mut self) -> Result<[f64; N], Wrong> {
        let (mut numbers, mut found) = ([0.0; N], 0);
        let start = self.at;
        self.each(*b"[]", |cursor| {
            let number = cursor.number()?;
            if let Some(place) = numbers.get_mut(found) {
                *place = number;
            }
            found += 1;
            Ok(())
        })?;
        if found == N {
            return Ok(numbers);
        }
        Err(Wrong { at: start, what: format!("expected {N} numbers, found {found}") })
    }

    /// Passes over any value.
    pub(super) fn skip(&mut self) -> Result<(), Wrong> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), Wrong> {
        if depth == 0 {
            return self.wrong(format!("is nested deeper than {MAX_DEPTH}"));
        }
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'[') => self.each(*b"[]", |cursor| cursor.skip_within(depth - 1)),
            Some(b'{') => self.each(*b"{}", |cursor| {
                cursor.key()?;
                cursor.skip_within(depth - 1)
            }),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.number().map(drop),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Wrong> {
        if !self.bytes[self.at..].starts_with(word) {
            return self.wrong("expected a value");
        }
        self.at += word.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_read() {
        let mut cursor = Cursor::new(br#" {"a\n": [1, -2.5e3, NaN] , "b": "x"} "#);
        let mut keys = Vec::new();
        cursor
            .each(*b"{}", |cursor| {
                keys.push(cursor.key()?.into_owned());
                cursor.skip()
            })
            .unwrap();
        assert_eq!(keys, ["a\n", "b"]);
        assert_eq!(Cursor::new(b"[1, -2.5e3]").numbers::<2>().unwrap(), [1.0, -2500.0]);
        assert!(Cursor::new(b"NaN").number().unwrap().is_nan());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |text: &str, expected: &str| {
            let mut cursor = Cursor::new(text.as_bytes());
            let wrong = cursor.skip().unwrap_err();
            assert!(wrong.what.contains(expected), "{text}: {wrong:?}");
        };
        check("[1 2]", "expected ','");
        check("{\"a\" 1}", "expected ':'");
        check("\"abc", "does not end");
        check("nul", "expected a value");
        check("inf", "expected a number");
        check(&"[".repeat(100), "nested deeper");
        assert!(Cursor::new(b"[1,2,3]").numbers::<2>().unwrap_err().what.contains("found 3"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Cursor::new(&bytes).skip();
            let _ = Cursor::new(&bytes).string();
            let _ = Cursor::new(&bytes).numbers::<3>();
        }

        #[test]
        fn numbers_are_those_of_the_standard_library(x in any::<f64>()) {
            let text = format!("{x:?}").replace("inf", "Infinity");
            let read = Cursor::new(text.as_bytes()).number().unwrap();
            prop_assert!(read == x || (read.is_nan() && x.is_nan()));
        }
    }
}
