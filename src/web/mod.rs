//! The files served over HTTP: the page, embedded in the binary, the GIFs, and what the owner says of the place.
//!
//! Session threads ask for the response to a request that is not for a WebSocket. Nothing changes
//! from one reload to the next, so each encoding of a file has an `ETag`, and a browser only asks whether
//! its copy is still valid. `build.rs` finds the files and compresses them.
//!
//! | file | owns |
//! |---|---|
//! | `encoding.rs` | which encoding of a file a client gets |
//! | `gifs.rs` | the built-in GIFs |
//! | `directory.rs` | the operator's own GIFs |
//! | `icon.rs` | the owner's icon |
//! | `file.rs` | reading a file that the operator has named |
//! | `owner.rs` | what the page takes from the owner's settings |
//! | `accent.rs` | the colours that follow from the owner's |
//! | `summary.rs` | a sentence of the owner's welcome |
//! | `splice.rs` | the gzip of the page with the owner's head |

mod accent;
mod directory;
mod encoding;
mod file;
mod gifs;
mod icon;
/// For its tests: `build.rs` is what uses it.
#[cfg(test)]
#[path = "../../build/join.rs"]
mod join;
#[cfg(test)]
mod join_test;
mod owner;
mod splice;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use self::encoding::Coding;
use self::owner::{MARKER, Owner, Versions, escape_json};
use crate::net::http::{RequestHead, Response};
use crate::protocol::Gif;
use crate::settings::Settings;

pub use directory::GifsError;
pub(crate) use directory::read as read_gifs;
pub(crate) use gifs::{Picture, own as own_gifs};
pub use icon::IconError;
pub(crate) use icon::{Icon, read as read_icon};

/// Only files from this server may run, be shown or be contacted, and no other page may frame this
/// one.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// Within a picture, nothing may run or be loaded. It matters where somebody opens the picture by itself.
const PICTURE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'",
);

/// A picture that can have scripts in it.
const SVG: &str = "image/svg+xml";

/// The list of GIFs, for a page that gets no `wschat.v2` welcome.
const GIFS_PATH: &str = "/gifs.json";

/// What the page itself reads of the owner's settings.
const OWNER_PATH: &str = "/page.json";

/// The owner's colours.
const STYLE_PATH: &str = "/owner.css";

/// A file of the page.
struct File {
    /// The request path.
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
    /// The gzip, if it is smaller.
    gzip: Option<&'static [u8]>,
    /// The same in brotli.
    brotli: Option<&'static [u8]>,
}

/// The files that build.rs has found.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What of the page comes after the owner's head, as a DEFLATE stream.
static REST_DEFLATED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rest.deflate"));

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
    brotli: Option<Variant>,
}

/// One encoding of a file.
struct Variant {
    body: Bytes,
    etag: HeaderValue,
}

impl Site {
    /// The page with these GIFs, and with what the settings and this icon make of it.
    pub(crate) fn new(pictures: Vec<Picture>, settings: &Settings, icon: Option<&Icon>) -> Self {
        let mut site = Self { assets: BTreeMap::new(), gifs: Vec::with_capacity(pictures.len()) };
        for file in FILES.iter().filter(|file| !file.path.starts_with(gifs::FOLDER)) {
            let variant = |body| Variant::new(Bytes::from_static(body));
            let plain = variant(file.body);
            let (gzip, brotli) = (file.gzip.map(variant), file.brotli.map(variant));
            let asset = Asset { content_type: file.content_type, plain, gzip, brotli };
            site.assets.insert(file.path.to_owned(), asset);
        }
        for Picture { gif, body } in pictures {
            site.add(&gifs::address(gif.id), "image/gif", body);
            site.gifs.push(gif);
        }
        let list = serde_json::to_vec(&site.gifs).expect("memory takes all");
        site.add(GIFS_PATH, "application/json", list);
        if let Some(icon) = icon {
            site.add_icon(icon);
        }
        let owner = Owner::new(settings, icon, text_of("/style.css"));
        site.add_owner(&owner);
        site
    }

