//! The limits: one table that generates the struct, its defaults, its documentation, its parser and
//! its checks. Pure.

use super::reader::SettingsReader;
use super::reload::Applies;
use super::rule::Range;

/// Each row reads: when a change applies ([`Applies`]), JSON key, field, type, default, smallest and
/// largest value with their unit and, where 0 is allowed outside the range, what 0 means. No bound
/// exceeds 32 bits, so the table holds for every `usize` the server runs on.
macro_rules! limits {
    ($(
        $(#[doc = $doc:literal])+
        $applies:ident $key:literal $field:ident: $type:ty = $default:literal,
        $min:literal ..= $max:literal $unit:literal $(, or 0 for $zero:literal)?;
    )+) => {
        /// The limits on everything that can grow: the settings under `limits`.
        ///
        /// A *character* is a Unicode scalar value. A byte limit counts the bytes of the connection
        /// without TLS. A rate per second is the long-run rate; the *burst* is how many may come at
        /// once after a pause.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Limits {
            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!(
                    "`limits.", $key, "`, default ", stringify!($default), "; from ",
                    stringify!($min), " to ", stringify!($max), " ", $unit,
                    $(", or 0 for ", $zero,)? ". ", limits!(@doc $applies),
                )]
                pub $field: $type,
            )+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl Limits {
            /// Takes every limit out of `reader`. A missing one has its default.
            pub(super) fn read(reader: &mut SettingsReader) -> Self {
                Self {
                    $($field: reader.number(
                        concat!("limits.", $key),
                        &RANGES.$field,
                        $default,
                    ),)+
                }
            }

            /// Adds a mistake for every limit that is out of its range.
            pub(super) fn check(&self, mistakes: &mut Vec<String>) {
                $(RANGES.$field.check(concat!("limits.", $key), self.$field, mistakes);)+
            }

            /// Sets the limits that need a restart back to the running ones, and adds the keys of
            /// those that differ.
            pub(super) fn keep_restart_only(
                &mut self,
                running: &Self,
                kept: &mut Vec<&'static str>,
            ) {
                $(Applies::$applies.apply(
                    concat!("limits.", $key),
                    &mut self.$field,
                    &running.$field,
                    kept,
                );)+
            }
        }

        /// When a change of each limit applies.
        #[cfg(test)]
        pub(super) const TABLE: &[(&str, Applies)] =
            &[$((concat!("limits.", $key), Applies::$applies),)+];

        /// The range of each limit, under the name of its field.
        struct Ranges {
            $($field: Range<$type>,)+
        }

        static RANGES: Ranges = Ranges {
            $($field: Range {
                min: $min,
                max: $max,
                unit: $unit,
                zero: limits!(@zero $($zero)?),
            },)+
        };
    };
    (@zero) => { None };
    (@zero $meaning:literal) => { Some($meaning) };
    (@doc Live) => { "A change is *live*." };
    (@doc Restart) => { "A change needs a *restart*." };
}

