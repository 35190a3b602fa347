//! Makes a dispatcher with its chat, from the settings. Runs on the thread that starts the server.

use std::sync::Arc;
use std::time::Duration;

use crate::chat::{Chat, REFERENCE_BYTES, Rules};
use crate::delivery::Delivery;
use crate::dispatcher::{self, Dispatcher, Saver};
use crate::history::{HistoryReader, Retention};
use crate::input::Reload;
use crate::lobby::Lobby;
use crate::log::Log;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::protocol::{AdvertisedLimits, HISTORY_MAX_PAGE, ServerInfo, USERS_MAX_PAGE};
use crate::recall::{Recall, RecallThread};
use crate::session::Live;
use crate::settings::{Limits, Settings};

/// What a dispatcher is made of besides its log and its settings.
pub(super) struct Parts {
    pub(super) chat: Chat,
    pub(super) saver: Saver,
    pub(super) reader: Box<dyn HistoryReader>,
    /// That of the history.
    pub(super) epoch: Arc<str>,
}

/// Makes a dispatcher, and what answers its queries.
pub(super) fn assemble<L: Log>(
    log: L,
    parts: Parts,
    start: Reload,
    memory: Arc<Memory>,
    metrics: &Arc<Metrics>,
) -> (Dispatcher<L>, RecallThread) {
    let Parts { chat, saver, reader, epoch } = parts;
    let (queries, recall) =
        Recall::new(reader, epoch.clone(), start.history_on_enter, metrics.clone());
    let mut lobby =
        Lobby::new(log.node(), start.list_interval, epoch.clone(), start.max_frame_bytes);
    lobby.set_room_rate(start.room_bytes_per_second);
    let mut delivery = Delivery::new(start.server, epoch, memory);
    // Those of a shared log are not always those of the settings.
    delivery.set_rules(chat.rules());
    let metrics = metrics.clone();
    let parts = dispatcher::Parts { log, chat, lobby, saver, delivery, recall: queries, metrics };
    (Dispatcher::new(parts, start.max_tick_bytes), recall)
}

/// What the dispatcher takes from the settings, at the start and when they are reloaded.
pub(super) fn reload(live: &Live) -> Reload {
    let limits = &live.settings.limits;
    Reload {
        rules: rules(&live.settings),
        list_interval: Duration::from_millis(limits.room_list_interval_ms),
        room_bytes_per_second: if limits.messages_per_second == 0.0 {
            0.0
        } else {
            limits.room_bytes_per_second
        },
        max_frame_bytes: max_frame_bytes(limits),
        // Well below what an outbox may hold, so that no single tick fills one.
        max_tick_bytes: limits.outbox_max_bytes / 4,
        history_on_enter: limits.history_on_enter,
        retention: retention(limits),
        server: ServerInfo::new(advertised(limits), live.site.gifs().to_vec()),
    }
}

/// How much is kept.
pub(super) fn retention(limits: &Limits) -> Retention {
    Retention {
        max_events: limits.history_max_events,
        max_age: max_age(limits),
        max_memory_bytes: limits.history_max_memory_bytes,
        max_file_bytes: limits.history_max_file_bytes,
        max_references: max_references(limits),
    }
}

/// The limits that clients are told.
fn advertised(limits: &Limits) -> AdvertisedLimits {
    AdvertisedLimits {
        max_message_bytes: limits.max_message_bytes,
        max_text_chars: limits.max_text_chars,
        max_name_chars: limits.max_name_chars,
        max_title_chars: limits.max_title_chars,
        messages_per_second: limits.messages_per_second,
        message_burst: limits.message_burst,
        ping_interval_ms: limits.ping_interval_ms,
        resume_grace_seconds: limits.resume_grace_seconds,
        history_on_enter: limits.history_on_enter,
        history_max_page: HISTORY_MAX_PAGE,
        max_frame_bytes: max_frame_bytes(limits),
        users_max_page: USERS_MAX_PAGE,
    }
}

/// The length of the longest frame, as far as that is up to the server. Behind it an outbox has room for
/// what happens while the client takes it.
fn max_frame_bytes(limits: &Limits) -> usize {
    limits.outbox_max_bytes - limits.outbox_max_bytes / 8
}

/// The rules of the chat, as the settings have them.
pub(super) fn rules(settings: &Settings) -> Rules {
    let limits = &settings.limits;
    Rules {
        // Like the titles that users choose.
        rooms: settings.rooms.iter().map(|title| title.trim().to_owned()).collect(),
        max_rooms: limits.max_rooms,
        max_name_chars: limits.max_name_chars,
        max_title_chars: limits.max_title_chars,
        max_text_chars: limits.max_text_chars,
        empty_room_ttl: Duration::from_secs(limits.empty_room_ttl_seconds),
        resume_grace: Duration::from_secs(limits.resume_grace_seconds),
        reload_grace: Duration::from_secs(limits.reload_grace_seconds),
        max_away: limits.max_away_users,
        max_kept: limits.history_max_events,
        max_references: max_references(limits),
    }
}

fn max_references(limits: &Limits) -> usize {
    limits.history_max_reference_bytes / REFERENCE_BYTES
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
