//! What a running server is reached by: to reload it, to stop it, and to ask the dispatcher.
//!
//! The handle and the admin listener share it. Their threads run it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use log::{info, warn};

use super::sessions::SessionThreads;
use super::{Reloaded, capacity, chat, lock, log_warnings, time_to_close};
use crate::clock;
use crate::error::StartError;
use crate::input::Input;
use crate::mailbox::MailboxSender;
use crate::memory::Memory;
use crate::net::tls::RenewalWatch;
use crate::session::{Context, Live};
use crate::settings::Settings;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Running {
    /// `None` when the server has ended.
    control: Mutex<Option<Control>>,
    /// Held by a reload, so that two of them do not mix.
    reloading: Mutex<()>,
}

/// What reloads and stops a server. The dispatcher runs as long as a control or a session exists.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) context: Arc<Context>,
    pub(super) inputs: MailboxSender<Input>,
    pub(super) sessions: Arc<SessionThreads>,
}

impl Running {
    pub(super) fn new(control: Control) -> Self {
        Self { control: Mutex::new(Some(control)), reloading: Mutex::default() }
    }

    /// `None` when the server has ended.
    pub(super) fn control(&self) -> Option<Control> {
        lock(&self.control).clone()
    }

    /// Lets the dispatcher end.
    pub(super) fn end(&self) {
        lock(&self.control).take();
    }

    /// See [`super::ServerHandle::reload`].
    pub(super) fn reload(&self, mut settings: Settings) -> Result<Reloaded, StartError> {
        settings.check().map_err(StartError::Settings)?;
        let _one_at_a_time = lock(&self.reloading);
        let needs_restart = match self.live() {
            Some(live) => settings.keep_restart_only(&live.settings),
            None => Vec::new(),
        };
        // As long as a disk hangs, this waits, and holds nothing that would keep the server from ending.
        let live = Live::load(settings)?;
        let Some(Control { context, inputs, .. }) = self.control() else {
            return Ok(Reloaded::default());
        };
        log_warnings(&live);
        capacity::log_warnings(&live.settings);
        let reload = Box::new(chat::reload(&live));
        let (max_queued, write_timeout) = live.outbox_bounds();
        context.bounds.set(max_queued, write_timeout);
        context.memory.resize_to(&Memory::of_settings(live.settings.limits.max_memory_bytes));
        context.live.swap(live);
        // It fails when the dispatcher has panicked, and then the server is ending.
        let _ = inputs.send(Input::Reload(reload));
        context.metrics.reloaded(clock::unix_millis(SystemTime::now()));
        info!("the settings have been reloaded");
        if !needs_restart.is_empty() {
            warn!("these settings have changed but need a restart: {}", needs_restart.join(", "));
        }
        Ok(Reloaded { needs_restart })
    }

    /// See [`Paces::beat`](crate::pace::Paces::beat).
    pub(super) fn beat(&self) -> Option<Duration> {
        self.control()?.context.paces.beat()
    }

    /// Takes a renewed certificate into use. Nothing else of the settings is read anew.
    pub(super) fn renew_certificate(&self, watch: &mut RenewalWatch, now: Instant) {
        let _one_at_a_time = lock(&self.reloading);
        // As in a reload, nothing is held meanwhile.
        let renewed = self.live().and_then(|live| live.renew(watch, now));
        if let Some((renewed, Control { context, .. })) = renewed.zip(self.control()) {
            log_warnings(&renewed);
            context.live.swap(renewed);
        }
    }

    /// What is in use. `None` when the server has ended.
    fn live(&self) -> Option<Arc<Live>> {
        Some(self.control()?.context.live.get())
    }
}

impl Control {
    pub(super) fn shut_down(&self) {
        let timeout =
            Duration::from_millis(self.context.live.get().settings.limits.drain_timeout_ms);
        let until = Instant::now() + time_to_close(timeout, self.sessions.count());
        self.context.stop.announce(until);
        self.context.flusher.drain();
        // This fails when the dispatcher has panicked, and then the server is ending already. A
        // second stop makes no difference to the dispatcher.
        let _ = self.inputs.send(Input::Stop { until: self.context.stop.limit(until) });
    }
}
