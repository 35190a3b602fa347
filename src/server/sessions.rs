//! The session threads: one per live session, and a few idle ones that wait for the next.
//!
//! Starting a thread costs several times what handing a connection to an idle one does. That shows
//! when many clients come and go. The listener's thread starts sessions; each session thread removes
//! itself here when it ends.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::lock;
use crate::net::listener::Unserved;
use crate::session::{Session, UpgradedSession};

/// The stack of a session thread. It is address space; only the part in use takes memory. The deepest
/// use, a TLS handshake, takes well under a quarter of it.
const STACK_BYTES: usize = 256 * 1024;

/// How many threads may be idle. When a crowd leaves, the others end immediately.
const MAX_IDLE: usize = 64;

/// How long a thread stays idle before it ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// All session threads of a server.
#[derive(Debug)]
pub(super) struct SessionThreads {
    handles: Mutex<Handles>,
    last_thread: AtomicU64,
    /// A rendezvous: idle threads receive here, and sending fails when no thread is idle.
    handoff: Receiver<Session>,
    idle_count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Handles {
    live: HashMap<u64, JoinHandle<()>>,
    /// The thread that ended last or is about to end. The next one that ends joins it. So every
    /// thread is joined, and the handles of ended threads do not pile up.
    ending: Option<JoinHandle<()>>,
}

/// Removes a session thread from the handles when it ends, also by a panic.
struct RemoveOnDrop {
    threads: Arc<SessionThreads>,
    id: u64,
}

impl SessionThreads {
    /// Also returns the sender that hands a session to an idle thread. When it is dropped, idle
    /// threads end.
    pub(super) fn new() -> (Arc<Self>, Sender<Session>) {
        let (idle_threads, handoff) = bounded(0);
        let threads = Self {
            handles: Mutex::default(),
            last_thread: AtomicU64::new(0),
            handoff,
            idle_count: AtomicUsize::new(0),
        };
        (Arc::new(threads), idle_threads)
    }

    /// Starts a thread for a session. Fails when the machine has no thread left.
    pub(super) fn start(self: &Arc<Self>, session: Session) -> Result<(), Unserved> {
        self.spawn(session, |threads, session| {
            let mut next = Some(session);
            while let Some(session) = next {
                if let Some(upgraded) = session.shake_hands() {
                    threads.serve(upgraded);
                }
                next = threads.wait_for_next();
            }
        })
        .map_err(|(session, why)| Unserved { tcp: session.tcp, why })
    }

    /// Serves a connection after its handshake.
    ///
    /// A TLS handshake needs much stack, and leaves small free blocks in the thread's cache of memory. Both
    /// stay with the thread, so the connection moves to a new one, which takes half as much.
    fn serve(self: &Arc<Self>, session: UpgradedSession) {
        if !session.is_tls() {
            return session.run();
        }
        if let Err((session, _)) = self.spawn(session, |_, session| session.run()) {
            session.run();
        }
    }

    /// Starts a thread that does `work` with the job. If the machine has no thread left, the job comes back.
    fn spawn<J: Send + 'static>(
        self: &Arc<Self>,
        job: J,
        work: fn(&Arc<Self>, J),
    ) -> Result<(), (J, io::Error)> {
        let threads = self.clone();
        let id = self.last_thread.fetch_add(1, Ordering::Relaxed) + 1;
        // A failed spawn drops its closure, but the job is still needed.
        let slot = Arc::new(Mutex::new(Some(job)));
        let thread_slot = slot.clone();
        let run = move || {
            let removal = RemoveOnDrop { threads, id };
            let job = lock(&thread_slot).take();
            drop(thread_slot);
            if let Some(job) = job {
                work(&removal.threads, job);
            }
            release_memory();
        };
        // Held until the handle is inserted, so that the thread cannot remove it before.
        let mut handles = lock(&self.handles);
        let thread =
            thread::Builder::new().name(format!("session {id}")).stack_size(STACK_BYTES).spawn(run);
        match thread {
            Ok(thread) => {
                handles.live.insert(id, thread);
                Ok(())
            }
            Err(why) => {
                let job = lock(&slot).take().expect("no thread has taken it");
                Err((job, why))
            }
        }
    }

    /// Waits for another session while the thread may be idle.
    fn wait_for_next(&self) -> Option<Session> {
        let may_idle = self.idle_count.fetch_add(1, Ordering::Relaxed) < MAX_IDLE;
        let session = if may_idle { self.handoff.recv_timeout(IDLE_TIMEOUT).ok() } else { None };
        self.idle_count.fetch_sub(1, Ordering::Relaxed);
        session
    }

    /// How many threads there are.
    pub(super) fn count(&self) -> usize {
        lock(&self.handles).live.len()
    }

    /// Waits until all sessions and their threads have ended.
    pub(super) fn join_all(&self) {
        loop {
            // The lock is not held while joining: a thread that ends needs it.
            let Handles { live, ending } = std::mem::take(&mut *lock(&self.handles));
            if live.is_empty() && ending.is_none() {
                return;
            }
            for thread in live.into_values().chain(ending) {
                // A session that panicked has been logged, and concerns no other.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        let mut handles = lock(&self.threads.handles);
        // `join_all` may have taken the handle.
        let Some(own) = handles.live.remove(&self.id) else { return };
        let previous = handles.ending.replace(own);
        drop(handles);
        if let Some(previous) = previous {
            let _ = previous.join();
        }
    }
}

/// Makes glibc's malloc return the memory that this thread's arena no longer needs.
///
/// A session leaves many small free chunks. malloc merges them and trims the arena only when a large
/// chunk is freed, so this allocates one without touching it. It is just small enough to come from the
/// arena and not from the system. Without it, 5,000 clients that have
/// left leave 40 MB behind instead of 14.
fn release_memory() {
    const LARGE_BYTES: usize = 65_504;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
}
