//! Whatever the accent, everything can be read.

use proptest::prelude::*;

use super::*;

/// The style sheet where the page's colours are.
const STYLE: &str = include_str!("../style/base.css");

fn page() -> Grounds {
    Grounds::of(STYLE)
        .expect("base.css has the colours of the page as light-dark(#rrggbb, #rrggbb)")
}

/// Each text of the page that has to do with the accent, on what it stands on, and the least contrast.
fn texts(colors: &Colors, page: &Grounds) -> Vec<(&'static str, Pair, Pair, f64)> {
    let Colors { accent, on_accent, own, own_soft } = *colors;
    let [ground, surface, raised] = page.grounds;
    vec![
        ("accent on the ground", accent, ground, READABLE),
        ("accent on a surface", accent, surface, READABLE),
        ("accent on what is raised", accent, raised, READABLE),
        ("accent in an own message", accent, own, READABLE),
        ("text on the accent", on_accent, accent, READABLE),
        ("text of an own message", page.ink, own, COMFORTABLE),
        ("quiet text of an own message", own_soft, own, READABLE),
    ]
}

fn check(accent: [u8; 3]) -> Result<(), TestCaseError> {
    let (accent, page) = (Color(accent), page());
    let colors = Colors::new(accent, &page);
    for (what, text, ground, least) in texts(&colors, &page) {
        for (text, ground) in [(text.light, ground.light), (text.dark, ground.dark)] {
            let found = contrast(text, ground);
            prop_assert!(found >= least, "{accent}: {what}: {text} on {ground}: {found:.2}");
        }
    }
    let wanted = Oklch::of(accent);
    for color in [colors.accent.light, colors.accent.dark, colors.own.light, colors.own.dark] {
        let found = Oklch::of(color);
        // The hue of a grey says nothing, and that of nearly grey colours is rough in 8 bits.
        let turned = (found.hue - wanted.hue).cos().acos().to_degrees();
        let is_colorful = found.chroma > 0.03 && wanted.chroma > 0.03;
        prop_assert!(!is_colorful || turned < 6.0, "{accent} became {color}, by {turned:.1}°");
    }
    Ok(())
}

#[test]
fn the_extreme_colours_can_be_read() {
    let levels = [0, 1, 64, 128, 191, 254, 255];
    for red in levels {
        for green in levels {
            for blue in levels {
                check([red, green, blue]).unwrap();
            }
        }
    }
}

proptest! {
    #[test]
    fn every_colour_can_be_read(accent in any::<[u8; 3]>()) {
        check(accent)?;
    }
}

#[test]
fn a_colour_that_can_be_read_stays() {
    for (accent, light, dark) in
        [([0x0f, 0x60, 0x5a], true, false), ([0x8c, 0xe0, 0xd2], false, true)]
    {
        let colors = Colors::new(Color(accent), &page());
        assert_eq!(colors.accent.light == Color(accent), light, "{colors:?}");
        assert_eq!(colors.accent.dark == Color(accent), dark, "{colors:?}");
    }
}

/// The known values of the colour space.
#[test]
fn oklch_is_that_of_its_author() {
    for (color, lightness, chroma, hue) in [
        ([255, 255, 255], 1.0, 0.0, None),
        ([0, 0, 0], 0.0, 0.0, None),
        ([255, 0, 0], 0.628, 0.258, Some(29.23)),
        ([0, 0, 255], 0.452, 0.313, Some(264.05)),
    ] {
        let found = Oklch::of(Color(color));
        assert!((found.lightness - lightness).abs() < 0.001, "{found:?}");
        assert!((found.chroma - chroma).abs() < 0.001, "{found:?}");
        let degrees = found.hue.to_degrees().rem_euclid(360.0);
        assert!(hue.is_none_or(|hue| (degrees - hue).abs() < 0.1), "{degrees}");
        assert_eq!(found.to_color(), Color(color));
    }
}

/// The known values of WCAG.
#[test]
fn contrast_is_that_of_wcag() {
    let white = Color([255; 3]);
    assert!((contrast(white, Color([0; 3])) - 21.0).abs() < 0.001);
    assert!((contrast(Color([0x77; 3]), white) - 4.48).abs() < 0.01);
}

/// They would not be readable, or the accent's rule would not reach them.
#[test]
fn the_built_in_colours_can_be_read() {
    let pair = |name: &str| {
        let (_, rest) = STYLE.split_once(&format!("--{name}: light-dark(")).expect(name);
        let (light, dark) = rest.split_once(')').unwrap().0.split_once(',').unwrap();
        Pair { light: Color::parse(light).unwrap(), dark: Color::parse(dark).unwrap() }
    };
    let own = Colors {
        accent: pair("accent"),
        on_accent: pair("on-accent"),
        own: pair("own"),
        own_soft: pair("own-soft"),
    };
    let page = page();
    for (what, text, ground, _) in texts(&own, &page) {
        for (text, ground) in [(text.light, ground.light), (text.dark, ground.dark)] {
            let found = contrast(text, ground);
            assert!(found >= READABLE, "{what}: {text} on {ground}: {found:.2}");
        }
    }
}
