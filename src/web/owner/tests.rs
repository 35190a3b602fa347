//! What the owner says is shown, and is nothing but text.

use proptest::prelude::*;

use super::*;

const STYLE: &str = include_str!("../style/base.css");
const MANIFEST: &str = include_str!("../manifest.webmanifest");

/// What comes before the marker.
const BEFORE: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n  ";

const VERSIONS: Versions<'_> = Versions { icon: "abc", style: "def" };

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

fn head(settings: &Settings, icon: Option<&Icon>) -> String {
    Owner::new(settings, icon, STYLE).head(BEFORE, &VERSIONS)
}

fn of_kind(kind: Kind) -> Icon {
    Icon { kind, body: "x".into() }
}

#[test]
fn the_head_without_any_setting() {
    let expected = r#"<!doctype html>
<html lang="en">
<head>
  <title>wschat</title>
  <meta name="description" content="A place to chat. Choose a name and join in, no account needed.">
  <meta property="og:type" content="website">
  <meta property="og:site_name" content="wschat">
  <meta property="og:title" content="wschat">
  <meta property="og:description" content="A place to chat. Choose a name and join in, no account needed.">
  <link rel="icon" id="favicon" type="image/svg+xml" href="icon.svg?abc">
  <link rel="apple-touch-icon" href="icon-192.png?abc">
  <link rel="manifest" href="manifest.webmanifest">
  <link rel="stylesheet" id="owner-style" href="owner.css?def">
  <script type="application/json" id="owner">{"icon":"icon.svg?abc","language":null,"style":"owner.css?def","title":"wschat","unreadIcon":"icon-unread.svg?abc","welcome":""}</script>"#;
    assert_eq!(head(&Settings::default(), None), expected);
    assert_eq!(Owner::new(&Settings::default(), None, STYLE).style(), "");
}

#[test]
fn a_page_whose_owner_says_nothing_is_described_in_its_language() {
    for (language, start) in
        [("de", "Ein Ort"), ("es", "Un lugar"), ("fr", "Un lieu"), ("en", "A place")]
    {
        let settings = settings(|settings| settings.language = Some(language.to_owned()));
        let line = format!("<meta name=\"description\" content=\"{start}");
        assert!(head(&settings, None).contains(&line), "{language}");
    }
}

#[test]
fn the_head_with_everything_set() {
    let settings = settings(|settings| {
        settings.title = " Frog & Pond ".to_owned();
        settings.welcome = Some("# Hi\r\n\r\nA *calm* \"place\".".to_owned());
        settings.language = Some("de".to_owned());
        settings.domain = Some("chat.example.org".to_owned());
    });
    let text = head(&settings, Some(&of_kind(Kind::Png(512))));
    for line in [
        "<html lang=\"de\">",
        "<title>Frog &amp; Pond</title>",
        "<meta name=\"description\" content=\"A calm &quot;place&quot;.\">",
        "<meta property=\"og:title\" content=\"Frog &amp; Pond\">",
        "<meta property=\"og:description\" content=\"A calm &quot;place&quot;.\">",
        "<meta property=\"og:url\" content=\"https://chat.example.org/\">",
        "<meta property=\"og:image\" content=\"https://chat.example.org/icon-512.png?abc\">",
        r#""title":"Frog \u0026 Pond""#,
        r##""welcome":"# Hi\n\nA *calm* \"place\"."}"##,
        "\"language\":\"de\"",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    // What shows previews, and phones, take no SVG, and the built-in icon would be the wrong one.
    let text = head(&settings, Some(&of_kind(Kind::Svg)));
    assert!(!text.contains("og:image") && !text.contains("apple-touch-icon"), "{text}");
}

#[test]
fn the_public_address() {
    let of = |domain: &str, certificate: Option<&str>, listen: &[&str]| {
        address(&settings(|settings| {
            settings.domain = Some(domain.to_owned());
            settings.certificate = certificate.map(Into::into);
            settings.listen = listen.iter().map(|&address| address.into()).collect();
        }))
        .unwrap()
    };
    assert_eq!(address(&Settings::default()), None);
    assert_eq!(of("a.example", None, &[]), "https://a.example/");
    assert_eq!(of("a.example", Some("cert.pem"), &[]), "https://a.example:8776/");
    assert_eq!(of("a.example", Some("cert.pem"), &["[::]:443"]), "https://a.example/");
    assert_eq!(of("a.example", Some("cert.pem"), &["systemd"]), "https://a.example/");
    assert_eq!(of("2001:db8::1", None, &[]), "https://[2001:db8::1]/");
    assert_eq!(of("[2001:db8::1]", None, &[]), "https://[2001:db8::1]/");
}

#[test]
fn the_manifest_has_the_owner_s_name_icon_and_colour() {
    let with = |settings: &Settings, icon: Option<&Icon>| -> Value {
        let text = Owner::new(settings, icon, STYLE).manifest(MANIFEST, "abc");
        serde_json::from_str(&text).unwrap()
    };
    let built_in: Value = serde_json::from_str(MANIFEST).unwrap();
    assert_eq!(with(&Settings::default(), None), built_in);
    let settings = settings(|settings| {
        settings.title = "\"Pond\"".to_owned();
        settings.accent = Some("#00ff00".to_owned());
        settings.language = Some("fr".to_owned());
    });
    let manifest = with(&settings, Some(&of_kind(Kind::Png(256))));
    assert_eq!(manifest["name"], "\"Pond\"");
    assert_eq!(manifest["short_name"], "\"Pond\"");
    assert_eq!(manifest["lang"], "fr");
    assert_eq!(manifest["start_url"], built_in["start_url"]);
    assert_eq!(manifest["icons"][0]["sizes"], "256x256");
    let color = manifest["theme_color"].as_str().unwrap();
    assert!(color != "#00ff00" && Owner::new(&settings, None, STYLE).style().contains(color));
    assert_eq!(with(&settings, Some(&of_kind(Kind::Svg)))["icons"][0]["type"], "image/svg+xml");
}

/// Texts that end what they stand in, if it is not escaped.
const HOSTILE: [&str; 12] = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "--><img src=x onerror=alert(1)>",
    "]]>",
    "\"><b>",
    "' onload='alert(1)",
    "&quot;&lt;",
    "\u{2028}alert(1)\u{2029}",
    "\\u003c\\",
    "</title></head>",
    "a\r\n<b>\n\"c\"",
    "}</style>{",
];

