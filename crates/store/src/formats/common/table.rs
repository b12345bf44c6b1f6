//! Large JSON arrays, row by row: only what is wanted stays in memory.

use std::fmt;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::path::Path;

use ommatidia_scene::ContentHash;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use super::inputs::{Inputs, MAX_RECORDS, json_error, open_file};
use crate::Error;

/// Read at a time, bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// The rows of a JSON array that `keep` turns into something, in the file's order.
///
/// # Errors
/// Missing file, JSON that is no array of such rows (with line and column), too many kept rows.
pub(crate) fn rows<T: DeserializeOwned, U>(
    path: &Path,
    needed_by: &str,
    inputs: &mut Inputs,
    keep: impl FnMut(T) -> Option<U>,
) -> Result<Vec<U>, Error> {
    let (file, _) = open_file(path, needed_by)?;
    let mut hashed = Hashed { inner: file, hasher: blake3::Hasher::new() };
    let mut kept = Vec::new();
    let mut json =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(CHUNK_BYTES, &mut hashed));
    let seed = Rows { keep, kept: &mut kept, row: PhantomData };
    let parsed = seed.deserialize(&mut json).and_then(|()| json.end());
    drop(json);
    parsed.map_err(|cause| json_error(path, &cause))?;
    inputs.note(path, ContentHash(*hashed.hasher.finalize().as_bytes()));
    Ok(kept)
}

/// Hashes what passes through.
struct Hashed<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

struct Rows<'a, T, U, K> {
    keep: K,
    kept: &'a mut Vec<U>,
    row: PhantomData<T>,
}

impl<'de, T: DeserializeOwned, U, K: FnMut(T) -> Option<U>> DeserializeSeed<'de>
    for Rows<'_, T, U, K>
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned, U, K: FnMut(T) -> Option<U>> Visitor<'de> for Rows<'_, T, U, K> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<T>()? {
            self.kept.extend((self.keep)(row));
            if self.kept.len() > MAX_RECORDS {
                return Err(A::Error::custom(format!("more than {MAX_RECORDS} rows")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Vec<u32>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.json");
        std::fs::write(&path, content).unwrap();
        let mut inputs = Inputs::new(dir.path());
        let kept = rows(&path, "", &mut inputs, |n: u32| n.is_multiple_of(2).then_some(n))?;
        let expected = ContentHash(*blake3::hash(content.as_bytes()).as_bytes());
        assert_eq!(inputs.into_read()[0].blake3, expected);
        Ok(kept)
    }

    #[test]
    fn keeps_what_is_wanted_and_hashes_all() {
        assert_eq!(read(" [1, 2,3, 4 ]\n").unwrap(), [2, 4]);
        assert!(read("[]").unwrap().is_empty());
    }

    #[test]
    fn says_where_it_is_wrong() {
        for (bad, place) in
            [("[1, \"x\"]", "line 1 column"), ("{}", "array"), ("[1,", "EOF"), ("[] 3", "trailing")]
        {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains("table.json") && error.contains(place), "{bad}: {error}");
        }
    }
}
