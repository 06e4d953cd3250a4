//! The lines of one family, in blocks of accounts that are made anew one by one.

use std::ops::Range;

use bytes::Bytes;

/// So many accounts, one after the other, are a block. Of 10,000 accounts with the heartbeats
/// of a second, blocks of 32, 128 and 10,000 are encoded in 68, 59 and 76 ms: small ones are
/// made anew less often, but to begin a block costs time, and bytes (12, 3 and 0 % more).
pub(super) const BLOCK: usize = 128;

/// The lines of one family.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    lines: Vec<Bytes>,
    /// Where the lines of each account end in its block; nothing for a block without lines.
    ends: Vec<Vec<usize>>,
}

impl Blocks {
    /// The lines, block by block; some blocks have none.
    pub(super) fn lines(&self) -> &[Bytes] {
        &self.lines
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(Bytes::is_empty)
    }

    /// Takes lines that are of no account.
    pub(super) fn replace(&mut self, lines: String) {
        self.lines = vec![lines.into()];
    }

    /// Takes the lines of some of the `accounts` of a block, by place, in order. If no
    /// line is another, the block stays the same bytes at the same address.
    pub(super) fn update(&mut self, block: usize, accounts: usize, fresh: &[(usize, &str)]) {
        let blocks = self.lines.len().max(block + 1);
        self.lines.resize_with(blocks, Bytes::new);
        self.ends.resize_with(blocks, Vec::new);
        let (old, ends) = (&self.lines[block], &self.ends[block]);
        if fresh.iter().all(|(place, lines)| old[range(ends, *place)] == *lines.as_bytes()) {
            return;
        }
        let come: usize = fresh.iter().map(|(_, lines)| lines.len()).sum();
        let gone: usize = fresh.iter().map(|(place, _)| range(ends, *place).len()).sum();
        let (mut lines, mut new_ends) = (Vec::with_capacity(old.len() - gone + come), Vec::with_capacity(accounts));
        let mut fresh = fresh.iter().peekable();
        for place in 0..accounts {
            match fresh.next_if(|(at, _)| *at == place) {
                Some((_, fresh)) => lines.extend_from_slice(fresh.as_bytes()),
                None => lines.extend_from_slice(&old[range(ends, place)]),
            }
            new_ends.push(lines.len());
        }
        self.ends[block] = if lines.is_empty() { Vec::new() } else { new_ends };
        self.lines[block] = lines.into();
    }
}

/// Where the lines of the account at `place` are.
fn range(ends: &[usize], place: usize) -> Range<usize> {
    let before = place.checked_sub(1).and_then(|before| ends.get(before));
    before.copied().unwrap_or(0)..ends.get(place).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_block_stays_where_it_is_while_no_line_is_another() {
        let mut blocks = Blocks::default();
        blocks.update(1, 3, &[(0, "a\n"), (1, ""), (2, "c\n")]);
        let before = blocks.lines()[1].clone();
        blocks.update(1, 3, &[(1, ""), (2, "c\n")]);
        assert_eq!(before.as_ptr(), blocks.lines()[1].as_ptr());
        blocks.update(1, 3, &[(1, "b\n")]);
        assert_eq!([&before[..], &blocks.lines()[1]], [&b"a\nc\n"[..], b"a\nb\nc\n"]);
        assert!(blocks.lines()[0].is_empty(), "nobody has given its lines");
    }

    proptest! {
        /// However lines come and go, a block holds those that each account gave last.
        #[test]
        fn a_block_holds_the_last_lines_of_each_account(
            steps in prop::collection::vec(prop::collection::btree_map(0..5_usize, "[ab]{0,3}", 0..5), 1..20)
        ) {
            let (mut blocks, mut last) = (Blocks::default(), vec![String::new(); 5]);
            for step in steps {
                let fresh: Vec<_> = step.iter().map(|(place, lines)| (*place, lines.as_str())).collect();
                blocks.update(0, 5, &fresh);
                fresh.iter().for_each(|(place, lines)| (*lines).clone_into(&mut last[*place]));
                prop_assert_eq!(blocks.lines()[0].to_vec(), last.concat().into_bytes());
            }
        }
    }
}
