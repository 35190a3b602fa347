//! The flusher: one thread that writes what sockets did not take at once.
//!
//! It watches the sockets of all clients with a backlog, writes when one becomes writable, and cuts off
//! connections that do not end in time. While every client keeps up, it sleeps. What is queued, and
//! when a client is too slow, is left to the outbox.

#[cfg(test)]
mod manual;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use log::warn;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::{FlushOutcome, Outbox};
use crate::memory::Memory;
use crate::net::stop::{DRAIN_LINGER, new_event, reset, signal};

/// The key of the wakeup event in `epoll`. Those of outboxes are their connections' numbers, which
/// count from 1.
const WAKEUP_KEY: u64 = 0;

/// How many events one call of `epoll_wait` returns.
const MAX_EVENTS: usize = 256;

/// The handle by which outboxes ask to be flushed. The flusher's thread ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Flusher {
    requests: Sender<FlushRequest>,
    wakeup: Arc<Wakeup>,
    /// For what the outboxes copy.
    pub(super) memory: Arc<Memory>,
}

/// The work of the flusher's thread.
#[derive(Debug)]
pub(crate) struct FlusherThread {
    requests: Receiver<FlushRequest>,
    wakeup: Arc<Wakeup>,
    epoll: OwnedFd,
    tracked: HashMap<u64, Tracked>,
    /// When connections that are to end are cut off.
    deadlines: BTreeSet<(Instant, u64)>,
    is_draining: bool,
    is_stopping: bool,
}

/// An event that wakes the flusher, and is signalled only once however many requests come before it
/// wakes.
#[derive(Debug)]
struct Wakeup {
    event: OwnedFd,
    is_signalled: AtomicBool,
}

#[derive(Debug)]
enum FlushRequest {
    /// Flush this outbox, now and whenever its socket is writable.
    Flush(Arc<Outbox>),
    /// The server stops. A client that has been sent everything is soon cut off.
    Drain,
    /// The handle has been dropped, and with it every outbox.
    Stop,
}

/// A client that the flusher waits for.
#[derive(Debug)]
enum Tracked {
    /// Something is queued, and `epoll` watches the socket.
    Behind(Arc<Outbox>),
    /// Everything has been sent or is in the hands of another thread, and the client is to close the
    /// connection. When it does, its session ends and drops the outbox.
    Closing(Weak<Outbox>),
}

impl Flusher {
    /// The handle, and the work for its thread. Fails when the process is out of descriptors.
    pub(crate) fn new(memory: Arc<Memory>) -> io::Result<(Self, FlusherThread)> {
        let (sender, requests) = unbounded();
        let wakeup = Wakeup { event: new_event()?, is_signalled: AtomicBool::new(false) };
        let wakeup = Arc::new(wakeup);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &wakeup.event, EventData::new_u64(WAKEUP_KEY), EventFlags::IN)?;
        let thread = FlusherThread {
            requests,
            wakeup: wakeup.clone(),
            epoll,
            tracked: HashMap::new(),
            deadlines: BTreeSet::new(),
            is_draining: false,
            is_stopping: false,
        };
        Ok((Self { requests: sender, wakeup, memory }, thread))
    }

    /// Asks the thread to flush an outbox that has something queued or is to end.
    pub(super) fn flush_later(&self, outbox: Arc<Outbox>) {
        self.request(FlushRequest::Flush(outbox));
    }

    /// Tells the thread that the server stops: from now on, who has been sent everything has [`DRAIN_LINGER`]
    /// to close the connection.
    pub(crate) fn drain(&self) {
        self.request(FlushRequest::Drain);
    }

    /// Ends the thread. To be called when nothing is left to be written.
    pub(crate) fn stop(&self) {
        self.request(FlushRequest::Stop);
    }

    fn request(&self, request: FlushRequest) {
        // This fails when the flusher has ended, and then the server is about to.
        let _ = self.requests.send(request);
        if !self.wakeup.is_signalled.swap(true, Ordering::AcqRel) {
            signal(&self.wakeup.event);
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.stop();
    }
}