limits! {
    /// Open WebSockets. Each takes a thread. Beyond these there are some more places for clients that
    /// resume (a 64th of them, from 8 to 64), and 64 for handshakes and HTTP responses.
    Live "maxConnections" max_connections: usize = 4_096,
        1..=1_000_000 "connections", or 0 for "no limit";

    /// Open connections of one source, those in their handshake included: of an IPv4 address, or a /64 of
    /// IPv6. A /56 may have 4 times and a /48 16 times as many, but no more than half of `maxConnections`
    /// unless one source may. Loopback addresses have no limit.
    Live "maxConnectionsPerIp" max_connections_per_ip: usize = 64,
        1..=1_000_000 "connections", or 0 for "no limit";

    /// Connections that have not sent their request head yet. Above this, a newcomer replaces the oldest
    /// one of the source that has the most connections, if its own source has fewer or the other has taken
    /// 5 seconds.
    Live "maxHandshakes" max_handshakes: usize = 512,
        1..=1_000_000 "connections", or 0 for "no limit";

    /// The same, of one source, with the same factors for /56 and /48. Above this, a newcomer replaces the
    /// oldest one that has taken 5 seconds, or is refused.
    Live "maxHandshakesPerIp" max_handshakes_per_ip: usize = 64,
        1..=1_000_000 "connections", or 0 for "no limit";

    /// How many connections one source may open in the long run. A page takes some thirty. A /56 may open 4
    /// times and a /48 16 times as many. Loopback addresses have no limit.
    Live "connectsPerSecond" connects_per_second: f64 = 100.0,
        0.001..=1_000_000.0 "connections per second", or 0 for "no limit";

    /// How many connections one source may open at once after a pause.
    Live "connectBurst" connect_burst: u32 = 1_000,
        1..=1_000_000 "connections";

    /// Commands that may wait for the dispatcher. When the queue is full, sessions wait and read no
    /// more from their clients. The memory of the queue is allocated at the start.
    Restart "commandQueueLength" command_queue_length: usize = 4_096,
        1..=1_048_576 "commands";

    /// The time from accepting a connection to the end of its WebSocket upgrade: one deadline for TLS,
    /// request head and upgrade together.
    Live "handshakeTimeoutMs" handshake_timeout_ms: u64 = 10_000,
        100..=600_000 "milliseconds";

    /// The size of an HTTP request line and its header fields.
    Live "maxRequestHeadBytes" max_request_head_bytes: usize = 8_192,
        256..=65_536 "bytes";

    /// The size of one WebSocket message from a client, all its fragments together.
    ///
    /// A text of `maxTextChars` characters takes up to 12 × `maxTextChars` + 64 bytes if the client
    /// escapes every character, and up to 4 × `maxTextChars` + 64 if it escapes none. A smaller limit
    /// is allowed, and refuses such texts earlier.
    Live "maxMessageBytes" max_message_bytes: usize = 65_536,
        128..=16_777_216 "bytes";

    /// How much may be queued for one client. A client that lets its queue fill is a slow consumer and
    /// is closed. Leave room for the longest text and for the list of rooms.
    Live "outboxMaxBytes" outbox_max_bytes: usize = 1_048_576,
        4_096..=1_073_741_824 "bytes";

    /// How much memory the server may use. By default that is what the control group allows, or three
    /// quarters of the machine's memory.
    ///
    /// Half of it is for connections, at 64 KiB each; a quarter for frames that clients have not taken
    /// yet, all queues together. When these need more, the queues of the address with most are closed
    /// first. A sixteenth is for messages that have come in part.
    Live "maxMemoryBytes" max_memory_bytes: usize = 0,
        16_777_216..=4_294_967_295 "bytes", or 0 for "what there is";

    /// How long a client may take nothing of what is queued for it. After that it is closed when the
    /// next frame, such as a ping, is sent to it.
    Live "writeTimeoutMs" write_timeout_ms: u64 = 10_000,
        100..=600_000 "milliseconds";

    /// How long a client may be silent before it is pinged.
    Live "pingIntervalMs" ping_interval_ms: u64 = 25_000,
        100..=86_400_000 "milliseconds";

    /// How long a client may take to answer a ping.
    Live "pongTimeoutMs" pong_timeout_ms: u64 = 8_000,
        100..=86_400_000 "milliseconds";

    /// How many messages one client may send in the long run.
    Live "messagesPerSecond" messages_per_second: f64 = 10.0,
        0.001..=1_000_000.0 "messages per second", or 0 for "no limit";

    /// How many messages one client may send at once after a pause.
    Live "messageBurst" message_burst: u32 = 30,
        1..=1_000_000 "messages";

    /// How many bytes of messages one room may be told in the long run, so that members on slow lines can
    /// follow; four times as many at once after a pause. Those who have said most lately are refused
    /// first. There is no limit either if `messagesPerSecond` is 0.
    Live "roomBytesPerSecond" room_bytes_per_second: f64 = 262_144.0,
        1_024.0..=1_000_000_000.0 "bytes per second", or 0 for "no limit";

    /// How many rooms one client may create in the long run. 0.1 is one in ten seconds.
    Live "roomsPerSecond" rooms_per_second: f64 = 0.1,
        0.001..=1_000_000.0 "rooms per second", or 0 for "no limit";

    /// How many rooms one client may create at once after a pause.
    Live "roomBurst" room_burst: u32 = 3,
        1..=1_000_000 "rooms";

    /// How many rooms may exist, those of the settings included. When there are as many, somebody from a
    /// source that has created few still gets a room: the newest empty one of the source that has created
    /// the most goes.
    Live "maxRooms" max_rooms: usize = 1_000,
        1..=1_000_000 "rooms", or 0 for "no limit";

    /// The length of a user's name.
    Live "maxNameChars" max_name_chars: usize = 32,
        1..=256 "characters";

    /// The length of a room's title.
    Live "maxTitleChars" max_title_chars: usize = 64,
        1..=1_024 "characters";

    /// The length of a text; see also `maxMessageBytes`.
    Live "maxTextChars" max_text_chars: usize = 4_000,
        1..=1_000_000 "characters";

    /// How many pictures `gifsDirectory` may have.
    Live "maxGifs" max_gifs: usize = 100,
        1..=10_000 "pictures";

    /// The size of one picture in `gifsDirectory`. All pictures are kept in memory.
    Live "maxGifBytes" max_gif_bytes: usize = 1_048_576,
        1_024..=67_108_864 "bytes";

    /// The size of `icon`. It is kept in memory.
    Live "maxIconBytes" max_icon_bytes: usize = 262_144,
        1_024..=4_194_304 "bytes";

    /// How long an empty room stays if a user created it. It is empty at first, so this is also the
    /// time to enter it, which is 60 seconds at most.
    Live "emptyRoomTtlSeconds" empty_room_ttl_seconds: u64 = 3_600,
        1..=31_536_000 "seconds";

    /// The least time between two lists of rooms that are sent to every client.
    Live "roomListIntervalMs" room_list_interval_ms: u64 = 250,
        1..=60_000 "milliseconds", or 0 for "no pause";

    /// How many events a client of `wschat.v2` gets when it enters a room without saying which it has
    /// already.
    Live "historyOnEnter" history_on_enter: usize = 50,
        1..=1_000 "events", or 0 for "none";

    /// How many events of each room are kept. The oldest are deleted first.
    Live "historyMaxEvents" history_max_events: u64 = 10_000,
        1..=4_294_967_295 "events", or 0 for "none";

    /// How long events are kept.
    Live "historyMaxDays" history_max_days: u64 = 0,
        1..=36_500 "days", or 0 for "no limit";

    /// How much memory the history of all rooms may take when it is not kept in a file. The oldest
    /// events are deleted first.
    Live "historyMaxMemoryBytes" history_max_memory_bytes: usize = 16_777_216,
        65_536..=4_294_967_295 "bytes";

    /// How large the history's file may become, without its WAL. Then the rooms that take most lose their
    /// oldest messages.
    Live "historyMaxFileBytes" history_max_file_bytes: u64 = 1_073_741_824,
        1_048_576..=1_099_511_627_776 "bytes", or 0 for "no limit";

    /// How much memory the references of all users may take: `ref` in requests of `wschat.v2`. Each takes
    /// 96 bytes. When there are more, whoever has most loses the oldest.
    Live "historyMaxReferenceBytes" history_max_reference_bytes: usize = 33_554_432,
        65_536..=4_294_967_295 "bytes";

    /// How long a client of `wschat.v2` may take to resume its session after its connection was lost
    /// or the server was restarted. Until then the others do not see it leave.
    Live "resumeGraceSeconds" resume_grace_seconds: u64 = 60,
        1..=604_800 "seconds", or 0 for "no time";

    /// How long at most, if the client said that it goes away (Close code 1001), as browsers do when a
    /// page is closed or loaded again. Never longer than `resumeGraceSeconds`.
    Live "reloadGraceSeconds" reload_grace_seconds: u64 = 10,
        1..=604_800 "seconds", or 0 for "no time";

    /// How many users may be away: their connection is lost, and their session can be resumed. When
    /// one more goes away, one has to leave, of the source that has the most: first one that is in no
    /// room, has not changed its name and has sent nothing with a `ref`; otherwise, the one whose time ends
    /// last.
    Live "maxAwayUsers" max_away_users: usize = 4_096,
        1..=1_000_000 "users", or 0 for "nobody";

    /// How long a server that stops waits for its clients to take what is queued for them.
    Live "drainTimeoutMs" drain_timeout_ms: u64 = 5_000,
        1..=600_000 "milliseconds", or 0 for "no wait";
}
