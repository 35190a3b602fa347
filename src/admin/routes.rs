//! Which request gets which answer, and from whom it is taken.
//!
//! The thread that serves the request runs it. Metrics and health are for everybody who reaches the listener.
//! The rest is for the operator: over a Unix socket, whose file only the server's user may open; over TCP only
//! on this machine, and not for a web page that a browser on it shows.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;

#[cfg(feature = "cluster")]
use super::cluster;
use super::commands::{Answer, Commands};
use super::http::{Reply, Request, body_response, json_response, refusal};
use super::metrics::{self, Sources};
use super::status::Status;
use crate::net::http::{RequestHead, Response, host_name};
use crate::session::{Condition, Context};

const TEXT: &str = "text/plain; charset=utf-8";

/// The requests that there are. Metrics and health are also for HEAD.
const ROUTES: [(&str, &str); 12 + cfg!(feature = "cluster") as usize] = [
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/status"),
    #[cfg(feature = "cluster")]
    ("GET", "/v1/cluster"),
    ("GET", "/v1/rooms"),
    ("GET", "/v1/clients"),
    ("GET", "/v1/backup"),
    ("GET", "/v1/export"),
    ("POST", "/v1/kick"),
    ("POST", "/v1/announce"),
    ("POST", "/v1/erase"),
    ("POST", "/v1/reload"),
];

/// What requests are answered from.
pub(crate) struct Admin {
    pub(crate) context: Arc<Context>,
    pub(crate) commands: Arc<Commands>,
    pub(crate) status: Status,
    /// Reads the settings anew, and replaces those of the running server. Returns the keys that need a restart.
    pub(crate) reload: Reload,
}

pub(crate) type Reload = Box<dyn Fn() -> Result<Vec<&'static str>, String> + Send + Sync>;

/// How a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Unix,
    /// TCP, to an address that only this machine reaches.
    Loopback,
    Remote,
}

impl Admin {
    pub(super) fn answer(&self, request: &Request, caller: Caller) -> Reply {
        match check(request, caller) {
            Ok(()) => self.route(request),
            Err(response) => Reply::Whole(response),
        }
    }

    fn route(&self, request: &Request) -> Reply {
        let Request { head, body } = request;
        let response = match head.uri.path() {
            "/healthz" => match self.context.liveness.check() {
                Ok(()) => ok(),
                Err(_) => failing(&["The chat is stuck or ending. See the log.".to_owned()]),
            },
            "/readyz" => self.readiness(),
            "/metrics" => self.metrics(),
            "/v1/status" => self.show_status(),
            "/v1/reload" => self.reload(),
            #[cfg(feature = "cluster")]
            "/v1/cluster" => json_response(cluster::show(self.context.cluster.as_deref()).into()),
            path => return self.command(head, path, body),
        };
        Reply::Whole(response)
    }

    fn command(&self, head: &RequestHead, path: &str, body: &[u8]) -> Reply {
        let method = head.method.as_str();
        match self.commands.stream(method, path, head.uri.query().unwrap_or_default()) {
            Some(Ok(stream)) => Reply::Stream(stream),
            Some(Err(answer)) => Reply::Whole(json_response(answer)),
            None => {
                let answer = self.commands.answer(method, path, body);
                Reply::Whole(json_response(answer.unwrap_or_else(Answer::unknown)))
            }
        }
    }

    /// Whether new clients are welcome.
    fn readiness(&self) -> Response {
        let mut failures = Condition::of(&self.context).failures;
        if self.context.stop.is_announced() {
            failures.insert(0, "The server is stopping.".to_owned());
        }
        if failures.is_empty() { ok() } else { failing(&failures) }
    }

    fn metrics(&self) -> Response {
        let Self { context, commands, status, .. } = self;
        let page = metrics::page(&Sources { context, commands, status });
        body_response(StatusCode::OK, metrics::CONTENT_TYPE, page)
    }

    fn show_status(&self) -> Response {
        let value = self.status.show(&self.context, &self.commands);
        json_response(Answer { status: 200, body: value.to_string() })
    }

    fn reload(&self) -> Response {
        match (self.reload)() {
            Ok(keys) => {
                let body = json!({ "needsRestart": keys }).to_string();
                json_response(Answer { status: 200, body })
            }
            Err(error) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &error),
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Whether there is such a request, and it is taken from this caller.
fn check(request: &Request, caller: Caller) -> Result<(), Response> {
    let Request { head, .. } = request;
    let path = head.uri.path();
    let allowed: Vec<&str> =
        ROUTES.iter().filter(|route| route.1 == path).map(|route| route.0).collect();
    let Some(allowed) = allowed.first() else {
        let paths: Vec<&str> = ROUTES.iter().map(|route| route.1).collect();
        let text = format!("There is no {path}. There are {}.", paths.join(", "));
        return Err(refusal(StatusCode::NOT_FOUND, &text));
    };
    let is_public = !path.starts_with("/v1/");
    let is_allowed = head.method.as_str() == *allowed
        || (is_public && head.method == Method::HEAD && *allowed == "GET");
    if !is_allowed {
        let text = format!("{path} takes {allowed} only.");
        let response = refusal(StatusCode::METHOD_NOT_ALLOWED, &text);
        return Err(response.with(header::ALLOW, HeaderValue::from_static(allowed)));
    }
    if !is_public {
        check_caller(head, caller).map_err(|error| refusal(StatusCode::FORBIDDEN, error))?;
    }
    if head.method == Method::POST && !is_json(head) {
        let text = "Send JSON, with \"Content-Type: application/json\".";
        return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    Ok(())
}

fn ok() -> Response {
    body_response(StatusCode::OK, TEXT, "ok\n")
}

fn failing(failures: &[String]) -> Response {
    body_response(StatusCode::SERVICE_UNAVAILABLE, TEXT, failures.join("\n") + "\n")
}

fn is_json(head: &RequestHead) -> bool {
    head.single(&header::CONTENT_TYPE)
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether the operator's own requests are taken. A page in a browser of this machine can send requests to
/// loopback addresses, but then there is an Origin, or, where it has made its own name lead there, that name as
/// the Host.
fn check_caller(head: &RequestHead, caller: Caller) -> Result<(), &'static str> {
    match caller {
        Caller::Unix => return Ok(()),
        Caller::Remote => {
            return Err("Commands are taken on this machine only: let \"admin.listen\" be a Unix \
                        socket or a loopback address.");
        }
        Caller::Loopback => {}
    }
    // A browser sends no Origin for what a page embeds, such as a picture, but says what it is for.
    let is_embedded = head.headers.get("sec-fetch-site").is_some_and(|site| site != "none");
    if head.headers.contains_key(header::ORIGIN) || is_embedded {
        return Err("Commands are not taken from web pages.");
    }
    let host = head.single(&header::HOST).and_then(host_name).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    if host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err("Commands are taken only if the host of the URL is an IP address or localhost.")
}
