//! What the server listens on: the text of an address, and what it stands for. Pure.

use std::path::PathBuf;

use super::Settings;
use super::rule::{self, TextRule};

/// One of the addresses that a server listens on.
///
/// ```
/// # use wschat::{ListenAddress, Settings};
/// let settings = Settings {
///     listen: vec!["[::]:8776".into(), "unix:/run/wschat/ws.sock".into()],
///     ..Settings::default()
/// };
/// assert!(settings.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// `"HOST:PORT"` (`"[::]:443"`, `"localhost:8776"`), with all addresses of a name; `"unix:/PATH"`; or
    /// `"systemd"`, for all sockets that systemd passes to the program.
    pub address: String,

    /// Each connection begins with a header of the PROXY protocol, version 1 or 2, which names the client.
    /// It is believed, so only the proxy may be able to connect. Default `false`.
    pub proxy_protocol: bool,
}

/// What an address stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Host(String, u16),
    Unix(PathBuf),
    Systemd,
}

/// What an item of `listen` may be.
pub(super) static LISTEN: TextRule = TextRule {
    allowed: "\"HOST:PORT\" such as \"[::]:443\", \"unix:/PATH\", \"systemd\", or an object such as \
              {\"address\": \"127.0.0.1:8776\", \"proxyProtocol\": true}",
    holds: |text| Place::parse(text).is_some(),
};

impl From<&str> for ListenAddress {
    /// Without the PROXY protocol.
    fn from(address: &str) -> Self {
        Self { address: address.to_owned(), proxy_protocol: false }
    }
}

impl Settings {
    /// What to listen on, and whether connections there begin with a header of the PROXY protocol. Items
    /// that are not allowed are left out.
    pub(crate) fn places(&self) -> Vec<(Place, bool)> {
        if self.listen.is_empty() {
            return vec![(Place::Host(self.host.clone(), self.port), false)];
        }
        let place =
            |item: &ListenAddress| Some((Place::parse(&item.address)?, item.proxy_protocol));
        self.listen.iter().filter_map(place).collect()
    }

    pub(super) fn check_listen(&self, mistakes: &mut Vec<String>) {
        for (index, item) in self.listen.iter().enumerate() {
            let key = format!("listen[{index}]");
            LISTEN.check(&key, &item.address, mistakes);
            if self.listen[..index].iter().any(|other| other.address == item.address) {
                mistakes.push(format!("{key} is there twice; keep one"));
            }
        }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        /// The room for a path in the kernel's address of a socket (unix(7)), without the byte that ends it.
        const LONGEST_PATH: usize = 107;
        if text == "systemd" {
            return Some(Self::Systemd);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let is_path = path.starts_with('/') && !path.contains('\0');
            return (is_path && path.len() <= LONGEST_PATH).then(|| Self::Unix(path.into()));
        }
        let (host, port) = text.rsplit_once(':')?;
        let inner = host.strip_prefix('[').map(|rest| rest.strip_suffix(']'));
        let host = match inner {
            Some(inner) => inner.filter(|inner| inner.contains(':'))?,
            None if host.contains(':') => return None,
            None => host,
        };
        let port = rule::parse_port(port)?;
        (rule::HOST.holds)(host).then(|| Self::Host(host.to_owned(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_can_be_listened_on() {
        let host = |host: &str, port| Some(Place::Host(host.to_owned(), port));
        for (text, place) in [
            ("0.0.0.0:443", host("0.0.0.0", 443)),
            ("[::]:443", host("::", 443)),
            ("[fe80::1%eth0]:80", host("fe80::1%eth0", 80)),
            ("localhost:0", host("localhost", 0)),
            ("systemd", Some(Place::Systemd)),
            ("unix:/run/ws.sock", Some(Place::Unix("/run/ws.sock".into()))),
        ] {
            assert_eq!(Place::parse(text), place, "{text}");
        }
        let long = format!("unix:/{}", "x".repeat(107));
        for text in [
            "",
            "8776",
            ":443",
            "::",
            ":::443",
            "[::]",
            "[127.0.0.1]:80",
            "a:b",
            "a:65536",
            "a:+1",
            "http://a:80",
            "a:80/",
            "unix:ws.sock",
            "unix:",
            "unix:/a\0",
            "Systemd",
            &long,
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn host_and_port_count_only_without_a_list() {
        let mut settings = Settings::default();
        assert_eq!(settings.places(), [(Place::Host("127.0.0.1".to_owned(), 8776), false)]);
        settings.listen.push(ListenAddress { address: "systemd".to_owned(), proxy_protocol: true });
        assert_eq!(settings.places(), [(Place::Systemd, true)]);
    }

    #[test]
    fn items_are_texts_or_objects() {
        let listen = |json: &str| {
            let text = format!("{{\"listen\": [{json}]}}");
            Settings::from_json(&text).map(|settings| settings.listen)
        };
        assert_eq!(listen("\"[::]:1\"").unwrap(), ["[::]:1".into()]);
        let object = "{\"address\": \"systemd\", \"proxyProtocol\": true}";
        let expected = ListenAddress { proxy_protocol: true, ..ListenAddress::from("systemd") };
        assert_eq!(listen(object).unwrap(), [expected]);
        assert_eq!(listen("{\"address\": \"systemd\"}").unwrap(), ["systemd".into()]);
        for (json, mistake) in [
            ("{\"proxyProtocol\": true}", "listen[0] is an object; allowed: \"HOST:PORT\""),
            ("{\"address\": \"systemd\", \"proxy\": true}", "listen[0] is an object; allowed"),
            ("\"443\"", "listen[0] is \"443\"; allowed: \"HOST:PORT\""),
            ("443", "listen[0] is 443; allowed"),
            ("\"systemd\", \"systemd\"", "listen[1] is there twice"),
        ] {
            let error = listen(json).unwrap_err().to_string();
            assert!(error.contains(mistake), "{error}");
        }
    }
}
