//! What tracking metrics compare: identities and similarities per frame.

use std::collections::HashMap;

use crate::Error;

/// One frame: who is there on either side, and how similar each pair is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// True identities, each once.
    pub truth: Vec<u64>,
    /// Predicted identities, each once.
    pub predicted: Vec<u64>,
    /// 0 (unlike) to 1 (same) for each pair; row-major, a row for each true one.
    pub similarity: Vec<f64>,
}

/// A sequence in time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sequence {
    /// Its name.
    pub name: String,
    /// Its frames, also those where nothing is.
    pub frames: Vec<Frame>,
}

/// A frame with identities as positions.
pub(super) struct Dense<'a> {
    pub(super) truth: Vec<u32>,
    pub(super) predicted: Vec<u32>,
    pub(super) similarity: &'a [f64],
}

impl Dense<'_> {
    pub(super) fn similarity(&self, row: usize, column: usize) -> f64 {
        self.similarity[row * self.predicted.len() + column]
    }
}

/// A sequence with identities as positions in ascending order, and how often each occurs.
pub(super) struct DenseSequence<'a> {
    pub(super) frames: Vec<Dense<'a>>,
    pub(super) truth_count: Vec<u64>,
    pub(super) predicted_count: Vec<u64>,
}

impl<'a> DenseSequence<'a> {
    pub(super) fn truths(&self) -> u64 {
        self.truth_count.iter().sum()
    }

    pub(super) fn predictions(&self) -> u64 {
        self.predicted_count.iter().sum()
    }

    /// # Errors
    /// An identity that occurs twice in a frame, or a similarity that is missing or outside 0 to 1.
    pub(super) fn new(sequence: &'a Sequence) -> Result<Self, Error> {
        for (index, frame) in sequence.frames.iter().enumerate() {
            check(frame).map_err(|(side, what)| {
                Error::row(side, format!("frame {index} of {}", sequence.name), what)
            })?;
        }
        let (truth_place, truth_count) = numbered(sequence.frames.iter().map(|f| &f.truth));
        let (place, predicted_count) = numbered(sequence.frames.iter().map(|f| &f.predicted));
        let frames = sequence.frames.iter().map(|frame| Dense {
            truth: frame.truth.iter().map(|id| truth_place[id]).collect(),
            predicted: frame.predicted.iter().map(|id| place[id]).collect(),
            similarity: &frame.similarity,
        });
        Ok(Self { frames: frames.collect(), truth_count, predicted_count })
    }
}

fn numbered<'a>(ids: impl Iterator<Item = &'a Vec<u64>>) -> (HashMap<u64, u32>, Vec<u64>) {
    let mut count: HashMap<u64, u64> = HashMap::new();
    for &id in ids.flatten() {
        *count.entry(id).or_default() += 1;
    }
    let mut sorted: Vec<(u64, u64)> = count.into_iter().collect();
    sorted.sort_unstable();
    let place = sorted.iter().enumerate().map(|(place, &(id, _))| (id, place as u32)).collect();
    (place, sorted.into_iter().map(|(_, count)| count).collect())
}

fn check(frame: &Frame) -> Result<(), (&'static str, String)> {
    for (side, ids) in [("truth", &frame.truth), ("prediction", &frame.predicted)] {
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let what = format!("identity {} occurs twice; each may occur once a frame", pair[0]);
            return Err((side, what));
        }
    }
    let pairs = frame.truth.len() * frame.predicted.len();
    if frame.similarity.len() != pairs {
        let what = format!("{} similarities for {pairs} pairs", frame.similarity.len());
        return Err(("prediction", what));
    }
    match frame.similarity.iter().find(|s| !(0.0..=1.0).contains(*s)) {
        Some(wrong) => Err(("prediction", format!("similarity {wrong} is not in 0 to 1"))),
        None => Ok(()),
    }
}
