//! A site for Caddy, or a part of one. Pure.

use super::{Proxied, Upstream, indent};

/// The block of the whole site, or else what goes into it.
pub(super) fn site(proxied: &Proxied<'_>) -> String {
    let advice = proxied.advice();
    let proxy = reverse_proxy(proxied);
    if proxied.is_whole_site() {
        let name = proxied.settings.domain.as_deref().unwrap_or(":80");
        return format!("{advice}{name} {{\n{}}}\n", indent(&proxy));
    }
    let (path, bare) = (proxied.path, proxied.path.without_slash());
    format!(
        "{advice}# This goes into the block of the site.\nredir {bare} {path}\n\
         handle_path {path}* {{\n{}}}\n",
        indent(&proxy)
    )
}

fn reverse_proxy(proxied: &Proxied<'_>) -> String {
    let upstream = match &proxied.upstream {
        Upstream::Unix(socket) => format!("unix/{socket}"),
        Upstream::Tcp(host, port) => proxied.host_and_port(host, *port),
    };
    if !proxied.has_tls() {
        return format!("reverse_proxy {upstream} {{\n    header_up -Forwarded\n}}\n");
    }
    // A certificate is for the public name, and not for an address of this machine.
    let is_here = proxied.address().is_none_or(|address| address.is_loopback());
    let check = match &proxied.settings.domain {
        Some(domain) if !is_here => format!("tls_server_name {domain}"),
        _ => "tls_insecure_skip_verify".to_owned(),
    };
    format!(
        "reverse_proxy https://{upstream} {{\n    header_up -Forwarded\n    transport http {{\n        \
         {check}\n    }}\n}}\n"
    )
}
