//! Point clouds as PLY, in text or binary of either byte order.

use std::path::Path;

use crate::Error;
use crate::formats::common::inputs::{MAX_CLOUD_BYTES, read_bounded};

/// Longest header, bytes.
const MAX_HEADER_BYTES: usize = 64 << 10;
/// Most elements of one kind.
const MAX_ELEMENTS: u64 = 1 << 32;

/// Vertices of a file. Whatever else it holds (faces, colours) is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlyCloud {
    /// Positions in the file's unit.
    pub positions: Vec<[f64; 3]>,
    /// Normals, where the file has `nx`, `ny` and `nz`.
    pub normals: Option<Vec<[f64; 3]>>,
}

/// Reads the vertices.
///
/// # Errors
/// Missing or unreadable file; a header that is not PLY's or lacks `x`, `y` or `z`; fewer values than it announces;
/// a number that cannot be read. Positions that are not finite are kept: who evaluates them names the row.
pub fn read(path: &Path) -> Result<PlyCloud, Error> {
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, "it holds points")?;
    parse(&bytes).map_err(|what| Error::source(path, what))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Encoding {
    Text,
    Little,
    Big,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scalar {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Scalar {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            other => return Err(format!("header: there is no type {other:?}")),
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// From as many bytes as it has, least significant first.
    fn decode(self, raw: [u8; 8]) -> f64 {
        let [a, b, c, d, ..] = raw;
        match self {
            Self::I8 => f64::from(a as i8),
            Self::U8 => f64::from(a),
            Self::I16 => f64::from(i16::from_le_bytes([a, b])),
            Self::U16 => f64::from(u16::from_le_bytes([a, b])),
            Self::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Self::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Self::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Self::F64 => f64::from_le_bytes(raw),
        }
    }
}

struct Property {
    name: String,
    /// Type of a list's count.
    count: Option<Scalar>,
    scalar: Scalar,
}

struct Element {
    name: String,
    count: u64,
    properties: Vec<Property>,
}

struct Header {
    encoding: Encoding,
    elements: Vec<Element>,
    /// Bytes before the data.
    length: usize,
}

fn parse(bytes: &[u8]) -> Result<PlyCloud, String> {
    let header = header(bytes)?;
    let mut source = Source { rest: &bytes[header.length..], encoding: header.encoding };
    for element in &header.elements {
        if element.name == "vertex" {
            return vertices(element, &mut source);
        }
        for row in 0..element.count {
            for property in &element.properties {
                source.skip(property).map_err(|what| format!("{} {row}: {what}", element.name))?;
            }
        }
    }
    Err("header: there is no element `vertex`".to_owned())
}

fn header(bytes: &[u8]) -> Result<Header, String> {
    let (mut encoding, mut elements, mut at) = (None, Vec::<Element>::new(), 0);
    for line in 1.. {
        let rest = &bytes[at..bytes.len().min(MAX_HEADER_BYTES)];
        let end = rest.iter().position(|&b| b == b'\n').ok_or("the header has no end")?;
        let text = std::str::from_utf8(&rest[..end]).map_err(|_| "the header is not text")?;
        at += end + 1;
        let words: Vec<&str> = text.split_whitespace().collect();
        match (line, &words[..]) {
            (1, ["ply"]) => {}
            (1, _) => return Err("is not PLY: the first line is not `ply`".to_owned()),
            (_, ["comment" | "obj_info", ..] | []) => {}
            (_, ["format", name, _]) => {
                encoding = Some(match *name {
                    "ascii" => Encoding::Text,
                    "binary_little_endian" => Encoding::Little,
                    "binary_big_endian" => Encoding::Big,
                    other => return Err(format!("header: there is no format {other:?}")),
                });
            }
            (_, ["element", name, count]) => {
                let count: Option<u64> = count.parse().ok().filter(|&n| n <= MAX_ELEMENTS);
                let count = count.ok_or_else(|| format!("header line {line}: a bad count"))?;
                elements.push(Element { name: (*name).to_owned(), count, properties: Vec::new() });
            }
            (_, ["property", "list", count, scalar, name]) => {
                add_property(&mut elements, name, Some(Scalar::named(count)?), scalar)?;
            }
            (_, ["property", scalar, name]) => add_property(&mut elements, name, None, scalar)?,
            (_, ["end_header"]) => break,
            _ => return Err(format!("header line {line}: {text:?} is not PLY")),
        }
    }
    let encoding = encoding.ok_or("header: no format is named")?;
    Ok(Header { encoding, elements, length: at })
}

fn add_property(
    elements: &mut [Element],
    name: &str,
    count: Option<Scalar>,
    scalar: &str,
) -> Result<(), String> {
    let element = elements.last_mut().ok_or("header: a property before any element")?;
    let scalar = Scalar::named(scalar)?;
    element.properties.push(Property { name: name.to_owned(), count, scalar });
    Ok(())
}

fn vertices(element: &Element, source: &mut Source<'_>) -> Result<PlyCloud, String> {
    let place =
        |name: &str| element.properties.iter().position(|p| p.name == name && p.count.is_none());
    let places = |names: [&str; 3]| -> Option<[usize; 3]> {
        Some([place(names[0])?, place(names[1])?, place(names[2])?])
    };
    let xyz = places(["x", "y", "z"]).ok_or("header: a vertex lacks `x`, `y` or `z`")?;
    let normal = places(["nx", "ny", "nz"]);
    // Each value takes a byte at least, so this bounds what is asked for.
    let least = element.properties.len() as u64;
    if element.count.saturating_mul(least) > source.rest.len() as u64 {
        let (count, left) = (element.count, source.rest.len());
        return Err(format!("announces {count} vertices, but only {left} bytes follow"));
    }
    let count = element.count as usize;
    let mut cloud = PlyCloud {
        positions: Vec::with_capacity(count),
        normals: normal.map(|_| Vec::with_capacity(count)),
    };
    let mut row = vec![0.0; element.properties.len()];
    for vertex in 0..count {
        for (value, property) in row.iter_mut().zip(&element.properties) {
            let read = if property.count.is_some() {
                source.skip(property).map(|()| 0.0)
            } else {
                source.number(property.scalar)
            };
            *value = read.map_err(|what| format!("vertex {vertex}, {}: {what}", property.name))?;
        }
        cloud.positions.push(xyz.map(|i| row[i]));
        if let (Some(normals), Some(places)) = (&mut cloud.normals, normal) {
            normals.push(places.map(|i| row[i]));
        }
    }
    Ok(cloud)
}

/// The values behind the header.
struct Source<'a> {
    rest: &'a [u8],
    encoding: Encoding,
}

impl Source<'_> {
    fn number(&mut self, scalar: Scalar) -> Result<f64, String> {
        if self.encoding == Encoding::Text {
            return self.word();
        }
        let size = scalar.bytes();
        let Some((own, rest)) = self.rest.split_at_checked(size) else {
            return Err("the file ends here".to_owned());
        };
        self.rest = rest;
        let mut raw = [0; 8];
        raw[..size].copy_from_slice(own);
        if self.encoding == Encoding::Big {
            raw[..size].reverse();
        }
        Ok(scalar.decode(raw))
    }

    fn word(&mut self) -> Result<f64, String> {
        let start = self.rest.iter().position(|b| !b.is_ascii_whitespace());
        let from = &self.rest[start.ok_or("the file ends here")?..];
        let end = from.iter().position(u8::is_ascii_whitespace).unwrap_or(from.len());
        self.rest = &from[end..];
        let word = std::str::from_utf8(&from[..end.min(64)]).unwrap_or("?");
        word.parse().map_err(|_| format!("{word:?} is not a number"))
    }

    fn skip(&mut self, property: &Property) -> Result<(), String> {
        let count = match property.count {
            None => 1.0,
            Some(scalar) => self.number(scalar)?,
        };
        if !(0.0..=1e6).contains(&count) {
            return Err(format!("a list of {count} values"));
        }
        (0..count as usize).try_for_each(|_| self.number(property.scalar).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "ply\nformat ascii 1.0\ncomment made for a test\nelement vertex 2\nproperty float x\n\
        property float y\nproperty double z\nproperty uchar red\nproperty float nx\nproperty float ny\n\
        property float nz\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n\
        1 2 3 255 0 0 1\n-4 5.5 6e1 0 1 0 0\n3 0 1 1\n";

    fn expected() -> PlyCloud {
        PlyCloud {
            positions: vec![[1.0, 2.0, 3.0], [-4.0, 5.5, 60.0]],
            normals: Some(vec![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
        }
    }

    fn binary(big: bool) -> Vec<u8> {
        let name = if big { "binary_big_endian" } else { "binary_little_endian" };
        let end = TEXT.find("end_header\n").unwrap() + "end_header\n".len();
        let mut bytes = TEXT[..end].replace("ascii", name).into_bytes();
        let cloud = expected();
        for (p, n) in cloud.positions.iter().zip(cloud.normals.unwrap()) {
            let float =
                |v: f64| if big { (v as f32).to_be_bytes() } else { (v as f32).to_le_bytes() };
            bytes.extend([float(p[0]), float(p[1])].concat());
            bytes.extend(if big { p[2].to_be_bytes() } else { p[2].to_le_bytes() });
            bytes.push(7);
            bytes.extend(n.map(float).concat());
        }
        bytes
    }

    #[test]
    fn text_and_both_byte_orders_say_the_same() {
        assert_eq!(parse(TEXT.as_bytes()).unwrap(), expected());
        assert_eq!(parse(&binary(false)).unwrap(), expected());
        assert_eq!(parse(&binary(true)).unwrap(), expected());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, words: &str| {
            let what = parse(text.as_bytes()).unwrap_err();
            assert!(what.contains(words), "{what}");
        };
        check("plx\n", "first line");
        check("ply\nformat ascii 1.0\n", "no end");
        check(&TEXT.replace("float y", "float w"), "lacks `x`, `y` or `z`");
        check(&TEXT.replace("vertex 2", "vertex 3"), "vertex 2, nx: the file ends here");
        check(&TEXT.replace("vertex 2", "vertex 4000000000"), "announces 4000000000 vertices");
        check(&TEXT.replace("5.5", "five"), "vertex 1, y: \"five\" is not a number");
        check(&TEXT.replace("double z", "quad z"), "no type \"quad\"");
        check(&TEXT.replace("element vertex 2\n", "element vertex 2 3\n"), "header line 4");
        let cut = binary(true);
        let what = parse(&cut[..cut.len() - 1]).unwrap_err();
        assert!(what.contains("vertex 1, nz: the file ends here"), "{what}");
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused_or_read_never_a_panic(
            at in 0usize..330,
            byte in any::<u8>(),
            cut in 0usize..330,
            big in any::<bool>(),
        ) {
            for mut bytes in [binary(big), TEXT.as_bytes().to_vec()] {
                let at = at % bytes.len();
                bytes[at] = byte;
                let _ = parse(&bytes);
                bytes.truncate(cut);
                let _ = parse(&bytes);
            }
        }
    }
}
