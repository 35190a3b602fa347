//! The page, embedded in the binary: HTML, modules, style and pictures as they stand in this folder.
//!
//! Session threads ask for the response to a request that is no WebSocket's. Files do not change
//! while the program runs, so each has an `ETag` and a browser asks only whether it is still true.

use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::net::http::{RequestHead, Response};
use crate::protocol::Gif;

/// Only what is served from here may run, show or be spoken to, and no other page may frame it.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const GIF: &str = "image/gif";

/// A file of the page.
struct File {
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
}

macro_rules! files {
    ($($path:literal => $name:literal, $content_type:expr;)*) => {
        &[$(File { path: $path, content_type: $content_type, body: include_bytes!($name) }),*]
    };
}

static FILES: &[File] = files! {
    "/" => "index.html", HTML;
    "/app.js" => "app.js", SCRIPT;
    "/chat.js" => "chat.js", SCRIPT;
    "/connection.js" => "connection.js", SCRIPT;
    "/gifs.js" => "gifs.js", SCRIPT;
    "/state.js" => "state.js", SCRIPT;
    "/view.js" => "view.js", SCRIPT;
    "/style.css" => "style.css", STYLE;
    "/favicon.svg" => "favicon.svg", SVG;
    "/gifs/1.gif" => "gifs/1.gif", GIF;
    "/gifs/2.gif" => "gifs/2.gif", GIF;
    "/gifs/3.gif" => "gifs/3.gif", GIF;
    "/gifs/4.gif" => "gifs/4.gif", GIF;
    "/gifs/5.gif" => "gifs/5.gif", GIF;
};

/// The pictures and what they show, as in gifs.js.
pub(crate) static GIFS: &[Gif] = &[
    Gif { id: 1, alt: "A waving hand" },
    Gif { id: 2, alt: "A party popper and confetti" },
    Gif { id: 3, alt: "A beating heart" },
    Gif { id: 4, alt: "Thumbs up" },
    Gif { id: 5, alt: "A steaming cup of coffee" },
];

/// The `ETag` of each file, in the order of [`FILES`].
static ETAGS: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| FILES.iter().map(etag).collect());

/// The response to a `GET` or `HEAD`: a file, 304 if the client has it already, or 404.
pub(crate) fn respond(head: &RequestHead) -> Response {
    let path = head.uri.path();
    let Some(index) = FILES.iter().position(|file| file.path == path) else {
        return Response::text(StatusCode::NOT_FOUND, "There is nothing here. The chat is at /.");
    };
    let (file, etag) = (&FILES[index], &ETAGS[index]);
    let response = if has_it_already(head, etag) {
        Response::of_static(StatusCode::NOT_MODIFIED, b"")
    } else {
        Response::of_static(StatusCode::OK, file.body)
            .with(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type))
    };
    response
        .with(header::ETAG, etag.clone())
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
        .with(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
        .with(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with(
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        )
}

/// Whether `If-None-Match` names this tag (RFC 9110 §13.1.2, where `W/` makes no difference).
fn has_it_already(head: &RequestHead, etag: &HeaderValue) -> bool {
    head.headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}

/// A tag that changes with the content. It guards against nobody, so 64 bits do.
fn etag(file: &File) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    hasher.write(file.body);
    let tag = format!("\"{:016x}\"", hasher.finish());
    HeaderValue::from_str(&tag).expect("hexadecimal digits are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_same_pictures() {
        let script = include_str!("gifs.js");
        for Gif { id, alt } in GIFS {
            assert!(script.contains(&format!("{{ id: {id}, alt: '{alt}' }}")), "{alt}");
            let path = format!("/gifs/{id}.gif");
            assert!(FILES.iter().any(|file| file.path == path), "{path}");
        }
        assert_eq!(script.matches("alt:").count(), GIFS.len());
    }
}