/// The head has the same tags and attributes as one without hostile texts, and gives the texts back unchanged.
fn check(text: &str) {
    let settings = settings(|settings| {
        settings.title = text.replace(['\r', '\n', '\u{2028}', '\u{2029}'], " ");
        settings.welcome = Some(text.to_owned());
        settings.domain = Some("a.example".to_owned());
    });
    let plain = self::settings(|settings| {
        settings.domain = Some("a.example".to_owned());
        settings.welcome = Some("x".to_owned());
    });
    let found = head(&settings, None);
    assert_eq!(skeleton(&found), skeleton(&head(&plain, None)), "{found}");

    let owner = Owner::new(&settings, None, STYLE);
    let (_, block) = found.split_once("id=\"owner\">").unwrap();
    let json = block.strip_suffix("</script>").unwrap();
    assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\n']), "{json}");
    let read: Value = serde_json::from_str(json).unwrap();
    assert_eq!(read, owner.page(&VERSIONS));
    assert_eq!(read["welcome"], text.replace("\r\n", "\n"));
    let (_, title) = found.split_once("<title>").unwrap();
    let (title, _) = title.split_once("</title>").unwrap();
    assert_eq!(unescape(title), settings.title.trim());
}

/// The tags of a text, with the names of their attributes, as a parser of HTML sees them.
fn skeleton(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let (mut tag, mut quote) = (String::new(), None);
        let end = after.find(|c: char| match quote {
            Some(open) => {
                quote = Some(open).filter(|_| c != open);
                false
            }
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                false
            }
            None => {
                tag.push(c);
                c == '>'
            }
        });
        tags.push(tag);
        rest = &after[end.expect("each tag ends")..];
    }
    tags
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

#[test]
fn hostile_texts_are_only_text() {
    for text in HOSTILE {
        check(text);
    }
    check(&HOSTILE.concat());
}

proptest! {
    #[test]
    fn any_text_is_only_text(text in r#"[\PC<>&"'/\\!\-=\n]{1,60}"#) {
        check(&text);
    }
}

/// They stand in the style sheet and in the manifest.
#[test]
fn the_colours_are_nothing_but_colours() {
    let settings = settings(|settings| settings.accent = Some("#ff0080".to_owned()));
    settings.check().unwrap();
    let style = Owner::new(&settings, None, STYLE).style();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "#(),-:;{}@ \n".contains(c);
    assert!(style.chars().all(is_plain), "{style}");
    for name in ["--accent", "--on-accent", "--own", "--own-soft"] {
        assert_eq!(style.matches(&format!("{name}:light-dark(#")).count(), 1, "{style}");
    }
    let strange = self::settings(|settings| settings.accent = Some("red;}".to_owned()));
    assert!(strange.check().is_err());
    assert_eq!(Owner::new(&strange, None, STYLE).style(), "");
}
