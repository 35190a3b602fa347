//! Who is the heaviest, predicted by counting everything anew.

use std::collections::BTreeMap;

use crate::chat::Source;

/// The networks that a thing counts for, the widest first: each with a number for its kind.
pub(super) type Path = [(u8, u64); 3];

/// The path of a thing from this source; without one, the thing with this number counts for itself.
pub(super) fn path(source: Option<Source>, number: u64) -> Path {
    match source {
        None => [(0, number); 3],
        Some(Source::V4(address)) => [(1, address.into()); 3],
        Some(Source::V6(prefix)) => [(2, prefix >> 16), (2, prefix >> 8), (2, prefix)],
    }
}

/// The spare thing that the heaviest of these networks loses, at this step and those below.
pub(super) fn first_to_lose<T: Copy + Ord>(
    all: &[Path],
    spare: &[(Path, T)],
    step: usize,
) -> Option<T> {
    if step == 3 {
        return spare.iter().map(|(_, thing)| *thing).max();
    }
    let mut networks = BTreeMap::<_, Vec<(Path, T)>>::new();
    for (path, thing) in spare {
        networks.entry(path[step]).or_default().push((*path, *thing));
    }
    let losses = networks
        .into_iter()
        .map(|(network, spare)| (weight(all, step, network), first_to_lose(all, &spare, step + 1)));
    losses.max()?.1
}

/// Whether `one` would hold less than `other` even with one thing more for it and one less for the other.
pub(super) fn is_lighter(all: &[Path], one: Path, other: Path) -> bool {
    let step = (0..3).find(|step| one[*step] != other[*step]);
    step.is_some_and(|step| weight(all, step, one[step]) + 1 < weight(all, step, other[step]))
}

fn weight(all: &[Path], step: usize, network: (u8, u64)) -> usize {
    all.iter().filter(|path| path[step] == network).count()
}
