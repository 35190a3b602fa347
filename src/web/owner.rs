//! What the page takes from the owner's settings: its head, its name, its colours and its manifest. Pure.
//!
//! The owner is trusted, but may have copied a text from anywhere. So each value is escaped for the place that it
//! stands in, and nothing of it can be more than text there.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::accent::{Color, Colors, Grounds};
use super::icon::{Icon, Kind};
use super::summary::summary;
use crate::settings::{Place, Settings};

/// What search engines and chats show of a page whose owner says nothing about it.
fn default_description(language: Option<&str>) -> &'static str {
    match language {
        Some("de") => "Ein Ort zum Chatten. Name wählen und mitreden, ganz ohne Konto.",
        Some("es") => "Un lugar para chatear. Elige un nombre y participa, sin crear una cuenta.",
        Some("fr") => {
            "Un lieu pour discuter. Choisissez un nom et participez, sans créer de compte."
        }
        _ => "A place to chat. Choose a name and join in, no account needed.",
    }
}

/// The line of index.html that the head of the owner stands in.
pub(super) const MARKER: &str = "<!-- owner -->";

/// What index.html says before its marker of the language.
const LANGUAGE: &str = "<html lang=\"en\">";

/// The owner's settings, as far as the page shows them.
#[derive(Debug)]
pub(super) struct Owner<'a> {
    title: &'a str,
    welcome: String,
    language: Option<&'a str>,
    icon: Option<&'a Icon>,
    colors: Option<Colors>,
    /// The public address of the page, with a slash at the end.
    address: Option<String>,
}

/// What changes with a file. It is part of the address, so that an open page sees a change, and a browser that has kept
/// an icon asks for the new one.
#[derive(Debug)]
pub(super) struct Versions<'a> {
    pub(super) icon: &'a str,
    pub(super) style: &'a str,
}

impl<'a> Owner<'a> {
    /// `style` is the page's style sheet, whose colours the accent must go with.
    pub(super) fn new(settings: &'a Settings, icon: Option<&'a Icon>, style: &str) -> Self {
        let colors = settings.accent_color().map(|accent| {
            let page = Grounds::of(style).expect("a test reads them");
            Colors::new(Color(accent), &page)
        });
        Self {
            title: settings.title.trim(),
            welcome: settings.welcome.as_deref().unwrap_or_default().replace("\r\n", "\n"),
            language: settings.language.as_deref(),
            icon,
            colors,
            address: address(settings),
        }
    }

    /// What the page reads of the owner.
    pub(super) fn page(&self, versions: &Versions<'_>) -> Value {
        let Versions { icon, style } = versions;
        json!({
            "title": self.title,
            "welcome": self.welcome,
            "language": self.language,
            "icon": format!("icon.svg?{icon}"),
            "unreadIcon": format!("icon-unread.svg?{icon}"),
            "style": format!("owner.css?{style}"),
        })
    }

