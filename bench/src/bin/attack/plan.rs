//! All attacks, each with the variants that make sense for it.

use std::fmt;

use crate::crowd::Field;
use crate::{amplify, frames, pace, pools, unread};

/// Where the attacker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// At one IPv4 address, others than the people's.
    Net,
    /// In an IPv6 /56 of its own.
    Net6,
    /// On the server's machine, as the people.
    Loopback,
}

/// What is particular about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Plain,
    Tls,
    /// With the history in a file.
    File,
    /// The people are on lines of 16 Mbit/s.
    Slow,
}

/// One attack.
pub struct Attack {
    pub name: &'static str,
    /// For the table.
    pub about: &'static str,
    /// Starts the attacker's threads.
    pub run: fn(&Field),
    pub variants: &'static [(Where, How)],
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    pub attack: &'static Attack,
    pub from: Where,
    pub how: How,
}

use How::{File, Plain, Slow, Tls};
use Where::{Loopback, Net, Net6};

const BOTH: &[(Where, How)] = &[(Net, Plain), (Loopback, Plain)];
const WITH_FILE: &[(Where, How)] = &[(Net, Plain), (Net, File), (Loopback, Plain)];
const WITH_TLS: &[(Where, How)] = &[(Net, Plain), (Net, Tls), (Loopback, Plain)];
const ONLY_TLS: &[(Where, How)] = &[(Net, Tls), (Loopback, Tls)];
const PLACES: &[(Where, How)] = &[(Net, Plain), (Net6, Plain)];

/// In the order of the table.
#[rustfmt::skip]
pub static ATTACKS: &[Attack] = &[
    Attack { name: "resume", about: "resumes for a fresh burst", run: pace::resume, variants: WITH_FILE },
    Attack { name: "fresh", about: "new base-protocol users for fresh bursts", run: pace::fresh, variants: BOTH },
    Attack { name: "refs", about: "references of 64 four-byte characters", run: pace::refs, variants: WITH_FILE },
    Attack { name: "records", about: "a pong in each TLS record", run: frames::records, variants: ONLY_TLS },
    Attack { name: "slivers", about: "a byte in each TLS record", run: frames::slivers, variants: ONLY_TLS },
    Attack { name: "pongs", about: "pongs", run: frames::pongs, variants: WITH_TLS },
    Attack { name: "pings", about: "pings", run: frames::pings, variants: BOTH },
    Attack { name: "fragments", about: "empty fragments without end", run: frames::fragments, variants: BOTH },
    Attack { name: "crumbs", about: "fragments of one byte", run: frames::crumbs, variants: BOTH },
    Attack { name: "re-enter", about: "enters its room of 1,000 again and again", run: unread::re_enter, variants: BOTH },
    Attack { name: "unread-rooms", about: "rooms of large messages, unread", run: unread::unread_rooms, variants: WITH_FILE },
    Attack { name: "unread-history", about: "pages of large messages, unread", run: unread::unread_history, variants: BOTH },
    Attack { name: "resume-storm", about: "a crowd that resumes at once", run: unread::resume_storm, variants: WITH_FILE },
    Attack { name: "create-rooms", about: "creates rooms, base clients listen", run: amplify::create_rooms, variants: BOTH },
    Attack { name: "history", about: "pages of large messages", run: unread::history, variants: WITH_FILE },
    Attack { name: "walk", about: "walks through rooms, followers listen", run: amplify::walk, variants: BOTH },
    Attack { name: "shout", about: "long texts within the pace", run: amplify::shout, variants: &[(Net, Plain), (Net, Slow), (Loopback, Slow)] },
    Attack { name: "nag", about: "types and renames in the people's room", run: amplify::nag, variants: BOTH },
    Attack { name: "all-rooms", about: "takes all rooms", run: amplify::all_rooms, variants: PLACES },
    Attack { name: "away", about: "users who are away", run: pools::away, variants: PLACES },
    Attack { name: "places", about: "takes all connections", run: pools::places, variants: PLACES },
    Attack { name: "slow-heads", about: "request heads that do not end", run: pools::slow_heads, variants: PLACES },
    Attack { name: "incomplete", about: "messages of 64 KiB that do not end", run: pools::incomplete, variants: &[(Net, Plain), (Net6, Plain), (Loopback, Plain)] },
    Attack { name: "rubbish", about: "random bytes and half frames", run: pools::rubbish, variants: BOTH },
    Attack { name: "braces", about: "10,000 opening braces", run: frames::braces, variants: BOTH },
    Attack { name: "after-end", about: "goes on sending after the end", run: pools::after_end, variants: BOTH },
    Attack { name: "connects", about: "connects and leaves", run: pools::connects, variants: WITH_TLS },
];

pub fn find(name: &str) -> Option<&'static Attack> {
    ATTACKS.iter().find(|attack| attack.name == name)
}

/// Those of which a word of `only` is the name or the beginning of it up to a slash; all if there is none.
pub fn variants(only: &[String]) -> Vec<Variant> {
    let all = ATTACKS.iter().flat_map(|attack| {
        attack.variants.iter().map(move |&(from, how)| Variant { attack, from, how })
    });
    let is_meant = |variant: &Variant| {
        let name = variant.to_string();
        let is_of = |word: &String| {
            name.strip_prefix(word.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        only.is_empty() || only.iter().any(is_of)
    };
    all.filter(is_meant).collect()
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self.from {
            Net => "net",
            Net6 => "net6",
            Loopback => "loopback",
        };
        let how = match self.how {
            Plain => "",
            Tls => "/tls",
            File => "/file",
            Slow => "/16mbit",
        };
        write!(f, "{}/{from}{how}", self.attack.name)
    }
}

impl fmt::Debug for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variant_has_a_name_of_its_own() {
        let mut names: Vec<_> = variants(&[]).iter().map(Variant::to_string).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_word_means_all_variants_that_begin_with_it() {
        let names = |word: &str| -> Vec<_> {
            variants(&[word.to_owned()]).iter().map(Variant::to_string).collect()
        };
        assert_eq!(names("refs"), ["refs/net", "refs/net/file", "refs/loopback"]);
        assert_eq!(names("refs/net/file"), ["refs/net/file"]);
        assert!(names("ref").is_empty());
    }
}
