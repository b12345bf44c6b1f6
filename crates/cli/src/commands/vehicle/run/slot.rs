//! What to run: an active slot that is looked after, a bundle, or a file.

use std::path::Path;
use std::sync::Mutex;

use ommatidia_runtime::Release;
use ommatidia_update::disk::{OnDisk, RealDisk};
use ommatidia_update::uptane::Installed;
use ommatidia_update::vehicle::{self, State, Status};

use super::RunArguments;
use crate::failure::Failure;

/// A slot, to be confirmed or given up; from one thread at a time.
pub(super) struct Slot {
    disk: RealDisk,
    on_trial: bool,
    /// What became of it.
    fate: Mutex<Option<String>>,
}

impl Slot {
    /// Whether it must be confirmed.
    pub(super) fn on_trial(&self) -> bool {
        self.on_trial
    }

    /// Keeps the release, unless it was given up; whether that changed anything.
    pub(super) fn confirm(&self) -> Result<bool, ommatidia_update::Error> {
        let fate = self.fate.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if fate.is_some() {
            return Ok(false);
        }
        vehicle::confirm(&self.disk)
    }

    /// A release on trial that does not even load has failed; one that ran before is not at fault.
    pub(super) fn does_not_load(&self, cause: Failure) -> Failure {
        match cause {
            Failure::Input(report) if self.on_trial => {
                let told = self.fail(&report.to_string());
                Failure::input(format!("{report}; {told}"))
            }
            Failure::Environment(report) if self.on_trial => {
                let told = self.fail(&report.to_string());
                Failure::Environment(miette::miette!("{report}; {told}"))
            }
            other => other,
        }
    }

    /// Returns to the last good release, once; what came of it.
    pub(super) fn fail(&self, reason: &str) -> String {
        let mut fate = self.fate.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let told = fate.get_or_insert_with(|| match vehicle::report_failure(&self.disk, reason) {
            Ok(()) => "the next start runs the last good release".to_owned(),
            Err(cause) => cause.to_string(),
        });
        told.clone()
    }
}

/// What is to run, and the slot that it is of.
pub(super) fn choose(arguments: &RunArguments) -> Result<(Release, Option<Slot>), Failure> {
    if let Some(path) = &arguments.bundle {
        return Ok((Release::from_file(path)?, None));
    }
    if let Some(path) = &arguments.onnx {
        return Ok((Release::from_onnx(path)?, None));
    }
    let directory = arguments.slot.as_deref().unwrap_or(Path::new("."));
    let disk = RealDisk::new(directory);
    let (images, on_trial) = if arguments.started {
        let state = State::load(&disk)?;
        let active = state.active();
        (active.images.clone(), matches!(active.status, Status::Trial { .. }))
    } else {
        let started = vehicle::start(&disk)?;
        if let Some(reason) = &started.returned {
            tracing::warn!("left the active slot: {reason}");
        }
        if let Some(why) = &started.unrecorded {
            tracing::warn!("this start could not be written down: {why}");
        }
        (started.images, started.on_trial)
    };
    let sha256 = own(&images, arguments.ecu.as_deref())?;
    let slot = Slot { disk, on_trial, fate: Mutex::default() };
    let path = vehicle::bundle_path(&sha256);
    let release = Release::from_source(&OnDisk::new(&slot.disk, &path));
    match release {
        Ok(release) => Ok((release, Some(slot))),
        Err(cause) => Err(slot.does_not_load(cause.into())),
    }
}

/// The bundle of this computer.
fn own(images: &Installed, ecu: Option<&str>) -> Result<String, Failure> {
    let names = || images.keys().cloned().collect::<Vec<_>>().join(", ");
    let image = match ecu {
        Some(name) => images.get(name),
        None if images.len() == 1 => images.values().next(),
        None => None,
    };
    image.map(|image| image.sha256.clone()).ok_or_else(|| {
        Failure::input(format!("--ecu: give one of the vehicle's computers: {}", names()))
    })
}
