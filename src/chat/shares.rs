//! Who holds how much of something that is limited, and what is taken away first when there is too much.
//!
//! Things are counted for the source that they belong to, at each of its [steps](Source::steps). A thing
//! without a source counts as a source of its own. Some of the things are *spare*: they may be taken away.
//! The first to go is the greatest spare thing of the heaviest holder: by /48, within it by /56, within that
//! by /64. Between holders of the same weight, the greater of the two things goes. Every change takes
//! logarithmic time. Pure; the chat and the admission of connections each have their own.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Network, Source};

/// Shares of things, where a spare thing is known by a `T`.
#[derive(Debug, PartialEq)]
pub(crate) struct Shares<T> {
    holders: BTreeMap<Holder, Holding<T>>,
}

/// To whom a thing belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Source(Source),
    /// The thing has no source. It has this number for itself.
    Nobody(u64),
}

/// What things are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    All,
    Nobody(u64),
    Network(Network),
}

#[derive(Debug, PartialEq)]
struct Holding<T> {
    /// How many things it holds.
    weight: usize,
    /// Its spare things, if it is a source.
    spare: BTreeSet<T>,
    /// The holders in it that have spare things.
    ranks: BTreeSet<Rank<T>>,
}

/// A holder with a spare thing, among those in the same network. The greatest loses first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank<T> {
    weight: usize,
    /// What it would lose.
    first: T,
    holder: Holder,
}

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self { holders: BTreeMap::new() }
    }
}

impl<T: Copy + Ord> Shares<T> {
    /// Counts one more thing.
    pub(crate) fn add(&mut self, owner: Owner) {
        self.update(owner, |holding| holding.weight += 1, |_| {});
    }

    /// Counts one thing less.
    pub(crate) fn remove(&mut self, owner: Owner) {
        let remove = |holding: &mut Holding<T>| holding.weight = holding.weight.saturating_sub(1);
        self.update(owner, remove, |_| {});
    }

    /// This thing may be taken away from now on.
    pub(crate) fn offer(&mut self, owner: Owner, thing: T) {
        self.update(owner, |_| {}, |spare| spare.extend([thing]));
    }

    /// This thing may no longer be taken away.
    pub(crate) fn withdraw(&mut self, owner: Owner, thing: T) {
        self.update(
            owner,
            |_| {},
            |spare| {
                spare.remove(&thing);
            },
        );
    }

    /// The thing to be taken away first.
    pub(crate) fn first(&self) -> Option<T> {
        self.holders.get(&Holder::All)?.first()
    }

    /// The thing to be taken away first within a network.
    pub(crate) fn first_in(&self, network: Network) -> Option<T> {
        self.holders.get(&Holder::Network(network))?.first()
    }

    /// How many things a network holds.
    pub(crate) fn weight(&self, network: Network) -> usize {
        self.weight_of(Holder::Network(network))
    }

    /// Whether `one` would still hold less than `other` if a thing passed from `other` to `one`: at the
    /// widest step at which they differ.
    pub(crate) fn is_lighter(&self, one: Owner, other: Owner) -> bool {
        let step = one.path().into_iter().zip(other.path()).find(|(one, other)| one != other);
        step.is_some_and(|(one, other)| self.weight_of(one) + 1 < self.weight_of(other))
    }

    fn weight_of(&self, holder: Holder) -> usize {
        self.holders.get(&holder).map_or(0, |holding| holding.weight)
    }

    /// Changes what all holders on the owner's path hold, and what is spare at its end.
    fn update(
        &mut self,
        owner: Owner,
        change: impl Fn(&mut Holding<T>),
        change_spare: impl FnOnce(&mut BTreeSet<T>),
    ) {
        let mut change_spare = Some(change_spare);
        let mut changed_rank = None;
        for holder in owner.path().into_iter().rev() {
            let holding = self.holders.entry(holder).or_insert_with(Holding::new);
            let before = holding.rank(holder);
            change(holding);
            if let Some(change_spare) = change_spare.take() {
                change_spare(&mut holding.spare);
            }
            if let Some((before, after)) = changed_rank {
                holding.replace_rank(before, after);
            }
            changed_rank = Some((before, holding.rank(holder)));
            if holding.is_empty() {
                self.holders.remove(&holder);
            }
        }
    }
}

impl Owner {
    /// The owner of a thing that has this source, or else this number.
    pub(crate) fn new(source: Option<Source>, number: u64) -> Self {
        source.map_or(Self::Nobody(number), Self::Source)
    }

