//! The files served over HTTP: the page, embedded in the binary, and the GIFs.
//!
//! Session threads ask for the response to a request that is not for a WebSocket. Nothing changes
//! while the server runs, so each encoding of a file has an `ETag`, and a browser only asks whether
//! its copy is still valid. `build.rs` finds the files and compresses them.
//!
//! | file | owns |
//! |---|---|
//! | `encoding.rs` | which encoding of a file a client gets |
//! | `gifs.rs` | the built-in GIFs |
//! | `directory.rs` | the operator's own GIFs |

mod directory;
mod encoding;
mod gifs;
/// For its tests: `build.rs` is what uses it.
#[cfg(test)]
#[path = "../../build/join.rs"]
mod join;
#[cfg(test)]
mod join_test;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::net::http::{RequestHead, Response};
use crate::protocol::Gif;

pub use directory::GifsError;
pub(crate) use directory::read as read_gifs;
pub(crate) use gifs::{Picture, own as own_gifs};

/// Only files from this server may run, be shown or be contacted, and no other page may frame this
/// one.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The list of GIFs, for a page that gets no `wschat.v2` welcome.
const GIFS_PATH: &str = "/gifs.json";

/// A file of the page.
struct File {
    /// The request path.
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
    /// The gzip, if it is smaller.
    gzip: Option<&'static [u8]>,
}

/// The files that build.rs has found.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Everything that one server serves over HTTP.
pub(crate) struct Site {
    /// By request path.
    assets: BTreeMap<String, Asset>,
    gifs: Vec<Gif>,
}

/// A served file, in its encodings.
struct Asset {
    content_type: &'static str,
    plain: Variant,
    gzip: Option<Variant>,
}

/// One encoding of a file.
struct Variant {
    body: Bytes,
    etag: HeaderValue,
}

impl Site {
    /// The page with these GIFs.
    pub(crate) fn new(pictures: Vec<Picture>) -> Self {
        let mut assets = BTreeMap::new();
        for file in FILES.iter().filter(|file| !file.path.starts_with(gifs::FOLDER)) {
            let plain = Variant::new(Bytes::from_static(file.body));
            let gzip = file.gzip.map(|gzip| Variant::new(Bytes::from_static(gzip)));
            let asset = Asset { content_type: file.content_type, plain, gzip };
            assets.insert(file.path.to_owned(), asset);
        }
        let mut gifs = Vec::with_capacity(pictures.len());
        for Picture { gif, body } in pictures {
            let picture = Asset::plain("image/gif", body);
            assets.insert(gifs::address(gif.id), picture);
            gifs.push(gif);
        }
        let list = serde_json::to_vec(&gifs).expect("memory takes all");
        assets.insert(GIFS_PATH.to_owned(), Asset::plain("application/json", list.into()));
        Self { assets, gifs }
    }

    /// The GIFs, ordered by id.
    pub(crate) fn gifs(&self) -> &[Gif] {
        &self.gifs
    }

    /// The response to a `GET` or `HEAD`: a file, 304 if the client already has it, or 404.
    pub(crate) fn respond(&self, head: &RequestHead) -> Response {
        let Some(asset) = self.assets.get(head.uri.path()) else {
            let text = "There is nothing here. The chat is at /.";
            return Response::text(StatusCode::NOT_FOUND, text);
        };
        let gzip = asset.gzip.as_ref().filter(|_| encoding::prefers_gzip(head));
        let Variant { body, etag } = gzip.unwrap_or(&asset.plain);
        let mut response = if is_cached_by(head, etag) {
            Response::new(StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            let response = Response::new(StatusCode::OK, body.clone())
                .with(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
            match gzip {
                Some(_) => {
                    response.with(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))
                }
                None => response,
            }
        };
        if asset.gzip.is_some() {
            response = response.with(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
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
}

/// Leaves out the content.
impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.assets.keys()).finish()
    }
}

impl Asset {
    /// A file that compression does not make smaller.
    fn plain(content_type: &'static str, body: Bytes) -> Self {
        Self { content_type, plain: Variant::new(body), gzip: None }
    }
}

impl Variant {
    /// The tag changes with the content. It is no protection against attackers, so 64 bits suffice.
    fn new(body: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&body);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let etag = HeaderValue::from_str(&tag).expect("hexadecimal digits are visible ASCII");
        Self { body, etag }
    }
}

/// Whether `If-None-Match` matches this tag (RFC 9110 §13.1.2: weak comparison, so `W/` is
/// ignored).
fn is_cached_by(head: &RequestHead, etag: &HeaderValue) -> bool {
    head.items(&header::IF_NONE_MATCH)
        .map(|tag| tag.trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}
