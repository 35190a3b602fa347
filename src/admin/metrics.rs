//! `GET /metrics`: the counters and the state of the server in the text format of Prometheus, version 0.0.4.
//!
//! The thread that serves the request runs it. Each figure has a row in [`FAMILIES`], by which it is checked and
//! documented. What cannot be learned at present is left out. How figures are written is left to `page`.

use super::commands::Commands;
use super::page::{Family, Kind, Page, seconds};
use super::process::Process;
use super::status::Status;
use crate::input::ChatStatus;
use crate::metrics::Metrics;
use crate::session::Context;
use crate::{COMMIT, FEATURES};

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Each figure that every server has.
pub(super) const FAMILIES: [Family; 34] = [
    (
        "wschat_build_info",
        Kind::Gauge,
        "Always 1, with the version, the commit and the features of this build.",
    ),
    ("wschat_connections", Kind::Gauge, "Open WebSocket connections."),
    ("wschat_max_connections", Kind::Gauge, "How many WebSocket connections there may be."),
    ("wschat_connections_total", Kind::Counter, "WebSocket connections that were opened."),
    (
        "wschat_connection_endings_total",
        Kind::Counter,
        "WebSocket connections that ended, by reason.",
    ),
    (
        "wschat_turned_away_total",
        Kind::Counter,
        "Connections that were refused for want of room, by reason.",
    ),
    (
        "wschat_http_responses_total",
        Kind::Counter,
        "HTTP responses on the public addresses, by status. 101 opens a WebSocket.",
    ),
    (
        "wschat_refusals_total",
        Kind::Counter,
        "Requests of clients that were refused, by error code.",
    ),
    ("wschat_messages_total", Kind::Counter, "Messages that were said in rooms."),
    (
        "wschat_deliveries_total",
        Kind::Counter,
        "Messages that went to members of rooms, counted once for each member.",
    ),
    (
        "wschat_sent_bytes_total",
        Kind::Counter,
        "Bytes of frames that were handed over for sending, without HTTP, TLS, pings and Close frames.",
    ),
    (
        "wschat_outbox_high_water_bytes",
        Kind::Gauge,
        "The most that was ever queued for one client.",
    ),
    (
        "wschat_queued_bytes",
        Kind::Gauge,
        "Frames that are in memory, each counted once for all clients that it waits for.",
    ),
    ("wschat_tick_duration_seconds", Kind::Histogram, "How long the dispatcher took for a tick."),
    ("wschat_tick_inputs", Kind::Histogram, "How many inputs a tick took."),
    (
        "wschat_commit_duration_seconds",
        Kind::Histogram,
        "How long saving the messages of a tick took.",
    ),
    (
        "wschat_commits_failed_total",
        Kind::Counter,
        "Ticks whose messages could not be saved, so that they were refused.",
    ),
    (
        "wschat_dispatcher_up",
        Kind::Gauge,
        "1 if the dispatcher answers within a second, otherwise 0.",
    ),
    ("wschat_users", Kind::Gauge, "Users with a connection."),
    ("wschat_away_users", Kind::Gauge, "Users who have lost their connection and can resume."),
    ("wschat_rooms", Kind::Gauge, "Rooms."),
    ("wschat_history_saving", Kind::Gauge, "1 if messages can be saved, 0 if they are refused."),
    ("wschat_history_file_bytes", Kind::Gauge, "The size of the history's file."),
    (
        "wschat_certificate_expiry_timestamp_seconds",
        Kind::Gauge,
        "When the first certificate of the chain expires, in Unix time.",
    ),
    ("wschat_reloads_total", Kind::Counter, "Reloads of the settings that succeeded."),
    (
        "wschat_last_reload_success_timestamp_seconds",
        Kind::Gauge,
        "When the running settings were read, in Unix time.",
    ),
    ("wschat_draining", Kind::Gauge, "1 if the server is stopping, otherwise 0."),
    ("process_cpu_seconds_total", Kind::Counter, "Time on the processor, in user and kernel mode."),
    ("process_resident_memory_bytes", Kind::Gauge, "Resident memory."),
    ("process_virtual_memory_bytes", Kind::Gauge, "Address space."),
    ("process_threads", Kind::Gauge, "Threads. Each connection has one."),
    ("process_open_fds", Kind::Gauge, "Open file descriptors."),
    ("process_max_fds", Kind::Gauge, "How many file descriptors may be open."),
    ("process_start_time_seconds", Kind::Gauge, "When the server started, in Unix time."),
];

/// Those of a node of a cluster.
#[cfg(feature = "cluster")]
const CLUSTER_FAMILIES: &[Family] = &super::cluster::FAMILIES;
#[cfg(not(feature = "cluster"))]
const CLUSTER_FAMILIES: &[Family] = &[];

/// What the figures are read from.
pub(super) struct Sources<'a> {
    pub(super) context: &'a Context,
    pub(super) commands: &'a Commands,
    pub(super) status: &'a Status,
}

