//! Pictures without compression, one after another, as `ffmpeg` writes them to a pipe (Netpbm's P6).

use std::io::{self, Read};

use ommatidia_scene::RgbImage;

/// Longest header: `P6`, two sizes and the largest value.
const MOST_HEADER_BYTES: usize = 64;

/// The next picture, which must be of that width and height; `None` at the end.
pub(super) fn read(
    stream: &mut impl Read,
    [width, height]: [usize; 2],
) -> io::Result<Option<RgbImage>> {
    let Some(found) = header(stream)? else { return Ok(None) };
    if found != [width, height, 255] {
        let [w, h, _] = found;
        return Err(invalid(&format!(
            "it delivers {w} x {h} pixels, the rig says {width} x {height}: set the camera to the size that it was calibrated at"
        )));
    }
    let mut data = vec![0; 3 * width * height];
    stream.read_exact(&mut data)?;
    Ok(Some(RgbImage::new(width, height, data)))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Width, height, largest value.
fn header(stream: &mut impl Read) -> io::Result<Option<[usize; 3]>> {
    let mut words: Vec<String> = vec![String::new()];
    for index in 0..MOST_HEADER_BYTES {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return if index == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        if !byte[0].is_ascii_whitespace() {
            words.last_mut().expect("there is a word").push(byte[0].into());
        } else if words.len() == 4 {
            let number = |index: usize| words[index].parse().ok();
            let numbers = number(1).zip(number(2)).zip(number(3));
            let numbers = numbers.filter(|_| words[0] == "P6").map(|((w, h), most)| [w, h, most]);
            return numbers.map(Some).ok_or_else(|| invalid("what it delivers is no picture"));
        } else {
            words.push(String::new());
        }
    }
    Err(invalid("what it delivers is no picture"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_apart() {
        let one = [b"P6\n2 1\n255\n".as_slice(), &[1, 2, 3, 4, 5, 6]].concat();
        let both = [one.clone(), one.clone()].concat();
        let mut stream = both.as_slice();
        for _ in 0..2 {
            assert_eq!(read(&mut stream, [2, 1]).unwrap().unwrap().data, [1, 2, 3, 4, 5, 6]);
        }
        assert!(read(&mut stream, [2, 1]).unwrap().is_none());
        for cut in 1..one.len() {
            assert!(read(&mut &one[..cut], [2, 1]).is_err(), "{cut} bytes");
        }
        let told = read(&mut one.as_slice(), [4, 2]).unwrap_err().to_string();
        assert!(told.contains("2 x 1") && told.contains("4 x 2"), "{told}");
        for bad in [&b"P5\n2 1\n255\n123456"[..], &[b'1'; 100], b"P6\n\n2 1\n255\n123456"] {
            assert!(read(&mut &*bad, [2, 1]).is_err());
        }
    }
}
