//! The limits: one table that is the struct, its defaults, its documentation, its parser and its
//! checks.

use super::reader::Reader;
use super::rule::Range;

/// Each row reads: JSON key, field, type, default, smallest and largest value with their unit and,
/// where 0 is allowed beside the range, what 0 means. No bound exceeds 32 bits, so the table holds
/// for every `usize` the server runs on.
macro_rules! limits {
    ($(
        $(#[doc = $doc:literal])+
        $key:literal $field:ident: $type:ty = $default:literal,
        $min:literal ..= $max:literal $unit:literal $(, or 0 for $zero:literal)?;
    )+) => {
        /// How much of everything there may be: the settings under `limits`.
        ///
        /// A *character* is a Unicode scalar value; a byte limit counts bytes as they go over the
        /// wire, TLS excluded. A rate per second is what may go on for ever, the *burst* beside it
        /// what may come at once after a pause.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Limits {
            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!(
                    "`limits.", $key, "`, default ", stringify!($default), "; from ",
                    stringify!($min), " to ", stringify!($max), " ", $unit,
                    $(", or 0 for ", $zero,)? ".",
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
            /// Takes every limit out of `reader`; what is not there has its default.
            pub(super) fn read(reader: &mut Reader) -> Self {
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
        }

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
}

limits! {
    /// Connections at once, those still in their handshake included. Each takes a thread.
    "maxConnections" max_connections: usize = 4_096,
        1..=1_000_000 "connections", or 0 for "no limit";

    /// Connections at once from one address; IPv6 counts per /64 network.
    "maxConnectionsPerIp" max_connections_per_ip: usize = 64,
        1..=1_000_000 "connections", or 0 for "no limit";

    /// Commands that may wait for the dispatcher; a client whose command finds no place waits. The
    /// queue's memory is taken at the start.
    "commandQueueLength" command_queue_length: usize = 4_096,
        1..=1_048_576 "commands";

    /// From accepting a connection to the end of its WebSocket upgrade: one deadline for TLS, request
    /// head and upgrade together.
    "handshakeTimeoutMs" handshake_timeout_ms: u64 = 10_000,
        100..=600_000 "milliseconds";

    /// The HTTP request line and header fields of one request.
    "maxRequestHeadBytes" max_request_head_bytes: usize = 8_192,
        256..=65_536 "bytes";

    /// One WebSocket message from a client, its fragments together.
    ///
    /// A text of `maxTextChars` characters takes up to 12 × `maxTextChars` + 64 bytes if the client
    /// escapes every character, and up to 4 × `maxTextChars` + 64 if it escapes none. A smaller limit
    /// is allowed, and refuses such texts earlier.
    "maxMessageBytes" max_message_bytes: usize = 65_536,
        128..=16_777_216 "bytes";

    /// What may wait to be sent to one client; a client that lets it fill is a slow consumer and is
    /// closed. Leave room for the longest text and for the list of rooms.
    "outboxMaxBytes" outbox_max_bytes: usize = 1_048_576,
        4_096..=1_073_741_824 "bytes";

    /// How long a client may take none of what waits for it; the next thing for it, such as a ping,
    /// then closes it.
    "writeTimeoutMs" write_timeout_ms: u64 = 10_000,
        100..=600_000 "milliseconds";

    /// How long a client may be silent before it is pinged.
    "pingIntervalMs" ping_interval_ms: u64 = 25_000,
        100..=86_400_000 "milliseconds";

    /// How long a client may take to answer a ping.
    "pongTimeoutMs" pong_timeout_ms: u64 = 8_000,
        100..=86_400_000 "milliseconds";

    /// How fast one client may keep sending messages.
    "messagesPerSecond" messages_per_second: f64 = 10.0,
        0.001..=1_000_000.0 "messages per second", or 0 for "no limit";

    /// How many messages one client may send at once after a pause.
    "messageBurst" message_burst: u32 = 30,
        1..=1_000_000 "messages";

    /// How fast one client may keep creating rooms; 0.1 is one in ten seconds.
    "roomsPerSecond" rooms_per_second: f64 = 0.1,
        0.001..=1_000_000.0 "rooms per second", or 0 for "no limit";

    /// How many rooms one client may create at once after a pause.
    "roomBurst" room_burst: u32 = 3,
        1..=1_000_000 "rooms";

    /// Rooms at once, those named in the settings included.
    "maxRooms" max_rooms: usize = 1_000,
        1..=1_000_000 "rooms", or 0 for "no limit";

    /// The longest name a client may choose.
    "maxNameChars" max_name_chars: usize = 32,
        1..=256 "characters";

    /// The longest title of a room.
    "maxTitleChars" max_title_chars: usize = 64,
        1..=1_024 "characters";

    /// The longest text; see also `maxMessageBytes`.
    "maxTextChars" max_text_chars: usize = 4_000,
        1..=1_000_000 "characters";

    /// The pictures in `gifsDirectory`.
    "maxGifs" max_gifs: usize = 100,
        1..=10_000 "pictures";

    /// One picture in `gifsDirectory`. All of them are kept in memory.
    "maxGifBytes" max_gif_bytes: usize = 1_048_576,
        1_024..=67_108_864 "bytes";

    /// How long a room made by a client stays when nobody is in it. It is empty when it is made, so
    /// this is also the time to enter it.
    "emptyRoomTtlSeconds" empty_room_ttl_seconds: u64 = 3_600,
        1..=31_536_000 "seconds";

    /// The pause after a list of rooms went to every client before the next one does.
    "roomListIntervalMs" room_list_interval_ms: u64 = 250,
        1..=60_000 "milliseconds", or 0 for "no pause";

    /// How many events a client of `wschat.v2` is shown that enters a room and does not say what it
    /// knows already.
    "historyOnEnter" history_on_enter: usize = 50,
        1..=1_000 "events", or 0 for "none";

    /// What was said and is kept, for each room; the oldest goes first.
    "historyMaxEvents" history_max_events: u64 = 10_000,
        1..=4_294_967_295 "events", or 0 for "none";

    /// How long what was said is kept.
    "historyMaxDays" history_max_days: u64 = 0,
        1..=36_500 "days", or 0 for "no limit";

    /// What the history takes when it is kept in memory only, in all rooms together; the oldest goes
    /// first.
    "historyMaxMemoryBytes" history_max_memory_bytes: usize = 16_777_216,
        65_536..=4_294_967_295 "bytes";

    /// How long a client of `wschat.v2` that has lost its connection, or whose server was restarted,
    /// may take to come back unnoticed.
    "resumeGraceSeconds" resume_grace_seconds: u64 = 60,
        1..=604_800 "seconds", or 0 for "no time";

    /// Clients that have lost their connection and may come back, at once. With more, one that never
    /// entered a room, spoke or took a name leaves, or else the one that has been away for longest.
    "maxAwayUsers" max_away_users: usize = 4_096,
        1..=1_000_000 "users", or 0 for "nobody";

    /// How long a server that stops waits for its clients to take what is still to be sent.
    "drainTimeoutMs" drain_timeout_ms: u64 = 5_000,
        1..=600_000 "milliseconds", or 0 for "no wait";
}
