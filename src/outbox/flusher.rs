//! The flusher: one thread that finishes what sockets did not take at once.
//!
//! It waits for the sockets of all clients that something is queued for, writes when they take it,
//! and sees connections that are to end to their end in time. While every client keeps up it sleeps.
//! What is queued, and when a client is too slow, is the outbox's business.

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

use super::{Flushed, Outbox};
use crate::net::stop::{new_event, reset, signal};

/// The bell's key; outboxes count from 1.
const BELL: u64 = 0;

/// How many sockets that have become writable are learnt of at once.
const EVENTS: usize = 256;

/// What outboxes call the flusher by.
#[derive(Debug)]
pub(crate) struct Flusher {
    calls: Sender<Call>,
    bell: Arc<Bell>,
}

/// An event that is signalled once however many ring before it is heard.
#[derive(Debug)]
struct Bell {
    event: OwnedFd,
    has_rung: AtomicBool,
}

#[derive(Debug)]
enum Call {
    /// See to this outbox.
    Tend(Arc<Outbox>),
    /// The handle is gone, and with it every outbox.
    Retire,
}

/// The flusher's thread.
#[derive(Debug)]
pub(crate) struct Flushing {
    calls: Receiver<Call>,
    bell: Arc<Bell>,
    epoll: OwnedFd,
    charges: HashMap<u64, Charge>,
    /// When connections that are to end are cut off, ended or not.
    deadlines: BTreeSet<(Instant, u64)>,
    is_retiring: bool,
}

/// A client that is waited for.
#[derive(Debug)]
enum Charge {
    /// Something is queued, and the socket is watched.
    Behind(Arc<Outbox>),
    /// Everything is sent, and the client is to close. Its session ends when it does, and then nobody
    /// is left to be waited for.
    Closing(Weak<Outbox>),
}

impl Flusher {
    /// The handle, and the work for its thread. Fails when no descriptor is left.
    pub(crate) fn new() -> io::Result<(Self, Flushing)> {
        let (sender, calls) = unbounded();
        let bell = Arc::new(Bell { event: new_event()?, has_rung: AtomicBool::new(false) });
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &bell.event, EventData::new_u64(BELL), EventFlags::IN)?;
        let flushing = Flushing {
            calls,
            bell: bell.clone(),
            epoll,
            charges: HashMap::new(),
            deadlines: BTreeSet::new(),
            is_retiring: false,
        };
        Ok((Self { calls: sender, bell }, flushing))
    }

    /// Puts the flusher in charge of an outbox that has something queued or is to end.
    pub(super) fn tend(&self, outbox: Arc<Outbox>) {
        self.call(Call::Tend(outbox));
    }

    fn call(&self, call: Call) {
        // It fails when the flusher is gone, and then the server is.
        let _ = self.calls.send(call);
        if !self.bell.has_rung.swap(true, Ordering::AcqRel) {
            signal(&self.bell.event);
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.call(Call::Retire);
    }
}

impl Flushing {
    /// Runs until the handle is gone, which every outbox holds on to. Fails when the machine does not
    /// let it wait.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        while !self.is_retiring {
            self.wait(&mut events)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    BELL => self.answer_calls(),
                    key => {
                        if let Some(Charge::Behind(outbox)) = self.charges.get(&key) {
                            self.tend(outbox.clone());
                        }
                    }
                }
            }
            self.cut_off(Instant::now());
        }
        Ok(())
    }

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

    /// How many calls have not been answered yet.
    #[cfg(test)]
    pub(super) fn called(&self) -> usize {
        self.calls.len()
    }

    fn answer_calls(&mut self) {
        reset(&self.bell.event);
        // What was called before a ring that is taken back here is seen below.
        self.bell.has_rung.swap(false, Ordering::AcqRel);
        while let Ok(call) = self.calls.try_recv() {
            match call {
                Call::Tend(outbox) => self.tend(outbox),
                Call::Retire => self.is_retiring = true,
            }
        }
    }

    /// Writes what the socket takes, and keeps in charge what is not done with.
    fn tend(&mut self, outbox: Arc<Outbox>) {
        let key = outbox.key();
        match outbox.flush() {
            Flushed::InPart(ending) => {
                if let Some(ending) = ending {
                    self.deadlines.insert((ending.until, key));
                }
                self.watch(key, outbox);
            }
            Flushed::Whole(None) => self.forget(key),
            Flushed::Whole(Some(ending)) => {
                self.forget(key);
                if outbox.waits_for_client(ending.reason) {
                    self.deadlines.insert((ending.until, key));
                    self.charges.insert(key, Charge::Closing(Arc::downgrade(&outbox)));
                }
            }
        }
    }

    fn watch(&mut self, key: u64, outbox: Arc<Outbox>) {
        if self.charges.contains_key(&key) {
            return;
        }
        match epoll::add(&self.epoll, outbox.tcp(), EventData::new_u64(key), EventFlags::OUT) {
            Ok(()) => {
                self.charges.insert(key, Charge::Behind(outbox));
            }
            Err(error) => {
                warn!("connection {key}: cannot wait for the socket: {error}");
                outbox.cut_off();
            }
        }
    }

    fn forget(&mut self, key: u64) {
        if let Some(Charge::Behind(outbox)) = self.charges.remove(&key) {
            // It fails when the socket is not watched, which is what is wanted.
            let _ = epoll::delete(&self.epoll, outbox.tcp());
        }
    }

    /// Ends connections whose time is up.
    fn cut_off(&mut self, now: Instant) {
        while let Some(&(deadline, key)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.pop_first();
            let outbox = match self.charges.get(&key) {
                Some(Charge::Behind(outbox)) => Some(outbox.clone()),
                Some(Charge::Closing(outbox)) => outbox.upgrade(),
                None => None,
            };
            if let Some(outbox) = outbox {
                outbox.cut_off();
            }
            self.forget(key);
        }
    }
}
