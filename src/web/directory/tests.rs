//! Tests of reading the operator's GIFs.

use std::os::unix::fs::symlink;

use rustix::fs::{CWD, Mode, mknodat};
use tempfile::{TempDir, tempdir};

use super::*;

/// The part of a GIF that is checked.
const GIF: &[u8] = b"GIF89a and the image data";

/// A directory with these files.
fn with(names: &[&str]) -> TempDir {
    let folder = tempdir().unwrap();
    for name in names {
        fs::write(folder.path().join(name), GIF).unwrap();
    }
    folder
}

/// Reads it with the default limits.
fn read_all(folder: &TempDir) -> Result<Vec<Picture>, GifsError> {
    read(folder.path(), &Limits::default())
}

/// The description of the only GIF, given its file name.
#[track_caller]
fn named(name: &str) -> (u64, String) {
    let pictures = read_all(&with(&[name])).unwrap_or_else(|error| panic!("{error}"));
    let [Picture { gif, body }] = &pictures[..] else { panic!("{pictures:?}") };
    assert_eq!(body, GIF);
    (gif.id, gif.alt.clone())
}

/// Asserts that the directory is refused with these words, about this file (empty: the directory).
#[track_caller]
fn refused(folder: &TempDir, limits: &Limits, file: &str, words: &[&str]) {
    let error = read(folder.path(), limits).expect_err("the directory is refused");
    let path = if file.is_empty() { folder.path().to_owned() } else { folder.path().join(file) };
    assert_eq!(error.path(), path, "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{}: ", path.display())), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[track_caller]
fn refused_name(name: &str, words: &[&str]) {
    refused(&with(&[name]), &Limits::default(), name, words);
}

#[test]
fn a_file_name_holds_the_id_and_the_description() {
    assert_eq!(named("7.gif"), (7, "GIF 7".to_owned()));
    assert_eq!(named("7 .gif"), (7, "GIF 7".to_owned()));
    assert_eq!(named("7 a waving hand.gif"), (7, "a waving hand".to_owned()));
    assert_eq!(named("7-a_waving-hand.gif"), (7, "a waving hand".to_owned()));
    assert_eq!(named("12__Prost!  Zum Wohl.GIF"), (12, "Prost! Zum Wohl".to_owned()));
    assert_eq!(named("007 Bond.gif"), (7, "Bond".to_owned()));
    assert_eq!(named("1 what? 100 %.x.gif"), (1, "what? 100 %.x".to_owned()));
    assert_eq!(named("2 küssen 💋.gif"), (2, "küssen 💋".to_owned()));
    assert_eq!(named("9007199254740991.gif").0, MAX_NUMBER);
}

#[test]
fn gifs_are_ordered_by_id_and_other_files_ignored() {
    let folder = with(&["10 ten.gif", "9 nine.gif", "README", "list.txt", ".hidden.gif", "gif"]);
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(folder.path().join("1.gif"), b"GIF87a").unwrap();
    symlink(folder.path().join("1.gif"), folder.path().join("2 linked.gif")).unwrap();
    let pictures = read_all(&folder).unwrap_or_else(|error| panic!("{error}"));
    let ids: Vec<u64> = pictures.iter().map(|picture| picture.gif.id).collect();
    assert_eq!(ids, [1, 2, 9, 10]);
}

#[test]
fn a_name_without_an_id() {
    let words = &["does not begin with the picture's number", "rename", "7 a waving hand.gif"];
    for name in ["wave.gif", "0 zero.gif", "-1.gif", "+1.gif", "7a.gif", "7.5.gif", " 7.gif"] {
        refused_name(name, words);
    }
    refused_name("9007199254740992.gif", words);
    refused_name("99999999999999999999999.gif", words);
}

#[test]
fn an_id_used_twice() {
    let folder = with(&["1 one.gif", "2 two.gif", "2-too.gif"]);
    let words = &["2 two.gif also has the number 2", "rename"];
    refused(&folder, &Limits::default(), "2-too.gif", words);
}

#[test]
fn a_file_that_is_not_a_gif() {
    let folder = with(&["1.gif"]);
    for bytes in [&b""[..], b"GIF", b"GIF88a", b"\x89PNG\r\n\x1a\n", b"gif89a"] {
        fs::write(folder.path().join("1.gif"), bytes).unwrap();
        refused(&folder, &Limits::default(), "1.gif", &["not a GIF", "file /"]);
    }
}

#[test]
fn a_missing_and_an_empty_directory() {
    let folder = tempdir().unwrap();
    refused(&folder, &Limits::default(), "", &["no picture in this directory", ".gif", "ls -l"]);
    fs::write(folder.path().join("a file"), GIF).unwrap();

    let no_such = read(&folder.path().join("none"), &Limits::default()).unwrap_err().to_string();
    let expected = "none: there is no such directory. What is there: ls -l /";
    assert!(no_such.contains(expected), "{no_such}");
    let a_file = read(&folder.path().join("a file"), &Limits::default()).unwrap_err().to_string();
    assert!(a_file.contains("a file: this is not a directory"), "{a_file}");
    assert!(a_file.ends_with("/a file'"), "the command can be copied: {a_file}");
}

#[test]
fn an_unreadable_file() {
    let folder = with(&[]);
    let path = folder.path().join("1.gif");
    symlink("nowhere", &path).unwrap();
    refused(&folder, &Limits::default(), "1.gif", &["a link to nothing"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(&folder, &Limits::default(), "1.gif", &["this is not a file"]);
    fs::remove_dir(&path).unwrap();
    // Opening one blocks until somebody writes to it.
    mknodat(CWD, &path, rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
    refused(&folder, &Limits::default(), "1.gif", &["this is not a file"]);
}

#[test]
fn the_maximum_number() {
    let folder = with(&["1.gif", "2.gif", "3.gif"]);
    let limits = |max_gifs| Limits { max_gifs, ..Limits::default() };
    assert_eq!(read(folder.path(), &limits(3)).unwrap().len(), 3);
    let words = &["3 pictures", "at most 2 (limits.maxGifs)"];
    refused(&folder, &limits(2), "", words);
}

#[test]
fn the_maximum_size() {
    let folder = with(&["1.gif"]);
    let limits = |max_gif_bytes| Limits { max_gif_bytes, ..Limits::default() };
    assert_eq!(read(folder.path(), &limits(GIF.len())).unwrap()[0].body, GIF);
    let words = &["too large", "(limits.maxGifBytes)", "ls -l /"];
    refused(&folder, &limits(GIF.len() - 1), "1.gif", words);
}
