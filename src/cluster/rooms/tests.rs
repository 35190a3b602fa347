//! The history of a node that shares a log, against a real Redis.

mod contract;

use super::*;