/// All figures as they are now. It takes a second if the dispatcher is stuck.
pub(super) fn page(sources: &Sources<'_>) -> String {
    let mut page = Page::new(&[&FAMILIES, CLUSTER_FAMILIES]);
    let Sources { context, commands, status } = sources;
    // First: when the dispatcher has answered, it has counted all that clients have got by now.
    let chat = commands.chat();
    page.begin("wschat_build_info");
    let (version, commit) = (env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or_default());
    let features = FEATURES.join(",");
    let labels = format!("version=\"{version}\",commit=\"{commit}\",features=\"{features}\"");
    page.sample("wschat_build_info", &labels, 1);
    page.connections(context);
    page.delivery(context);
    page.dispatcher(&context.metrics);
    page.chat(chat);
    page.state(context, commands, status);
    #[cfg(feature = "cluster")]
    if let Some(figures) = &context.cluster {
        page.cluster(figures);
    }
    page.process(&Process::read(), status);
    page.into_text()
}

impl Page {
    fn connections(&mut self, context: &Context) {
        let metrics = &context.metrics;
        self.single("wschat_connections", context.admission.places());
        let max = context.live.get().admission_limits().max_connections;
        self.single("wschat_max_connections", max);
        self.single("wschat_connections_total", metrics.connections.get());
        self.labelled("wschat_connection_endings_total", "reason", metrics.endings());
        self.labelled("wschat_turned_away_total", "reason", metrics.all_turned_away());
        self.labelled("wschat_http_responses_total", "status", metrics.responses());
        self.labelled("wschat_refusals_total", "code", metrics.refusals());
    }

    fn delivery(&mut self, context: &Context) {
        let counted = &context.metrics.dispatcher;
        self.single("wschat_messages_total", counted.messages.get());
        self.single("wschat_deliveries_total", counted.deliveries.get());
        self.single("wschat_sent_bytes_total", counted.sent_bytes.get());
        self.single("wschat_outbox_high_water_bytes", context.memory.longest_queue());
        self.single("wschat_queued_bytes", context.memory.frames());
    }

    fn dispatcher(&mut self, metrics: &Metrics) {
        const MICROSECONDS: f64 = 1e-6;
        let counted = &metrics.dispatcher;
        self.histogram("wschat_tick_duration_seconds", &counted.tick_lengths, MICROSECONDS);
        self.histogram("wschat_tick_inputs", &counted.tick_inputs, 1.0);
        self.histogram("wschat_commit_duration_seconds", &counted.commits, MICROSECONDS);
        self.single("wschat_commits_failed_total", counted.failed_commits.get());
    }

    fn chat(&mut self, chat: Option<ChatStatus>) {
        self.single("wschat_dispatcher_up", u8::from(chat.is_some()));
        self.optional("wschat_users", chat.map(|chat| chat.users));
        self.optional("wschat_away_users", chat.map(|chat| chat.away_users));
        self.optional("wschat_rooms", chat.map(|chat| chat.rooms));
    }

    fn state(&mut self, context: &Context, commands: &Commands, status: &Status) {
        self.single("wschat_history_saving", u8::from(!context.health.is_failing()));
        let bytes = commands.archive.place().map(|(_, bytes)| bytes);
        self.optional("wschat_history_file_bytes", bytes);
        let live = context.live.get();
        let expiry = live.tls.as_ref().map(|tls| tls.expiry().first().expires_at);
        self.optional("wschat_certificate_expiry_timestamp_seconds", expiry);
        self.single("wschat_reloads_total", context.metrics.reloads.get());
        let reloaded = context.metrics.reloaded_at().unwrap_or(status.started_at);
        self.single("wschat_last_reload_success_timestamp_seconds", seconds(reloaded));
        self.single("wschat_draining", u8::from(context.stop.is_announced()));
    }

    fn process(&mut self, process: &Process, status: &Status) {
        self.optional("process_cpu_seconds_total", process.cpu_seconds);
        self.optional("process_resident_memory_bytes", process.resident_bytes);
        self.optional("process_virtual_memory_bytes", process.virtual_bytes);
        self.optional("process_threads", process.threads);
        self.optional("process_open_fds", process.open_files);
        self.optional("process_max_fds", process.max_open_files);
        self.single("process_start_time_seconds", seconds(status.started_at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_have_every_figure() {
        let docs = include_str!("../../docs/operations.md");
        for (name, kind, help) in FAMILIES.iter().chain(CLUSTER_FAMILIES) {
            let kind = format!("{kind:?}").to_lowercase();
            let row = format!("\n| `{name}` | {kind} | {help} |\n");
            assert!(docs.contains(&row), "{row}");
        }
        let rows =
            ["wschat_", "process_"].map(|name| docs.matches(&format!("\n| `{name}")).count());
        let of_clusters = docs.matches("\n| `wschat_cluster_").count();
        assert_eq!(rows.iter().sum::<usize>() - of_clusters, FAMILIES.len());
        assert!(of_clusters == CLUSTER_FAMILIES.len() || CLUSTER_FAMILIES.is_empty());
    }
}
