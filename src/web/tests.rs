//! The page as a whole: no file is missing, and it stays small.

use std::io::Read;

use flate2::read::GzDecoder;
use http::Method;

use super::*;
use crate::net::http::{ParsedHead, parse_head};

/// The budget for the first load, in bytes: what a visitor's browser gets before the page can be used, including one
/// language beside English.
const MAX_PAGE_BYTES: usize = 60_000;

/// What every visitor loads, beside a language.
const FIRST: [&str; 6] = ["/", "/theme.js", "/style.css", "/owner.css", "/app.js", "/icon.svg"];

/// What stands before a quoted file name, by the kind of file.
fn marks(path: &str) -> &'static [&'static str] {
    let (_, ending) = path.rsplit_once('.').unwrap_or((path, "html"));
    match ending {
        "html" => &["src=", "href="],
        "js" => &["import("],
        "css" => &["url("],
        "webmanifest" => &["\"src\": ", "\"start_url\": "],
        _ => &[],
    }
}

/// The quoted names after one of these marks.
fn names<'a>(text: &'a str, marks: &[&str]) -> Vec<&'a str> {
    let behind =
        marks.iter().flat_map(|mark| text.match_indices(*mark).map(|(at, _)| at + mark.len()));
    let quoted = behind.filter_map(|at| {
        let quote = text[at..].chars().next().filter(|c| matches!(c, '"' | '\''))?;
        text[at + 1..].split(quote).next()
    });
    quoted.collect()
}

/// The path of what `file` refers to; `None` if that is on another site, or on the same page.
fn resolve(file: &str, name: &str) -> Option<String> {
    if name.contains(':') || name.starts_with(['#', '/']) {
        return None;
    }
    let name = name.split(['?', '#']).next().unwrap_or_default();
    let mut folders: Vec<&str> = file.split('/').collect();
    folders.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => drop(folders.pop()),
            part => folders.push(part),
        }
    }
    let path = folders.join("/");
    Some(if path.is_empty() { "/".to_owned() } else { path })
}

fn site() -> Site {
    Site::new(own_gifs(), &Settings::default(), None)
}

/// The response to a `GET` with these fields.
fn get(site: &Site, path: &str, fields: &str) -> Response {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    match parse_head(request.as_bytes(), 8_192) {
        ParsedHead::Complete(head, _) => site.respond(&head),
        _ => panic!("{request}"),
    }
}

/// The head and the body of a response.
fn parts(response: Response) -> (String, Vec<u8>) {
    let bytes = response.into_bytes(&Method::GET);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end + 4..].to_vec())
}

#[test]
fn every_file_that_the_page_refers_to_exists() {
    let site = site();
    let mut found = 0;
    for file in FILES {
        let Ok(text) = std::str::from_utf8(file.body) else { continue };
        for name in names(text, marks(file.path)) {
            let Some(path) = resolve(file.path, name) else { continue };
            assert!(site.assets.contains_key(&path), "{} names {name}", file.path);
            found += 1;
        }
    }
    assert!(found >= 5, "only {found}");
}

/// The page does without a style sheet that is missing, so nobody would notice.
#[test]
fn every_style_sheet_that_is_loaded_on_demand_exists() {
    let site = site();
    let mut found = 0;
    for file in FILES.iter().filter(|file| file.content_type.starts_with("text/javascript")) {
        let text = std::str::from_utf8(file.body).expect(file.path);
        for (at, _) in text.match_indices("'style/") {
            let name = text[at + 1..].split('\'').next().unwrap_or_default();
            assert!(site.assets.contains_key(&format!("/{name}")), "{} names {name}", file.path);
            found += 1;
        }
    }
    assert!(found >= 5, "only {found}");
}

#[test]
fn references_are_found_and_resolved() {
    let page = r##"<a href="#x"><script type="module" src="app.js"></script><a href='https://a.example/'>"##;
    assert_eq!(names(page, marks("/")), ["app.js", "#x", "https://a.example/"]);
    assert_eq!(names("await import('./e.js');", marks("/f/g.js")), ["./e.js"]);
    for (file, name, path) in [
        ("/", "app.js", "/app.js"),
        ("/", "./style.css?b", "/style.css"),
        ("/f/g.js", "./b/c.js", "/f/b/c.js"),
        ("/f/g.js", "../d.js", "/d.js"),
        ("/manifest.webmanifest", ".", "/"),
    ] {
        assert_eq!(resolve(file, name).as_deref(), Some(path), "{file}, {name}");
    }
    for elsewhere in ["#x", "https://a.example/", "data:,", "//a.example/"] {
        assert_eq!(resolve("/", elsewhere), None, "{elsewhere}");
    }
}

