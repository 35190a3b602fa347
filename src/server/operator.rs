//! The threads for the operator: the admin listener's, and the one that looks after the dispatcher.
//!
//! Started with the server. The admin listener ends by itself when the dispatcher has ended.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Sender, bounded};
use log::info;

use super::Reloaded;
use super::running::Control;
use super::spawn::spawn;
use crate::admin::{Admin, AdminListener, AdminSocket, Commands, Reload, Status};
use crate::error::StartError;
use crate::net::stop::Stop;
use crate::settings::{AdminAddress, AdminSettings};

/// The threads for the operator.
#[derive(Debug)]
pub(super) struct OperatorThreads {
    admin: Option<JoinHandle<()>>,
    liveness: JoinHandle<()>,
    /// Dropping this ends the second.
    stop_liveness: Sender<()>,
}

/// Reloads the server, for the operator.
pub(super) struct Reloader(
    pub(super) Box<dyn Fn() -> Result<Reloaded, String> + Send + Sync + 'static>,
);

/// Tells the admin listener that the server has ended, also when its thread panics.
pub(super) struct EndOnDrop(pub(super) Arc<Stop>);

/// Opens the socket of the admin listener, if there is to be one.
pub(super) fn open(settings: &AdminSettings) -> Result<Option<AdminSocket>, StartError> {
    let open = |address: AdminAddress| {
        AdminSocket::open(&address).map_err(|source| {
            let address = settings.listen.clone().unwrap_or_default();
            StartError::Admin { address, source }
        })
    };
    settings.address().map(open).transpose()
}

impl OperatorThreads {
    /// `ended` is announced when the dispatcher has ended.
    pub(super) fn start(
        socket: Option<AdminSocket>,
        control: &Control,
        commands: Arc<Commands>,
        reloader: Option<Reloader>,
        listening: Vec<String>,
        ended: Arc<Stop>,
    ) -> Result<Self, StartError> {
        let (stop_liveness, stopped) = bounded(0);
        let liveness = control.context.liveness.clone();
        let liveness = spawn("liveness", move || liveness.watch(&stopped))?;
        let admin = socket.map(|socket| {
            info!("the operator is served at {socket}");
            let reload = reload(reloader);
            let (context, status) = (control.context.clone(), Status::new(listening));
            let admin = Admin { context, commands, status, reload };
            let listener = AdminListener::new(socket, Arc::new(admin), ended);
            spawn("admin", move || listener.run())
        });
        Ok(Self { admin: admin.transpose()?, liveness, stop_liveness })
    }

    /// Waits for both threads. To be called when the dispatcher has ended.
    pub(super) fn join(self) {
        drop(self.stop_liveness);
        // They harm nobody by their panics, which have been logged.
        let _ = self.liveness.join();
        let _ = self.admin.map(JoinHandle::join);
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.announce(Instant::now());
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Reloader")
    }
}

fn reload(reloader: Option<Reloader>) -> Reload {
    let Some(Reloader(reload)) = reloader else {
        return Box::new(|| {
            Err("The program around this server cannot reload it. Restart it instead.".to_owned())
        });
    };
    Box::new(move || Ok(reload()?.needs_restart))
}
