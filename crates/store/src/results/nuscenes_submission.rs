//! nuScenes submissions: boxes of detection or tracking by sample, as JSON.
//!
//! `{"meta": {...}, "results": {sample_token: [box, ...], ...}}`, as the README of `nuscenes.eval` defines it. A full
//! submission is a gigabyte: it is read in batches that are cut between samples and parsed on all cores.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;

use super::cursor::{Cursor, Wrong};
use crate::Error;
use crate::formats::common::inputs::open_file;

/// Read at a time, bytes; no sample may be longer than [`MAX_BATCHES`] of them.
const BATCH_BYTES: usize = 32 << 20;
const MAX_BATCHES: usize = 8;
/// Parsed as one piece, bytes.
const PIECE_BYTES: usize = 2 << 20;
/// Most boxes of one sample that are read at all; the protocol allows fewer.
const MAX_BOXES: usize = 100_000;
/// Most samples.
const MAX_SAMPLES: usize = 4_000_000;

/// What a submission is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Boxes with `detection_name`, `detection_score`, `attribute_name`.
    Detection,
    /// Boxes with `tracking_name`, `tracking_score`, `tracking_id`.
    Tracking,
}

/// Names that boxes may bear.
#[derive(Debug, Clone)]
pub struct Names {
    /// Classes.
    pub classes: Vec<String>,
    /// Attributes.
    pub attributes: Vec<String>,
}

/// A predicted box. Global frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResultBox {
    /// Position among the names.
    pub class: u16,
    /// Position among the names; `None` where empty.
    pub attribute: Option<u16>,
    /// Number of the track in the submission; `None` for detections.
    pub track: Option<u32>,
    /// `num_pts` where given.
    pub points: Option<u32>,
    /// Centre, metres.
    pub translation_m: [f64; 3],
    /// Width, length, height, metres.
    pub size_m: [f64; 3],
    /// w, x, y, z.
    pub rotation: [f64; 4],
    /// Metres a second; NaN where not known.
    pub velocity_m_s: [f64; 2],
    /// Confidence.
    pub score: f64,
}

/// The boxes of a sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResultSample {
    /// Its token.
    pub sample: String,
    /// Its boxes, in the file's order.
    pub boxes: Vec<ResultBox>,
}

/// Reads a submission, samples in the file's order.
///
/// # Errors
/// Missing or unreadable file; JSON that is no submission; a box that lacks a field, has a class or attribute that is
/// none of `names`, a number that is not finite (velocities may be NaN), a negative size, or names another sample than its list; a
/// sample that occurs twice. Sample and box are named.
pub fn read(path: &Path, task: Task, names: &Names) -> Result<Vec<ResultSample>, Error> {
    let (file, _) = open_file(path, "it holds the predictions")?;
    let mut batches = Batches { path, file, rest: Vec::new(), offset: 0, done: false };
    let mut parsed = Vec::new();
    let Some(mut batch) = batches.next()? else {
        return Err(Error::source(path, "is empty; a submission has the key \"results\""));
    };
    let start = begin(&batch.bytes).map_err(|wrong| batch.error(path, &wrong))?;
    batch.skip(start);
    // While one batch is parsed the next is read.
    loop {
        let first = parsed.is_empty();
        let (found, next) =
            rayon::join(|| batch.parse(path, task, names, first), || batches.next());
        let (mut found, next) = (found?, next?);
        parsed.append(&mut found.samples);
        if parsed.len() > MAX_SAMPLES {
            return Err(Error::source(path, format!("has more than {MAX_SAMPLES} samples")));
        }
        match (found.end, next) {
            (Some(end), next) => {
                batch.skip(end);
                batches.finish(batch, next)?;
                break;
            }
            (None, Some(next)) => batch = next,
            (None, None) => return Err(Error::source(path, "ends before its results do")),
        }
    }
    unique(path, merge_tracks(parsed))
}

