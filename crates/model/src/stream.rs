//! Moment after moment, with what was seen before kept between calls.

use std::collections::VecDeque;

use burn::tensor::{Device, Tensor};

use crate::{
    Error, Moment, Network, Outputs, Sample,
    inputs::past_from_present,
    memory::{Warp, Warps, align},
};

/// What one vehicle's network remembers.
#[derive(Debug, Default)]
pub struct Stream {
    /// Oldest first.
    remembered: VecDeque<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    space: Tensor<4>,
    /// When and where; without pictures.
    moment: Moment,
}

impl Network {
    /// What the heads say about the next moment of a stream, which then remembers it where the configuration's
    /// queue asks for it: by time or by distance travelled.
    ///
    /// # Errors
    /// [`Error::Sample`] where the moment does not fit the network.
    pub fn step(
        &self,
        stream: &mut Stream,
        moment: &Moment,
        device: &Device,
    ) -> Result<Outputs, Error> {
        let sample = Sample { name: "of a stream".to_owned(), moments: vec![moment.clone()] };
        let mut inputs = self.inputs(std::slice::from_ref(&sample), device)?;
        let present = inputs.moments.pop().expect("inputs hold a moment");
        let seen = self.see(&present);
        let memory = self.config().space.as_ref().and_then(|space| space.memory.as_ref());
        let (Some(memory), Some(space)) = (memory, seen.space.clone()) else {
            return Ok(self.read(seen, &[]));
        };
        let past: Vec<Tensor<4>> = stream
            .remembered
            .iter()
            .filter_map(|past| {
                let pose = past_from_present(&past.moment, moment)?;
                let grid = &self.config().space.as_ref()?.grid;
                Some(align(past.space.clone(), &Warps::new(&[Warp::new(grid, &pose)], device)))
            })
            .collect();
        if stream.is_due(moment, memory.spacing_s, memory.spacing_m) {
            let space = self.remember(&past, space).detach();
            let moment = Moment { images: Vec::new(), ..moment.clone() };
            stream.remembered.push_back(Remembered { space, moment });
            let kept = if self.remembers_fused() { 1 } else { memory.moments };
            while stream.remembered.len() > kept {
                stream.remembered.pop_front();
            }
        }
        Ok(self.read(seen, &past))
    }
}

impl Stream {
    /// Moments that are remembered.
    pub fn len(&self) -> usize {
        self.remembered.len()
    }

    /// Nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.remembered.is_empty()
    }

    /// The last thing remembered.
    #[cfg(test)]
    pub(crate) fn last(&self) -> Option<Tensor<4>> {
        self.remembered.back().map(|remembered| remembered.space.clone())
    }

    /// Whether a moment is far enough from the last, in time or in place.
    fn is_due(&self, moment: &Moment, spacing_s: f64, spacing_m: f64) -> bool {
        let Some(last) = self.remembered.back() else { return true };
        let passed_s = (moment.timestamp - last.moment.timestamp).as_secs_f64();
        let travelled = past_from_present(&last.moment, moment);
        let travelled_m = travelled.map_or(0.0, |pose| pose.translation.norm());
        passed_s >= spacing_s || travelled_m >= spacing_m
    }
}
