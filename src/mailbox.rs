//! The way from the many to the one: a bounded channel whose receiver sleeps when it is empty.
//!
//! The channel is crossbeam's; the waiting is not. To be woken costs the receiver, and whoever wakes
//! it, several microseconds, and more where the core has gone to sleep meanwhile. So it goes on looking
//! for a moment, and lets others run between two looks: on one core they are who it waits for.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

/// How long the receiver looks for more before it sleeps. Longer than it takes an answer to bring
/// about the next request of somebody near, and too short to be felt as load.
const WAKEFUL_FOR: Duration = Duration::from_micros(50);

/// Where things are put in, by any thread.
#[derive(Debug)]
pub(crate) struct Inlet<T>(Arc<Gate<T>>);

/// The same for one who does not count as somebody who puts things in.
#[derive(Debug)]
pub(crate) struct WeakInlet<T>(Weak<Gate<T>>);

/// Where one thread takes them out.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    received: Receiver<T>,
    sleeper: Arc<Sleeper>,
}

/// What all inlets share, so that the last one to go is noticed.
#[derive(Debug)]
struct Gate<T> {
    /// Taken only when this is dropped.
    sender: Option<Sender<T>>,
    sleeper: Arc<Sleeper>,
}

#[derive(Debug, Default)]
struct Sleeper {
    is_asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

/// Nobody is left who takes things out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abandoned;

/// What a wait came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited<T> {
    Received(T),
    TimedOut,
    /// No inlet is left, and nothing that was put in.
    NobodyLeft,
}

/// A mailbox for `capacity` things. Whoever puts in more waits.
pub(crate) fn mailbox<T>(capacity: usize) -> (Inlet<T>, Mailbox<T>) {
    let (sender, received) = bounded(capacity);
    let sleeper = Arc::<Sleeper>::default();
    let gate = Gate { sender: Some(sender), sleeper: sleeper.clone() };
    (Inlet(Arc::new(gate)), Mailbox { received, sleeper })
}

impl<T> Inlet<T> {
    pub(crate) fn downgrade(&self) -> WeakInlet<T> {
        WeakInlet(Arc::downgrade(&self.0))
    }

    /// Puts something in, when there is room.
    pub(crate) fn send(&self, item: T) -> Result<(), Abandoned> {
        let Gate { sender, sleeper } = &*self.0;
        let sent = sender.as_ref().map(|sender| sender.send(item));
        sleeper.wake();
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(Abandoned),
        }
    }
}

impl<T> WeakInlet<T> {
    /// `None` when no other inlet is left.
    pub(crate) fn upgrade(&self) -> Option<Inlet<T>> {
        self.0.upgrade().map(Inlet)
    }
}

impl<T> Clone for Inlet<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Mailbox<T> {
    /// Takes out what is there already.
    pub(crate) fn take(&self) -> Option<T> {
        self.received.try_recv().ok()
    }

    /// Takes out the next thing, waiting until `deadline` for it if there is one. For one thread.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Waited<T> {
        loop {
            if let Some(waited) = self.look() {
                return waited;
            }
            if let Some(waited) = self.look_for_a_while() {
                return waited;
            }
            self.sleeper.lie_down();
            // Looked at again, because what came in between has woken nobody.
            let mut waited = self.look();
            if waited.is_none() {
                match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                    None => thread::park(),
                    Some(left) if left.is_zero() => waited = Some(Waited::TimedOut),
                    Some(left) => thread::park_timeout(left),
                }
            }
            self.sleeper.rise();
            if let Some(waited) = waited {
                return waited;
            }
        }
    }

    /// Lets others run, and looks in between.
    fn look_for_a_while(&self) -> Option<Waited<T>> {
        let began = Instant::now();
        while began.elapsed() < WAKEFUL_FOR {
            thread::yield_now();
            if let Some(waited) = self.look() {
                return Some(waited);
            }
        }
        None
    }

    fn look(&self) -> Option<Waited<T>> {
        match self.received.try_recv() {
            Ok(item) => Some(Waited::Received(item)),
            Err(TryRecvError::Disconnected) => Some(Waited::NobodyLeft),
            Err(TryRecvError::Empty) => None,
        }
    }
}

impl<T> Drop for Gate<T> {
    fn drop(&mut self) {
        // In this order, so that whoever is woken finds nobody left.
        self.sender.take();
        self.sleeper.wake();
    }
}

impl Sleeper {
    /// From here on the calling thread is to be woken.
    fn lie_down(&self) {
        self.thread.get_or_init(thread::current);
        self.is_asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn rise(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }

    /// Wakes the sleeper if there is one: one of those who call at the same time does.
    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed)
            && self.is_asleep.swap(false, Ordering::Relaxed)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_order_and_none_is_left_asleep() {
        const SENDERS: usize = 4;
        const EACH: usize = 20_000;
        let (inlet, mailbox) = mailbox(16);
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let inlet = inlet.clone();
                thread::spawn(move || {
                    (0..EACH).for_each(|number| inlet.send((sender, number)).unwrap());
                })
            })
            .collect();
        drop(inlet);
        let mut next = [0; SENDERS];
        loop {
            match mailbox.wait(None) {
                Waited::Received((sender, number)) => {
                    let next = &mut next[sender];
                    assert_eq!(number, *next);
                    *next += 1;
                }
                Waited::NobodyLeft => break,
                Waited::TimedOut => panic!("there is no deadline"),
            }
        }
        assert_eq!(next, [EACH; SENDERS]);
        for sender in senders {
            sender.join().unwrap();
        }
    }

    #[test]
    fn a_wait_ends_at_its_deadline_and_with_the_last_inlet() {
        let (inlet, mailbox) = mailbox::<()>(1);
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(mailbox.wait(Some(deadline)), Waited::TimedOut);
        assert!(Instant::now() >= deadline);
        let other = inlet.clone();
        let waiting = thread::spawn(move || mailbox.wait(None));
        drop(inlet);
        drop(other);
        assert_eq!(waiting.join().unwrap(), Waited::NobodyLeft);
    }

    #[test]
    fn a_weak_inlet_keeps_nobody_waiting() {
        let (inlet, mailbox) = mailbox(1);
        let weak = inlet.downgrade();
        weak.upgrade().unwrap().send(1).unwrap();
        drop(inlet);
        assert!(weak.upgrade().is_none());
        assert_eq!(mailbox.wait(None), Waited::Received(1));
        assert_eq!(mailbox.wait(None), Waited::NobodyLeft);
    }

    #[test]
    fn nothing_can_be_put_in_when_nobody_takes_it_out() {
        let (inlet, mailbox) = mailbox(1);
        inlet.send(1).unwrap();
        assert_eq!(mailbox.take(), Some(1));
        assert_eq!(mailbox.take(), None);
        drop(mailbox);
        assert_eq!(inlet.send(2), Err(Abandoned));
    }
}
