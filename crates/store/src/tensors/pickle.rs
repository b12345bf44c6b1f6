//! A reader of pickles that knows dictionaries, tuples, texts, whole numbers and PyTorch's tensors, and
//! calls nothing.
//!
//! Source: CPython `Lib/pickletools.py`; PyTorch `torch/serialization.py`, `torch/_utils.py`.

use super::Kind;

/// Longest pickle that is read: names and sizes of tensors, not their numbers.
const MAX_BYTES: usize = 8 << 20;
/// Longest names and most dimensions: what is referred to often is copied often.
pub(super) const MAX_NAME: usize = 256;
const MAX_DIMENSIONS: usize = 16;
/// Most values: a hundred thousand tensors have fewer.
const MAX_NODES: usize = 2 << 20;
const CUT: &str = "its description of tensors is damaged or cut short; fetch the file again";

/// A tensor as the pickle tells of it; nothing is checked yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Described {
    pub(super) storage: Storage,
    pub(super) offset: i64,
    pub(super) shape: Vec<i64>,
    pub(super) strides: Vec<i64>,
}

/// A row of numbers that tensors are cut from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) numbers: i64,
}

/// A value; others by their place in [`Pickle::nodes`], so that no value can hold itself.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Nothing that is of use here.
    Opaque,
    Whole(i64),
    Text(String),
    /// Tuples and lists.
    Row(Vec<usize>),
    Dictionary(Vec<[usize; 2]>),
    /// A Python function or class.
    Name(String),
    Storage(Storage),
    Tensor(Described),
}

/// What a pickle says.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) nodes: Vec<Node>,
    pub(super) root: usize,
    /// Bytes that it took.
    pub(super) length: usize,
}

impl Pickle {
    pub(super) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<usize>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: std::collections::BTreeMap<usize, usize>,
}

