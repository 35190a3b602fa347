//! `handoff` under a checker that decides which thread runs next: the same file, compiled a second time
//! with the checker's locks. Two threads leave orders, and one works in its turn and may be held up there.

use std::convert::Infallible;
use std::sync::Arc;

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner, thread};

#[path = "handoff.rs"]
#[expect(clippy::duplicate_mod, reason = "it is to be checked as it is")]
mod handoff;

use handoff::{Handoff, Turns, lock};
use sync::Mutex;

/// What the second copy is built on.
mod sync {
    pub(super) use std::sync::{PoisonError, TryLockError};

    pub(super) use shuttle::sync::atomic::{AtomicBool, Ordering};
    pub(super) use shuttle::sync::{Mutex, MutexGuard};
}

/// An order, or what was done in a turn of one's own: who did it, and the how manieth it was.
type Step = (usize, usize);

/// The value is the list of steps in the order in which they were carried out.
struct Owner {
    handoff: Handoff<Vec<Step>>,
    orders: Mutex<Vec<Step>>,
}

impl Turns for Owner {
    type Value = Vec<Step>;
    type Orders = Vec<Step>;

    fn handoff(&self) -> &Handoff<Vec<Step>> {
        &self.handoff
    }

    fn orders(&self) -> &Mutex<Vec<Step>> {
        &self.orders
    }

    fn carry_out_orders(&self, done: &mut Vec<Step>) {
        let orders = std::mem::take(&mut *lock(&self.orders));
        for order in orders {
            thread::yield_now();
            done.push(order);
        }
    }
}

impl Owner {
    fn new() -> Arc<Self> {
        let handoff = Handoff::new(Vec::new());
        Arc::new(Self { handoff, orders: Mutex::default() })
    }

    /// As the outbox sends.
    fn send(&self, step: Step) {
        match self.try_turn() {
            Some(mut turn) => turn.push(step),
            None => {
                let Ok(()) = self.hand_over(|orders| {
                    orders.push(step);
                    Ok::<(), Infallible>(())
                });
            }
        }
    }
}

/// Runs senders beside a session that has turns of its own, and checks the outcome of one run.
fn run(senders: usize, sends: usize, turns: usize) {
    let session = senders;
    let owner = Owner::new();
    let senders = (0..senders).map(|sender| {
        let owner = owner.clone();
        thread::spawn(move || (0..sends).for_each(|number| owner.send((sender, number))))
    });
    let senders: Vec<_> = senders.collect();
    for number in 0..turns {
        let mut turn = owner.wait_for_turn();
        thread::yield_now();
        turn.push((session, number));
    }
    for sender in senders {
        sender.join().unwrap();
    }

    assert_eq!(*lock(&owner.orders), [], "an order was left behind");
    let done = owner.handoff.guard();
    for who in 0..=session {
        let times = if who == session { turns } else { sends };
        let numbers: Vec<_> = done.iter().filter(|step| step.0 == who).map(|it| it.1).collect();
        let is_right = numbers.iter().copied().eq(0..times);
        assert!(is_right, "{who} did {numbers:?} of {times} in {done:?}");
    }
}

/// While one thread keeps its turn, two others send all they have; only then is the turn over.
fn run_beside_a_turn_that_does_not_end() {
    let owner = Owner::new();
    let mut turn = owner.wait_for_turn();
    let senders = [0, 1].map(|sender| {
        let owner = owner.clone();
        thread::spawn(move || (0..2).for_each(|number| owner.send((sender, number))))
    });
    // They would wait for ever if they waited for the turn, and the checker calls that a deadlock.
    for sender in senders {
        sender.join().unwrap();
    }
    turn.push((2, 0));
    drop(turn);
    let done = owner.handoff.guard();
    assert_eq!(done[0], (2, 0));
    assert_eq!(done.len(), 5);
    assert_eq!(*lock(&owner.orders), []);
}

fn check(scheduler: impl Scheduler + 'static, run: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::default();
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(run);
}

#[test]
fn no_interleaving_of_few_steps_loses_doubles_or_reorders_any() {
    // All that there are.
    check(DfsScheduler::new(None, false), || run(1, 1, 1));
}

#[test]
fn no_random_interleaving_loses_doubles_or_reorders_a_step() {
    check(RandomScheduler::new(2_000), || run(2, 4, 4));
    check(PctScheduler::new(3, 2_000), || run(2, 3, 3));
}

#[test]
fn nobody_who_sends_waits_for_a_turn_that_does_not_end() {
    check(RandomScheduler::new(1_000), run_beside_a_turn_that_does_not_end);
}
