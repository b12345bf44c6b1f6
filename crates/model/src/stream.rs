//! Moment after moment, with what was seen before kept between calls.

use std::collections::VecDeque;

use burn::tensor::{Device, Tensor, TensorData};

use crate::{
    Error, Moment, Network, Outputs, Sample,
    inputs::{MomentInputs, past_from_present},
    memory::{MemoryConfig, Warp, Warps, align},
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
        if stream.is_due(moment, memory) {
            let space = self.remember(&past, space).detach();
            let moment = Moment { images: Vec::new(), ..moment.clone() };
            stream.remembered.push_back(Remembered { space, moment });
            while stream.remembered.len() > memory.slots() {
                stream.remembered.pop_front();
            }
        }
        Ok(self.read(seen, &past))
    }
}

/// What is remembered, as plain tensors of fixed sizes: how a deployed network is fed.
#[derive(Debug, Clone)]
pub struct Past {
    /// Spaces as they were when remembered, oldest first, `[batch, channels, x, y]` each:
    /// [`Network::remembered`] of them.
    pub spaces: Vec<Tensor<4>>,
    /// Where each cell of the present was in each of them.
    pub warps: Vec<Warps>,
    /// `[batch, spaces]`: 1 for those that there are, 0 while less is remembered.
    pub known: Tensor<2>,
}

impl Network {
    /// How many spaces it remembers: 0 without memory, 1 where the memory is recurrent.
    pub fn remembered(&self) -> usize {
        let memory = self.config().space.as_ref().and_then(|space| space.memory.as_ref());
        memory.map_or(0, MemoryConfig::slots)
    }

    /// What is remembered before the last moment of a sample, if every earlier one is: none in a network
    /// without memory.
    ///
    /// # Errors
    /// [`Error::Sample`] where the sample does not fit the network.
    pub fn past(&self, sample: &Sample, device: &Device) -> Result<Option<Past>, Error> {
        if self.remembered() == 0 {
            return Ok(None);
        }
        let mut kept: Vec<(Tensor<4>, &Moment)> = Vec::new();
        let (last, earlier) = sample.moments.split_last().expect("a sample holds a moment");
        for moment in earlier {
            let alone = Sample { name: sample.name.clone(), moments: vec![moment.clone()] };
            let inputs = self.inputs(std::slice::from_ref(&alone), device)?;
            let past = self.past_at(&kept, moment, device);
            if let Some(space) = self.step_with(&inputs.moments[0], past.as_ref()).1 {
                kept.push((space, moment));
            }
        }
        Ok(self.past_at(&kept, last, device))
    }

    /// The last spaces of those that are kept, as seen from a moment, filled up with nothing.
    fn past_at(
        &self,
        kept: &[(Tensor<4>, &Moment)],
        now: &Moment,
        device: &Device,
    ) -> Option<Past> {
        let space = self.config().space.as_ref()?;
        let (grid, slots) = (&space.grid, self.remembered());
        let [x, y, _] = grid.size.map(|side| side as usize);
        let kept = &kept[kept.len().saturating_sub(slots)..];
        let (mut spaces, mut warps, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for slot in 0..slots {
            let there = (slot + kept.len()).checked_sub(slots).map(|index| &kept[index]);
            let pose = there.and_then(|(_, moment)| past_from_present(moment, now));
            let warp = pose.as_ref().map_or_else(|| Warp::nowhere(grid), |p| Warp::new(grid, p));
            spaces.push(there.map_or_else(
                || Tensor::zeros([1, space.channels, x, y], device),
                |(space, _)| space.clone(),
            ));
            warps.push(Warps::new(&[warp], device));
            known.push(if pose.is_some() { 1.0_f32 } else { 0.0 });
        }
        let known = Tensor::from_data(TensorData::new(known, [1, slots]), device);
        (slots > 0).then_some(Past { spaces, warps, known })
    }

    /// One moment, with memory as plain tensors: what the heads say, and the space to be remembered. The
    /// same as [`Network::step`], which also keeps the memory.
    ///
    /// # Panics
    /// If `past` is missing in a network with memory.
    pub fn step_with(
        &self,
        present: &MomentInputs,
        past: Option<&Past>,
    ) -> (Outputs, Option<Tensor<4>>) {
        let seen = self.see(present);
        let Some((space, now)) = self.space.as_ref().zip(seen.space.clone()) else {
            return (self.answer(seen, None), None);
        };
        let Some(memory) = &space.memory else {
            return (self.answer(seen, Some(space.blocks(now))), None);
        };
        let past = past.expect("a network with memory is given its past");
        let aligned: Vec<Tensor<4>> =
            past.spaces.iter().cloned().zip(&past.warps).map(|(s, w)| align(s, w)).collect();
        let fused = memory.forward_known(now.clone(), &aligned, past.known.clone());
        let kept = if memory.remembers_fused() { fused.clone() } else { now };
        (self.answer(seen, Some(space.blocks(fused))), Some(kept))
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
    fn is_due(&self, moment: &Moment, memory: &MemoryConfig) -> bool {
        let Some(last) = self.remembered.back() else { return true };
        let passed_s = (moment.timestamp - last.moment.timestamp).as_secs_f64();
        let travelled = past_from_present(&last.moment, moment);
        let travelled_m = travelled.map_or(0.0, |pose| pose.translation.norm());
        memory.is_due(passed_s, travelled_m)
    }
}
