//! A site for nginx, or a location in one. Pure.

use super::{Proxied, Upstream, indent};

/// A `server` block for the whole site, or else the `location` block for a part of it.
pub(super) fn site(proxied: &Proxied<'_>) -> String {
    let advice = proxied.advice();
    let location = location(proxied);
    if !proxied.is_whole_site() {
        return format!("{advice}# This goes into the `server` block of the site.\n{location}");
    }
    let name = proxied.settings.domain.as_deref().unwrap_or("_");
    format!(
        "{advice}server {{\n    listen 80;\n    listen [::]:80;\n    server_name {name};\n\n{}}}\n",
        indent(&location)
    )
}

fn location(proxied: &Proxied<'_>) -> String {
    let scheme = if proxied.has_tls() { "https" } else { "http" };
    // With a path of its own, nginx puts it in the place of the location's.
    let upstream = match (&proxied.upstream, proxied.is_whole_site()) {
        (Upstream::Unix(socket), true) => format!("unix:{socket}"),
        (Upstream::Unix(socket), false) => format!("unix:{socket}:/"),
        (Upstream::Tcp(host, port), true) => proxied.host_and_port(host, *port),
        (Upstream::Tcp(host, port), false) => format!("{}/", proxied.host_and_port(host, *port)),
    };
    let tls = if proxied.has_tls() {
        "    proxy_ssl_server_name on;\n    proxy_ssl_name $host;\n"
    } else {
        ""
    };
    format!(
        "location {path} {{\n    \
         proxy_pass {scheme}://{upstream};\n\
         {tls}    \
         proxy_http_version 1.1;\n    \
         proxy_set_header Host $host;\n    \
         proxy_set_header Upgrade $http_upgrade;\n    \
         proxy_set_header Connection upgrade;\n    \
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    \
         proxy_set_header Forwarded \"\";\n    \
         proxy_read_timeout {timeout}s;  # more than a ping and its answer take\n\
         }}\n",
        path = proxied.path,
        timeout = read_timeout(proxied),
    )
}

/// A connection is silent for as long as it takes until a ping, and its answer, are due.
fn read_timeout(proxied: &Proxied<'_>) -> u64 {
    let limits = &proxied.settings.limits;
    let silence_ms = limits.ping_interval_ms.saturating_add(limits.pong_timeout_ms);
    silence_ms.div_ceil(1000).saturating_add(10).max(60)
}