#[test]
fn the_page_stays_within_its_budget() {
    let site = site();
    let languages: Vec<&str> =
        FILES.iter().map(|file| file.path).filter(|path| path.starts_with("/texts/")).collect();
    assert!(languages.len() >= 3, "{languages:?}");
    for coding in ["br, gzip", "gzip"] {
        let sent = |path: &str| {
            let accept = format!("Accept-Encoding: {coding}\r\n");
            let bytes = parts(get(&site, path, &accept)).1.len();
            println!("{bytes:6} {path}");
            bytes
        };
        println!("With {coding}:");
        let files: usize = FIRST.iter().map(|path| sent(path)).sum();
        let sum = files + languages.iter().map(|path| sent(path)).max().unwrap_or_default();
        println!("{sum:6} bytes of {MAX_PAGE_BYTES}");
        assert!(sum <= MAX_PAGE_BYTES, "{sum} bytes with {coding}");
    }
}

/// What the page's own HTML loads is what the budget counts.
#[test]
fn the_budget_counts_all_that_is_loaded_first() {
    let (_, body) = parts(get(&site(), "/", ""));
    let page = String::from_utf8(body).unwrap();
    let found = names(&page, &["src=", "href="]);
    let loaded = found.into_iter().filter_map(|name| resolve("/", name));
    let later = ["/icon-192.png", "/manifest.webmanifest"];
    for path in loaded.filter(|path| !later.contains(&path.as_str())) {
        assert!(FIRST.contains(&path.as_str()), "{path} is not counted");
    }
}

#[test]
fn compressed_files_are_identical_and_smaller() {
    for file in FILES {
        if let Some(gzip) = file.gzip {
            let mut unpacked = Vec::new();
            GzDecoder::new(gzip).read_to_end(&mut unpacked).expect(file.path);
            assert!(unpacked == file.body, "{}", file.path);
            assert!(gzip.len() < file.body.len(), "{}", file.path);
            // RFC 1952 §2.3: no time stamp, so that every build has the same bytes.
            assert_eq!(gzip[4..8], [0; 4], "{}", file.path);
        }
        if let Some(mut brotli) = file.brotli {
            let mut unpacked = Vec::new();
            brotli_decompressor::BrotliDecompress(&mut brotli, &mut unpacked).expect(file.path);
            assert!(unpacked == file.body, "{}", file.path);
        }
        let is_script = file.content_type.starts_with("text/javascript");
        assert!(!is_script || file.brotli.is_some_and(|it| it.len() < file.gzip.unwrap().len()));
    }
}

#[test]
fn a_browser_gets_the_smallest_encoding_that_it_takes() {
    let site = site();
    for (accept, coding) in [("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0.1, gzip", "gzip")] {
        let accept = format!("Accept-Encoding: {accept}\r\n");
        let (head, _) = parts(get(&site, "/app.js", &accept));
        assert!(head.contains(&format!("content-encoding: {coding}\r\n")), "{head}");
        assert!(head.contains("vary: accept-encoding\r\n"), "{head}");
        let (_, tag) = head.split_once("etag: ").unwrap();
        let (tag, _) = tag.split_once("\r\n").unwrap();
        let again = get(&site, "/app.js", &format!("{accept}If-None-Match: {tag}\r\n"));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        // Another encoding is another file.
        let other = get(&site, "/app.js", &format!("If-None-Match: {tag}\r\n"));
        assert_eq!(other.status(), StatusCode::OK);
    }
    let (head, body) = parts(get(&site, "/app.js", ""));
    assert!(!head.contains("content-encoding"), "{head}");
    assert!(head.contains("vary: accept-encoding\r\n"), "{head}");
    assert!(body == site.assets["/app.js"].plain.body);
}

