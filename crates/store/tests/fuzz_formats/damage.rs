//! What can happen to a file.

use std::path::Path;

use serde_json::Value;

/// A small generator, the same on every machine: `SplitMix64` of Steele, Lea and Flood, 2014.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `count`, which is at least one.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }
}

/// A kind of damage.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Damage {
    FlipBytes,
    Truncate,
    Empty,
    Remove,
    BecomeDirectory,
    DoubleChunk,
    HugeField,
    DropLine,
    DoubleLine,
    SwapLines,
    SwapNumber,
    SwapJson,
}

/// What a number turns into.
const NUMBERS: [&str; 16] = [
    "nan",
    "inf",
    "-1",
    "0",
    "1e308",
    "-1e308",
    "1e-320",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    "0.5",
    "",
    "\"text\"",
    "null",
    "4294967296",
    "1e15",
];

impl Damage {
    pub(crate) fn choose(random: &mut Random) -> Self {
        use Damage::*;
        let kinds = [
            FlipBytes,
            FlipBytes,
            Truncate,
            Empty,
            Remove,
            BecomeDirectory,
            DoubleChunk,
            HugeField,
            DropLine,
            DoubleLine,
            SwapLines,
            SwapNumber,
            SwapNumber,
            SwapNumber,
            SwapJson,
            SwapJson,
            SwapJson,
        ];
        kinds[random.below(kinds.len())]
    }

    /// Damages the file at `path`, whose content is known. Text damage to binary files flips bytes.
    pub(crate) fn apply(self, path: &Path, content: &[u8], random: &mut Random) {
        let is_text = path
            .extension()
            .is_some_and(|extension| ["txt", "json", "toml"].iter().any(|text| extension == *text));
        match self {
            Self::Remove => std::fs::remove_file(path).unwrap(),
            Self::BecomeDirectory => {
                std::fs::remove_file(path).unwrap();
                std::fs::create_dir(path).unwrap();
            }
            _ => std::fs::write(path, self.damaged(content, is_text, random)).unwrap(),
        }
    }

    fn damaged(self, content: &[u8], is_text: bool, random: &mut Random) -> Vec<u8> {
        let mut bytes = content.to_vec();
        let at = random.below(bytes.len());
        match self {
            Self::Truncate => bytes.truncate(at),
            Self::Empty => bytes.clear(),
            Self::DoubleChunk => {
                let end = (at + 1 + random.below(64)).min(bytes.len());
                let chunk = bytes[at..end].to_vec();
                bytes.splice(at..at, chunk);
            }
            Self::HugeField => {
                let field = [u32::MAX, 0x7fff_ffff, 0, 0x8000_0000][random.below(4)].to_le_bytes();
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&field[..end - at]);
            }
            Self::DropLine | Self::DoubleLine | Self::SwapLines if is_text => {
                return self.lines(&String::from_utf8(bytes).unwrap(), random);
            }
            Self::SwapNumber if is_text => {
                return swap_number(&String::from_utf8(bytes).unwrap(), random).into_bytes();
            }
            Self::SwapJson => match serde_json::from_slice(content) {
                Ok(mut value) => {
                    swap_json(&mut value, random);
                    return serde_json::to_vec(&value).unwrap();
                }
                Err(_) => flip(&mut bytes, random),
            },
            _ => flip(&mut bytes, random),
        }
        bytes
    }

    fn lines(self, text: &str, random: &mut Random) -> Vec<u8> {
        let mut lines: Vec<&str> = text.lines().collect();
        let line = random.below(lines.len());
        match self {
            Self::DropLine => drop(lines.remove(line)),
            Self::DoubleLine => lines.insert(line, lines[line]),
            _ => {
                let other = random.below(lines.len());
                lines.swap(line, other);
            }
        }
        lines.join("\n").into_bytes()
    }
}

fn flip(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
    }
}

/// One run of the characters that numbers are written with becomes something else.
fn swap_number(text: &str, random: &mut Random) -> String {
    let part = |c: char| c.is_ascii_digit() || "+-.e".contains(c);
    let mut runs = Vec::new();
    let mut start = None;
    for (index, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, part(c)) {
            (None, true) => start = Some(index),
            (Some(from), false) => {
                if text[from..index].contains(|c: char| c.is_ascii_digit()) {
                    runs.push(from..index);
                }
                start = None;
            }
            _ => {}
        }
    }
    let replacement = NUMBERS[random.below(NUMBERS.len())];
    match runs.get(random.below(runs.len())) {
        Some(run) => [&text[..run.start], replacement, &text[run.end..]].concat(),
        None => text.to_owned(),
    }
}

/// One value somewhere becomes another, or disappears.
fn swap_json(value: &mut Value, random: &mut Random) {
    let descend = random.below(6) > 0;
    match value {
        Value::Array(items) if descend && !items.is_empty() => {
            let index = random.below(items.len());
            match random.below(12) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => swap_json(&mut items[index], random),
            }
        }
        Value::Object(fields) if descend && !fields.is_empty() => {
            let key = fields.keys().nth(random.below(fields.len())).unwrap().clone();
            match random.below(8) {
                0 => drop(fields.remove(&key)),
                _ => swap_json(&mut fields[&key], random),
            }
        }
        value => {
            let values = [
                Value::Null,
                Value::from(0),
                Value::from(-1),
                Value::from(u64::MAX),
                Value::from(i64::MIN),
                Value::from(1e308),
                Value::from(1e-300),
                Value::from(""),
                Value::from("../../../etc/passwd"),
                Value::from("nowhere"),
                Value::from(true),
                Value::Array(Vec::new()),
                Value::Object(serde_json::Map::new()),
                Value::from(vec![1e300; 4]),
            ];
            *value = values[random.below(values.len())].clone();
        }
    }
}
