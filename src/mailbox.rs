//! The mailbox: a bounded channel from many threads to one, the dispatcher, which sleeps while it is empty.
//!
//! The channel is crossbeam's; the waiting is not. Waking a thread costs both sides several microseconds,
//! and more if the core has gone to sleep meanwhile. So the receiver keeps looking for a moment before it
//! parks. In between it yields to other threads: on one core, those are the ones that it waits for.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

/// How long the receiver keeps looking before it parks. Long enough for a client nearby to get an
/// answer and send its next request; too short to show as load.
const SPIN_TIME: Duration = Duration::from_micros(50);

/// Where any thread puts items in.
#[derive(Debug)]
pub(crate) struct MailboxSender<T>(Arc<SendingEnd<T>>);

/// A sender that does not keep the mailbox connected.
#[derive(Debug)]
pub(crate) struct WeakMailboxSender<T>(Weak<SendingEnd<T>>);

/// Where one thread takes items out.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    items: Receiver<T>,
    parking: Arc<Parking>,
}

/// The sending end, shared by all senders. Dropping it disconnects the mailbox.
#[derive(Debug)]
struct SendingEnd<T> {
    /// Taken only when this is dropped.
    items: Option<Sender<T>>,
    parking: Arc<Parking>,
}

/// Whether the receiver's thread is parked, and which one it is.
#[derive(Debug, Default)]
struct Parking {
    is_parked: AtomicBool,
    thread: OnceLock<Thread>,
}

/// The mailbox has been dropped, so nothing can be sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disconnected;

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WaitOutcome<T> {
    Received(T),
    TimedOut,
    /// All senders are gone, and everything they sent has been received.
    Disconnected,
}

/// A mailbox that holds up to `capacity` items. When it is full, senders block.
pub(crate) fn mailbox<T>(capacity: usize) -> (MailboxSender<T>, Mailbox<T>) {
    let (sender, receiver) = bounded(capacity);
    let parking = Arc::<Parking>::default();
    let sending_end = SendingEnd { items: Some(sender), parking: parking.clone() };
    (MailboxSender(Arc::new(sending_end)), Mailbox { items: receiver, parking })
}

impl<T> MailboxSender<T> {
    pub(crate) fn downgrade(&self) -> WeakMailboxSender<T> {
        WeakMailboxSender(Arc::downgrade(&self.0))
    }

    /// Sends an item, blocking while the mailbox is full.
    pub(crate) fn send(&self, item: T) -> Result<(), Disconnected> {
        if self.send_with(|items| items.send(item).is_ok()) { Ok(()) } else { Err(Disconnected) }
    }

    /// The same, but gives up at `deadline`. Returns whether the item was sent.
    pub(crate) fn send_by(&self, item: T, deadline: Instant) -> bool {
        self.send_with(|items| items.send_deadline(item, deadline).is_ok())
    }

    fn send_with(&self, send: impl FnOnce(&Sender<T>) -> bool) -> bool {
        let SendingEnd { items, parking } = &*self.0;
        let is_sent = items.as_ref().is_some_and(send);
        parking.unpark();
        is_sent
    }
}

impl<T> WeakMailboxSender<T> {
    /// `None` when no sender is left.
    pub(crate) fn upgrade(&self) -> Option<MailboxSender<T>> {
        self.0.upgrade().map(MailboxSender)
    }
}

impl<T> Clone for WeakMailboxSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for MailboxSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Mailbox<T> {
    /// Takes the next item if there is one, without waiting.
    pub(crate) fn take(&self) -> Option<T> {
        self.items.try_recv().ok()
    }

    /// Takes the next item, waiting for it until `deadline`, or for ever without one. Always called
    /// by the same thread.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> WaitOutcome<T> {
        loop {
            if let Some(outcome) = self.look() {
                return outcome;
            }
            if let Some(outcome) = self.spin() {
                return outcome;
            }
            self.parking.announce();
            // Looks once more: whoever sent before the announcement will not unpark this thread.
            let mut outcome = self.look();
            if outcome.is_none() {
                match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                    None => thread::park(),
                    Some(left) if left.is_zero() => outcome = Some(WaitOutcome::TimedOut),
                    Some(left) => thread::park_timeout(left),
                }
            }
            self.parking.withdraw();
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    /// Yields to other threads and looks in between, for [`SPIN_TIME`].
    fn spin(&self) -> Option<WaitOutcome<T>> {
        let start = Instant::now();
        while start.elapsed() < SPIN_TIME {
            thread::yield_now();
            if let Some(outcome) = self.look() {
                return Some(outcome);
            }
        }
        None
    }

