//! The threads of sessions: one for each that lives, and a few spare ones that wait for the next.
//!
//! Making a thread costs several times what it takes to hand a connection to one that is there, which
//! shows when many clients come and go.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::lock;
use crate::session::Session;

/// The stack of a session's thread: address space, of which only what is used becomes memory.
/// The deepest use, a TLS handshake, takes well under a quarter of it.
const STACK_BYTES: usize = 256 * 1024;

/// How many threads at most wait for a session. When a crowd leaves, the others end at once.
const MAX_SPARE: usize = 64;

/// How long a thread waits for another session.
const SPARE_FOR: Duration = Duration::from_secs(1);

/// All threads of sessions.
#[derive(Debug)]
pub(super) struct SessionThreads {
    handles: Mutex<Handles>,
    last: AtomicU64,
    /// Where spare threads wait: what is sent here finds one of them, or nobody.
    next: Receiver<Session>,
    spare: AtomicUsize,
}

#[derive(Debug, Default)]
struct Handles {
    live: HashMap<u64, JoinHandle<()>>,
    /// The thread that ended last, or is about to: the next one that ends joins it. So nothing of
    /// those that have ended is kept, and yet none is out of sight before it is gone.
    ending: Option<JoinHandle<()>>,
}

/// Takes a session's thread off the list when it ends, even by a panic.
struct Departure {
    sessions: Arc<SessionThreads>,
    id: u64,
}

impl SessionThreads {
    /// No threads yet, and the way to those that will be spare. They end when it is dropped.
    pub(super) fn new() -> (Arc<Self>, Sender<Session>) {
        let (spares, next) = bounded(0);
        let (handles, last) = (Mutex::default(), AtomicU64::new(0));
        (Arc::new(Self { handles, last, next, spare: AtomicUsize::new(0) }), spares)
    }

    /// Starts a thread for a session, or gives it back.
    pub(super) fn start(self: &Arc<Self>, session: Session) -> Result<(), (Session, io::Error)> {
        let sessions = self.clone();
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        // What a thread is to own that cannot be started is lost.
        let first = Arc::new(Mutex::new(Some(session)));
        let taken = first.clone();
        let run = move || {
            let departure = Departure { sessions, id };
            let mut session = lock(&taken).take();
            drop(taken);
            while let Some(present) = session {
                present.run();
                session = departure.sessions.wait_for_another();
            }
            give_back_memory();
        };
        // Held until the thread is on the list, so that it cannot try to leave it before.
        let mut handles = lock(&self.handles);
        let thread =
            thread::Builder::new().name(format!("session {id}")).stack_size(STACK_BYTES).spawn(run);
        match thread {
            Ok(thread) => {
                handles.live.insert(id, thread);
                Ok(())
            }
            Err(error) => {
                let session = lock(&first).take().expect("no thread has taken it");
                Err((session, error))
            }
        }
    }

    fn wait_for_another(&self) -> Option<Session> {
        let is_wanted = self.spare.fetch_add(1, Ordering::Relaxed) < MAX_SPARE;
        let session = if is_wanted { self.next.recv_timeout(SPARE_FOR).ok() } else { None };
        self.spare.fetch_sub(1, Ordering::Relaxed);
        session
    }

    /// Waits until all sessions have ended, and their threads.
    pub(super) fn join_all(&self) {
        loop {
            // Not held while joining: a session that ends takes itself off the list.
            let Handles { live, ending } = std::mem::take(&mut *lock(&self.handles));
            if live.is_empty() && ending.is_none() {
                return;
            }
            for thread in live.into_values().chain(ending) {
                // A session's panic was its own, and is in the log.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        let mut handles = lock(&self.sessions.handles);
        // Whoever waits for all threads may have it already.
        let Some(own) = handles.live.remove(&self.id) else { return };
        let before = handles.ending.replace(own);
        drop(handles);
        if let Some(before) = before {
            let _ = before.join();
        }
    }
}

/// Makes glibc's malloc return what this thread's arena no longer needs.
///
/// A session leaves many small free pieces, and malloc joins them with their neighbours, and returns
/// what has become free at the end, only on the occasion of a large piece. Here is one, never
/// touched: without it, 5,000 clients that have left leave 40 MB behind instead of 14.
fn give_back_memory() {
    const LARGE_BYTES: usize = 96 * 1024;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
}
