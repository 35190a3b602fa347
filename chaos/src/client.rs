//! One client of the crowd: what it is like, and its connection.

use fastrand::Rng;

use crate::base::Base;
use crate::ledger::{Ledger, Room};
use crate::v2::V2;
use crate::wire::Wire;

#[derive(Debug)]
pub enum Mind {
    V2(Box<V2>),
    Base(Box<Base>),
}

#[derive(Debug)]
pub struct Client {
    pub mind: Mind,
    pub wire: Option<Wire>,
    pub node: usize,
    /// A probe stays with one node.
    pub home: Option<usize>,
    /// It now and then cuts its connection.
    pub is_shaky: bool,
    pub failures: u32,
    pub connect_at: u64,
    pub retry_at: Option<u64>,
    pub act_at: u64,
    /// When a probe says something next.
    pub say_at: u64,
}

impl Client {
    pub fn new(index: usize, home: Option<usize>, rooms: u32, random: &mut Rng) -> Self {
        let number = u32::try_from(index).expect("fewer than 2³² clients");
        let room: Room = 1 + number % rooms;
        let is_base = home.is_none() && random.u8(0..10) == 0;
        let mind = if is_base {
            Mind::Base(Box::new(Base::new(number, room)))
        } else {
            // The probes have a room for themselves, which is the last.
            let room = if home.is_some() { rooms + 1 } else { room };
            let mut mind = V2::new(number, room);
            mind.habits.wants_presence = random.u8(0..4) == 0;
            mind.habits.is_restless = home.is_none() && random.u8(0..10) == 0;
            Mind::V2(Box::new(mind))
        };
        Self {
            mind,
            wire: None,
            node: 0,
            home,
            is_shaky: random.bool(),
            failures: 0,
            connect_at: 0,
            retry_at: None,
            act_at: 0,
            say_at: 0,
        }
    }

    pub fn name(&self) -> &str {
        match &self.mind {
            Mind::V2(mind) => &mind.name,
            Mind::Base(mind) => &mind.name,
        }
    }

    pub fn is_ready(&self, window: usize) -> bool {
        let is_open = self.wire.as_ref().is_some_and(Wire::is_open);
        is_open
            && match &self.mind {
                Mind::V2(mind) => mind.is_ready(window),
                Mind::Base(mind) => mind.is_ready(),
            }
    }

    pub fn is_listening(&self) -> bool {
        match &self.mind {
            Mind::V2(mind) => mind.is_listening(),
            Mind::Base(mind) => mind.is_listening(),
        }
    }

    pub fn waits_since(&self) -> Option<u64> {
        match &self.mind {
            Mind::V2(mind) => mind.waits_since(),
            Mind::Base(mind) => mind.waits_since(),
        }
    }

    pub fn say(&mut self, ledger: &mut Ledger) -> String {
        match &mut self.mind {
            Mind::V2(mind) => mind.say(ledger),
            Mind::Base(mind) => mind.say(ledger),
        }
    }

    pub fn retry(&mut self, now: u64) -> Vec<String> {
        match &mut self.mind {
            Mind::V2(mind) => mind.retry(now),
            Mind::Base(mind) => {
                mind.enter_again().map_or_else(|| mind.retry(now), |request| vec![request])
            }
        }
    }
}
