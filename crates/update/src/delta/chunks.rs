//! Content-defined chunks: cuts fall where the bytes themselves say so, so that an insertion moves the
//! cuts behind it along and equal stretches become equal chunks.
//!
//! Xia et al. 2016, "FastCDC": a rolling gear hash, a shortest length, and a harder mask before the
//! normal length than behind it.

use std::collections::HashMap;
use std::io::{self, Read};

use crate::disk::{ReadAt, Section};

const SHORTEST: usize = 2 << 10;
const NORMAL: usize = 8 << 10;
const LONGEST: usize = 64 << 10;
const HARD: u64 = 0x0003_5907_0353_0000;
const EASY: u64 = 0x0000_d900_0353_0000;

/// Random numbers by byte: SplitMix64 from 0.
const GEAR: [u64; 256] = {
    let (mut table, mut i, mut state) = ([0; 256], 0, 0u64);
    while i < 256 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[i] = z ^ (z >> 31);
        i += 1;
    }
    table
};

/// Length of the first chunk of `bytes`, which hold at least [`LONGEST`] unless they end the file.
fn cut(bytes: &[u8]) -> usize {
    let end = bytes.len().min(LONGEST);
    let mut hash = 0u64;
    for (i, byte) in bytes[..end].iter().enumerate().skip(SHORTEST) {
        hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
        let mask = if i < NORMAL { HARD } else { EASY };
        if hash & mask == 0 {
            return i + 1;
        }
    }
    end
}

/// Calls `f` with each chunk and its offset.
pub(crate) fn each(source: &dyn ReadAt, mut f: impl FnMut(u64, &[u8])) -> io::Result<()> {
    let mut stream = Section::new(source, 0, source.bytes()?);
    let (mut buffer, mut start, mut offset) = (Vec::new(), 0, 0);
    loop {
        if buffer.len() - start < LONGEST {
            buffer.drain(..start);
            start = 0;
            (&mut stream).take(1 << 20).read_to_end(&mut buffer)?;
        }
        if buffer.len() == start {
            return Ok(());
        }
        let chunk = &buffer[start..start + cut(&buffer[start..])];
        f(offset, chunk);
        offset += chunk.len() as u64;
        start += chunk.len();
    }
}

/// Where chunks of a bundle lie, by content.
pub(crate) fn index(source: &dyn ReadAt) -> io::Result<HashMap<[u8; 32], u64>> {
    let mut places = HashMap::new();
    each(source, |offset, chunk| {
        places.entry(*blake3::hash(chunk).as_bytes()).or_insert(offset);
    })?;
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1u64;
        let next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn an_insertion_changes_chunks_around_it_only() {
        let old = noise(1 << 20);
        let mut new = old.clone();
        new.splice(300_000..300_000, *b"inserted");
        let known = index(&old).unwrap();
        let (mut chunks, mut found, mut bytes) = (0, 0, 0);
        each(&new, |offset, chunk| {
            assert_eq!(offset, bytes);
            bytes += chunk.len() as u64;
            chunks += 1;
            found += usize::from(known.contains_key(blake3::hash(chunk).as_bytes()));
        })
        .unwrap();
        assert_eq!(bytes, new.len() as u64);
        assert!(chunks > 40 && found + 3 >= chunks, "{found} of {chunks}");
    }
}
