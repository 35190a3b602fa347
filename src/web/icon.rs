//! The owner's icon: read from `icon` and checked before a port is opened, and with a dot for what is unread.
//!
//! Runs on the thread that starts or reloads the server. What an SVG has in it is not looked at: it is sent so that
//! nothing in it can run (`ICON_POLICY`).

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use data_encoding::BASE64;

use super::file::{self, FileFault};
use crate::settings::Limits;
use crate::shell::Quoted;

/// The first bytes of a PNG.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Without it, a browser shows no picture.
const SVG_NAMESPACE: &str = "http://www.w3.org/2000/svg";

/// The smallest width of a PNG, in pixels.
const MIN_PIXELS: u32 = 64;

/// The dot that says that something is unread, as in icon-unread.svg.
const DOT: &str =
    "<circle cx=\"25\" cy=\"25\" r=\"6\" fill=\"#e11d2e\" stroke=\"#fff\" stroke-width=\"2\"/>";

/// A picture that can be the page's icon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Icon {
    pub(super) kind: Kind,
    pub(super) body: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its width and height in pixels.
    Png(u32),
    Svg,
}

/// Reads the picture, and checks what it is.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Icon, IconError> {
    let refuse = |fault| IconError { path: path.to_owned(), fault };
    let max = limits.max_icon_bytes;
    let body = file::read(path, max).map_err(|fault| refuse(Fault::File(fault)))?;
    let kind = look(&body).map_err(refuse)?;
    if body.len() > max {
        return Err(refuse(Fault::TooLarge { max }));
    }
    Ok(Icon { kind, body: body.into() })
}

fn look(body: &[u8]) -> Result<Kind, Fault> {
    if body.starts_with(PNG) {
        let Some((width, height)) = png_size(body) else { return Err(Fault::NoPicture) };
        if width != height {
            return Err(Fault::NotSquare { width, height });
        }
        return if width < MIN_PIXELS {
            Err(Fault::TooSmall { width })
        } else {
            Ok(Kind::Png(width))
        };
    }
    let text = String::from_utf8_lossy(body);
    if !begins_as_svg(&text) {
        return Err(Fault::NoPicture);
    }
    if text.contains(SVG_NAMESPACE) { Ok(Kind::Svg) } else { Err(Fault::NoNamespace) }
}

/// Width and height from the first chunk, which is always IHDR (PNG §11.2.1).
fn png_size(body: &[u8]) -> Option<(u32, u32)> {
    let header = body.strip_prefix(PNG)?.strip_prefix(b"\0\0\0\x0dIHDR")?;
    let number = |bytes: &[u8]| Some(u32::from_be_bytes(bytes.try_into().ok()?));
    Some((number(header.get(..4)?)?, number(header.get(4..8)?)?))
}

/// Whether the first element is `svg`. Before it may be an XML declaration, comments and a document type.
fn begins_as_svg(text: &str) -> bool {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_start();
        let end = if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!") {
            ">"
        } else {
            break;
        };
        let Some((_, after)) = rest.split_once(end) else { return false };
        rest = after;
    }
    let name = rest.strip_prefix("<svg").and_then(|rest| rest.chars().next());
    name.is_some_and(|next| next.is_ascii_whitespace() || matches!(next, '>' | '/'))
}

impl Icon {
    /// The content type of `body`.
    pub(super) fn content_type(&self) -> &'static str {
        match self.kind {
            Kind::Png(_) => "image/png",
            Kind::Svg => "image/svg+xml",
        }
    }

    /// An SVG that shows the icon.
    pub(super) fn as_svg(&self) -> Bytes {
        match self.kind {
            Kind::Png(_) => self.framed(""),
            Kind::Svg => self.body.clone(),
        }
    }

    /// An SVG that shows the icon with a dot.
    pub(super) fn unread(&self) -> Bytes {
        self.framed(DOT)
    }

    /// An SVG shown as a picture in another one runs no script either.
    fn framed(&self, on_top: &str) -> Bytes {
        let (content_type, data) = (self.content_type(), BASE64.encode(&self.body));
        let svg = format!(
            "<svg xmlns=\"{SVG_NAMESPACE}\" viewBox=\"0 0 32 32\"><image width=\"32\" height=\"32\" \
             href=\"data:{content_type};base64,{data}\"/>{on_top}</svg>"
        );
        svg.into()
    }
}

/// Why the file of `icon` cannot be used.
///
/// The message says what is wrong with the file, and ends with the fix or a command that shows more.
#[derive(Debug)]
pub struct IconError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    File(FileFault),
    NoPicture,
    NoNamespace,
    NotSquare { width: u32, height: u32 },
    TooSmall { width: u32 },
    TooLarge { max: usize },
}

impl IconError {
    /// The file at fault.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Error for IconError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            Fault::File(fault) => fault.source().map(|error| error as _),
            _ => None,
        }
    }
}

impl fmt::Display for IconError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        let path = Quoted(&self.path);
        match &self.fault {
            Fault::File(fault) => fault.fmt(&self.path, f),
            Fault::NoPicture => write!(
                f,
                "this is neither a PNG nor an SVG; save it as one of them, or set icon to null. What it is: \
                 file {path}"
            ),
            Fault::NoNamespace => write!(
                f,
                "this SVG does not say that it is one, and browsers would not show it; write \
                 <svg xmlns=\"{SVG_NAMESPACE}\" …> at its beginning"
            ),
            Fault::NotSquare { width, height } => write!(
                f,
                "the picture is {width} pixels wide and {height} high; an icon is square: cut it, or put it on a \
                 square ground"
            ),
            Fault::TooSmall { width } => write!(
                f,
                "the picture is {width} pixels wide; allowed: at least {MIN_PIXELS}, and best 512"
            ),
            Fault::TooLarge { max } => write!(
                f,
                "the picture is too large; allowed: at most {max} bytes (limits.maxIconBytes). How large it is: \
                 ls -l {path}"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
