//! Opens the history, and restores the chat from it. Runs once, on the thread that starts the server.

use std::sync::Arc;
use std::time::Duration;

use crate::chat::{Chat, Rules, UserId};
use crate::dispatcher::{Dispatcher, Health, Input, Keeping};
use crate::history::{self, HistoryError, Opened, Place, Retention, Upkeep};
use crate::mailbox::Mailbox;
use crate::protocol::Greeting;
use crate::recall::{Recall, Recalling};
use crate::session::Live;
use crate::settings::{Limits, Settings};

/// The dispatcher with its chat, and what the threads of the history run.
pub(super) struct OpenedChat {
    pub(super) dispatcher: Dispatcher,
    pub(super) recalling: Recalling,
    pub(super) upkeep: Option<Upkeep>,
}

impl OpenedChat {
    pub(super) fn open(
        live: &Live,
        inputs: Mailbox<Input>,
        health: Arc<Health>,
    ) -> Result<Self, HistoryError> {
        let Live { settings, site, .. } = live;
        let limits = &settings.limits;
        let place = match settings.history.file.clone() {
            None => Place::Memory,
            Some(path) => Place::File { path, durability: settings.history.durability },
        };
        let retention = Retention {
            max_events: limits.history_max_events,
            max_age: max_age(limits),
            max_memory_bytes: limits.history_max_memory_bytes,
        };
        let Opened { epoch, remembered, history, reader, upkeep } =
            history::open(&place, retention)?;
        let noted_user = UserId(remembered.last_user);
        let mut keeping = Keeping::new(history, health, noted_user);
        let (chat, effects) = Chat::restore(rules(settings), remembered);
        keeping.begin(effects)?;
        let (on_enter, max_bytes) = (limits.history_on_enter, limits.outbox_max_bytes);
        let (recall, recalling) = Recall::new(reader, epoch.into(), on_enter, max_bytes);
        let greeting = Greeting::new(limits, site.gifs().to_vec());
        let dispatcher = Dispatcher::new(chat, inputs, (keeping, recall), greeting, max_bytes);
        Ok(Self { dispatcher, recalling, upkeep })
    }
}

/// The rules of the chat, as the settings have them.
fn rules(settings: &Settings) -> Rules {
    let limits = &settings.limits;
    Rules {
        // Like the titles that users choose.
        rooms: settings.rooms.iter().map(|title| title.trim().to_owned()).collect(),
        max_rooms: limits.max_rooms,
        max_name_chars: limits.max_name_chars,
        max_title_chars: limits.max_title_chars,
        max_text_chars: limits.max_text_chars,
        empty_room_ttl: Duration::from_secs(limits.empty_room_ttl_seconds),
        room_list_interval: Duration::from_millis(limits.room_list_interval_ms),
        resume_grace: Duration::from_secs(limits.resume_grace_seconds),
        max_away: limits.max_away_users,
        max_kept: limits.history_max_events,
        max_age: max_age(limits),
    }
}

fn max_age(limits: &Limits) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let days = u32::try_from(limits.history_max_days).ok()?;
    (days != 0).then(|| DAY * days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_the_settings_are_trimmed_like_those_of_users() {
        let rooms = vec!["  Lobby ".to_owned(), "Café ☕\t".to_owned()];
        let settings = Settings { rooms, ..Settings::default() };
        assert_eq!(rules(&settings).rooms, ["Lobby", "Café ☕"]);
    }
}
