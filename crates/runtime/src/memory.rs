//! What the network remembers, as inputs of an exported file (`docs/export.md`): the same as
//! [`ommatidia_model::Stream`] keeps for Burn.

use std::collections::VecDeque;

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_model::memory::{MemoryConfig, Warp};
use ommatidia_model::{Moment, NetworkConfig};
use ommatidia_onnx::engines::{Numbers, Value};
use ommatidia_scene::GridSpec;

/// The output that is to be remembered.
const NEXT: &str = "memory_next";

/// A bounded queue of past spaces.
pub(crate) struct Memory {
    config: MemoryConfig,
    grid: GridSpec,
    channels: usize,
    /// Oldest first.
    remembered: VecDeque<Remembered>,
}

struct Remembered {
    space: Vec<f32>,
    timestamp: Timestamp,
    world_from_ego: Option<Pose<World, Ego>>,
}

impl Remembered {
    /// How the vehicle moved since, where that is known.
    fn past_from_present(&self, now: &Moment) -> Option<Pose<Ego, Ego>> {
        Some(self.world_from_ego?.inverse() * now.world_from_ego?)
    }
}

impl Memory {
    /// Of a network; `None` where it has none.
    pub(crate) fn of(config: &NetworkConfig) -> Option<Self> {
        let space = config.space.as_ref()?;
        let config = space.memory.clone()?;
        let (grid, channels) = (space.grid, space.channels);
        Some(Self { config, grid, channels, remembered: VecDeque::new() })
    }

    /// Forgets everything: the drive is another one.
    pub(crate) fn clear(&mut self) {
        self.remembered.clear();
    }

    /// What is remembered as seen from a moment, filled up with nothing, in the order of the file's inputs.
    pub(crate) fn inputs(&self, now: &Moment) -> Vec<Value> {
        let slots = self.config.slots();
        let [x, y, _] = self.grid.size.map(|side| side as usize);
        let mut inputs = Vec::with_capacity(3 * slots + 1);
        let mut known = Vec::with_capacity(slots);
        for slot in 0..slots {
            let there = (slot + self.remembered.len()).checked_sub(slots);
            let there = there.map(|index| &self.remembered[index]);
            let pose = there.and_then(|past| past.past_from_present(now));
            let warp = match &pose {
                Some(pose) => Warp::new(&self.grid, pose),
                None => Warp::nowhere(&self.grid),
            };
            let size = self.channels * x * y;
            let space = there.map_or_else(|| vec![0.0; size], |past| past.space.clone());
            let taps = vec![1, x * y, warp.cell.len() / (x * y)];
            let cell = warp.cell.iter().map(|&cell| i64::from(cell)).collect();
            let floats = |name: String, shape: Vec<usize>, data: Vec<f32>| Value {
                name,
                shape,
                data: Numbers::Floats(data),
            };
            inputs.push(floats(format!("memory_{slot}"), vec![1, self.channels, x, y], space));
            inputs.push(Value {
                name: format!("memory_{slot}_cell"),
                shape: taps.clone(),
                data: Numbers::Integers(cell),
            });
            inputs.push(floats(format!("memory_{slot}_weight"), taps, warp.weight));
            known.push(if pose.is_some() { 1.0 } else { 0.0 });
        }
        let (name, shape) = ("memory_known".to_owned(), vec![1, slots]);
        inputs.push(Value { name, shape, data: Numbers::Floats(known) });
        inputs
    }

    /// Remembers a moment, where it is far enough from the last one.
    pub(crate) fn remember(&mut self, now: &Moment, outputs: &[Value]) {
        if self.remembered.back().is_some_and(|last| now.timestamp < last.timestamp) {
            // Another recording, or a clock that was set: what was before is of no use.
            self.clear();
        }
        let due = self.remembered.back().is_none_or(|last| {
            let passed_s = (now.timestamp - last.timestamp).as_secs_f64();
            let way = last.past_from_present(now).map_or(0.0, |pose| pose.translation.norm());
            self.config.is_due(passed_s, way)
        });
        let next = outputs.iter().find(|output| output.name == NEXT);
        let Some(Numbers::Floats(space)) = next.filter(|_| due).map(|output| &output.data) else {
            return;
        };
        self.remembered.push_back(Remembered {
            space: space.clone(),
            timestamp: now.timestamp,
            world_from_ego: now.world_from_ego,
        });
        while self.remembered.len() > self.config.slots() {
            self.remembered.pop_front();
        }
    }
}
