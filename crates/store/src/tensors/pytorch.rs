//! PyTorch's state dicts: a zip archive since version 1.6, a sequence of pickles before.
//!
//! Source: PyTorch `torch/serialization.py`, `_save` and `_legacy_save`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::pickle::{Described, MAX_NAME, Node, Pickle, Storage, read};
use super::{Entries, Entry, archive, count};

/// How files of before version 1.6 begin: a pickle of the number 0x1950a86a20f9469cfc6c.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Where trainings keep the state dict among other things.
const NESTED: &[&str] =
    &["state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema", "module", "net"];

type Places = BTreeMap<String, Range<usize>>;

pub(super) fn of_archive(bytes: &[u8]) -> Result<Entries, String> {
    let entries = archive::entries(bytes)?;
    let found = entries.iter().find_map(|(name, place)| {
        name.strip_suffix("data.pkl").map(|folder| (folder.to_owned(), place.clone()))
    });
    let (folder, place) = found.ok_or("is a zip archive without data.pkl, so not PyTorch's")?;
    if let Some(order) = entries.get(&format!("{folder}byteorder"))
        && bytes.get(order.clone()) != Some(b"little")
    {
        return Err("was written on a big-endian machine; save it again on another".to_owned());
    }
    let pickle = read(&bytes[place])?;
    let data = format!("{folder}data/");
    let storages = entries
        .into_iter()
        .filter_map(|(name, place)| Some((name.strip_prefix(&data)?.to_owned(), place)))
        .collect();
    tensors(&pickle, &storages)
}

/// Magic number, version, description of the machine, state dict, keys of the storages, and these.
pub(super) fn of_sequence(bytes: &[u8]) -> Result<Entries, String> {
    let mut at = 0;
    let mut pickles = Vec::with_capacity(5);
    for _ in 0..5 {
        let pickle = read(&bytes[at..])?;
        at += pickle.length;
        pickles.push(pickle);
    }
    let (keys, root) = (&pickles[4], &pickles[3]);
    let known: BTreeMap<&str, &Storage> = root
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Storage(storage) => Some((storage.key.as_str(), storage)),
            _ => None,
        })
        .collect();
    let Node::Row(items) = keys.node(keys.root) else {
        return Err("lists no storages; the file is damaged".to_owned());
    };
    let mut places = Places::new();
    for &item in items {
        let Node::Text(key) = keys.node(item) else { continue };
        let cut = || format!("storage {key} is not all there; the file is damaged or cut short");
        let storage = known.get(key.as_str()).ok_or_else(cut)?;
        let numbers = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).ok_or_else(cut)?;
        if i64::from_le_bytes(*numbers) != storage.numbers {
            return Err(cut());
        }
        let length = usize::try_from(storage.numbers).ok();
        let length = length.and_then(|numbers| numbers.checked_mul(storage.kind.bytes()));
        let end = length.and_then(|length| (at + 8).checked_add(length)).ok_or_else(cut)?;
        if end > bytes.len() {
            return Err(cut());
        }
        places.insert(key.clone(), at + 8..end);
        at = end;
    }
    tensors(root, &places)
}

fn tensors(pickle: &Pickle, storages: &Places) -> Result<Entries, String> {
    let described = state_dict(pickle);
    if described.is_empty() {
        return Err(
            "holds no state dict, but perhaps a whole model as Python objects; save torch.save(model.state_dict(), …)"
                .to_owned(),
        );
    }
    let entry = |(name, tensor): (&str, &Described)| {
        let place = storages.get(&tensor.storage.key);
        let entry = place.and_then(|place| entry(tensor, place));
        let entry = entry.ok_or_else(|| {
            format!("tensor {name} is not all there; the file is damaged or cut short")
        })?;
        Ok((name.to_owned(), entry))
    };
    described.into_iter().map(entry).collect()
}

/// The tensors of the outermost dictionary, or of one that it holds under a usual name.
fn state_dict(pickle: &Pickle) -> Vec<(&str, &Described)> {
    let pairs = |at: usize| match pickle.node(at) {
        Node::Dictionary(pairs) => &pairs[..],
        _ => &[],
    };
    let tensors = |at: usize| -> Vec<(&str, &Described)> {
        let named = |[key, value]: &[usize; 2]| match (pickle.node(*key), pickle.node(*value)) {
            (Node::Text(name), Node::Tensor(tensor)) if name.len() < MAX_NAME => {
                Some((name.as_str(), tensor))
            }
            _ => None,
        };
        pairs(at).iter().filter_map(named).collect()
    };
    let outer = tensors(pickle.root);
    if !outer.is_empty() {
        return outer;
    }
    let nested = NESTED.iter().find_map(|wanted| {
        let pair = pairs(pickle.root).iter().find(
            |[key, _]| matches!(pickle.node(*key), Node::Text(name) if name.as_str() == *wanted),
        );
        pair.map(|[_, value]| tensors(*value)).filter(|found| !found.is_empty())
    });
    nested.unwrap_or_default()
}

/// `None` where a number would lie outside the storage, or outside the file.
fn entry(tensor: &Described, place: &Range<usize>) -> Option<Entry> {
    let kind = tensor.storage.kind;
    let sizes = |values: &[i64]| -> Option<Vec<usize>> {
        values.iter().map(|&value| usize::try_from(value).ok()).collect()
    };
    let (shape, strides) = (sizes(&tensor.shape)?, sizes(&tensor.strides)?);
    let offset = usize::try_from(tensor.offset).ok()?;
    let held = place.len() / kind.bytes();
    // No tensor is larger than what it is cut from, so that the file's size bounds memory.
    if shape.len() != strides.len() || count(&shape)? > held {
        return None;
    }
    let mut last = offset;
    for (&side, &stride) in shape.iter().zip(&strides) {
        last = last.checked_add(side.saturating_sub(1).checked_mul(stride)?)?;
    }
    let empty = shape.contains(&0);
    let start = if empty { place.start } else { place.start + offset.checked_mul(kind.bytes())? };
    (empty || last < held).then_some(Entry { kind, shape, strides, start })
}
