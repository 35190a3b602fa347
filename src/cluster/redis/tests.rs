//! Connections, the log, the look-up of servers and the check of them, against real servers.

mod check;
mod connect;
mod log;
mod sentinel;
