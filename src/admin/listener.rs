//! The admin listener's thread: it accepts connections until the server has ended, and has each served by a
//! thread of its own.
//!
//! When no descriptor is left, it uses one that it holds in reserve, and when no thread is, it serves the request
//! itself, so that the operator learns what is wrong.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use log::{debug, error, warn};
use rustix::event::PollFlags;

use super::http::{Connection, Reply, Request, refusal};
use super::routes::{Admin, Caller};
use super::socket::{AdminSocket, SocketStream};
use crate::net::stop::{Stop, Wakeup};

/// How many requests are served at once.
const MAX_REQUESTS: usize = 16;

/// The stack of a thread that serves a request.
const STACK_BYTES: usize = 512 << 10;

/// The pause before the next `accept` when it fails.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// How long one that is refused, as there are too many, has to come.
const BUSY_PATIENCE: Duration = Duration::from_millis(100);

/// How long requests have to notice the end of the server.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct AdminListener {
    socket: AdminSocket,
    admin: Arc<Admin>,
    stop: Arc<Stop>,
    requests: Arc<Requests>,
}

/// How many requests are being served.
#[derive(Debug, Default)]
struct Requests {
    count: Mutex<usize>,
    one_less: Condvar,
}

/// One request that is being served.
struct Place(Arc<Requests>);

impl AdminListener {
    /// `stop` is announced when the server has ended.
    pub(crate) fn new(socket: AdminSocket, admin: Arc<Admin>, stop: Arc<Stop>) -> Self {
        Self { socket, admin, stop, requests: Arc::default() }
    }

    /// Runs until the stop. Then the socket is closed and its file removed.
    pub(crate) fn run(self) {
        let mut reserve = spare_descriptor();
        loop {
            match self.stop.wait(&self.socket, PollFlags::IN, None) {
                Ok(Wakeup::Stopping) => break,
                Ok(Wakeup::Ready | Wakeup::TimedOut) => {}
                Err(error) => {
                    error!("the admin listener cannot wait, and ends: {error}");
                    break;
                }
            }
            match self.socket.accept() {
                Ok(stream) => self.serve(stream),
                Err(error) if is_transient(&error) => {}
                Err(error) => {
                    debug!("the admin listener cannot accept: {error}");
                    drop(reserve.take());
                    match self.socket.accept() {
                        Ok(stream) => self.serve_here(stream),
                        Err(_) => thread::sleep(RETRY_DELAY),
                    }
                    reserve = spare_descriptor();
                }
            }
        }
        let Self { socket, requests, .. } = self;
        drop(socket);
        requests.wait_for_all(END_TIMEOUT);
    }

    /// Has a connection served by a thread of its own.
    fn serve(&self, stream: SocketStream) {
        let Some(place) = self.requests.take_place() else {
            return self.turn_away(stream);
        };
        // A failed spawn drops its closure, but the connection is still needed.
        let slot = Arc::new(Mutex::new(Some(stream)));
        let thread_slot = slot.clone();
        let (admin, stop, caller) = (self.admin.clone(), self.stop.clone(), self.caller());
        let run = move || {
            let stream = lock(&thread_slot).take();
            if let Some(stream) = stream {
                serve(stream, caller, &admin, stop);
            }
            drop(place);
        };
        let builder = thread::Builder::new().name("admin request".to_owned());
        if let Err(error) = builder.stack_size(STACK_BYTES).spawn(run) {
            warn!("no thread for a request of the operator: {error}");
            let stream = lock(&slot).take();
            if let Some(stream) = stream {
                self.serve_here(stream);
            }
        }
    }

    /// Refuses a request, almost without waiting for it.
    fn turn_away(&self, mut stream: SocketStream) {
        let text = "Too many requests at once: try again in a moment.";
        let response = refusal(StatusCode::SERVICE_UNAVAILABLE, text).into_bytes(&Method::GET);
        // Closing with unread input would destroy the answer.
        let until = Instant::now() + BUSY_PATIENCE;
        let _ = self.stop.wait(&stream, PollFlags::IN, Some(until));
        let _ = stream.read(&mut [0; 4_096]);
        let _ = stream.write(&response);
        stream.end_output();
    }

    fn serve_here(&self, stream: SocketStream) {
        serve(stream, self.caller(), &self.admin, self.stop.clone());
    }

    fn caller(&self) -> Caller {
        if self.socket.tcp_addr().is_none() {
            Caller::Unix
        } else if self.socket.is_local() {
            Caller::Loopback
        } else {
            Caller::Remote
        }
    }
}

/// Serves one connection. A panic concerns no other.
fn serve(stream: SocketStream, caller: Caller, admin: &Admin, stop: Arc<Stop>) {
    let run = AssertUnwindSafe(|| answer(Connection::new(stream, stop), caller, admin));
    match catch_unwind(run) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("a request of the operator broke off: {error}"),
        Err(_) => error!("a request of the operator panicked, which is a defect of wschat"),
    }
}

fn answer(mut connection: Connection, caller: Caller, admin: &Admin) -> io::Result<()> {
    match connection.read_request()? {
        Err(response) => connection.answer(Reply::Whole(response), &Method::GET),
        Ok(request) => {
            let reply = admin.answer(&request, caller);
            let Request { head, .. } = request;
            connection.answer(reply, &head.method)
        }
    }
}

impl Requests {
    fn take_place(self: &Arc<Self>) -> Option<Place> {
        let mut count = lock(&self.count);
        if *count >= MAX_REQUESTS {
            return None;
        }
        *count += 1;
        Some(Place(self.clone()))
    }

    fn wait_for_all(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut count = lock(&self.count);
        while *count > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            count =
                self.one_less.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *lock(&self.0.count) -= 1;
        self.0.one_less.notify_all();
    }
}

fn spare_descriptor() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Whether nothing is wrong, or only with one connection.
fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
