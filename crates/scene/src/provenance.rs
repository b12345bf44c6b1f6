//! Where an artefact came from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// BLAKE3 of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ContentHash {
    type Err = &'static str;

    fn from_str(hex: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "a content hash is 64 hexadecimal digits";
        if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(EXPECTED);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| EXPECTED)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| EXPECTED)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One thing an artefact was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// A name for people: a file name relative to the source, a clip, a run.
    pub name: String,
    /// Its content.
    pub blake3: ContentHash,
}

/// What an artefact was made from, by which code and with which settings. Holds no clock and no
/// machine: the same inputs give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Everything read, in the order it was named.
    pub inputs: Vec<Input>,
    /// Program and version, `omma 0.1.0`.
    pub code: String,
    /// The resolved configuration.
    pub config: serde_json::Value,
}

impl Provenance {
    /// Made by this version of the program.
    pub fn new(inputs: Vec<Input>, config: serde_json::Value) -> Self {
        Self { inputs, code: concat!("omma ", env!("CARGO_PKG_VERSION")).to_owned(), config }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_survive_text() {
        let hash = ContentHash(std::array::from_fn(|i| (i * 7) as u8));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for bad in ["", "zz", &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32)] {
            assert!(bad.parse::<ContentHash>().is_err(), "{bad}");
        }
    }
}
