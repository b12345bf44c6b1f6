//! What vehicles are asked to look out for.
//!
//! A *trigger* is an expression over what the network says of a frame ([`Signals`]): checked for names, types and
//! units before it is shipped, and of a cost that is known then. A *campaign* is a trigger with what it asks for:
//! seconds of a clip, how many of them, from which share of the fleet.
//!
//! ```
//! use ommatidia_scene::Taxonomy;
//! use ommatidia_trigger::Trigger;
//! let taxonomy = Taxonomy::driving();
//! Trigger::parse("count(class = pedestrian and distance < 30 m) >= 5 and speed > 30 km/h", &taxonomy).unwrap();
//! let error = Trigger::parse("speed > 3 m", &taxonomy).unwrap_err();
//! assert_eq!(error.to_string(), "column 7: m/s is compared with m");
//! ```
//!
//! `docs/triggers.md` describes the language.

mod campaign;
mod error;
mod evaluate;
mod expression;
mod signals;
mod unit;

pub use campaign::{Ask, Campaign, Campaigns, Counts, Watch};
pub use error::Error;
pub use evaluate::State;
pub use expression::{MAX_COST, MAX_DEPTH, MAX_NODES, MAX_TEXT, Trigger};
pub use signals::{FRAME_SIGNALS, MAX_OBJECTS, OBJECT_SIGNALS, ObjectSignals, Signal, Signals};
pub use unit::{Type, Unit};
