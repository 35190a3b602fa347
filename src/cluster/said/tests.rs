use proptest::prelude::*;

use super::*;

fn any_said() -> impl Strategy<Value = Said> {
    let content = prop_oneof![
        ".*".prop_map(Content::Text),
        any::<u64>().prop_map(Content::Gif),
        Just(Content::Erased),
    ];
    let reference = prop::option::of(".*".prop_map(Into::into));
    (1_u64.., any::<u64>(), any::<u64>(), ".*", content, reference).prop_map(
        |(seq, time, user, name, content, reference)| {
            let from = Person { id: UserId(user), name: name.into() };
            Said { seq, time, from, content, reference }
        },
    )
}

proptest! {
    #[test]
    fn a_message_is_read_back_unchanged(said in any_said()) {
        prop_assert_eq!(decode(said.seq, &encode(&said)), Ok(said));
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes: Vec<u8>) {
        let _ = decode(1, &bytes);
    }

    #[test]
    fn a_message_that_is_cut_or_changed_is_refused_or_another(said in any_said(), at: prop::sample::Index, new: u8) {
        let bytes = encode(&said);
        prop_assert_eq!(decode(said.seq, &bytes[..at.index(bytes.len())]), Err(Malformed));
        let mut longer = bytes.clone();
        longer.push(new);
        prop_assert_eq!(decode(said.seq, &longer), Err(Malformed));
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= new | 1;
        prop_assert_ne!(decode(said.seq, &changed), Ok(said));
    }
}

#[test]
fn another_version_is_refused() {
    let from = Person { id: UserId(1), name: "Ann".into() };
    let said = Said { seq: 1, time: 2, from, content: Content::Erased, reference: None };
    let mut bytes = encode(&said);
    assert_eq!(bytes, b"\x01\x02\x01\x03Ann\x02\x00");
    bytes[0] = 2;
    assert_eq!(decode(1, &bytes), Err(Malformed));
}
