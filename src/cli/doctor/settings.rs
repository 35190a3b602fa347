//! Settings that are refused, that contradict each other, or that name a certificate or pictures that cannot be used.

use std::net::{IpAddr, ToSocketAddrs};

use wschat::{Server, Settings, StartError, capacity};

use super::finding::Findings;

/// The settings themselves are refused: a line for each mistake, below a line with the file if there are several.
pub(super) fn refused(text: &str, findings: &mut Findings) {
    let lines: Vec<&str> = text.lines().collect();
    let mistakes = if lines.len() > 1 { &lines[1..] } else { &lines[..] };
    for mistake in mistakes {
        let mistake = mistake.trim();
        if mistake.contains("; ") {
            findings.refusal("settings", mistake);
        } else {
            findings.error("settings", mistake, "see the table in docs/operations.md");
        }
    }
}

pub(super) fn examine(settings: &Settings, findings: &mut Findings) {
    examine_files(settings.clone(), findings);
    let is_direct = settings.certificate.is_some();
    let is_local = is_loopback(&settings.host);
    if !is_direct && is_local && settings.domain.is_some() && settings.trusted_proxies.is_empty() {
        findings.warning(
            "proxy",
            "\"domain\" is set and only a proxy on this machine can reach the server, but \"trustedProxies\" is empty: all \
             clients count as one address",
            "set \"trustedProxies\" to [\"127.0.0.1\", \"::1\"], and let the proxy pass X-Forwarded-For",
        );
    }
    if !is_direct && !is_local && settings.trusted_proxies.is_empty() {
        findings.warning(
            "tls",
            format!("on {} everybody on the way can read along: there is neither TLS nor a proxy", settings.host),
            "set \"certificate\" and \"privateKey\", or set \"host\" to \"127.0.0.1\" and put a proxy in front",
        );
    }
    let names_nobody = settings.domain.is_none() && settings.allowed_origins.is_empty();
    if names_nobody && (is_direct || !is_local || !settings.trusted_proxies.is_empty()) {
        findings.warning(
            "domain",
            "no page may connect that was opened under a name: neither \"domain\" nor \"allowedOrigins\" is set",
            "set \"domain\" to the public name of the server",
        );
    }
}

/// What is wrong is left out, to find what else is.
fn examine_files(mut settings: Settings, findings: &mut Findings) {
    loop {
        match Server::check(&settings) {
            Ok(warnings) => {
                let of_machine = capacity(&settings).warnings();
                for warning in &warnings {
                    let is_of_machine = of_machine.contains(warning);
                    let subject = if is_of_machine { "machine" } else { "certificate" };
                    findings.concern(subject, warning);
                }
                return;
            }
            Err(StartError::Certificate(error)) if settings.certificate.is_some() => {
                findings.refusal("certificate", &error.to_string());
                (settings.certificate, settings.private_key) = (None, None);
            }
            Err(StartError::Gifs(error)) if settings.gifs_directory.is_some() => {
                findings.refusal("gifs", &error.to_string());
                settings.gifs_directory = None;
            }
            Err(StartError::Icon(error)) if settings.icon.is_some() => {
                findings.refusal("icon", &error.to_string());
                settings.icon = None;
            }
            Err(error) => return refused(&error.to_string(), findings),
        }
    }
}

/// Whether only this machine reaches this host. A name that cannot be resolved is looked at elsewhere.
pub(super) fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback();
    }
    (host, 0)
        .to_socket_addrs()
        .is_ok_and(|mut addresses| addresses.all(|address| address.ip().is_loopback()))
}
