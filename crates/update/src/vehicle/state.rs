//! Which slot is active: one record, written whole. Two copies take turns, so that a rotten one costs a
//! step of history and not the vehicle.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::disk::{self, Disk};
use crate::uptane::Installed;

const MAX_BYTES: u64 = 4 << 20;

/// How far a slot's release is to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Status {
    /// Holds nothing.
    Empty,
    /// Ran well.
    Good,
    /// Active and not yet confirmed.
    Trial {
        /// How often it may be started before it must have been confirmed.
        starts_left: u32,
    },
    /// Did not run well.
    Failed {
        /// What happened.
        reason: String,
    },
}

/// One of two places for a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// A bundle per computer.
    pub images: Installed,
    /// How far it is to be believed.
    pub status: Status,
}

/// Both slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    generation: u64,
    active: usize,
    slots: [Slot; 2],
}

impl State {
    /// A vehicle that leaves the factory.
    pub(super) fn first(images: Installed) -> Self {
        let empty = Slot { images: Installed::new(), status: Status::Empty };
        Self { generation: 0, active: 0, slots: [Slot { images, status: Status::Good }, empty] }
    }

    /// The newest record that is whole.
    ///
    /// # Errors
    /// [`Error::State`] if there is none, [`Error::Io`].
    pub fn load(disk: &dyn Disk) -> Result<Self, Error> {
        let mut newest: Option<Self> = None;
        for copy in 0..2 {
            let Some(bytes) = disk::read_small(disk, &path(copy), MAX_BYTES)? else { continue };
            let Some(state) = parse(&bytes) else { continue };
            if newest.as_ref().is_none_or(|newest| newest.generation < state.generation) {
                newest = Some(state);
            }
        }
        newest.ok_or_else(|| Error::State {
            problem: "neither copy of its record is whole; provision the vehicle again".to_owned(),
        })
    }

    /// Writes the record in the place of the older one.
    pub(super) fn store(&mut self, disk: &dyn Disk) -> Result<(), Error> {
        self.generation += 1;
        let mut bytes = serde_json::to_vec(self).expect("a state is plain data");
        let sum = blake3::hash(&bytes).to_hex();
        bytes.extend_from_slice(format!("\n{sum}\n").as_bytes());
        disk::replace(disk, &path(self.generation % 2), &bytes)
    }

    /// What runs.
    pub fn active(&self) -> &Slot {
        &self.slots[self.active]
    }

    /// The other slot.
    pub fn inactive(&self) -> &Slot {
        &self.slots[1 - self.active]
    }

    /// Counts down a trial; whether there is one.
    pub(super) fn count_start(&mut self) -> bool {
        match &mut self.slots[self.active].status {
            Status::Trial { starts_left } => {
                *starts_left = starts_left.saturating_sub(1);
                true
            }
            _ => false,
        }
    }

    pub(super) fn confirm(&mut self) -> bool {
        let status = &mut self.slots[self.active].status;
        let changes = matches!(status, Status::Trial { .. });
        if changes {
            *status = Status::Good;
        }
        changes
    }

    pub(super) fn fail(&mut self, reason: &str) {
        self.slots[self.active].status = Status::Failed { reason: reason.to_owned() };
        self.active = 1 - self.active;
    }

    /// Frees the other slot for what is to come; whether it held anything.
    pub(super) fn clear_inactive(&mut self) -> bool {
        let empty = Slot { images: Installed::new(), status: Status::Empty };
        std::mem::replace(&mut self.slots[1 - self.active], empty.clone()) != empty
    }

    pub(super) fn activate(&mut self, images: Installed, trial_starts: u32) {
        self.active = 1 - self.active;
        let status = Status::Trial { starts_left: trial_starts };
        self.slots[self.active] = Slot { images, status };
    }
}

fn path(copy: u64) -> String {
    format!("state.{copy}.json")
}

fn parse(bytes: &[u8]) -> Option<State> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (body, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    (blake3::hash(body.as_bytes()).to_hex().as_str() == sum).then_some(())?;
    let state: State = serde_json::from_str(body).ok()?;
    (state.active < 2).then_some(state)
}