    /// The holders that a thing counts for, the widest first.
    fn path(self) -> Vec<Holder> {
        let mut path = vec![Holder::All];
        match self {
            Self::Source(source) => path.extend(source.steps().map(Holder::Network)),
            Self::Nobody(number) => path.push(Holder::Nobody(number)),
        }
        path
    }
}

impl<T: Copy + Ord> Holding<T> {
    fn new() -> Self {
        Self { weight: 0, spare: BTreeSet::new(), ranks: BTreeSet::new() }
    }

    fn is_empty(&self) -> bool {
        self.weight == 0 && self.spare.is_empty() && self.ranks.is_empty()
    }

    fn first(&self) -> Option<T> {
        self.spare.last().copied().or_else(|| Some(self.ranks.last()?.first))
    }

    fn rank(&self, holder: Holder) -> Option<Rank<T>> {
        Some(Rank { weight: self.weight, first: self.first()?, holder })
    }

    fn replace_rank(&mut self, before: Option<Rank<T>>, after: Option<Rank<T>>) {
        if let Some(before) = before {
            self.ranks.remove(&before);
        }
        self.ranks.extend(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(address: &str) -> Owner {
        Owner::Source(Source::of(address.parse().unwrap()))
    }

    /// Things 1, 2, 3 … of these addresses, all of them spare.
    fn held(addresses: &[&str]) -> Shares<usize> {
        let mut shares = Shares::default();
        for (number, address) in (1..).zip(addresses) {
            shares.add(owner(address));
            shares.offer(owner(address), number);
        }
        shares
    }

    /// Takes everything away, and returns it in this order.
    fn taken(mut shares: Shares<usize>, addresses: &[&str]) -> Vec<usize> {
        let mut taken = Vec::new();
        while let Some(first) = shares.first() {
            shares.withdraw(owner(addresses[first - 1]), first);
            shares.remove(owner(addresses[first - 1]));
            taken.push(first);
        }
        assert_eq!(shares, Shares::default(), "nothing is left behind");
        taken
    }

    #[test]
    fn the_heaviest_network_loses_first_step_by_step() {
        let addresses = [
            "198.51.100.1",
            "198.51.100.1",
            // One /48 with four things: three in one /56, two of these in one /64.
            "2001:db8:0:0::1",
            "2001:db8:0:0::2",
            "2001:db8:0:1::1",
            "2001:db8:0:100::1",
            // The same number in single /48s is light.
            "2001:db8:1::1",
            "2001:db8:2::1",
            "2001:db8:3::1",
            "203.0.113.1",
        ];
        assert_eq!(taken(held(&addresses), &addresses), [4, 5, 6, 2, 10, 9, 8, 7, 3, 1]);
    }

    #[test]
    fn what_is_not_spare_counts_and_stays() {
        let mut shares = held(&["203.0.113.1", "198.51.100.1"]);
        let heavy = owner("198.51.100.9");
        shares.add(heavy);
        shares.add(heavy);
        assert_eq!(shares.first(), Some(2), "the heaviest has nothing to spare");
        shares.offer(heavy, 0);
        assert_eq!(shares.first(), Some(0));
        shares.withdraw(heavy, 0);
        assert_eq!(shares.first(), Some(2));
    }

    #[test]
    fn a_thing_without_a_source_is_a_source_of_its_own() {
        let mut shares = held(&["203.0.113.1", "203.0.113.1"]);
        for number in 5..9 {
            shares.add(Owner::Nobody(number));
            shares.offer(Owner::Nobody(number), 100);
        }
        assert_eq!(shares.first(), Some(2));
    }

    #[test]
    fn a_lighter_owner_stays_lighter_after_it_has_taken_a_thing() {
        let shares = held(&["203.0.113.1", "203.0.113.1", "203.0.113.1", "198.51.100.1"]);
        assert!(shares.is_lighter(owner("198.51.100.1"), owner("203.0.113.1")));
        assert!(!shares.is_lighter(owner("198.51.100.1"), owner("198.51.100.1")));
        let shares = held(&["203.0.113.1", "203.0.113.1", "198.51.100.1"]);
        assert!(!shares.is_lighter(owner("198.51.100.1"), owner("203.0.113.1")));

        // Other networks in the same /48 do not make anyone lighter.
        let shares = held(&["2001:db8::1", "2001:db8::1", "2001:db8::1", "198.51.100.1"]);
        assert!(shares.is_lighter(owner("2001:db8:0:ffff::1"), owner("2001:db8::1")));
        assert!(!shares.is_lighter(owner("2001:db8:0:ffff::1"), owner("198.51.100.1")));
    }
}