    /// Adds a file that is not compressed, or puts it in the place of another.
    fn add(&mut self, path: &str, content_type: &'static str, body: impl Into<Bytes>) {
        let plain = Variant::new(body.into());
        let asset = Asset { content_type, plain, gzip: None, brotli: None };
        self.assets.insert(path.to_owned(), asset);
    }

    /// Puts the owner's icon in the place of the built-in ones.
    fn add_icon(&mut self, icon: &Icon) {
        self.add("/icon.svg", SVG, icon.as_svg());
        self.add("/icon-unread.svg", SVG, icon.unread());
        for path in ["/icon-192.png", "/icon-512.png"] {
            if icon.content_type() == SVG {
                self.assets.remove(path);
            } else {
                self.add(path, icon.content_type(), icon.body.clone());
            }
        }
    }

    fn add_owner(&mut self, owner: &Owner<'_>) {
        self.add(STYLE_PATH, "text/css; charset=utf-8", owner.style());
        let version = |path: &str| self.assets[path].plain.version().to_owned();
        // Both icons are made of the same picture.
        let (icon, style) = (version("/icon-unread.svg"), version(STYLE_PATH));
        let versions = Versions { icon: &icon, style: &style };
        let (before, rest) =
            text_of("/").split_once(MARKER).expect("the build refuses a page without");
        let head = owner.head(before, &versions);
        let page = self.assets.get_mut("/").expect("the build finds it");
        let gzip = splice::gzip(head.as_bytes(), rest.as_bytes(), REST_DEFLATED);
        page.gzip = Some(Variant::new(gzip.into()));
        page.plain = Variant::new((head + rest).into());
        let json = escape_json(&owner.page(&versions).to_string());
        self.add(OWNER_PATH, "application/json", json);
        let manifest = owner.manifest(text_of("/manifest.webmanifest"), &icon);
        self.add("/manifest.webmanifest", "application/manifest+json", manifest);
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
        let (coding, Variant { body, etag }) = asset.variant(head);
        let mut response = if is_cached_by(head, etag) {
            Response::new(StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            let response = Response::new(StatusCode::OK, body.clone())
                .with(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
            match coding.name() {
                Some(name) => {
                    response.with(header::CONTENT_ENCODING, HeaderValue::from_static(name))
                }
                None => response,
            }
        };
        if asset.gzip.is_some() || asset.brotli.is_some() {
            response = response.with(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        let policy =
            if asset.content_type == SVG { PICTURE_POLICY } else { CONTENT_SECURITY_POLICY };
        response
            .with(header::ETAG, etag.clone())
            .with(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .with(header::CONTENT_SECURITY_POLICY, policy)
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
    /// What this client gets.
    fn variant(&self, head: &RequestHead) -> (Coding, &Variant) {
        let coding = encoding::choose(head, |coding| self.encoded(coding).is_some());
        (coding, self.encoded(coding).unwrap_or(&self.plain))
    }

    fn encoded(&self, coding: Coding) -> Option<&Variant> {
        match coding {
            Coding::Brotli => self.brotli.as_ref(),
            Coding::Gzip => self.gzip.as_ref(),
            Coding::Identity => Some(&self.plain),
        }
    }
}

/// An embedded file that is text.
fn text_of(path: &str) -> &'static str {
    let file = FILES.iter().find(|file| file.path == path).expect("a test looks for it");
    std::str::from_utf8(file.body).expect("the build read it as text")
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

    /// The tag without its quotes.
    fn version(&self) -> &str {
        self.etag.to_str().expect("it was a text").trim_matches('"')
    }
}

/// Whether `If-None-Match` matches this tag (RFC 9110 §13.1.2: weak comparison, so `W/` is
/// ignored).
fn is_cached_by(head: &RequestHead, etag: &HeaderValue) -> bool {
    head.items(&header::IF_NONE_MATCH)
        .map(|tag| tag.trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}
