//! The colours that follow from the owner's accent: readable on every ground of the page, light and dark. Pure.
//!
//! The hue stays, the lightness goes as far as it must. Both are those of OKLCH, the polar form of `OKLab`, in which
//! equal steps look equal: <https://bottosson.github.io/posts/oklab/>, which the matrices are from. How well one
//! colour can be read on another is the contrast ratio of WCAG 2.2.

use std::fmt;

/// The least contrast of text (WCAG 2.2, success criterion 1.4.3).
const READABLE: f64 = 4.5;

/// The least contrast of long texts (success criterion 1.4.6).
const COMFORTABLE: f64 = 7.0;

/// By how much the lightness changes, until a colour can be read.
const STEP: f64 = 0.004;

/// A colour of sRGB.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Color(pub(super) [u8; 3]);

/// A colour in a light page, and its counterpart in a dark one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) light: Color,
    pub(super) dark: Color,
}

/// What the page's colours are, where they do not follow from the accent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grounds {
    /// What text stands on.
    pub(super) grounds: [Pair; 3],
    pub(super) ink: Pair,
}

/// The colours that follow from an accent. Each is readable on what it stands on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Colors {
    /// Links and borders, on each ground and on `own`, and the ground of main buttons.
    pub(super) accent: Pair,
    /// Text on the accent.
    pub(super) on_accent: Pair,
    /// The ground of the user's own messages.
    pub(super) own: Pair,
    /// Quieter text on `own`.
    pub(super) own_soft: Pair,
}

/// The accent in one of both schemes. `toward` is the lightness that contrasts with the grounds: 0 or 1.
struct Scheme {
    grounds: [Color; 3],
    ink: Color,
    toward: f64,
    own: Oklch,
    soft: Oklch,
    on_accent: Oklch,
}

impl Grounds {
    /// Reads the colours of the page's style sheet; `None` if one is missing.
    pub(super) fn of(style: &str) -> Option<Self> {
        let pair = |name: &str| {
            let (_, rest) = style.split_once(&format!("--{name}: light-dark("))?;
            let (light, dark) = rest.split_once(')')?.0.split_once(',')?;
            Some(Pair { light: Color::parse(light)?, dark: Color::parse(dark)? })
        };
        let grounds = [pair("ground")?, pair("surface")?, pair("raised")?];
        Some(Self { grounds, ink: pair("ink")? })
    }
}

impl Colors {
    pub(super) fn new(accent: Color, page: &Grounds) -> Self {
        let accent = Oklch::of(accent);
        let tint = |lightness, most: f64| Oklch {
            lightness,
            chroma: accent.chroma.min(most),
            hue: accent.hue,
        };
        let light = Scheme {
            grounds: page.grounds.map(|pair| pair.light),
            ink: page.ink.light,
            toward: 0.0,
            own: tint(0.92, 0.045),
            soft: tint(0.44, 0.035),
            on_accent: tint(1.0, 0.0),
        };
        let dark = Scheme {
            grounds: page.grounds.map(|pair| pair.dark),
            ink: page.ink.dark,
            toward: 1.0,
            own: tint(0.37, 0.06),
            soft: tint(0.8, 0.04),
            on_accent: tint(0.22, 0.035),
        };
        let (light, dark) = (light.colors(accent), dark.colors(accent));
        let [accent, on_accent, own, own_soft] =
            std::array::from_fn(|at| Pair { light: light[at], dark: dark[at] });
        Self { accent, on_accent, own, own_soft }
    }
}

impl Scheme {
    /// The accent, what stands on it, the ground of own messages, and quieter text there.
    fn colors(&self, accent: Oklch) -> [Color; 4] {
        let away = 1.0 - self.toward;
        let own = self.own.until(away, |own| contrast(own, self.ink) >= COMFORTABLE);
        let [a, b, c] = self.grounds;
        let accent = accent.until(self.toward, |accent| {
            [a, b, c, own].iter().all(|ground| contrast(accent, *ground) >= READABLE)
        });
        let on_accent = self.on_accent.until(away, |text| contrast(text, accent) >= READABLE);
        let soft = self.soft.until(self.toward, |text| contrast(text, own) >= READABLE);
        [accent, on_accent, own, soft]
    }
}