impl FlusherThread {
    /// Runs until the handle is dropped, which every outbox shares. Fails when `epoll` does.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(MAX_EVENTS);
        while !self.is_stopping {
            self.wait(&mut events)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    WAKEUP_KEY => self.take_requests(),
                    key => self.flush_tracked(key),
                }
            }
            self.cut_off_expired(Instant::now());
        }
        Ok(())
    }

    /// Waits for a request, a writable socket, or the next deadline.
    fn wait(&self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let timeout = self.deadlines.first().map(|(deadline, _)| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec::try_from(left).expect("deadlines are near")
        });
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn take_requests(&mut self) {
        reset(&self.wakeup.event);
        // Cleared before the channel is read: a request that did not signal is in the channel by now.
        self.wakeup.is_signalled.swap(false, Ordering::AcqRel);
        while let Ok(request) = self.requests.try_recv() {
            self.take_request(request);
        }
    }

    fn take_request(&mut self, request: FlushRequest) {
        match request {
            FlushRequest::Flush(outbox) => self.flush(outbox),
            FlushRequest::Drain => self.drain(),
            FlushRequest::Stop => self.is_stopping = true,
        }
    }

    fn drain(&mut self) {
        self.is_draining = true;
        let until = Instant::now() + DRAIN_LINGER;
        let closing = |tracked: &Tracked| matches!(tracked, Tracked::Closing(_));
        let tracked = self.tracked.iter().filter(|(_, tracked)| closing(tracked));
        self.deadlines.extend(tracked.map(|(key, _)| (until, *key)));
    }

    /// The socket with this key is writable, or has failed.
    fn flush_tracked(&mut self, key: u64) {
        if let Some(Tracked::Behind(outbox)) = self.tracked.get(&key) {
            self.flush(outbox.clone());
        }
    }

    /// Writes what the socket takes, and keeps track of the outbox as long as there is more to do.
    fn flush(&mut self, outbox: Arc<Outbox>) {
        let key = outbox.connection.0;
        match outbox.flush() {
            FlushOutcome::Blocked(ending) => {
                if let Some(ending) = ending {
                    self.deadlines.insert((ending.until, key));
                }
                self.track_backlog(key, outbox);
            }
            FlushOutcome::Done(None) | FlushOutcome::HandedOver(None) => self.forget(key),
            FlushOutcome::Done(Some(ending)) => {
                self.forget(key);
                if outbox.waits_for_client(ending.reason) {
                    let until = if self.is_draining {
                        ending.until.min(Instant::now() + DRAIN_LINGER)
                    } else {
                        ending.until
                    };
                    self.track_closing(key, until, &outbox);
                }
            }
            FlushOutcome::HandedOver(Some(ending)) => {
                self.forget(key);
                self.track_closing(key, ending.until, &outbox);
            }
        }
    }

    fn track_backlog(&mut self, key: u64, outbox: Arc<Outbox>) {
        if matches!(self.tracked.get(&key), Some(Tracked::Behind(_))) {
            return;
        }
        match self.watch(key, &outbox) {
            Ok(()) => {
                self.tracked.insert(key, Tracked::Behind(outbox));
            }
            Err(error) => {
                warn!("connection {key}: cannot wait for the socket: {error}");
                outbox.cut_off();
            }
        }
    }

    fn track_closing(&mut self, key: u64, until: Instant, outbox: &Arc<Outbox>) {
        self.deadlines.insert((until, key));
        self.tracked.insert(key, Tracked::Closing(Arc::downgrade(outbox)));
    }

    fn forget(&mut self, key: u64) {
        if let Some(Tracked::Behind(outbox)) = self.tracked.remove(&key) {
            self.unwatch(&outbox);
        }
    }

    fn watch(&self, key: u64, outbox: &Outbox) -> io::Result<()> {
        #[cfg(test)]
        if outbox.is_in_memory() {
            return Ok(()); // The test says when it is writable.
        }
        Ok(epoll::add(&self.epoll, outbox.tcp(), EventData::new_u64(key), EventFlags::OUT)?)
    }

    fn unwatch(&self, outbox: &Outbox) {
        #[cfg(test)]
        if outbox.is_in_memory() {
            return;
        }
        // This fails when the socket is not watched, which is what is wanted.
        let _ = epoll::delete(&self.epoll, outbox.tcp());
    }

    /// Cuts off connections whose deadline has passed.
    fn cut_off_expired(&mut self, now: Instant) {
        while let Some(&(deadline, key)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.pop_first();
            self.cut_off(key);
        }
    }

    fn cut_off(&mut self, key: u64) {
        let outbox = match self.tracked.get(&key) {
            Some(Tracked::Behind(outbox)) => Some(outbox.clone()),
            Some(Tracked::Closing(outbox)) => outbox.upgrade(),
            None => None,
        };
        if let Some(outbox) = outbox {
            outbox.cut_off();
        }
        self.forget(key);
    }
}