#[test]
fn the_page_is_the_same_compressed_or_not() {
    let mut settings = Settings { title: "Frog & Pond".to_owned(), ..Settings::default() };
    for welcome in [None, Some("é".repeat(4_000))] {
        settings.welcome = welcome;
        let site = Site::new(own_gifs(), &settings, None);
        let (head, plain) = parts(get(&site, "/", ""));
        assert!(head.contains("vary: accept-encoding"), "{head}");
        let (head, gzip) = parts(get(&site, "/", "Accept-Encoding: br, gzip\r\n"));
        assert!(head.contains("content-encoding: gzip"), "{head}");
        let mut unpacked = Vec::new();
        GzDecoder::new(&gzip[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain);
        let text = String::from_utf8(plain).unwrap();
        assert!(text.contains("<title>Frog &amp; Pond</title>") && text.ends_with("</html>\n"));
        assert!(!text.contains(MARKER));
    }
}

fn icon(name: &str, body: &[u8]) -> Icon {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, body).unwrap();
    read_icon(&path, &Settings::default().limits).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_owners_icon_replaces_the_built_in_ones() {
    let built_in = text_of("/icon.svg");
    let png = include_bytes!("icon-512.png");
    let site = Site::new(own_gifs(), &Settings::default(), Some(&icon("a.png", png)));
    for path in ["/icon-192.png", "/icon-512.png"] {
        let (head, body) = parts(get(&site, path, ""));
        assert!(head.contains("content-type: image/png\r\n"), "{head}");
        assert!(body == png, "{path}");
    }
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    let other = Site::new(own_gifs(), &Settings::default(), Some(&icon("a.svg", svg)));
    assert!(other.assets["/icon.svg"].plain.body == svg[..]);
    assert!(!other.assets.contains_key("/icon-192.png"));
    let mut versions = Vec::new();
    for site in [self::site(), site, other] {
        for path in ["/icon.svg", "/icon-unread.svg"] {
            let (head, _) = parts(get(&site, path, ""));
            assert!(head.contains("content-type: image/svg+xml\r\n"), "{head}");
            // Nothing in it may run, also where it is opened by itself.
            assert!(head.contains("default-src 'none'; style-src 'unsafe-inline'; "), "{head}");
            assert!(head.contains(" sandbox; "), "{head}");
            assert!(head.contains("x-content-type-options: nosniff\r\n"), "{head}");
        }
        let (_, json) = parts(get(&site, "/page.json", ""));
        let page: serde_json::Value = serde_json::from_slice(&json).unwrap();
        versions.push(page["icon"].as_str().unwrap().to_owned());
    }
    versions.dedup();
    assert_eq!(versions.len(), 3, "another icon has another address: {versions:?}");
    assert!(built_in.contains("<svg"));
}

#[test]
fn every_built_in_gif_exists_and_has_a_description() {
    let in_folder =
        FILES.iter().filter(|file| file.path.starts_with(gifs::FOLDER)).map(|file| file.path);
    let mut in_folder: Vec<String> = in_folder.map(str::to_owned).collect();
    let pictures = own_gifs();
    let mut listed: Vec<String> =
        pictures.iter().map(|picture| gifs::address(picture.gif.id)).collect();
    assert!(pictures.is_sorted_by_key(|picture| picture.gif.id));
    in_folder.sort();
    listed.sort();
    assert_eq!(listed, in_folder, "src/web/gifs.rs lists what is in src/web/gifs");
    for Picture { gif, body } in pictures {
        assert!(body.starts_with(b"GIF8"), "{gif:?}");
        assert!(!gif.alt.trim().is_empty(), "{gif:?}");
    }
}

#[test]
fn the_operators_gifs_replace_the_built_in_ones() {
    let gif = Gif { id: 77, alt: "A kite".to_owned() };
    let site = Site::new(
        vec![Picture { gif, body: Bytes::from_static(b"GIF89a") }],
        &Settings::default(),
        None,
    );
    let pictures: Vec<&String> =
        site.assets.keys().filter(|path| path.starts_with(gifs::FOLDER)).collect();
    assert_eq!(pictures, ["/gifs/77.gif"]);
    assert_eq!(site.assets[GIFS_PATH].plain.body, r#"[{"id":77,"alt":"A kite"}]"#);
}
