//! Ways for ranks to reach each other.

#[cfg(feature = "mpi")]
mod message_passing;
#[cfg(unix)]
mod sockets;
mod threads;

pub use crate::collective::Alone;
#[cfg(feature = "mpi")]
pub use message_passing::Mpi;
#[cfg(unix)]
pub use sockets::Sockets;
pub use threads::Threads;
