//! Which files can be the page's icon.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, Mode, mknodat};
use tempfile::tempdir;

use super::*;

/// The part of a PNG that is checked.
fn png(width: u32, height: u32) -> Vec<u8> {
    let header: &[u8] = b"\0\0\0\x0dIHDR";
    [PNG, header, &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\x06"].concat()
}

const SVG: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>"#;

fn read_bytes(body: &[u8], max_icon_bytes: usize) -> Result<Icon, IconError> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("icon");
    fs::write(&path, body).unwrap();
    read(&path, &Limits { max_icon_bytes, ..Limits::default() })
}

#[track_caller]
fn accepted(body: &[u8]) -> Kind {
    let icon = read_bytes(body, 100_000).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(icon.body, body);
    icon.kind
}

#[track_caller]
fn refused(body: &[u8], words: &str) {
    let error = read_bytes(body, 100).expect_err(words).to_string();
    assert!(error.contains(words), "{words:?} is not in {error}");
}

#[test]
fn a_square_png() {
    assert_eq!(accepted(&png(64, 64)), Kind::Png(64));
    assert_eq!(accepted(&png(512, 512)), Kind::Png(512));
    refused(&png(63, 63), "63 pixels wide; allowed: at least 64");
    refused(&png(640, 480), "640 pixels wide and 480 high; an icon is square");
    refused(&png(64, 64)[..20], "neither a PNG nor an SVG");
    refused(b"\x89PNG\r\n\x1a\nIHDR", "neither a PNG nor an SVG");
    refused(b"GIF89a", "neither a PNG nor an SVG");
    refused(b"", "neither a PNG nor an SVG");
}

#[test]
fn an_svg_whatever_comes_before_it() {
    for before in [
        "",
        "\u{feff}",
        " \n",
        "<?xml version=\"1.0\"?>\n",
        "<!-- <html> -->",
        "<?xml version=\"1.0\"?><!DOCTYPE svg PUBLIC \"a\" \"b\">\n<!-- a --> ",
    ] {
        assert_eq!(accepted(format!("{before}{SVG}").as_bytes()), Kind::Svg, "{before}");
    }
    for text in [
        "<html><svg/></html>".to_owned(),
        "<svgs/>".to_owned(),
        "svg".to_owned(),
        "<!-- ".to_owned() + SVG,
        "<svg".to_owned(),
    ] {
        refused(text.as_bytes(), "neither a PNG nor an SVG");
    }
    refused(b"<svg viewBox=\"0 0 1 1\"/>", "write <svg xmlns=");
}

#[test]
fn the_maximum_size() {
    let padded = |length: usize| format!("{SVG:length$}").into_bytes();
    assert!(read_bytes(&padded(100), 100).is_ok());
    let error = read_bytes(&padded(101), 100).unwrap_err().to_string();
    assert!(error.contains("at most 100 bytes (limits.maxIconBytes)"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read() {
    let folder = tempdir().unwrap();
    let check = |name: &str, words: &str| {
        let path = folder.path().join(name);
        let error = read(&path, &Limits::default()).expect_err(words);
        assert_eq!(error.path(), path);
        let text = error.to_string();
        assert!(text.contains(words), "{words:?} is not in {text}");
    };
    check("missing.png", "there is no such file. What is there: ls -l");
    symlink("nothing", folder.path().join("link.png")).unwrap();
    check("link.png", "this is a link to nothing");
    fs::create_dir(folder.path().join("folder.png")).unwrap();
    check("folder.png", "this is not a file");
    let mode = Mode::from_raw_mode(0o644);
    mknodat(CWD, folder.path().join("pipe.png"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    check("pipe.png", "this is not a file");
}

#[test]
fn both_kinds_get_a_dot_when_something_is_unread() {
    for (body, data) in [
        (png(64, 64), "data:image/png;base64,iVBOR"),
        (SVG.into(), "data:image/svg+xml;base64,PHN2Z"),
    ] {
        let icon = read_bytes(&body, 1_000).unwrap();
        let unread = String::from_utf8(icon.unread().to_vec()).unwrap();
        assert!(unread.contains(data) && unread.contains(DOT), "{unread}");
        assert_eq!(read_bytes(unread.as_bytes(), 10_000).unwrap().kind, Kind::Svg);
        let plain = String::from_utf8(icon.as_svg().to_vec()).unwrap();
        assert!(!plain.contains(DOT), "{plain}");
        assert_eq!(read_bytes(plain.as_bytes(), 10_000).unwrap().kind, Kind::Svg);
    }
}

/// Otherwise the owner's icon would have another dot than the built-in one.
#[test]
fn the_dot_is_that_of_the_built_in_icon() {
    let built_in = include_str!("../icon-unread.svg");
    assert!(built_in.contains(DOT), "{DOT} is not in icon-unread.svg");
}