/// A sample with the names of its tracks, to which its boxes refer.
struct Parsed {
    sample: ResultSample,
    tracks: Vec<String>,
}

/// What a batch holds, and where in it the results end, behind their `}`.
struct Found {
    samples: Vec<Parsed>,
    end: Option<usize>,
}

/// Whole samples of the file.
struct Batch {
    bytes: Vec<u8>,
    /// Where in the file it begins.
    offset: u64,
}

struct Batches<'a> {
    path: &'a Path,
    file: File,
    /// Read, but behind the last cut.
    rest: Vec<u8>,
    offset: u64,
    done: bool,
}

impl Batches<'_> {
    fn next(&mut self) -> Result<Option<Batch>, Error> {
        let mut bytes = std::mem::take(&mut self.rest);
        for _ in 0..MAX_BATCHES {
            let before = bytes.len();
            if !self.done {
                let limit = BATCH_BYTES as u64;
                let read = (&mut self.file).take(limit).read_to_end(&mut bytes);
                read.map_err(|cause| Error::read(self.path, cause))?;
                self.done = bytes.len() - before < BATCH_BYTES;
            }
            let end = if self.done { Some(bytes.len()) } else { last_cut(&bytes) };
            let Some(end) = end else { continue };
            if end == 0 {
                return Ok(None);
            }
            self.rest = bytes.split_off(end);
            let offset = self.offset;
            self.offset += end as u64;
            return Ok(Some(Batch { bytes, offset }));
        }
        let what = format!(
            "byte {}: no sample ends within {} MiB; this is no submission",
            self.offset,
            (MAX_BATCHES * BATCH_BYTES) >> 20
        );
        Err(Error::source(self.path, what))
    }
}

impl Batches<'_> {
    /// Checks what follows the results: other keys, the closing brace, nothing.
    fn finish(&mut self, mut tail: Batch, mut next: Option<Batch>) -> Result<(), Error> {
        while let Some(more) = next {
            if tail.bytes.len() + more.bytes.len() > MAX_BATCHES * BATCH_BYTES {
                let limit = (MAX_BATCHES * BATCH_BYTES) >> 20;
                let what = format!("more than {limit} MiB follow the results; put them elsewhere");
                return Err(Error::source(self.path, what));
            }
            tail.bytes.extend(more.bytes);
            next = self.next()?;
        }
        finish(&tail.bytes).map_err(|wrong| tail.error(self.path, &wrong))
    }
}

fn finish(bytes: &[u8]) -> Result<(), Wrong> {
    let mut cursor = Cursor::new(bytes);
    while cursor.takes(b',') {
        if cursor.key()? == "results" {
            return cursor.wrong("the key \"results\" occurs twice; give all samples in one");
        }
        cursor.skip()?;
    }
    cursor.expect(b'}')?;
    match cursor.peek() {
        None => Ok(()),
        Some(_) => cursor.wrong("there is more behind the closing brace; remove it"),
    }
}

/// The last place before the comma behind a list of boxes. Only there a `]` follows a `}` or `[`: other lists hold
/// numbers. If a string holds the like, the pieces do not parse, which is an error and no wrong result.
fn last_cut(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).rev().find(|&at| is_cut(bytes, at))
}

fn first_cut(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find(|&at| is_cut(bytes, at))
}

/// Whether a list of boxes ends before the comma at `at`.
fn is_cut(bytes: &[u8], at: usize) -> bool {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    if bytes[at] != b',' {
        return false;
    }
    let mut before = bytes[..at].iter().rev().skip_while(is_space);
    before.next() == Some(&b']') && matches!(before.find(|byte| !is_space(byte)), Some(b'}' | b'['))
}

