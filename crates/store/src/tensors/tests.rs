use proptest::prelude::*;

use super::*;

const ARCHIVE: &[u8] = include_bytes!("../../tests/fixtures/tensors/archive.pth");
const SEQUENCE: &[u8] = include_bytes!("../../tests/fixtures/tensors/sequence.pth");
const NESTED: &[u8] = include_bytes!("../../tests/fixtures/tensors/nested.pth");
const MODEL: &[u8] = include_bytes!("../../tests/fixtures/tensors/model.pth");
const PLAIN: &[u8] = include_bytes!("../../tests/fixtures/tensors/plain.safetensors");

fn file(bytes: &[u8]) -> Result<TensorFile, String> {
    let entries = parse(bytes)?;
    Ok(TensorFile { path: PathBuf::from("weights"), bytes: bytes.to_vec(), entries })
}

#[test]
fn all_formats_hold_the_same() {
    for bytes in [ARCHIVE, SEQUENCE, NESTED, PLAIN] {
        let file = file(bytes).unwrap();
        let check = |name: &str, shape: &[usize], expected: &[f32]| {
            assert_eq!(file.shape(name), Some(shape), "{name}");
            assert_eq!(file.numbers(name).unwrap(), expected, "{name}");
        };
        assert_eq!(file.tensors().count(), 7);
        check("whole", &[4, 6], &(0..24_u8).map(f32::from).collect::<Vec<_>>());
        check("view", &[2, 4], &[1.0, 7.0, 13.0, 19.0, 2.0, 8.0, 14.0, 20.0]);
        check("half", &[3], &[1.5, -2.25, 2.0_f32.powi(-20)]);
        check("brain", &[1], &[3.5]);
        check("learnt", &[1], &[0.5]);
        check("double", &[], &[2.0]);
        assert_eq!(file.shape("count"), Some(&[2][..]));
        let error = file.numbers("count").unwrap_err().to_string();
        assert!(error.contains("no floating-point"), "{error}");
        assert!(file.numbers("other").unwrap_err().to_string().contains("no tensor other"));
    }
}

#[test]
fn what_is_no_state_dict_is_refused() {
    let check = |bytes: &[u8], words: &str| {
        let error = file(bytes).unwrap_err();
        assert!(error.contains(words), "{error}");
    };
    check(MODEL, "state dict");
    check(b"", "neither a safetensors");
    check(b"\x10\0\0\0\0\0\0\0{\"a\": 1}        ", "damaged");
    check(b"PK\x03\x04", "cut short");
    // `os.system("echo")` is neither known nor called.
    let mut call = pytorch::MAGIC.to_vec();
    call.extend(b".\x80\x02K\x01.\x80\x02}.\x80\x02cos\nsystem\nX\x04\0\0\0echo\x85R.\x80\x02].");
    check(&call, "no state dict");
    let huge = br#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
    let mut bytes = (huge.len() as u64).to_le_bytes().to_vec();
    bytes.extend(huge);
    bytes.extend([0; 4]);
    check(&bytes, "not all there");
}

#[test]
fn a_pickle_of_nothing_but_values_is_refused() {
    // PROTO 2, then empty tuples without end: each byte would be a value in memory.
    let bytes = [&[0x80, 2][..], &vec![b')'; 3 << 20]].concat();
    assert!(super::pickle::read(&bytes).unwrap_err().contains("more than"), "not refused");
}

#[test]
fn numbers_must_be_finite() {
    let at = PLAIN.windows(4).rposition(|bytes| bytes == 0.5_f32.to_le_bytes()).unwrap();
    let mut bytes = PLAIN.to_vec();
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = file(&bytes).unwrap().numbers("learnt").unwrap_err().to_string();
    assert!(error.contains("number 0 is NaN"), "{error}");
}

#[test]
fn half_precision_is_read_as_defined() {
    let check = |bits: u16, expected: f32| assert_eq!(half(bits), expected, "{bits:#06x}");
    check(0x3c00, 1.0);
    check(0xc000, -2.0);
    check(0x7bff, 65504.0);
    check(0x0001, 2.0_f32.powi(-24));
    check(0xfc00, f32::NEG_INFINITY);
    assert!(half(0x7e00).is_nan());
}

/// Whatever the bytes: an error, or tensors whose numbers are all there.
fn read_all(bytes: &[u8]) {
    if let Ok(file) = file(bytes) {
        let names: Vec<String> = file.tensors().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let count: usize = file.shape(&name).unwrap().iter().product();
            if let Ok(numbers) = file.numbers(&name) {
                assert_eq!(numbers.len(), count, "{name}");
            }
        }
    }
}

#[test]
fn files_that_are_cut_short_are_refused() {
    for bytes in [ARCHIVE, SEQUENCE, NESTED, PLAIN] {
        for length in 0..bytes.len() {
            let end = bytes.len() - 2; // Of an archive the last two bytes say that no comment follows.
            assert!(length >= end || file(&bytes[..length]).is_err(), "{length} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn damaged_files_never_panic(
        which in 0..4_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = [ARCHIVE, SEQUENCE, NESTED, PLAIN][which].to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_all(&bytes);
    }
}
