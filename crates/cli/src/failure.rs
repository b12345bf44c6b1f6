//! How a command ends other than well, and with which exit code.

use miette::{MietteHandlerOpts, Report};

/// A target, gate or comparison failed.
pub(crate) const EXIT_WORSE: u8 = 1;
/// Bad input or usage.
pub(crate) const EXIT_INPUT: u8 = 2;
/// Interrupted; run the same command again to go on.
pub(crate) const EXIT_INTERRUPTED: u8 = 3;
/// Disk, memory, network or a missing program.
pub(crate) const EXIT_ENVIRONMENT: u8 = 4;
/// A bug in the program.
pub(crate) const EXIT_BUG: u8 = 70;

/// Errors on lines of their own length: a path that is broken by wrapping can be neither found nor copied.
pub(crate) fn plain_reports() {
    fn handler(_: &(dyn miette::Diagnostic + 'static)) -> Box<dyn miette::ReportHandler> {
        Box::new(MietteHandlerOpts::new().wrap_lines(false).break_words(false).build())
    }
    miette::set_hook(Box::new(handler)).expect("the hook is set once, at the start");
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input or the arguments are at fault.
    Input(Report),
    /// The machine is at fault.
    Environment(Report),
    /// The user stopped it; what is done is kept.
    Interrupted,
}

impl Failure {
    /// Bad input, in words.
    pub(crate) fn input(message: impl std::fmt::Display) -> Self {
        Self::Input(miette::miette!("{message}"))
    }

    /// What is to be said of it.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Input(report) | Self::Environment(report) => report.to_string(),
            Self::Interrupted => "interrupted".to_owned(),
        }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) => EXIT_INPUT,
            Self::Environment(_) => EXIT_ENVIRONMENT,
            Self::Interrupted => EXIT_INTERRUPTED,
        }
    }
}

impl From<ommatidia_store::Error> for Failure {
    fn from(error: ommatidia_store::Error) -> Self {
        let environment = error.is_environment();
        let report = miette::miette!("{error}");
        if environment { Self::Environment(report) } else { Self::Input(report) }
    }
}

impl From<ommatidia_label::Error> for Failure {
    fn from(error: ommatidia_label::Error) -> Self {
        match error {
            ommatidia_label::Error::Store(error) => error.into(),
            ommatidia_label::Error::Interrupted => Self::Interrupted,
            other => Self::input(other),
        }
    }
}

impl From<ommatidia_train::Error> for Failure {
    fn from(error: ommatidia_train::Error) -> Self {
        match error {
            ommatidia_train::Error::Store(error) => error.into(),
            ommatidia_train::Error::Interrupted { step } => {
                tracing::warn!("the state after step {step} is saved; --resume goes on from it");
                Self::Interrupted
            }
            other if other.is_environment() => Self::Environment(miette::miette!("{other}")),
            other => Self::input(other),
        }
    }
}
