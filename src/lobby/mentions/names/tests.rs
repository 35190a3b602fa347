use proptest::prelude::*;

use super::*;

fn index_of<'a>(names: impl IntoIterator<Item = &'a str>) -> Names {
    let mut index = Names::default();
    for (user, name) in (1..).zip(names) {
        index.add(name, UserId(user));
    }
    index
}

#[test]
fn the_cases_that_the_page_passes_as_well() {
    let cases = include_str!("../../../../tests/browser/text/mentions.json");
    let cases: Vec<(String, Vec<String>, Vec<String>)> = serde_json::from_str(cases).unwrap();
    for (text, names, expected) in cases {
        let mentioned = index_of(names.iter().map(|name| &**name)).mentioned(&text);
        let name = |user: &UserId| names[usize::try_from(user.0).unwrap() - 1].clone();
        assert_eq!(mentioned.iter().map(name).collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn the_last_user_of_a_name_takes_it_along() {
    let mut index = index_of(["Ada", "ADA", "Ada Lovelace"]);
    let users =
        |index: &Names| index.mentioned("@ada lovelace @ada").into_iter().collect::<Vec<_>>();
    assert_eq!(users(&index), [1, 2, 3].map(UserId));
    index.remove("Ada", UserId(1));
    index.remove("Nobody", UserId(1));
    index.remove("Ada Lovelace", UserId(3));
    assert_eq!(users(&index), [UserId(2)]);
    index.remove("ADA", UserId(2));
    assert!(index.is_empty() && index.lengths.is_empty());
}

#[test]
fn only_the_first_marks_are_looked_at() {
    let index = index_of(["Ada"]);
    let count = |marks| index.mentioned(&format!("{}@Ada", "@ ".repeat(marks))).len();
    assert_eq!((count(MAX_MARKS - 1), count(MAX_MARKS)), (1, 0));
}

/// The rule without an index: every name is tried at every mark.
fn naive(text: &str, names: &[String]) -> BTreeSet<UserId> {
    let text: Vec<char> = text.chars().collect();
    let same = |a: &[char], b: &[char]| {
        let folded = |text: &[char]| text.iter().map(|c| fold_character(*c)).collect::<Vec<_>>();
        folded(a) == folded(b)
    };
    let mut mentioned = BTreeSet::new();
    for at in (0..text.len()).filter(|at| text[*at] == '@').take(MAX_MARKS) {
        if at > 0 && is_word(text[at - 1]) {
            continue;
        }
        let fits = |name: &String| {
            let name: Vec<char> = name.chars().collect();
            let end = at + 1 + name.len();
            let is_there = end <= text.len() && same(&text[at + 1..end], &name);
            let goes_on =
                is_there && end < text.len() && is_word(text[end]) && is_word(text[end - 1]);
            (is_there && !goes_on).then_some(name.len())
        };
        let longest = names.iter().filter_map(fits).max();
        let is_it = |(_, name): &(u64, &String)| longest.is_some() && fits(name) == longest;
        mentioned.extend((1..).zip(names).filter(is_it).map(|(user, _)| UserId(user)));
    }
    mentioned
}

proptest! {
    #[test]
    fn an_index_finds_what_a_scan_finds(
        text in "[@@@@aAbB _!é名İΣς🎉\u{301}]{0,40}",
        names in prop::collection::vec("[aAbB @_!é名İΣς🎉\u{301}]{1,4}", 1..8),
        gone in 0_usize..8,
    ) {
        let mut index = index_of(names.iter().map(|name| &**name));
        prop_assert_eq!(index.mentioned(&text), naive(&text, &names));
        // Without one of them.
        if let Some(name) = names.get(gone) {
            let user = UserId(gone as u64 + 1);
            index.remove(name, user);
            let mut rest = names.clone();
            rest[gone] = "\u{10ffff}".to_owned();
            prop_assert_eq!(index.mentioned(&text), naive(&text, &rest));
        }
    }
}
