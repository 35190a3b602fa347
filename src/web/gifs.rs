//! The GIFs that people can send: the built-in ones, unless the operator has others.

use bytes::Bytes;

use super::FILES;
use crate::protocol::Gif;

/// The built-in GIFs: the id of each, which names its file in `gifs/`, and its description.
static OWN: &[(u64, &str)] = &[
    (1, "A waving hand"),
    (2, "A party popper and confetti"),
    (3, "A beating heart"),
    (4, "Thumbs up"),
    (5, "A steaming cup of coffee"),
    (6, "A face laughing in tears"),
    (7, "Clapping hands"),
    (8, "A thinking face"),
    (9, "A startled cat"),
    (10, "A crying cloud"),
    (11, "A shrugging robot"),
    (12, "A merry flame"),
    (13, "A rocket among the stars"),
    (14, "A dancing penguin"),
    (15, "A birthday cake with candles"),
    (16, "A sleepy moon in a nightcap"),
];

/// The path below which all GIFs are served.
pub(super) const FOLDER: &str = "/gifs/";

/// A GIF that the server offers.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) gif: Gif,
    pub(super) body: Bytes,
}

/// The built-in GIFs, ordered by id.
pub(crate) fn own() -> Vec<Picture> {
    let picture = |(id, alt): &(u64, &str)| {
        let path = address(*id);
        let file = FILES.iter().find(|file| file.path == path).expect("a test looks for it");
        let gif = Gif { id: *id, alt: (*alt).to_owned() };
        Picture { gif, body: Bytes::from_static(file.body) }
    };
    OWN.iter().map(picture).collect()
}

/// The request path of a GIF.
pub(super) fn address(id: u64) -> String {
    format!("{FOLDER}{id}.gif")
}
