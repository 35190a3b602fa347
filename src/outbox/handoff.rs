//! Taking turns at a value without waiting for it.
//!
//! One thread at a time has the turn. A thread that finds it taken leaves an order and goes on, and
//! whoever has the turn carries the order out. No order is left behind: after it has been put where
//! orders wait, its thread calls, and then either gets the turn itself or has called somebody who still
//! looks before the turn is over. Any thread may use this. What the orders are and how many may wait is
//! left to the owner.
//!
//! Who carries out orders can be kept busy by those who leave them. So a thread that works for one
//! client, and may leave orders as fast as that client likes, waits for its turn instead.

use std::ops::{Deref, DerefMut};

use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError, TryLockError};

/// A value that is used in turns. It holds no orders, so that it stays small.
#[derive(Debug)]
pub(super) struct Handoff<T> {
    value: Mutex<T>,
    /// Set after an order has been left, and cleared before orders are taken.
    is_called: AtomicBool,
}

/// An owner of a value that is used in turns.
pub(super) trait Turns {
    type Value;
    /// The orders that wait. Their lock is held only to put them in and to take them out.
    type Orders;

    fn handoff(&self) -> &Handoff<Self::Value>;

    fn orders(&self) -> &Mutex<Self::Orders>;

    /// Takes out all orders that wait, and carries them out in their order.
    fn carry_out_orders(&self, value: &mut Self::Value);

    /// Takes the turn unless somebody has it. Never waits.
    fn try_turn(&self) -> Option<Turn<'_, Self>> {
        self.handoff().try_lock().map(|guard| Turn::begin(self, guard))
    }

    /// Waits for the turn.
    fn wait_for_turn(&self) -> Turn<'_, Self> {
        Turn::begin(self, lock(&self.handoff().value))
    }

    /// Leaves an order for whoever has the turn, or carries it out if nobody has. Never waits for the
    /// turn. If `leave` refuses to, nobody is called.
    fn hand_over<E>(
        &self,
        leave: impl FnOnce(&mut Self::Orders) -> Result<(), E>,
    ) -> Result<(), E> {
        leave(&mut lock(self.orders()))?;
        // This swap and the one in `Turn::drop` have an order. If this is the first, the other sees the
        // call. If it is the second, the turn is over by now, and `try_turn` cannot meet that same one.
        self.handoff().is_called.swap(true, Ordering::AcqRel);
        drop(self.try_turn());
        Ok(())
    }
}

/// The turn of this thread. All orders that are left meanwhile are carried out before it is over, or by
/// the next one who has the turn.
#[derive(Debug)]
pub(super) struct Turn<'a, O: Turns + ?Sized> {
    owner: &'a O,
    /// `None` only while it is dropped.
    guard: Option<MutexGuard<'a, O::Value>>,
}

impl<T> Handoff<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), is_called: AtomicBool::new(false) }
    }

    /// Whether an order may wait. By the time the caller looks at it, this may have changed.
    pub(super) fn is_called(&self) -> bool {
        self.is_called.load(Ordering::Relaxed)
    }

    /// The value as it is, without a turn.
    #[cfg(test)]
    pub(super) fn guard(&self) -> MutexGuard<'_, T> {
        lock(&self.value)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.value.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<'a, O: Turns + ?Sized> Turn<'a, O> {
    /// What this thread has left before it has to come before what it does in its turn.
    fn begin(owner: &'a O, guard: MutexGuard<'a, O::Value>) -> Self {
        let mut turn = Self { owner, guard: Some(guard) };
        turn.answer_calls();
        turn
    }

    fn answer_calls(&mut self) {
        let Some(value) = self.guard.as_deref_mut() else { return };
        while self.owner.handoff().is_called() {
            // First the call is cleared: an order that is left after they were taken calls again.
            self.owner.handoff().is_called.swap(false, Ordering::AcqRel);
            self.owner.carry_out_orders(value);
        }
    }
}

impl<O: Turns + ?Sized> Drop for Turn<'_, O> {
    fn drop(&mut self) {
        let handoff = self.owner.handoff();
        while self.guard.is_some() {
            self.answer_calls();
            self.guard = None;
            // Somebody may have called between the last look and the end of the turn, and found it
            // taken. Written as a swap that changes nothing: a load could be too early.
            if handoff.is_called.fetch_or(false, Ordering::AcqRel) {
                self.guard = handoff.try_lock();
            }
        }
    }
}

impl<O: Turns + ?Sized> Deref for Turn<'_, O> {
    type Target = O::Value;

    fn deref(&self) -> &O::Value {
        self.guard.as_deref().expect("the turn is not over")
    }
}

impl<O: Turns + ?Sized> DerefMut for Turn<'_, O> {
    fn deref_mut(&mut self) -> &mut O::Value {
        self.guard.as_deref_mut().expect("the turn is not over")
    }
}

/// A thread that panicked while it held a lock leaves what it guards whole: queues of bytes.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
