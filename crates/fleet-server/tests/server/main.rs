//! Servers in this process, on SQLite in a temporary folder and, where `OMMATIDIA_POSTGRES` names a
//! database, on PostgreSQL in a schema of its own.

mod faults;
mod filters;
mod fuzz;
mod people;
mod refusals;
mod rollouts;
mod sockets;
mod stand;
mod vehicles;