/// Reads the pickle that `bytes` begin with.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle, String> {
    let bytes = &bytes[..bytes.len().min(MAX_BYTES)];
    let mut machine = Machine {
        bytes,
        at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: std::collections::BTreeMap::new(),
    };
    loop {
        let operation = machine.take(1)?[0];
        if operation == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { nodes: machine.nodes, root, length: machine.at });
        }
        machine.step(operation)?;
        if machine.nodes.len() > MAX_NODES {
            return Err(format!("it describes more than {MAX_NODES} things; it is no state dict"));
        }
    }
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).ok_or(CUT)?;
        let taken = self.bytes.get(self.at..end).ok_or(CUT)?;
        self.at = end;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<usize, String> {
        let wide = self.take(N)?.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
        usize::try_from(wide).map_err(|_| CUT.to_owned())
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(CUT)?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(line)
    }

    fn text(&mut self, length: usize) -> Result<(), String> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Node::Text(text));
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    /// Never below the last mark.
    fn pop(&mut self) -> Result<usize, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(CUT.to_owned());
        }
        self.stack.pop().ok_or_else(|| CUT.to_owned())
    }

    fn top(&self) -> Result<usize, String> {
        self.stack.last().copied().ok_or_else(|| CUT.to_owned())
    }

    fn pop_marked(&mut self) -> Result<Vec<usize>, String> {
        let mark = self.marks.pop().ok_or(CUT)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn row(&mut self, count: usize) -> Result<(), String> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Node::Row(items));
        Ok(())
    }

    fn memorise(&mut self, key: usize) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: usize) -> Result<(), String> {
        let node = *self.memo.get(&key).ok_or(CUT)?;
        self.stack.push(node);
        Ok(())
    }

    /// Puts items into the dictionary or list below them.
    fn fill(&mut self, items: &[usize], pairs: bool) -> Result<(), String> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::Dictionary(into) if pairs => into.extend_from_slice(items.as_chunks::<2>().0),
            Node::Row(into) if !pairs => into.extend_from_slice(items),
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, operation: u8) -> Result<(), String> {
        match operation {
            0x80 => drop(self.take(1)?), // PROTO
            0x95 => drop(self.take(8)?), // FRAME
            b'(' => self.marks.push(self.stack.len()),
            b'}' => self.push(Node::Dictionary(Vec::new())),
            b']' | b')' => self.push(Node::Row(Vec::new())),
            0x85..=0x87 => self.row(usize::from(operation - 0x84))?, // TUPLE1 to 3
            b't' | b'l' => {
                let items = self.pop_marked()?;
                self.push(Node::Row(items));
            }
            b'K' | b'M' | b'J' | 0x8a => self.whole(operation)?,
            b'X' | b'T' => {
                let length = self.number::<4>()?;
                self.text(length)?;
            }
            0x8c | b'U' => {
                let length = self.number::<1>()?;
                self.text(length)?;
            }
            b'C' | b'B' | b'G' | b'N' | 0x88 | 0x89 | 0x8f => self.opaque(operation)?,
            b'c' => {
                let name = [self.line()?, self.line()?].join(".");
                self.push(Node::Name(name));
            }
            0x93 => self.global()?,
            b'q' | b'h' => {
                let key = self.number::<1>()?;
                if operation == b'q' { self.memorise(key)? } else { self.recall(key)? }
            }
            b'r' | b'j' => {
                let key = self.number::<4>()?;
                if operation == b'r' { self.memorise(key)? } else { self.recall(key)? }
            }
            0x94 => self.memorise(self.memo.len())?,
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.fill(&[key, value], true)?;
            }
            b'u' | b'e' | 0x90 => {
                let items = self.pop_marked()?;
                self.fill(&items, operation == b'u')?;
            }
            b'a' => {
                let item = self.pop()?;
                self.fill(&[item], false)?;
            }
            b'Q' => self.persistent()?,
            b'R' => self.call()?,
            0x81 => {
                // NEWOBJ
                self.pop()?;
                self.pop()?;
                self.push(Node::Opaque);
            }
            b'b' => drop(self.pop()?), // BUILD: the object stays without its state
            b'0' => drop(self.pop()?),
            other => {
                return Err(format!(
                    "its pickle uses operation {other:#04x}, which state dicts do not need; save it with torch.save(model.state_dict(), …)"
                ));
            }
        }
        Ok(())
    }

    fn whole(&mut self, operation: u8) -> Result<(), String> {
        let node = match operation {
            b'K' => Node::Whole(self.number::<1>()? as i64),
            b'M' => Node::Whole(self.number::<2>()? as i64),
            b'J' => Node::Whole(i64::from(self.number::<4>()? as u32 as i32)),
            _ => {
                let length = self.number::<1>()?;
                let bytes = self.take(length)?;
                match length {
                    0 => Node::Whole(0),
                    1..=8 => {
                        let sign = if bytes[length - 1] > 127 { 0xff } else { 0 };
                        let mut wide = [sign; 8];
                        wide[..length].copy_from_slice(bytes);
                        Node::Whole(i64::from_le_bytes(wide))
                    }
                    _ => Node::Opaque,
                }
            }
        };
        self.push(node);
        Ok(())
    }

    /// Values that tell nothing of tensors.
    fn opaque(&mut self, operation: u8) -> Result<(), String> {
        let length = match operation {
            b'C' => self.number::<1>()?,
            b'B' => self.number::<4>()?,
            b'G' => 8,
            _ => 0,
        };
        self.take(length)?;
        self.push(Node::Opaque);
        Ok(())
    }

    fn global(&mut self) -> Result<(), String> {
        let (name, module) = (self.pop()?, self.pop()?);
        let node = match (&self.nodes[module], &self.nodes[name]) {
            (Node::Text(module), Node::Text(name)) if module.len() + name.len() < MAX_NAME => {
                Node::Name(format!("{module}.{name}"))
            }
            _ => Node::Opaque,
        };
        self.push(node);
        Ok(())
    }

    fn items(&self, at: usize) -> &[usize] {
        match &self.nodes[at] {
            Node::Row(items) => items,
            _ => &[],
        }
    }

    fn integers(&self, at: Option<&usize>) -> Option<Vec<i64>> {
        let whole = |&item: &usize| match self.nodes[item] {
            Node::Whole(number) => Some(number),
            _ => None,
        };
        let items = self.items(*at?);
        if items.len() > MAX_DIMENSIONS {
            return None;
        }
        items.iter().map(whole).collect()
    }

    /// `("storage", class, key, place, numbers)`.
    fn persistent(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let node = match self.items(id) {
            [_, class, key, _, numbers, ..] => {
                match (&self.nodes[*class], &self.nodes[*key], &self.nodes[*numbers]) {
                    (Node::Name(class), Node::Text(key), Node::Whole(numbers))
                        if key.len() < MAX_NAME =>
                    {
                        let kind = kind(class)?;
                        Node::Storage(Storage { kind, key: key.clone(), numbers: *numbers })
                    }
                    _ => Node::Opaque,
                }
            }
            _ => Node::Opaque,
        };
        self.push(node);
        Ok(())
    }

    /// What PyTorch's own constructors would make; all other calls make nothing.
    fn call(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Node::Name(name) = &self.nodes[function] else {
            self.push(Node::Opaque);
            return Ok(());
        };
        let node = match name.as_str() {
            "collections.OrderedDict" => Node::Dictionary(Vec::new()),
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                self.tensor(arguments).map_or(Node::Opaque, Node::Tensor)
            }
            "torch._utils._rebuild_parameter" => {
                if let Some(&tensor) = self.items(arguments).first() {
                    self.stack.push(tensor);
                    return Ok(());
                }
                Node::Opaque
            }
            _ => Node::Opaque,
        };
        self.push(node);
        Ok(())
    }

    fn tensor(&self, arguments: usize) -> Option<Described> {
        let items = self.items(arguments);
        let Node::Storage(storage) = &self.nodes[*items.first()?] else { return None };
        let Node::Whole(offset) = self.nodes[*items.get(1)?] else { return None };
        let (shape, strides) = (self.integers(items.get(2))?, self.integers(items.get(3))?);
        Some(Described { storage: storage.clone(), offset, shape, strides })
    }
}

fn kind(class: &str) -> Result<Kind, String> {
    let name = class.rsplit('.').next().unwrap_or(class);
    Ok(match name {
        "HalfStorage" => Kind::F16,
        "BFloat16Storage" => Kind::Bf16,
        "FloatStorage" => Kind::F32,
        "DoubleStorage" => Kind::F64,
        "LongStorage" | "ComplexFloatStorage" => Kind::Other(8),
        "IntStorage" => Kind::Other(4),
        "ShortStorage" => Kind::Other(2),
        "CharStorage" | "ByteStorage" | "BoolStorage" => Kind::Other(1),
        other => return Err(format!("holds tensors of the unknown kind {other}")),
    })
}
