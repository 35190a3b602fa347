//! The page as a whole: no file is missing, and it stays small.

use std::io::Read;

use flate2::read::GzDecoder;

use super::*;

/// The budget for page, scripts and styles together, compressed, in bytes: what a visitor loads,
/// including one language beside English.
const MAX_PAGE_BYTES: usize = 60_000;

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
    Site::new(own_gifs())
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
    let is_counted = |file: &&File| {
        ["text/html", "text/javascript", "text/css"]
            .iter()
            .any(|it| file.content_type.starts_with(it))
    };
    let (mut sum, mut largest_language) = (0, 0);
    for file in FILES.iter().filter(is_counted) {
        let sent = file.gzip.unwrap_or(file.body).len();
        println!("{sent:6} {}", file.path);
        if file.path.starts_with("/texts/") {
            largest_language = sent.max(largest_language);
        } else {
            sum += sent;
        }
    }
    assert!(largest_language > 0);
    sum += largest_language;
    println!("{sum:6} bytes of {MAX_PAGE_BYTES}");
    assert!(sum <= MAX_PAGE_BYTES, "{sum} bytes");
}

#[test]
fn compressed_files_are_identical_and_smaller() {
    for file in FILES {
        let Some(gzip) = file.gzip else { continue };
        let mut unpacked = Vec::new();
        GzDecoder::new(gzip).read_to_end(&mut unpacked).expect(file.path);
        assert!(unpacked == file.body, "{}", file.path);
        assert!(gzip.len() < file.body.len(), "{}", file.path);
        // RFC 1952 §2.3: no time stamp, so that every build has the same bytes.
        assert_eq!(gzip[4..8], [0; 4], "{}", file.path);
    }
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
    let site = Site::new(vec![Picture { gif, body: Bytes::from_static(b"GIF89a") }]);
    let pictures: Vec<&String> =
        site.assets.keys().filter(|path| path.starts_with(gifs::FOLDER)).collect();
    assert_eq!(pictures, ["/gifs/77.gif"]);
    assert_eq!(site.assets[GIFS_PATH].plain.body, r#"[{"id":77,"alt":"A kite"}]"#);
}
