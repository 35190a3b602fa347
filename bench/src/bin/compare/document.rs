//! Writes results into docs/performance.md, between two markers.

use std::path::PathBuf;
use std::{fs, io};

use crate::paths;

/// A part of the document that a program writes, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    pub name: &'static str,
}

/// The document.
pub fn path() -> PathBuf {
    paths::root().join("docs/performance.md")
}

impl Section {
    /// Why results cannot be written; `None` if they can.
    pub fn lack(self) -> Option<String> {
        let name = "docs/performance.md";
        let [begin, end] = self.markers();
        match fs::read_to_string(path()) {
            Err(error) => Some(format!("{name} cannot be read: {error}")),
            Ok(text) if self.splice(&text, "").is_some() => None,
            Ok(_) => Some(format!("{name} lacks the markers {begin} and {end}, once each")),
        }
    }

    /// Replaces the previous results.
    pub fn write(self, results: &str) -> io::Result<()> {
        // The document may have changed during the runs.
        let text = fs::read_to_string(path())?;
        let text =
            self.splice(&text, results).ok_or_else(|| io::Error::other("the markers are gone"))?;
        fs::write(path(), text)
    }

    fn markers(self) -> [String; 2] {
        ["begin", "end"].map(|side| format!("<!-- {}:{side} -->", self.name))
    }

    /// Replaces the content between the markers; `None` if they do not occur once each and in order.
    fn splice(self, text: &str, content: &str) -> Option<String> {
        let [begin, end] = self.markers();
        let (before, rest) = text.split_once(&begin)?;
        let (_, after) = rest.split_once(&end)?;
        let is_once = ![before, rest, after].iter().any(|part| part.contains(&begin))
            && !before.contains(&end)
            && !after.contains(&end);
        is_once.then(|| format!("{before}{begin}\n\n{}\n\n{end}{after}", content.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: Section = Section { name: "x" };
    const BEGIN: &str = "<!-- x:begin -->";
    const END: &str = "<!-- x:end -->";

    #[test]
    fn only_the_content_between_the_markers_is_replaced() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nz\n");
        let once = SECTION.splice(&text, "new\n").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nz\n"));
        assert_eq!(SECTION.splice(&once, "new").as_deref(), Some(once.as_str()));
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
            assert_eq!(SECTION.splice(&text, "new"), None, "{text}");
        }
    }
}
