//! Decides whether members really disagree on the order of messages.
//!
//! The first member that receives a message determines its place in the log. If that member missed some
//! messages, the log may have the message before others that the server sent earlier, and the next
//! member that receives both seems to be wrong. So before a delivery counts as out of order, this looks
//! for another order of the log that fits every member: the late message, with everything that must
//! follow it, moves behind what the member has received already, as in an incremental topological sort
//! (Pearce and Kelly, 2006). None of this runs while a server works well.

use super::{Entry, Ledger, Member, MessageId};

/// Which entries of a stretch of the log a member has received.
struct Row {
    member: usize,
    has: Vec<bool>,
}

impl Ledger {
    /// Moves a message that a member receives late, with everything that must follow it, behind all that
    /// this member has received. Returns whether that agrees with the order of every member.
    pub(super) fn move_back(&mut self, client: usize, id: MessageId) -> bool {
        let Member { room, cursor: end, .. } = self.members[client];
        let room = &self.rooms[room as usize];
        let stretch = room.log.range(..room.index(end));
        let Some(index) = stretch.clone().rposition(|entry| entry.id == id) else { return false };
        let stretch: Vec<Entry> = stretch.skip(index).cloned().collect();
        let start = room.base + index as u64;
        let members = room.members.iter().map(|&member| member as usize);
        let mut rows: Vec<Row> = members
            .filter(|&member| self.members[member].cursor > start)
            .map(|member| Row { member, has: self.members[member].has(start, &stretch) })
            .collect();
        let Some(own) = rows.iter().position(|row| row.member == client) else { return false };

        // The late message is the first of the stretch; the member did not receive it there.
        rows[own].has[0] = false;
        let Some(order) = order(&stretch, &rows, own) else { return false };
        rows[own].has[0] = true;

        let room = &mut self.rooms[self.members[client].room as usize];
        for (place, &from) in order.iter().enumerate() {
            room.log[index + place] = stretch[from].clone();
        }
        for row in &rows {
            let member = &mut self.members[row.member];
            if member.cursor <= end {
                member.reorder(start, &stretch, &order, &row.has);
            }
        }
        true
    }
}

/// A new order of the stretch, with its first entry behind all that row `own` has; `None` if one of
/// those must follow it.
fn order(stretch: &[Entry], rows: &[Row], own: usize) -> Option<Vec<usize>> {
    let must_follow = |later: usize, earlier: usize| {
        stretch[later].id.0 == stretch[earlier].id.0
            || rows.iter().any(|row| row.has[earlier] && row.has[later])
    };
    let (mut stay, mut moved) = (Vec::new(), vec![0]);
    for later in 1..stretch.len() {
        if moved.iter().any(|&earlier| must_follow(later, earlier)) {
            if rows[own].has[later] {
                return None;
            }
            moved.push(later);
        } else {
            stay.push(later);
        }
    }
    stay.extend(moved);
    Some(stay)
}

impl Member {
    fn has(&self, start: u64, stretch: &[Entry]) -> Vec<bool> {
        (start..)
            .zip(stretch)
            .map(|(place, entry)| place < self.cursor && !self.skipped.contains(&entry.id))
            .collect()
    }

    /// Moves the cursor behind the last received entry in the new order of the stretch.
    fn reorder(&mut self, start: u64, stretch: &[Entry], order: &[usize], has: &[bool]) {
        for entry in stretch {
            self.skipped.remove(&entry.id);
        }
        let past = order.iter().rposition(|&index| has[index]).map_or(0, |last| last + 1);
        let lacking = order[..past].iter().filter(|&&index| !has[index]);
        self.skipped.extend(lacking.map(|&index| stretch[index].id));
        self.cursor = start + past as u64;
    }
}