/// Where the results begin, behind their `{`.
fn begin(bytes: &[u8]) -> Result<usize, Wrong> {
    let mut cursor = Cursor::new(bytes);
    cursor.expect(b'{')?;
    while cursor.peek() != Some(b'}') {
        if cursor.key()? == "results" {
            cursor.expect(b'{')?;
            return Ok(cursor.at());
        }
        cursor.skip()?;
        if !cursor.takes(b',') {
            break;
        }
    }
    cursor.wrong("there is no key \"results\"")
}

impl Batch {
    fn skip(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.offset += count as u64;
    }

    fn error(&self, path: &Path, wrong: &Wrong) -> Error {
        Error::source(path, format!("byte {}: {}", self.offset + wrong.at as u64, wrong.what))
    }

    /// `first`: no sample comes before it, so that none needs a comma.
    fn parse(&self, path: &Path, task: Task, names: &Names, first: bool) -> Result<Found, Error> {
        let mut starts = vec![0];
        while let Some(cut) = first_cut(&self.bytes, starts[starts.len() - 1] + PIECE_BYTES) {
            starts.push(cut);
        }
        let ends = starts[1..].iter().copied().chain([self.bytes.len()]);
        let pieces: Vec<(usize, usize)> = starts.iter().copied().zip(ends).collect();
        let found: Vec<Result<Found, Wrong>> = pieces
            .par_iter()
            .map(|&(start, end)| {
                parse_piece(&self.bytes[start..end], task, names, first && start == 0)
                    .map_err(|wrong| Wrong { at: wrong.at + start, what: wrong.what })
            })
            .collect();
        let mut all = Found { samples: Vec::new(), end: None };
        for (found, (start, _)) in found.into_iter().zip(pieces) {
            let found = found.map_err(|wrong| self.error(path, &wrong))?;
            all.samples.extend(found.samples);
            if let Some(end) = found.end {
                // Pieces behind it hold no samples.
                all.end = Some(start + end);
                break;
            }
        }
        Ok(all)
    }
}

/// Samples, each but the `first` of all with one comma before it, up to the end of the piece or of the results.
fn parse_piece(bytes: &[u8], task: Task, names: &Names, mut first: bool) -> Result<Found, Wrong> {
    let mut cursor = Cursor::new(bytes);
    let mut found = Found { samples: Vec::new(), end: None };
    while cursor.peek().is_some() {
        if cursor.takes(b'}') {
            found.end = Some(cursor.at());
            break;
        }
        if !std::mem::take(&mut first) {
            cursor.expect(b',')?;
        }
        let token = cursor.key()?.into_owned();
        found.samples.push(parse_sample(&mut cursor, token, task, names)?);
    }
    Ok(found)
}

fn parse_sample(
    cursor: &mut Cursor<'_>,
    token: String,
    task: Task,
    names: &Names,
) -> Result<Parsed, Wrong> {
    let mut boxes: Vec<ResultBox> = Vec::new();
    let mut tracks = Vec::new();
    cursor.each(*b"[]", |cursor| {
        let named = |wrong: Wrong| {
            let what = format!("sample {token}, box {}: {}", boxes.len(), wrong.what);
            Wrong { at: wrong.at, what }
        };
        if boxes.len() == MAX_BOXES {
            return cursor.wrong(format!("has more than {MAX_BOXES} boxes")).map_err(named);
        }
        let parsed = parse_box(cursor, &token, task, names, &mut tracks).map_err(named)?;
        boxes.push(parsed);
        Ok(())
    })?;
    Ok(Parsed { sample: ResultSample { sample: token, boxes }, tracks })
}

/// Fields that a box must have, as bits.
#[derive(Default)]
struct Seen(u16);

impl Seen {
    const FIELDS: [&'static str; 8] = [
        "translation",
        "size",
        "rotation",
        "velocity",
        "_name",
        "_score",
        "attribute_name",
        "tracking_id",
    ];

    fn mark(&mut self, field: usize) {
        self.0 |= 1 << field;
    }

