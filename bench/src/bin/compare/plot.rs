//! The plot: an SVG with a panel of horizontal bars for each cell. It has its own background, so that
//! it is readable on light and dark pages.
//!
//! Bars begin at 0, so that their lengths are proportional to the values. There is always room for the
//! value to the right of a bar.

use std::fmt::Write;

use crate::cell::{Better, Cell};
use crate::results::{Results, Summary};
use crate::server::Role;

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 24.0;
const COLUMNS: usize = 2;
const GAP: f64 = 28.0;
const PANEL_WIDTH: f64 = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;

/// The height of the heading.
const HEAD_HEIGHT: f64 = 78.0;
/// The height of a panel's title and subtitle.
const TITLE_HEIGHT: f64 = 44.0;
const ROW_HEIGHT: f64 = 20.0;
const BAR_HEIGHT: f64 = 13.0;
/// The widths of the server's name, left of a bar, and of the value, right of it.
const NAME_WIDTH: f64 = 146.0;
const VALUE_WIDTH: f64 = 76.0;
const BAR_WIDTH: f64 = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH;
/// The longest name that fits.
const NAME_CHARS: usize = 20;

const STYLE: &str = "\
text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1c2430 }
.head { font-size: 18px; font-weight: 600 }
.title { font-size: 13px; font-weight: 600 }
.quiet { fill: #5b6675 }
.own { font-weight: 600 }
.failed { fill: #b3261e }
.wschat { fill: #2457d6 }
.variant { fill: #86a3ee }
.peer { fill: #a7b0bd }
.limit { fill: #ffffff; stroke: #8a94a3; stroke-dasharray: 3 2 }
.spread { stroke: #1c2430; stroke-width: 1.2; opacity: 0.75 }
.axis { stroke: #c3c9d2 }
";

/// One bar of a panel.
#[derive(Debug)]
struct Bar {
    name: String,
    role: Role,
    /// `None` if no run was clean.
    summary: Option<Summary>,
    /// The formatted value.
    label: String,
}

#[derive(Debug)]
struct Panel {
    title: &'static str,
    subtitle: String,
    bars: Vec<Bar>,
}

pub fn render(results: &Results) -> String {
    let panels: Vec<_> = results.cells.iter().map(|cell| Panel::new(results, cell)).collect();
    let mut body = String::new();
    let mut y = HEAD_HEIGHT;
    for row in panels.chunks(COLUMNS) {
        let mut x = MARGIN;
        for panel in row {
            panel.draw(x, y, &mut body);
            x += PANEL_WIDTH + GAP;
        }
        y += row.iter().map(Panel::height).fold(0.0, f64::max) + GAP;
    }
    let height = y - GAP + MARGIN;
    let rounds = if results.rounds == 1 {
        "one round".to_owned()
    } else {
        format!("median of {} rounds, line: lowest to highest", results.rounds)
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         width=\"{WIDTH}\" height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">wschat beside other servers</title>\n\
         <desc id=\"desc\">{}</desc>\n\
         <style>\n{STYLE}</style>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{:.0}\" rx=\"8\" fill=\"#f4f6f8\" \
         stroke=\"#d3d8df\"/>\n\
         {}{}{body}</svg>\n",
        escape(&describe(&panels)),
        WIDTH - 1.0,
        height - 1.0,
        text(MARGIN, 36.0, "head", "wschat beside other servers, each on one core"),
        text(MARGIN, 56.0, "quiet", &format!("{rounds}; dashed: a bare loop, no chat server")),
    )
}

/// The content in words, for screen readers.
fn describe(panels: &[Panel]) -> String {
    let mut words = String::new();
    for Panel { title, subtitle, bars } in panels {
        let bars: Vec<_> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.label)).collect();
        // Writing to a string does not fail.
        let _ = write!(words, "{title}; {subtitle}: {}. ", bars.join(", "));
    }
    words.trim_end().to_owned()
}

impl Panel {
    fn new(results: &Results, cell: &Cell) -> Self {
        let figure = cell.main();
        let bars = results.servers_in(cell).map(|server| {
            let summary = results.summary(cell, server, figure);
            let label = summary.map_or("failed".to_owned(), |summary| {
                let bound = match figure.better {
                    _ if !summary.is_lower_bound => "",
                    Better::Higher => "≥ ",
                    Better::Lower => "≤ ",
                };
                format!("{bound}{}", figure.unit.show(summary.median))
            });
            Bar { name: server.name.clone(), role: server.role, summary, label }
        });
        Self {
            title: cell.title,
            subtitle: format!("{}, {}", figure.name, figure.better.words()),
            bars: bars.collect(),
        }
    }

    fn height(&self) -> f64 {
        self.bars.iter().fold(TITLE_HEIGHT, |height, _| height + ROW_HEIGHT)
    }

    /// Pixels per unit: the longest bar, including its spread, takes the whole width.
    fn scale(&self) -> f64 {
        let longest = self.bars.iter().filter_map(|bar| Some(bar.summary?.max));
        let longest = longest.fold(0.0, f64::max);
        if longest > 0.0 { BAR_WIDTH / longest } else { 0.0 }
    }

    fn draw(&self, x: f64, y: f64, out: &mut String) {
        out.push_str(&text(x, y + 14.0, "title", self.title));
        out.push_str(&text(x, y + 31.0, "quiet", &self.subtitle));
        let (axis, top) = (x + NAME_WIDTH, y + TITLE_HEIGHT);
        let scale = self.scale();
        for (row, bar) in self.bars.iter().enumerate() {
            // The number of rows is small.
            let y = top + ROW_HEIGHT * f64::from(u32::try_from(row).unwrap_or_default());
            bar.draw(axis, y, scale, out);
        }
        line("axis", (axis, top - 2.0), (axis, y + self.height()), out);
    }
}

impl Bar {
    /// Draws the bar to the right of `axis`, in the row below `y`.
    fn draw(&self, axis: f64, y: f64, scale: f64, out: &mut String) {
        let is_own = self.role == Role::Wschat;
        let (middle, baseline) = (y + ROW_HEIGHT / 2.0, y + ROW_HEIGHT / 2.0 + 4.0);
        let class = if is_own { "own" } else { "" };
        let name = escape(&shorten(&self.name));
        let end = axis - 8.0;
        let _ = writeln!(
            out,
            "<text x=\"{end:.1}\" y=\"{baseline:.1}\" class=\"{class}\" text-anchor=\"end\">{name}</text>"
        );
        let Some(summary) = self.summary else {
            out.push_str(&text(axis + 6.0, baseline, "failed", &self.label));
            return;
        };
        let kind = match self.role {
            Role::Wschat => "wschat",
            Role::Variant => "variant",
            Role::Peer => "peer",
            Role::Limit => "limit",
        };
        // A measured value may be slightly negative; the length of a bar may not.
        let [median, min, max] =
            [summary.median, summary.min, summary.max].map(|value| value.max(0.0) * scale);
        let top = middle - BAR_HEIGHT / 2.0;
        let _ = writeln!(
            out,
            "<rect x=\"{axis:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{BAR_HEIGHT}\" class=\"{kind}\"/>",
            // Even the smallest bar is visible.
            median.max(1.0)
        );
        if max - min > 1.0 {
            line("spread", (axis + min, middle), (axis + max, middle), out);
        }
        out.push_str(&text(axis + max.max(median) + 6.0, baseline, class, &self.label));
    }
}

fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64), out: &mut String) {
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
    );
}

fn text(x: f64, y: f64, class: &str, words: &str) -> String {
    let words = escape(words);
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{words}</text>\n")
}

fn shorten(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARS - 1).chain(['…']).collect()
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::rooms;

    fn panel(figures: &[(&str, &[Option<f64>])]) -> Panel {
        let results = rooms(figures);
        Panel::new(&results, results.cells[0])
    }

    #[test]
    fn the_highest_round_takes_the_whole_width() {
        let panel = panel(&[("wschat", &[Some(2.0), Some(4.0)]), ("bun", &[Some(1.0), None])]);
        assert!((panel.scale() * 4.0 - BAR_WIDTH).abs() < 1e-9);
        let mut svg = String::new();
        panel.draw(0.0, 0.0, &mut svg);
        let median = format!("width=\"{:.1}\"", BAR_WIDTH * 0.75);
        assert!(svg.contains(&median), "{svg}");
        let spread = (NAME_WIDTH + BAR_WIDTH / 2.0, NAME_WIDTH + BAR_WIDTH);
        assert!(svg.contains(&format!("<line x1=\"{:.1}\"", spread.0)), "{svg}");
        assert!(svg.contains(&format!("x2=\"{:.1}\"", spread.1)), "{svg}");
    }

    #[test]
    fn a_server_that_failed_has_no_bar_but_is_named() {
        let panel = panel(&[("wschat", &[None]), ("bun", &[Some(1.0)])]);
        let mut svg = String::new();
        panel.draw(0.0, 0.0, &mut svg);
        assert_eq!(svg.matches("<rect").count(), 1);
        assert!(svg.contains("class=\"failed\">failed</text>"), "{svg}");
    }

    #[test]
    fn without_positive_values_the_scale_is_zero() {
        for failed in [None, Some(0.0), Some(-1.0)] {
            assert!(panel(&[("wschat", &[failed])]).scale().abs() < f64::EPSILON);
        }
    }

    #[test]
    fn text_is_escaped_and_long_names_are_shortened() {
        assert_eq!(escape("a<b>&"), "a&lt;b&gt;&amp;");
        assert_eq!(shorten("tokio-tungstenite-mt"), "tokio-tungstenite-mt");
        assert_eq!(shorten("a-name-that-is-too-long"), "a-name-that-is-too-…");
    }

    #[test]
    fn the_description_has_all_values() {
        let results = rooms(&[("wschat", &[Some(5e6)]), ("limit", &[Some(1_500.0)])]);
        let svg = render(&results);
        let words = "deliveries/s, higher is better: wschat 5.00 M, limit ≥ 1.50 k.</desc>";
        assert!(svg.contains(words), "{svg}");
    }
}
