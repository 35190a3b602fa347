//! Micro-benchmarks of the server's inner loops: `cargo bench --features bench --bench micro`.
//!
//! `src/bench.rs` has the code that is timed, and `docs/performance.md` has figures.

/// The number of members of a room.
const MEMBERS: u64 = 1_000;

fn main() {
    divan::main();
}

// A hundred runs per sample, because the clock has a resolution of about 20 ns.
#[divan::bench_group(sample_size = 100)]
mod parse_request {
    use divan::{Bencher, black_box};

    #[divan::bench]
    fn text(bencher: Bencher<'_, '_>) {
        parse(
            bencher,
            r#"{"type":"text","text":"sixty-four characters are what a text in a chat has, more or les"}"#,
        );
    }

    #[divan::bench]
    fn enter_room(bencher: Bencher<'_, '_>) {
        parse(bencher, r#"{"type":"enter_room","roomId":"1"}"#);
    }

    #[divan::bench]
    fn list_rooms(bencher: Bencher<'_, '_>) {
        parse(bencher, r#"{"type":"list_rooms"}"#);
    }

    fn parse(bencher: Bencher<'_, '_>, text: &str) {
        assert!(wschat::bench::parse(text));
        bencher.bench(|| wschat::bench::parse(black_box(text)));
    }
}

#[divan::bench_group(sample_size = 100)]
mod encode_event {
    use divan::Bencher;
    use wschat::bench::Encoding;

    #[divan::bench]
    fn text(bencher: Bencher<'_, '_>) {
        let mut encoding = Encoding::text();
        bencher.bench_local(|| encoding.encode());
    }

    #[divan::bench]
    fn enter_room(bencher: Bencher<'_, '_>) {
        let mut encoding = Encoding::enter();
        bencher.bench_local(|| encoding.encode());
    }
}

#[divan::bench_group(sample_size = 100)]
mod chat_apply {
    use divan::Bencher;
    use wschat::bench::Talk;

    #[divan::bench]
    fn text(bencher: Bencher<'_, '_>) {
        let mut talk = Talk::of(super::MEMBERS);
        assert_eq!(talk.text(), 2);
        bencher.bench_local(|| talk.text());
    }

    #[divan::bench]
    fn enter_and_leave(bencher: Bencher<'_, '_>) {
        let mut talk = Talk::of(super::MEMBERS);
        assert_eq!(talk.enter_and_leave(), 6);
        bencher.bench_local(|| talk.enter_and_leave());
    }
}

mod tick {
    use divan::Bencher;
    use wschat::bench::Tick;

    #[divan::bench(args = [1, 10])]
    fn texts(bencher: Bencher<'_, '_>, texts: usize) {
        let mut tick = Tick::of(super::MEMBERS).expect("there are descriptors for one socket");
        assert_eq!(tick.run(texts), 0);
        bencher.bench_local(|| tick.run(texts));
    }
}
