//! What goes wrong, or is changed from outside: the network, the store, the clock, the settings.

use std::time::Duration;

use crossbeam_channel::bounded;

use super::connection::SimConnection;
use super::store::CommitFault;
use super::world::{World, server_info};
use crate::chat::{ConnectionId, UserId};
use crate::input::{Control, Input, Reload, Whom};

impl World {
    pub(super) fn fault(&mut self) {
        match self.dice.below(100) {
            0..8 => self.lose_connection(),
            8..24 => self.stop_or_go_on_reading(),
            24..36 => self.ping_some(),
            36..38 => self.cut_off(),
            38..53 => self.commits_fail_or_succeed(),
            53..61 => self.reads_fail_or_succeed(),
            61..69 => self.commits_are_slow(),
            69..87 => self.time_passes(),
            87..92 => self.reload(),
            92..94 => self.flood(),
            94 => self.announce(),
            95 => self.kick(),
            _ => self.read_everything(),
        }
    }

    /// A client is gone without a Close frame. Some of what it has sent may still arrive, and the server
    /// may learn of it late.
    fn lose_connection(&mut self) {
        let Some(id) = self.some_connection(|it| !it.is_gone) else { return };
        if self.dice.percent(70) {
            self.read(id);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.is_gone = true;
        let kept = self.dice.index(connection.uplink.len() + 1);
        connection.uplink.truncate(kept);
        if self.dice.percent(50) {
            connection.socket.reset();
            self.coverage.hit("reset");
        } else {
            connection.socket.stall();
            self.coverage.hit("lost, and the server noticed late");
        }
        let client = &mut self.clients[connection.client];
        if client.current == Some(id) {
            client.current = None;
        }
    }

    fn stop_or_go_on_reading(&mut self) {
        let Some(id) = self.some_connection(|it| !it.is_gone) else { return };
        let connection = self.connections.get_mut(&id).unwrap();
        if connection.is_reading {
            connection.is_reading = false;
            connection.window = Some(self.dice.index(300));
            connection.may_be_slow = true;
            connection.socket.set_room(connection.window.unwrap());
            self.coverage.hit("stopped reading");
        } else {
            connection.is_reading = true;
            connection.window = Some(1 + self.dice.index(1_000));
            self.read(id);
        }
    }

    fn ping_some(&mut self) {
        let is_meant = |it: &SimConnection| it.is_ready();
        if let Some(id) = self.some_connection(is_meant) {
            self.ping(id);
        }
    }

    /// The flusher has waited long enough for the connection that is to end next.
    fn cut_off(&mut self) {
        let deadlines = self.flusher.deadlines();
        let Some((deadline, id)) = deadlines.first() else { return };
        self.flusher.time_passes(*deadline);
        let is_cut =
            |id: &ConnectionId| self.connections.get(id).is_some_and(|it| it.socket.is_cut_off());
        if is_cut(id) {
            self.coverage.hit("cut off by the flusher");
        }
    }

    fn commits_fail_or_succeed(&mut self) {
        let fault = match self.store.fault() {
            CommitFault::None if self.dice.percent(50) => CommitFault::Failing,
            CommitFault::None => CommitFault::Full(self.dice.index(800)),
            _ => CommitFault::None,
        };
        match fault {
            CommitFault::None => self.coverage.hit("recovered"),
            CommitFault::Failing => self.coverage.hit("commit failed"),
            CommitFault::Full(_) => self.coverage.hit("commit failed: full"),
        }
        self.store.set_fault(fault);
    }

    fn reads_fail_or_succeed(&mut self) {
        let is_unreadable = self.dice.percent(30);
        self.store.set_unreadable(is_unreadable);
    }

    /// A commit takes so long that the mailbox fills meanwhile.
    fn commits_are_slow(&mut self) {
        self.at += Duration::from_millis(self.dice.below(1_500));
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            for _ in 0..4 {
                self.session_runs(id);
            }
        }
        self.tick(usize::MAX);
        self.coverage.hit("slow commit");
    }

    fn time_passes(&mut self) {
        let seconds = self.dice.pick(&[1, 1, 2, 6]);
        self.at += Duration::from_secs(seconds);
        self.tick(0);
    }

    fn reload(&mut self) {
        let mut rules = self.rules.clone();
        match self.dice.below(7) {
            0 => rules.rooms.push("Cellar".to_owned()),
            1 => rules.rooms.truncate(1),
            2 => rules.rooms[0] = "Hall".to_owned(),
            3 => rules.max_away = 1,
            4 => rules.resume_grace = Duration::from_secs(1),
            5 => rules.max_text_chars = 10,
            _ => rules.max_kept = 1,
        }
        let list_interval = Duration::from_millis(self.dice.pick(&[0, 300]));
        let reload = Reload {
            rules,
            list_interval,
            room_bytes_per_second: 0.0,
            max_frame_bytes: self.sizes.frame_bytes,
            max_tick_bytes: self.sizes.tick_bytes,
            history_on_enter: self.sizes.on_enter,
            retention: self.retention,
            server: server_info(),
        };
        self.mailbox.push_back(Input::Reload(Box::new(reload)));
    }

    /// Everything that is on its way to clients arrives.
    fn read_everything(&mut self) {
        let is_reading = |it: &&SimConnection| it.is_reading && !it.is_gone;
        let ids: Vec<ConnectionId> =
            self.connections.values().filter(is_reading).map(|it| it.id).collect();
        for id in ids {
            self.read(id);
        }
    }

    fn announce(&mut self) {
        let (answer, _) = bounded(1);
        let control = Control::Announce { text: "Tea".to_owned(), answer };
        self.mailbox.push_back(Input::Control(Box::new(control)));
    }

    /// The operator kicks one of the last users, if it is still there.
    fn kick(&mut self) {
        let last = self.dispatcher.chat().last_ids().user;
        let user = UserId(last.saturating_sub(self.dice.below(4)));
        let (answer, _) = bounded(1);
        let control = Control::Kick { whom: Whom::User(user), reason: None, answer };
        self.mailbox.push_back(Input::Control(Box::new(control)));
    }

    /// A client sends far more than one tick takes.
    fn flood(&mut self) {
        let Some(id) = self.some_connection(SimConnection::is_ready) else { return };
        for _ in 0..self.dice.below(60) {
            self.send_requests(id);
        }
        for _ in 0..200 {
            self.session_runs(id);
        }
    }
}
