//! Connections, the log and the look-up of servers, against real servers.

mod log;
