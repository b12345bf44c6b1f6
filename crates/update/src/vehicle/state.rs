//! Which slot is active: one record, written whole. Two copies take turns, so that a rotten or unreadable
//! one costs a step of history and not the vehicle.

use serde::{Deserialize, Serialize};

use super::{RECORD_LOCK, hold};
use crate::Error;
use crate::disk::{self, Disk};
use crate::uptane::{Confirmed, Highest, Installed};

const FORMAT: &str = "ommatidia-vehicle-state/2";
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
        /// Whether it was started at all.
        started: bool,
    },
    /// Did not run well, or was revoked: it is not tried again.
    Failed {
        /// What happened.
        reason: String,
    },
    /// The disk lost a part of it: it may be fetched again.
    Damaged,
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
    format: String,
    generation: u64,
    active: usize,
    slots: [Slot; 2],
    highest: Highest,
}

impl State {
    /// A vehicle that leaves the factory.
    pub(super) fn first(images: Installed) -> Self {
        let empty = Slot { images: Installed::new(), status: Status::Empty };
        let slots = [Slot { images, status: Status::Good }, empty];
        let (format, highest) = (FORMAT.to_owned(), Highest::new());
        let mut state = Self { format, generation: 0, active: 0, slots, highest };
        state.remember();
        state
    }

    /// Whether there is a copy of a record, in whatever condition.
    pub(super) fn is_there(disk: &dyn Disk) -> bool {
        (0..2).any(|copy| !matches!(disk.length(&path(copy)), Ok(None)))
    }

    /// The newest record that is whole. A copy that cannot be read is as good as a damaged one.
    ///
    /// # Errors
    /// [`Error::State`] if there is none.
    pub fn load(disk: &dyn Disk) -> Result<Self, Error> {
        let mut newest: Option<Self> = None;
        let mut problem = "there is no record".to_owned();
        for copy in 0..2 {
            let read = disk::read_small(disk, &path(copy), MAX_BYTES);
            let state = match read.map_err(|error| error.to_string()) {
                Ok(None) => continue,
                Ok(Some(bytes)) => parse(&bytes),
                Err(why) => Err(why),
            };
            match state {
                Err(why) => problem = format!("{}: {why}", path(copy)),
                Ok(state) => {
                    if newest.as_ref().is_none_or(|newest| newest.generation < state.generation) {
                        newest = Some(state);
                    }
                }
            }
        }
        newest.ok_or_else(|| Error::State {
            problem: format!("{problem}; provision the vehicle again in an empty directory"),
        })
    }

    /// Writes the record in the place of the older one. The caller holds the record's lock.
    pub(super) fn store(&mut self, disk: &dyn Disk) -> Result<(), Error> {
        let next = Self { generation: self.generation + 1, ..self.clone() };
        let mut bytes = serde_json::to_vec(&next).expect("a state is plain data");
        let sum = blake3::hash(&bytes).to_hex();
        bytes.extend_from_slice(format!("\n{sum}\n").as_bytes());
        disk::replace(disk, &path(next.generation % 2), &bytes)?;
        *self = next;
        Ok(())
    }

    /// Writes the record, unless somebody else did since this one was loaded.
    ///
    /// # Errors
    /// [`Error::Busy`] then, [`Error::State`], [`Error::Io`].
    pub(super) fn store_if_newest(&mut self, disk: &dyn Disk) -> Result<(), Error> {
        let _lock = hold(disk, RECORD_LOCK, true)?;
        if Self::load(disk)?.generation != self.generation {
            let problem = "the vehicle's state changed while it was updated".to_owned();
            return Err(Error::Busy { problem });
        }
        self.store(disk)
    }

    /// What runs.
    pub fn active(&self) -> &Slot {
        &self.slots[self.active]
    }

    /// The other slot.
    pub fn inactive(&self) -> &Slot {
        &self.slots[1 - self.active]
    }

    /// The highest release of each product that ran well on each computer.
    pub(super) fn highest(&self) -> &Highest {
        &self.highest
    }

    /// Counts down a trial; whether there is one.
    pub(super) fn count_start(&mut self) -> bool {
        match &mut self.slots[self.active].status {
            Status::Trial { starts_left, started } => {
                *starts_left = starts_left.saturating_sub(1);
                *started = true;
                true
            }
            _ => false,
        }
    }

    /// What was never started cannot have run well.
    pub(super) fn confirm(&mut self) -> bool {
        let status = &mut self.slots[self.active].status;
        let changes = matches!(status, Status::Trial { started: true, .. });
        if changes {
            *status = Status::Good;
            self.remember();
        }
        changes
    }

    /// What is active ran well.
    fn remember(&mut self) {
        for (id, image) in &self.slots[self.active].images {
            let confirmed = Confirmed { release: image.release, sha256: image.sha256.clone() };
            let products = self.highest.entry(id.clone()).or_default();
            let highest =
                products.entry(image.product.clone()).or_insert_with(|| confirmed.clone());
            if highest.release < confirmed.release {
                *highest = confirmed;
            }
        }
    }

    /// Makes the other slot active; what is said of the one that is left.
    pub(super) fn leave(&mut self, status: Status) {
        self.slots[self.active].status = status;
        self.active = 1 - self.active;
    }

    /// Frees the other slot for what is to come; whether it held anything.
    pub(super) fn clear_inactive(&mut self) -> bool {
        let empty = Slot { images: Installed::new(), status: Status::Empty };
        std::mem::replace(&mut self.slots[1 - self.active], empty.clone()) != empty
    }

    pub(super) fn activate(&mut self, images: Installed, trial_starts: u32) {
        self.active = 1 - self.active;
        let status = Status::Trial { starts_left: trial_starts, started: false };
        self.slots[self.active] = Slot { images, status };
    }
}

fn path(copy: u64) -> String {
    format!("state.{copy}.json")
}

/// The record, or in words why it is none.
fn parse(bytes: &[u8]) -> Result<State, String> {
    #[derive(Deserialize)]
    struct Format {
        /// Records before format 2 named none.
        #[serde(default)]
        format: String,
    }
    let damaged = || "it is damaged".to_owned();
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let parts = text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n'));
    let (body, sum) = parts.ok_or_else(damaged)?;
    if blake3::hash(body.as_bytes()).to_hex().as_str() != sum {
        return Err(damaged());
    }
    let Format { format } = serde_json::from_str(body).map_err(|cause| cause.to_string())?;
    if format != FORMAT {
        return Err(format!("its format is {format:?}, and this program reads {FORMAT:?}"));
    }
    let state: State = serde_json::from_str(body).map_err(|cause| cause.to_string())?;
    if state.active < 2 { Ok(state) } else { Err(format!("there is no slot {}", state.active)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::SimulatedDisk;

    #[test]
    fn no_record_is_written_over_anothers() {
        let disk = SimulatedDisk::default();
        State::first(Installed::new()).store(&disk).unwrap();
        let (mut mine, mut theirs) = (State::load(&disk).unwrap(), State::load(&disk).unwrap());
        theirs.leave(Status::Failed { reason: "crashed".to_owned() });
        theirs.store_if_newest(&disk).unwrap();
        mine.activate(Installed::new(), 3);
        let refused = mine.store_if_newest(&disk).unwrap_err();
        assert!(matches!(refused, Error::Busy { .. }), "{refused}");
        assert_eq!(State::load(&disk).unwrap(), theirs);
    }
}
