//! The orders: what threads leave for the one that has its turn at the writer.
//!
//! They count as queued, so they are part of the backlog for the limits: the last turn has noted here
//! how long that is.

use std::time::Instant;

use bytes::Bytes;

use super::{Bounds, Full, Piece};

#[derive(Debug)]
pub(super) enum Order {
    /// Send whole frames.
    Send(Bytes),
    /// End the connection, as has been decided.
    Finish,
    /// Write what the socket takes of the backlog.
    Flush,
    /// The socket has been shut down.
    CutOff,
}

/// The orders that wait, and how far the client is behind.
#[derive(Debug, Default)]
pub(super) struct Orders {
    waiting: Vec<Order>,
    /// The bytes of frames that wait, or have been taken out and not been settled.
    bytes: usize,
    /// The backlog at the end of the last turn.
    behind: Option<Behind>,
}

/// How far a client is behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    /// How many bytes are left to send.
    pub(super) queued: usize,
    /// When the socket last took something.
    pub(super) blocked_since: Instant,
}

impl Behind {
    /// Whether the client is too far behind to be sent more.
    pub(super) fn is_full(&self, bounds: &Bounds) -> bool {
        self.queued > bounds.max_queued() || self.blocked_since.elapsed() >= bounds.write_timeout()
    }
}

impl Orders {
    /// Leaves whole frames, unless too much is queued already.
    pub(super) fn leave_frames(
        &mut self,
        pieces: &[Piece<'_>],
        bounds: &Bounds,
    ) -> Result<(), Full> {
        let is_full = match self.behind {
            None => self.bytes > bounds.max_queued(),
            Some(Behind { queued, blocked_since }) => {
                Behind { queued: queued + self.bytes, blocked_since }.is_full(bounds)
            }
        };
        if is_full {
            return Err(Full);
        }
        for piece in pieces {
            self.bytes += piece.bytes().len();
            self.waiting.push(Order::Send(piece.to_bytes()));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, order: Order) {
        self.waiting.push(order);
    }

    /// Takes out all that wait, in the order in which they were left.
    pub(super) fn take(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.waiting)
    }

    /// Notes that frames of this many bytes have been sent or are in the backlog, and what that is now.
    pub(super) fn settle(&mut self, bytes: usize, behind: Option<Behind>) {
        self.bytes -= bytes;
        self.behind = behind;
    }

    /// How many bytes are queued: those in the backlog, and those that wait here.
    pub(super) fn queued(&self) -> usize {
        self.bytes + self.behind.map_or(0, |behind| behind.queued)
    }
}