/// Lightness from 0 to 1, chroma from 0 on, and the hue in radians.
#[derive(Clone, Copy, Debug)]
struct Oklch {
    lightness: f64,
    chroma: f64,
    hue: f64,
}

impl Oklch {
    fn of(color: Color) -> Self {
        let cones = times(&CONES_OF_LIGHT, color.linear()).map(f64::cbrt);
        let [lightness, a, b] = times(&LAB_OF_CONES, cones);
        Self { lightness, chroma: a.hypot(b), hue: b.atan2(a) }
    }

    /// The first colour on the way to the lightness `end` with which all is well, or that at the end.
    fn until(self, end: f64, is_well: impl Fn(Color) -> bool) -> Color {
        let mut lightness = self.lightness;
        loop {
            let color = Self { lightness, ..self }.to_color();
            if is_well(color) || (lightness - end).abs() < STEP {
                return color;
            }
            lightness += STEP.copysign(end - lightness);
        }
    }

    /// The colour of sRGB with this lightness and hue that has most of the chroma.
    fn to_color(self) -> Color {
        let mut color = self;
        let mut linear = color.linear();
        while linear.iter().any(|part| !(-0.000_5..=1.000_5).contains(part)) && color.chroma > 0.001
        {
            color.chroma *= 0.98;
            linear = color.linear();
        }
        Color(linear.map(encode))
    }

    /// Red, green and blue of light.
    fn linear(self) -> [f64; 3] {
        let (a, b) = (self.chroma * self.hue.cos(), self.chroma * self.hue.sin());
        let cones = times(&CONES_OF_LAB, [self.lightness, a, b]);
        times(&LIGHT_OF_CONES, cones.map(|part| part.powi(3)))
    }
}

/// What the three kinds of cones of an eye make of red, green and blue.
const CONES_OF_LIGHT: [[f64; 3]; 3] = [
    [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
    [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
    [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
];

const LAB_OF_CONES: [[f64; 3]; 3] = [
    [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
    [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
    [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
];

const CONES_OF_LAB: [[f64; 3]; 3] = [
    [1.0, 0.396_337_777_4, 0.215_803_757_3],
    [1.0, -0.105_561_345_8, -0.063_854_172_8],
    [1.0, -0.089_484_177_5, -1.291_485_548_0],
];

const LIGHT_OF_CONES: [[f64; 3]; 3] = [
    [4.076_741_662_1, -3.307_711_591_3, 0.230_969_929_2],
    [-1.268_438_004_6, 2.609_757_401_1, -0.341_319_396_5],
    [-0.004_196_086_3, -0.703_418_614_7, 1.707_614_701_0],
];

fn times(matrix: &[[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(vector).map(|(one, other)| one * other).sum())
}

impl Color {
    /// Reads `#rrggbb`.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// Red, green and blue of light, from 0 to 1.
    fn linear(self) -> [f64; 3] {
        self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.linear();
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

/// One part of a colour of sRGB from that of light.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 255")]
fn encode(part: f64) -> u8 {
    let part = part.clamp(0.0, 1.0);
    let part =
        if part <= 0.003_130_8 { part * 12.92 } else { 1.055 * part.powf(1.0 / 2.4) - 0.055 };
    (part * 255.0).round() as u8
}

/// From 1 to 21.
pub(super) fn contrast(one: Color, other: Color) -> f64 {
    let (one, other) = (one.luminance() + 0.05, other.luminance() + 0.05);
    if one > other { one / other } else { other / one }
}

/// `#rrggbb`.
impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Debug for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `light-dark(…, …)`.
impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "light-dark({},{})", self.light, self.dark)
    }
}

#[cfg(test)]
mod tests;