    /// What of index.html comes before the marker, and what stands in the marker's place.
    pub(super) fn head(&self, before: &str, versions: &Versions<'_>) -> String {
        let Versions { icon: version, style } = versions;
        let language = format!("<html lang=\"{}\">", self.language.unwrap_or("en"));
        let mut head = before.replacen(LANGUAGE, &language, 1);
        let title = escape_html(self.title);
        let described = summary(&self.welcome);
        let description = match described.as_str() {
            "" => default_description(self.language).to_owned(),
            described => escape_html(described),
        };
        let mut add = |line: &str| {
            head.push_str(line);
            head.push_str("\n  ");
        };
        add(&format!("<title>{title}</title>"));
        let meta = |key: &str, name: &str, content: &str| {
            format!("<meta {key}=\"{name}\" content=\"{content}\">")
        };
        add(&meta("name", "description", &description));
        add(&meta("property", "og:type", "website"));
        add(&meta("property", "og:site_name", &title));
        add(&meta("property", "og:title", &title));
        add(&meta("property", "og:description", &description));
        if let Some(address) = self.address.as_deref().map(escape_html) {
            add(&meta("property", "og:url", &address));
            // What shows previews of links shows no SVG.
            if self.has_png() {
                let icon = format!("{address}icon-512.png?{version}");
                add(&meta("property", "og:image", &icon));
            }
        }
        let link = |what: &str, address: &str| format!("<link {what} href=\"{address}\">");
        let favicon = "rel=\"icon\" id=\"favicon\" type=\"image/svg+xml\"";
        add(&link(favicon, &format!("icon.svg?{version}")));
        // No phone takes an SVG either.
        if self.has_png() {
            add(&link("rel=\"apple-touch-icon\"", &format!("icon-192.png?{version}")));
        }
        add(&link("rel=\"manifest\"", "manifest.webmanifest"));
        let own_style = "rel=\"stylesheet\" id=\"owner-style\"";
        add(&link(own_style, &format!("owner.css?{style}")));
        let page = escape_json(&self.page(versions).to_string());
        head.push_str("<script type=\"application/json\" id=\"owner\">");
        head.push_str(&page);
        head.push_str("</script>");
        head
    }

    fn has_png(&self) -> bool {
        self.icon.is_none_or(|icon| icon.kind != Kind::Svg)
    }

    /// The colours of the page; empty without an accent. On paper, and in a browser that cannot choose between two
    /// colours, they are those of the page's own style sheet.
    pub(super) fn style(&self) -> String {
        let Some(Colors { accent, on_accent, own, own_soft }) = &self.colors else {
            return String::new();
        };
        format!(
            "@media screen{{@supports (color:light-dark(#000,#fff)){{:root{{--accent:{accent};\
             --on-accent:{on_accent};--own:{own};--own-soft:{own_soft}}}}}}}\n"
        )
    }

    /// The manifest of the installed page, from the built-in one.
    pub(super) fn manifest(&self, own: &str, version: &str) -> String {
        let mut manifest: Value = serde_json::from_str(own).expect("a test reads it");
        manifest["name"] = json!(self.title);
        manifest["short_name"] = json!(self.title);
        if let Some(language) = self.language {
            manifest["lang"] = json!(language);
        }
        if let Some(colors) = &self.colors {
            manifest["theme_color"] = json!(colors.accent.light.to_string());
        }
        match self.icon.map(|icon| icon.kind) {
            None => {}
            Some(Kind::Png(width)) => {
                manifest["icons"] = json!([{
                    "src": format!("icon-512.png?{version}"),
                    "type": "image/png",
                    "sizes": format!("{width}x{width}"),
                    "purpose": "any",
                }]);
            }
            Some(Kind::Svg) => {
                manifest["icons"] = json!([{
                    "src": format!("icon.svg?{version}"),
                    "type": "image/svg+xml",
                    "sizes": "any",
                    "purpose": "any",
                }]);
            }
        }
        manifest.to_string()
    }
}

/// The public address of the page. Without a certificate a proxy has it, on the usual port.
fn address(settings: &Settings) -> Option<String> {
    let domain = settings.domain.as_deref()?;
    let domain = domain.trim_start_matches('[').trim_end_matches(']');
    let host = if domain.contains(':') { format!("[{domain}]") } else { domain.to_owned() };
    let port = settings.places().into_iter().find_map(|(place, _)| match place {
        Place::Host(_, port) => Some(port),
        Place::Unix(_) | Place::Systemd => None,
    });
    Some(match port.filter(|port| settings.certificate.is_some() && ![0, 443].contains(port)) {
        Some(port) => format!("https://{host}:{port}/"),
        None => format!("https://{host}/"),
    })
}

/// For text, and for values in double quotes.
fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// JSON that nothing in HTML or JavaScript can end. These characters stand in JSON only within strings.
pub(super) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') {
            write!(escaped, "\\u{:04x}", u32::from(c)).expect("writing to memory cannot fail");
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
