//! Writes the results into docs/performance.md, between two markers.

use std::path::PathBuf;
use std::{fs, io};

use crate::paths;

const BEGIN: &str = "<!-- compare:begin -->";
const END: &str = "<!-- compare:end -->";

/// The file of the plot, beside the document.
pub const PLOT: &str = "performance.svg";

fn path() -> PathBuf {
    paths::root().join("docs/performance.md")
}

/// Why results cannot be written; `None` if they can.
pub fn lack() -> Option<String> {
    let name = "docs/performance.md";
    match fs::read_to_string(path()) {
        Err(error) => Some(format!("{name} cannot be read: {error}")),
        Ok(text) if splice(&text, "").is_some() => None,
        Ok(_) => Some(format!("{name} lacks the markers {BEGIN} and {END}, once each")),
    }
}

/// Replaces the previous results and plot.
pub fn write(results: &str, plot: &str) -> io::Result<()> {
    // The document may have changed during the runs.
    let text = fs::read_to_string(path())?;
    let text = splice(&text, results).ok_or_else(|| io::Error::other("the markers are gone"))?;
    fs::write(path().with_file_name(PLOT), plot)?;
    fs::write(path(), text)
}

/// Replaces the content between the markers; `None` if they do not occur once each and in order.
fn splice(text: &str, content: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let is_once = ![before, rest, after].iter().any(|part| part.contains(BEGIN))
        && !before.contains(END)
        && !after.contains(END);
    is_once.then(|| format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", content.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_content_between_the_markers_is_replaced() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nz\n");
        let once = splice(&text, "new\n").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nz\n"));
        assert_eq!(splice(&once, "new").as_deref(), Some(once.as_str()));
    }

    #[test]
    fn markers_must_occur_once_and_in_order() {
        for text in [
            String::new(),
            format!("{BEGIN} only"),
            format!("{END}{BEGIN}"),
            format!("{BEGIN}{BEGIN}{END}"),
            format!("{BEGIN}{END}{BEGIN}{END}"),
            format!("{END}{BEGIN}{END}"),
        ] {
            assert_eq!(splice(&text, "new"), None, "{text}");
        }
    }
}