    fn look(&self) -> Option<WaitOutcome<T>> {
        match self.items.try_recv() {
            Ok(item) => Some(WaitOutcome::Received(item)),
            Err(TryRecvError::Disconnected) => Some(WaitOutcome::Disconnected),
            Err(TryRecvError::Empty) => None,
        }
    }
}

impl<T> Drop for SendingEnd<T> {
    fn drop(&mut self) {
        // In this order, so that the receiver wakes to a channel that is disconnected already.
        self.items.take();
        self.parking.unpark();
    }
}

impl Parking {
    /// The calling thread is about to park: from here on senders unpark it.
    fn announce(&self) {
        self.thread.get_or_init(thread::current);
        self.is_parked.store(true, Ordering::Relaxed);
        // Pairs with the one in `unpark`: either the receiver sees the item, or the sender the flag.
        fence(Ordering::SeqCst);
    }

    /// The calling thread is awake.
    fn withdraw(&self) {
        self.is_parked.store(false, Ordering::Relaxed);
    }

    /// Unparks the receiver if it is parked. Of several senders at once, one does.
    fn unpark(&self) {
        fence(Ordering::SeqCst);
        if self.is_parked.load(Ordering::Relaxed)
            && self.is_parked.swap(false, Ordering::Relaxed)
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
    fn items_arrive_in_the_order_of_each_sender_and_none_is_missed() {
        const SENDERS: usize = 4;
        const EACH: usize = 20_000;
        let (sender, mailbox) = mailbox(16);
        let threads: Vec<_> = (0..SENDERS)
            .map(|id| {
                let sender = sender.clone();
                thread::spawn(move || {
                    (0..EACH).for_each(|number| sender.send((id, number)).unwrap());
                })
            })
            .collect();
        drop(sender);
        let mut next = [0; SENDERS];
        loop {
            match mailbox.wait(None) {
                WaitOutcome::Received((id, number)) => {
                    let next = &mut next[id];
                    assert_eq!(number, *next);
                    *next += 1;
                }
                WaitOutcome::Disconnected => break,
                WaitOutcome::TimedOut => panic!("there is no deadline"),
            }
        }
        assert_eq!(next, [EACH; SENDERS]);
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_wait_ends_at_its_deadline_and_with_the_last_sender() {
        let (sender, mailbox) = mailbox::<()>(1);
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(mailbox.wait(Some(deadline)), WaitOutcome::TimedOut);
        assert!(Instant::now() >= deadline);
        let other = sender.clone();
        let waiting = thread::spawn(move || mailbox.wait(None));
        drop(sender);
        drop(other);
        assert_eq!(waiting.join().unwrap(), WaitOutcome::Disconnected);
    }

    #[test]
    fn a_weak_sender_does_not_keep_the_mailbox_connected() {
        let (sender, mailbox) = mailbox(1);
        let weak = sender.downgrade();
        weak.upgrade().unwrap().send(1).unwrap();
        drop(sender);
        assert!(weak.upgrade().is_none());
        assert_eq!(mailbox.wait(None), WaitOutcome::Received(1));
        assert_eq!(mailbox.wait(None), WaitOutcome::Disconnected);
    }

    #[test]
    fn a_full_mailbox_is_waited_for_until_the_deadline() {
        let (sender, mailbox) = mailbox(1);
        assert!(sender.send_by(1, Instant::now()));
        assert!(!sender.send_by(2, Instant::now()));
        assert_eq!(mailbox.take(), Some(1));
        assert_eq!(mailbox.take(), None);
    }

    #[test]
    fn sending_fails_once_the_mailbox_is_dropped() {
        let (sender, mailbox) = mailbox(1);
        sender.send(1).unwrap();
        assert_eq!(mailbox.take(), Some(1));
        assert_eq!(mailbox.take(), None);
        drop(mailbox);
        assert_eq!(sender.send(2), Err(Disconnected));
    }
}
