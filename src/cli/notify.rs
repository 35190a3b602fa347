//! What systemd is told (`sd_notify(3)`): ready, reloading, stopping, how many are here, and that the chat works.
//!
//! A thread of its own tells it, so nobody waits for systemd. It runs only if there is a `NOTIFY_SOCKET`.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use log::warn;
use sd_notify::NotifyState;
use wschat::ServerHandle;

/// How often the status is renewed, if the watchdog does not ask for more.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// Tells systemd, or nobody.
#[derive(Clone, Debug)]
pub(super) struct Notifier(Sender<State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Reloading,
    /// The last one.
    Stopping,
}

impl Notifier {
    /// Starts telling about this server.
    pub(super) fn start(server: Arc<ServerHandle>) -> Self {
        let (sender, states) = unbounded();
        if std::env::var_os("NOTIFY_SOCKET").is_some() {
            let run = move || run(&server, &states);
            if let Err(error) = thread::Builder::new().name("notify".to_owned()).spawn(run) {
                warn!("cannot tell systemd anything: {error}");
            }
        }
        Self(sender)
    }

    pub(super) fn tell(&self, state: State) {
        // It fails when nobody wants to know.
        let _ = self.0.send(state);
    }
}

fn run(server: &ServerHandle, states: &Receiver<State>) {
    let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 2);
    let interval = watchdog.unwrap_or(STATUS_INTERVAL).min(STATUS_INTERVAL);
    loop {
        match states.recv_timeout(interval) {
            Ok(State::Ready) => {
                send(&[NotifyState::Ready]);
                tell_counts(server, interval, watchdog.is_some());
            }
            Ok(State::Reloading) => match NotifyState::monotonic_usec_now() {
                Ok(now) => send(&[NotifyState::Reloading, now]),
                Err(_) => send(&[NotifyState::Reloading]),
            },
            Ok(State::Stopping) => {
                return send(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
            }
            Err(RecvTimeoutError::Timeout) => tell_counts(server, interval, watchdog.is_some()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Asks the dispatcher. Only if it answers is the watchdog fed.
fn tell_counts(server: &ServerHandle, timeout: Duration, has_watchdog: bool) {
    let Some(counts) = server.counts(timeout) else { return };
    let people = counted(counts.users, "person is", "people are");
    let rooms = counted(counts.rooms, "room", "rooms");
    let status = format!("{people} connected, in {rooms}");
    let told = [NotifyState::Status(&status), NotifyState::Watchdog];
    send(if has_watchdog { &told } else { &told[..1] });
}

fn counted(count: usize, one: &str, many: &str) -> String {
    let what = if count == 1 { one } else { many };
    format!("{count} {what}")
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("cannot tell systemd: {error}");
    }
}