    fn missing(&self, task: Task) -> Option<String> {
        let needed = |&field: &usize| match task {
            Task::Detection => field != 7,
            Task::Tracking => field != 6,
        };
        let field = (0..8).filter(needed).find(|field| self.0 & 1 << field == 0)?;
        let prefix = if Self::FIELDS[field].starts_with('_') { task.prefix() } else { "" };
        Some(format!("lacks {prefix}{}", Self::FIELDS[field]))
    }
}

impl Task {
    fn prefix(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Tracking => "tracking",
        }
    }
}

fn parse_box(
    cursor: &mut Cursor<'_>,
    token: &str,
    task: Task,
    names: &Names,
    tracks: &mut Vec<String>,
) -> Result<ResultBox, Wrong> {
    let mut given = ResultBox {
        class: 0,
        attribute: None,
        track: None,
        points: None,
        translation_m: [0.0; 3],
        size_m: [0.0; 3],
        rotation: [0.0; 4],
        velocity_m_s: [0.0; 2],
        score: 0.0,
    };
    let mut seen = Seen::default();
    // Of a key that occurs twice the last counts, as in Python; each box has one name, or they would shift.
    let mut track = None;
    let start = cursor.at();
    cursor.each(*b"{}", |cursor| {
        let key = cursor.key()?;
        match (&*key, task) {
            ("translation", _) => {
                given.translation_m = cursor.numbers()?;
                seen.mark(0);
            }
            ("size", _) => {
                given.size_m = cursor.numbers()?;
                seen.mark(1);
            }
            ("rotation", _) => {
                given.rotation = cursor.numbers()?;
                seen.mark(2);
            }
            ("velocity", _) => {
                given.velocity_m_s = cursor.numbers()?;
                seen.mark(3);
            }
            ("detection_name", Task::Detection) | ("tracking_name", Task::Tracking) => {
                let name = cursor.string()?;
                given.class = position(cursor, &names.classes, &name, "class")?;
                seen.mark(4);
            }
            ("detection_score", Task::Detection) | ("tracking_score", Task::Tracking) => {
                given.score = cursor.number()?;
                seen.mark(5);
            }
            ("attribute_name", Task::Detection) => {
                let name = cursor.string()?;
                if !name.is_empty() {
                    let place = position(cursor, &names.attributes, &name, "attribute")?;
                    given.attribute = Some(place);
                }
                seen.mark(6);
            }
            ("tracking_id", Task::Tracking) => {
                track = Some(identity(cursor)?);
                seen.mark(7);
            }
            ("num_pts", _) => {
                given.points = Some(cursor.number()?).filter(|n| *n >= 0.0).map(|n| n as u32)
            }
            ("sample_token", _) => {
                let own = cursor.string()?;
                if own != token {
                    return cursor.wrong(format!("its sample_token is {own:?}"));
                }
            }
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    if let Some(name) = track {
        given.track = Some(tracks.len() as u32);
        tracks.push(name);
    }
    let fail = |what: String| Err(Wrong { at: start, what });
    if let Some(what) = seen.missing(task) {
        return fail(what);
    }
    match unusable(&given) {
        Some(what) => fail(what),
        None => Ok(given),
    }
}

/// Why the numbers of a box are none of a box.
fn unusable(given: &ResultBox) -> Option<String> {
    let finite = |values: &[f64]| values.iter().all(|x| x.is_finite());
    if !(finite(&given.translation_m) && finite(&given.size_m) && finite(&given.rotation)) {
        return Some("translation, size and rotation must be finite numbers".to_owned());
    }
    if !given.score.is_finite() {
        return Some(format!("the score is {}, not a finite number", given.score));
    }
    if given.size_m.iter().any(|side| *side < 0.0) {
        return Some(format!(
            "the size {:?} is negative; width, length, height in metres",
            given.size_m
        ));
    }
    let squared: f64 = given.rotation.iter().map(|x| x * x).sum();
    (squared < 1e-12).then(|| "the rotation is a quaternion of length 0".to_owned())
}

/// A track's name: a string, or a number as it is written.
fn identity(cursor: &mut Cursor<'_>) -> Result<String, Wrong> {
    match cursor.peek() {
        Some(b'"') => Ok(cursor.string()?.into_owned()),
        _ => Ok(cursor.number()?.to_string()),
    }
}

fn position(cursor: &Cursor<'_>, names: &[String], name: &str, what: &str) -> Result<u16, Wrong> {
    match names.iter().position(|known| known == name) {
        Some(place) => Ok(place as u16),
        None => cursor.wrong(format!("the {what} {name:?} is none of {}", names.join(", "))),
    }
}

/// Numbers tracks through the whole submission.
fn merge_tracks(parsed: Vec<Parsed>) -> Vec<ResultSample> {
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut samples = Vec::with_capacity(parsed.len());
    for Parsed { mut sample, tracks } in parsed {
        for (given, name) in sample.boxes.iter_mut().zip(tracks) {
            let next = numbers.len() as u32;
            given.track = Some(*numbers.entry(name).or_insert(next));
        }
        samples.push(sample);
    }
    samples
}

fn unique(path: &Path, samples: Vec<ResultSample>) -> Result<Vec<ResultSample>, Error> {
    let mut tokens = HashSet::with_capacity(samples.len());
    match samples.iter().find(|sample| !tokens.insert(sample.sample.as_str())) {
        Some(twice) => Err(Error::source(path, format!("sample {} occurs twice", twice.sample))),
        None => Ok(samples),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        Names {
            classes: vec!["car".to_owned(), "bus".to_owned()],
            attributes: vec!["vehicle.moving".to_owned()],
        }
    }

    const BOX: &str = r#"{"sample_token": "s", "translation": [1, 2, 3.5], "size": [1, 2, 3],
        "rotation": [1, 0, 0, 0], "velocity": [NaN, 0.5], "detection_name": "bus",
        "detection_score": 0.25, "attribute_name": ""}"#;

    fn parse(text: &str, task: Task) -> Result<Vec<ResultSample>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        std::fs::write(&path, text).unwrap();
        read(&path, task, &names())
    }

    #[test]
    fn detections_are_read() {
        let text = format!(
            r#"{{"meta": {{"use_lidar": true}}, "results": {{"s": [{BOX}, {BOX}], "t": [] }} }}"#
        );
        let samples = parse(&text, Task::Detection).unwrap();
        assert_eq!(samples.len(), 2);
        assert_eq!((samples[0].boxes.len(), samples[1].boxes.len()), (2, 0));
        let first = samples[0].boxes[0];
        assert_eq!((first.class, first.attribute, first.score), (1, None, 0.25));
        assert_eq!(first.translation_m, [1.0, 2.0, 3.5]);
        assert!(first.velocity_m_s[0].is_nan());
    }

    #[test]
    fn tracks_are_numbered_through() {
        let tracked = |id: &str| {
            BOX.replace("detection", "tracking")
                .replace("\"attribute_name\": \"\"", &format!("\"tracking_id\": {id}"))
                .replace("\"s\"", "\"x\"")
        };
        let (a, b) = (tracked("\"a\""), tracked("7"));
        let other = a.replace("\"x\"", "\"y\"");
        let text = format!(r#"{{"results": {{"x": [{a}, {b}], "y": [{other}]}}, "meta": {{}}}}"#);
        let samples = parse(&text, Task::Tracking).unwrap();
        let tracks =
            |i: usize| samples[i].boxes.iter().map(|b| b.track.unwrap()).collect::<Vec<_>>();
        assert_eq!((tracks(0), tracks(1)), (vec![0, 1], vec![0]));
        let twice = a.replace("\"tracking_id\"", "\"tracking_id\": \"z\", \"tracking_id\"");
        let text = format!(r#"{{"results": {{"x": [{twice}, {b}, {a}]}}}}"#);
        let samples = parse(&text, Task::Tracking).unwrap();
        let tracks: Vec<_> = samples[0].boxes.iter().map(|b| b.track.unwrap()).collect();
        assert_eq!(tracks, [0, 1, 0]);
    }

    #[test]
    fn rows_are_named() {
        let check = |from: &str, to: &str, expected: &str| {
            let bad = BOX.replace(from, to);
            assert_ne!(bad, BOX);
            let text = format!(r#"{{"results": {{"s": [{BOX}, {bad}]}}}}"#);
            let why = parse(&text, Task::Detection).unwrap_err().to_string();
            assert!(why.contains("results.json") && why.contains("sample s, box 1"), "{why}");
            assert!(why.contains(expected), "{why}");
        };
        check("\"bus\"", "\"tram\"", "the class \"tram\" is none of car, bus");
        check("0.25", "NaN", "the score is NaN");
        check("[1, 2, 3.5]", "[1, 2]", "expected 3 numbers, found 2");
        check("[1, 2, 3.5]", "[1, 2, Infinity]", "finite");
        check("\"velocity\": [NaN, 0.5],", "", "lacks velocity");
        check("\"detection_score\": 0.25,", "", "lacks detection_score");
        check("\"s\"", "\"t\"", "its sample_token is \"t\"");
        check("[1, 0, 0, 0]", "[0, 0, 0, 0]", "length 0");
        check("\"attribute_name\": \"\"", "\"attribute_name\": \"x\"", "the attribute \"x\"");
    }

    #[test]
    fn what_is_no_submission_is_refused() {
        let check = |text: &str, expected: &str| {
            let why = parse(text, Task::Detection).unwrap_err().to_string();
            assert!(why.contains(expected), "{text}: {why}");
        };
        check("", "is empty");
        check("[]", "expected '{'");
        check("{}", "no key \"results\"");
        check(r#"{"results": {"a": []"#, "ends before");
        check(r#"{"results": {"a": [], "a": []}}"#, "occurs twice");
        check(r#"{"results": {"a": 3}}"#, "expected '['");
        check(r#"{"results": {"a": [] "b": []}}"#, "expected ','");
        check(r#"{"results": {"a": [],, "b": []}}"#, "expected '\"'");
        check(r#"{"results": {, "a": []}}"#, "expected '\"'");
        check(r#"{"results": {"a": [],}}"#, "expected '\"'");
        check(r#"{"results": {"a": []}"#, "expected '}'");
        check(r#"{"results": {"a": []} "meta": {}}"#, "expected '}'");
        check(r#"{"results": {"a": []}, }"#, "expected '\"'");
        check(r#"{"results": {"a": []}, "results": {}}"#, "occurs twice");
        check(r#"{"results": {"a": []}}}"#, "byte 22: there is more behind");
    }

    #[test]
    fn keys_may_follow_the_results() {
        let text = "{\"results\": {\"a\": []}, \"x\": [{}], \"meta\": {\"y\": [[], []]}}\n ";
        assert_eq!(parse(text, Task::Detection).unwrap().len(), 1);
    }

    #[test]
    fn cuts_fall_between_samples() {
        let text = br#"{"a": [{"x": [1, 2], "y": 3}], "b": [ ] , "c": []}"#;
        let cuts: Vec<usize> = (0..text.len()).filter(|&at| is_cut(text, at)).collect();
        assert_eq!(cuts.len(), 2);
        assert_eq!(last_cut(text), cuts.last().copied());
        assert_eq!(first_cut(text, 0), cuts.first().copied());
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_another_result(at in 0usize..400, byte in any::<u8>()) {
            let text = format!(r#"{{"results": {{"s": [{BOX}], "t": []}}}}"#);
            let mut bytes = text.into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("results.json");
            std::fs::write(&path, bytes).unwrap();
            let _ = read(&path, Task::Detection, &names());
        }
    }
}
