//! How much memory the server may use for its clients, and how much of that is in use.
//!
//! Frames are counted where they are made, once for all clients that they wait for, until the last of these
//! has taken them. Messages that have come in part are counted by the session that reads them. What has its
//! own limit, such as the history in memory, is not counted here. Any thread may use it; there is no lock.
//! Whom to close when there is too little is left to `delivery` and to the sessions.

mod detect;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

pub(crate) use detect::TASKS;
use detect::detect;

/// About how much memory a connection takes besides its queue: a thread with its stack, the buffers of TLS
/// and of the kernel.
const CONNECTION_BYTES: usize = 65_536;

/// The memory of one server.
#[derive(Debug)]
pub(crate) struct Memory {
    max_bytes: AtomicUsize,
    frames: AtomicUsize,
    partial_messages: AtomicUsize,
    /// The most that was queued for one client.
    longest_queue: AtomicUsize,
}

/// What one session has read of a message that is not complete. Counts until it is dropped.
#[derive(Debug)]
pub(crate) struct PartialMessage {
    memory: Arc<Memory>,
    len: usize,
}

/// Frames that are counted until they are dropped.
struct Counted {
    frames: Bytes,
    memory: Arc<Memory>,
}

impl Memory {
    /// The memory that the settings allow; 0 is what there is.
    pub(crate) fn of_settings(max_bytes: usize) -> Self {
        Self::new(if max_bytes == 0 { detect() } else { max_bytes })
    }

    /// Of `max_bytes`, a quarter is for frames and a sixteenth for messages that have come in part. Half
    /// is for connections, see [`Memory::max_connections`].
    fn new(max_bytes: usize) -> Self {
        let (frames, partial_messages) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (max_bytes, longest_queue) = (AtomicUsize::new(max_bytes), AtomicUsize::new(0));
        Self { max_bytes, frames, partial_messages, longest_queue }
    }

    /// From now on there is as much as there is in all of `memory`.
    pub(crate) fn resize_to(&self, memory: &Self) {
        self.max_bytes.store(memory.max_bytes(), Ordering::Relaxed);
    }

    /// How much there is, in bytes.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes.load(Ordering::Relaxed)
    }

    /// How many connections there is room for.
    pub(crate) fn max_connections(&self) -> usize {
        self.max_bytes() / 2 / CONNECTION_BYTES
    }

    /// Counts frames until all handles to them are dropped.
    pub(crate) fn hold(self: &Arc<Self>, frames: Bytes) -> Bytes {
        if frames.is_empty() {
            return frames;
        }
        self.frames.fetch_add(frames.len(), Ordering::Relaxed);
        Bytes::from_owner(Counted { frames, memory: self.clone() })
    }

    /// Notes how many bytes are queued for a client.
    pub(crate) fn note_queue(&self, bytes: usize) {
        if bytes > self.longest_queue.load(Ordering::Relaxed) {
            self.longest_queue.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    /// The most that was queued for one client, in bytes.
    pub(crate) fn longest_queue(&self) -> usize {
        self.longest_queue.load(Ordering::Relaxed)
    }

    /// How many bytes of frames there are.
    pub(crate) fn frames(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    /// By how many bytes there are too many frames.
    pub(crate) fn excess(&self) -> usize {
        self.frames.load(Ordering::Relaxed).saturating_sub(self.max_bytes() / 4)
    }
}

impl PartialMessage {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, len: 0 }
    }

    /// Counts as `len` bytes from now on. Returns whether there is room for them.
    pub(crate) fn set_len(&mut self, len: usize) -> bool {
        if len == 0 && self.len == 0 {
            // Nearly every message comes in one read.
            return true;
        }
        let all = &self.memory.partial_messages;
        // Added before the old ones are taken off, so that the sum never wraps around.
        let before = all.fetch_add(len, Ordering::Relaxed);
        let old = std::mem::replace(&mut self.len, len);
        all.fetch_sub(old, Ordering::Relaxed);
        (before - old).saturating_add(len) <= self.memory.max_bytes() / 16
    }
}

impl Drop for PartialMessage {
    fn drop(&mut self) {
        self.set_len(0);
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.frames
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.memory.frames.fetch_sub(self.frames.len(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.frames.len())
    }
}

#[cfg(any(test, feature = "bench"))]
impl Memory {
    /// More than any test needs.
    pub(crate) fn plenty() -> Arc<Self> {
        Arc::new(Self::new(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_count_until_the_last_handle_is_dropped() {
        let memory = Arc::new(Memory::new(400));
        let frames = memory.hold(Bytes::from(vec![7; 150]));
        let slice = frames.slice(10..20);
        assert_eq!((memory.excess(), &slice[..]), (50, &[7; 10][..]));
        drop(frames);
        assert_eq!(memory.excess(), 50, "a part of them is still to be sent");
        drop(slice);
        assert_eq!(memory.frames.load(Ordering::Relaxed), 0);
        drop(memory.hold(Bytes::new()));
        assert_eq!(memory.frames.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn partial_messages_count_until_they_are_complete_or_gone() {
        let memory = Arc::new(Memory::new(1_600));
        let partial = || PartialMessage::new(memory.clone());
        let (mut one, mut other) = (partial(), partial());
        assert!(one.set_len(60));
        assert!(other.set_len(40));
        assert!(!one.set_len(61));
        assert!(one.set_len(0));
        assert!(one.set_len(60));
        drop((one, other));
        assert_eq!(memory.partial_messages.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn there_is_room_for_the_default_number_of_connections_in_512_mib() {
        assert_eq!(Memory::new(512 << 20).max_connections(), 4_096);
    }
}
