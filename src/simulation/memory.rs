//! What a model client remembers across its connections.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::coverage::Coverage;
use super::store::FaultyStore;
use crate::chat::ConnectionId;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct ClientMemory {
    /// Its user, and the secret to resume it. `None` before the first welcome.
    pub(super) user: Option<u64>,
    pub(super) secret: Option<String>,
    /// The largest `seq` seen in each room.
    pub(super) seen: BTreeMap<u64, u64>,
    /// What was sent with a reference and is not acknowledged, in order.
    pub(super) unacknowledged: VecDeque<SentText>,
    /// Where the acknowledged messages are, by reference, each with its author.
    pub(super) acknowledged: BTreeMap<String, (u64, u64, u64)>,
    /// Refused as not saved, and never sent again, each with its author.
    pub(super) given_up: BTreeSet<(u64, String)>,
    /// Whether what is refused as not saved is sent again.
    pub(super) is_patient: bool,
}

/// A text that was sent with a reference.
#[derive(Debug)]
pub(super) struct SentText {
    pub(super) reference: String,
    pub(super) request: String,
    /// `None`: it has been refused for now and is sent again.
    pub(super) sent_on: Option<ConnectionId>,
    /// Two copies of it may be on their way on one connection.
    pub(super) is_doubled: bool,
}

impl ClientMemory {
    pub(super) fn see(&mut self, room: u64, seq: u64) {
        let seen = self.seen.entry(room).or_default();
        *seen = seq.max(*seen);
    }

    /// The client sees a message of its own. Returns whether that is news.
    pub(super) fn acknowledge(&mut self, user: u64, reference: &str, room: u64, seq: u64) -> bool {
        let place = (user, room, seq);
        if let Some(before) = self.acknowledged.insert(reference.to_owned(), place) {
            assert_eq!(before, place, "{reference} is there twice");
            return false;
        }
        self.unacknowledged.retain(|sent| sent.reference != reference);
        true
    }

    /// The user's request with this reference was refused on this connection.
    pub(super) fn refuse(
        &mut self,
        (user, connection): (u64, ConnectionId),
        (reference, code): (&str, &str),
        store: &FaultyStore,
        coverage: &mut Coverage,
    ) {
        coverage.hit("refused request");
        if code == "already_said" {
            coverage.hit("already said");
            assert!(store.find(user, reference).is_some(), "{reference} was never saved");
        }
        let (failed_commits, _) = store.failures();
        assert!(code != "not_saved" || failed_commits > 0, "nothing has failed");
        // It may have been sent again on a later connection meanwhile.
        let is_it =
            |sent: &SentText| sent.reference == reference && sent.sent_on == Some(connection);
        let Some(at) = self.unacknowledged.iter().position(is_it) else { return };
        match code {
            "not_saved" if self.is_patient || self.unacknowledged[at].is_doubled => {
                self.unacknowledged[at].sent_on = None;
            }
            "not_saved" => {
                self.given_up.insert((user, reference.to_owned()));
                self.unacknowledged.remove(at);
            }
            // It was saved, and will be readable again.
            "not_readable" => self.unacknowledged[at].sent_on = None,
            _ => {
                self.unacknowledged.remove(at);
            }
        }
    }

    /// The client has been welcomed on its latest connection.
    pub(super) fn adopt(&mut self, user: u64, secret: Option<String>, is_resumed: bool) {
        if is_resumed {
            assert_eq!(self.user, Some(user), "the client is somebody else");
        } else {
            // As a new user, nobody knows whether these were saved.
            self.unacknowledged.clear();
        }
        self.user = Some(user);
        self.secret = secret;
    }

    /// Panics unless every message is where it was acknowledged, and what was refused is nowhere.
    pub(super) fn check(&self, store: &FaultyStore) {
        for (reference, &(user, room, seq)) in &self.acknowledged {
            assert_eq!(store.find(user, reference), Some((room, seq)), "{reference}");
        }
        for (user, reference) in &self.given_up {
            assert_eq!(store.find(*user, reference), None, "{reference} was refused");
        }
    }
}
