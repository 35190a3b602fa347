//! The way from a public URL to the server, through whatever proxy there is.

use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use wschat::Settings;

use super::super::client::AdminClient;
use super::finding::Findings;
use super::probe::{Failure, Probe, Silence, Target};

const SUBJECT: &str = "url";

/// How long a ping may take on its way.
const DELAY: Duration = Duration::from_secs(3);

/// The longest wait for a ping. Proxies usually cut off what is silent for a minute.
const MAX_SILENCE: Duration = Duration::from_secs(75);

pub(super) fn examine(
    settings: &Settings,
    url: &str,
    admin: &AdminClient,
    findings: &mut Findings,
) {
    let Some(target) = Target::parse(url) else {
        let what = format!("{url:?} is no URL of a web site");
        findings.error(SUBJECT, what, "write it as in https://chat.example.org/");
        return;
    };
    match target.connect() {
        Ok(mut probe) => {
            examine_address(settings, &probe, admin, findings);
            examine_silence(settings, &mut probe, findings);
        }
        Err(failure) => report(&target, url, &failure, findings),
    }
}

fn report(target: &Target, url: &str, failure: &Failure, findings: &mut Findings) {
    let Target { host, port, .. } = target;
    let (what, cure) = match failure {
        Failure::Unknown(error) => (
            format!("the name {host} has no address: {error}"),
            "add an A or AAAA record for it, and wait until it is known".to_owned(),
        ),
        Failure::Unreachable(error) => (
            format!("nothing can be reached at port {port} of {host}: {error}"),
            "start the proxy or the server there, and open the port in the firewall".to_owned(),
        ),
        Failure::Tls(error) => (
            format!("clients refuse the TLS of {url}: {error}"),
            format!(
                "let whatever serves {host} have a certificate for that name, with its intermediates, and \
                 valid now; `openssl s_client -connect {host}:{port} -servername {host}` shows it"
            ),
        ),
        Failure::Status(status, location) => return refused(url, *status, location.as_deref(), findings),
        Failure::Broken(error) => (
            format!("no WebSocket can be opened at {url}: {error}"),
            "let the proxy pass HTTP/1.1 and the headers Upgrade and Connection; `wschat print` shows how".to_owned(),
        ),
        Failure::NoWelcome => (
            format!("what answers at {url} is no wschat, or its first message is held back"),
            "let the proxy lead to this server, and pass on data at once (no buffering)".to_owned(),
        ),
    };
    findings.error(SUBJECT, what, cure);
}

/// An HTTP response where there should be a WebSocket.
fn refused(url: &str, status: StatusCode, location: Option<&str>, findings: &mut Findings) {
    let cure = match status.as_u16() {
        300..=399 => format!(
            "give the URL that it redirects to: {}",
            location.unwrap_or("it does not say which")
        ),
        403 => "set \"domain\" to this name, or add it to \"allowedOrigins\": the server refuses pages from there".to_owned(),
        404 => "let the proxy lead this path to the path / of the server: in nginx, `proxy_pass` ends in a slash".to_owned(),
        429 => "wait a minute: this network connects too often, or all clients count as one because the proxy is not in \"trustedProxies\"".to_owned(),
        502..=504 => "start the server, and let the proxy lead to its \"host\" and \"port\"".to_owned(),
        _ => "let the proxy pass HTTP/1.1 and the headers Upgrade and Connection; `wschat print` shows how".to_owned(),
    };
    findings.error(SUBJECT, format!("{url} answers with {status} instead of a WebSocket"), cure);
}

/// Whether the server knows the client's address. Only a server on this machine can be asked.
fn examine_address(
    settings: &Settings,
    probe: &Probe,
    admin: &AdminClient,
    findings: &mut Findings,
) {
    let Ok(answer) = admin.get("/v1/clients") else { return };
    let Some(clients) =
        answer.text().ok().and_then(|text| serde_json::from_str::<Value>(&text).ok())
    else {
        return;
    };
    let clients = clients["clients"].as_array().map_or(&[][..], Vec::as_slice);
    let own = clients.iter().find(|client| client["id"] == probe.user);
    let seen = own.and_then(|client| client["address"].as_str()?.parse().ok());
    if let Some(seen) = seen
        && is_hidden(probe.local, seen)
    {
        let is_trusted = settings.trusted_proxies.iter().any(|proxy| proxy.contains(&seen));
        let cure = if is_trusted {
            "let the proxy set X-Forwarded-For to the client's address".to_owned()
        } else {
            format!("add \"{seen}\" to \"trustedProxies\", and let the proxy pass X-Forwarded-For")
        };
        let what = format!("the server takes {seen}, the proxy, for the address of every client");
        findings.error(SUBJECT, what, cure);
    }
}

/// Whether the server sees another machine than the one that has connected from `local`.
fn is_hidden(local: IpAddr, seen: IpAddr) -> bool {
    // From this machine to this machine, both look alike. A public address may be that of a router in between.
    !local.to_canonical().is_loopback() && seen != local && seen.to_canonical().is_loopback()
}

/// Whether the connection stands while nobody says anything, until the server pings.
fn examine_silence(settings: &Settings, probe: &mut Probe, findings: &mut Findings) {
    let interval = Duration::from_millis(settings.limits.ping_interval_ms);
    let patience = (interval + DELAY).min(MAX_SILENCE);
    if io::stderr().is_terminal() {
        let _ = writeln!(
            io::stderr(),
            "waiting up to {} s for a ping through the proxy",
            patience.as_secs()
        );
    }
    match probe.be_silent(patience) {
        Silence::Pinged => {}
        Silence::Quiet if patience <= interval => {}
        Silence::Quiet => findings.warning(
            SUBJECT,
            format!("no ping has come within {} s, although the server sends one after {} s", patience.as_secs(), interval.as_secs()),
            "let the proxy pass on data at once (no buffering); if the server runs with other settings, name them with --settings",
        ),
        Silence::Cut(after) => findings.error(
            SUBJECT,
            format!("a connection on which nobody says anything is cut off after {} s", after.as_secs()),
            format!(
                "raise the proxy's time-outs (nginx: proxy_read_timeout) above {} s, or lower \"pingIntervalMs\"",
                interval.as_secs().max(1)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_looks_like_the_proxy_is_hidden() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(is_hidden(ip("192.0.2.7"), ip("127.0.0.1")));
        assert!(is_hidden(ip("2001:db8::7"), ip("::ffff:127.0.0.1")));
        assert!(!is_hidden(ip("192.0.2.7"), ip("192.0.2.7")));
        assert!(!is_hidden(ip("192.0.2.7"), ip("203.0.113.7")));
        assert!(!is_hidden(ip("127.0.0.1"), ip("127.0.0.1")));
    }
}
