//! The operator's own GIFs: read from `gifsDirectory` and checked before a port is opened.
//!
//! Runs on the thread that starts or reloads the server, at a start before the user is changed: the
//! one that the server switches to may not be allowed to read them. An unusable file is an error here
//! that says what is wrong with which file.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::file::{self, FileFault};
use super::gifs::Picture;
use crate::protocol::{Gif, MAX_NUMBER};
use crate::settings::Limits;
use crate::shell::{Quoted, directory};

/// The suffix of a GIF, in any case. Other files in the directory are ignored.
const ENDING: &str = "gif";

/// Separators between the id and the description in a file name; in the description they mean a
/// space.
const SEPARATORS: [char; 3] = [' ', '-', '_'];

/// The first bytes of a GIF.
const SIGNATURES: [&[u8]; 2] = [b"GIF87a", b"GIF89a"];

/// Reads all GIFs in `folder`, ordered by id.
pub(crate) fn read(folder: &Path, limits: &Limits) -> Result<Vec<Picture>, GifsError> {
    let files = find(folder)?;
    let (count, max) = (files.len(), limits.max_gifs);
    if count == 0 {
        return Err(GifsError::new(folder, Fault::NoPicture));
    }
    if count > max {
        return Err(GifsError::new(folder, Fault::TooMany { count, max }));
    }
    let mut pictures = BTreeMap::new();
    for file in files {
        let gif = name(&file)?;
        let body = load(&file, limits.max_gif_bytes)?.into();
        if let Some((other, _)) = pictures.get(&gif.id) {
            let fault = Fault::Twice { id: gif.id, other: PathBuf::clone(other) };
            return Err(GifsError::new(&file, fault));
        }
        pictures.insert(gif.id, (file, Picture { gif, body }));
    }
    Ok(pictures.into_values().map(|(_, picture)| picture).collect())
}

/// The GIF files, sorted by name, so that the same error is always reported first.
fn find(folder: &Path) -> Result<Vec<PathBuf>, GifsError> {
    let refuse = |error| GifsError::new(folder, Fault::UnreadableDirectory(error));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_picture = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING));
        if is_picture && !is_hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Parses a file name: `7.gif`, `7 a waving hand.gif` or `7-a_waving_hand.gif`.
fn name(file: &Path) -> Result<Gif, GifsError> {
    let refuse = |fault| Err(GifsError::new(file, fault));
    let Some(name) = file.file_stem().and_then(|stem| stem.to_str()) else {
        return refuse(Fault::NotUtf8);
    };
    let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    let (digits, shows) = name.split_at(end);
    let id = match digits.parse() {
        Ok(id) if (1..=MAX_NUMBER).contains(&id) => id,
        _ => return refuse(Fault::NoId),
    };
    if !shows.is_empty() && !shows.starts_with(SEPARATORS) {
        return refuse(Fault::NoId);
    }
    let words: Vec<&str> = shows
        .split(|c: char| c.is_whitespace() || SEPARATORS.contains(&c))
        .filter(|word| !word.is_empty())
        .collect();
    let alt = if words.is_empty() { format!("GIF {id}") } else { words.join(" ") };
    Ok(Gif { id, alt })
}

/// Reads the GIF itself, and no more than the allowed size.
fn load(path: &Path, max: usize) -> Result<Vec<u8>, GifsError> {
    let refuse = |fault| Err(GifsError::new(path, fault));
    let bytes = file::read(path, max).map_err(|fault| GifsError::new(path, Fault::File(fault)))?;
    if !SIGNATURES.iter().any(|signature| bytes.starts_with(signature)) {
        return refuse(Fault::NoGif);
    }
    if bytes.len() > max {
        return refuse(Fault::TooLarge { max });
    }
    Ok(bytes)
}

/// Why the GIFs of `gifsDirectory` cannot be used.
///
/// The message says what is wrong with which file, and ends with the fix or a command that shows
/// more.
#[derive(Debug)]
pub struct GifsError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    UnreadableDirectory(io::Error),
    /// No file has the suffix of a GIF.
    NoPicture,
    TooMany {
        count: usize,
        max: usize,
    },
    NotUtf8,
    /// The file name does not begin with a valid id.
    NoId,
    Twice {
        id: u64,
        other: PathBuf,
    },
    File(FileFault),
    NoGif,
    TooLarge {
        max: usize,
    },
}

impl GifsError {
    fn new(path: &Path, fault: Fault) -> Self {
        Self { path: path.to_owned(), fault }
    }

    /// The file at fault, or the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Error for GifsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            Fault::UnreadableDirectory(error) => Some(error),
            Fault::File(fault) => fault.source().map(|error| error as _),
            _ => None,
        }
    }
}

impl fmt::Display for GifsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        let path = Quoted(&self.path);
        let parent = Quoted(directory(&self.path));
        match &self.fault {
            Fault::UnreadableDirectory(error) => match error.kind() {
                ErrorKind::NotFound => {
                    write!(f, "there is no such directory. What is there: ls -l {parent}")
                }
                ErrorKind::NotADirectory => {
                    write!(f, "this is not a directory (gifsDirectory). What it is: file {path}")
                }
                ErrorKind::PermissionDenied => file::fmt_denied(&self.path, f),
                _ => write!(f, "the directory cannot be read ({error}). Try: ls -l {path}"),
            },
            Fault::NoPicture => write!(
                f,
                "there is no picture in this directory (no file whose name ends in .gif); add some, or \
                 set gifsDirectory to null. What is there: ls -l {path}"
            ),
            Fault::TooMany { count, max } => write!(
                f,
                "there are {count} pictures in this directory; allowed: at most {max} (limits.maxGifs)"
            ),
            Fault::NotUtf8 => {
                write!(f, "the name is not UTF-8; rename the file. Its name: ls -lb {parent}")
            }
            Fault::NoId => write!(
                f,
                "the name does not begin with the picture's number; rename the file to a number from 1 to \
                 {MAX_NUMBER} and what it shows, such as \"7 a waving hand.gif\""
            ),
            Fault::Twice { id, other } => {
                write!(f, "{} also has the number {id}; rename one of them", other.display())
            }
            Fault::File(fault) => fault.fmt(&self.path, f),
            Fault::NoGif => {
                write!(f, "this is not a GIF, despite its name. What it is: file {path}")
            }
            Fault::TooLarge { max } => write!(
                f,
                "the picture is too large; allowed: at most {max} bytes (limits.maxGifBytes). \
                 How large it is: ls -l {path}"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
