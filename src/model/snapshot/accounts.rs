//! The accounts of a snapshot, in blocks that snapshots share.
//!
//! Up to twenty snapshots a second are published, each made from a copy of the one
//! before. Copied one by one, ten thousand accounts would cost a millisecond each time,
//! however few of them have changed. Here a copy costs a pointer a block, and a change
//! of an account copies the pointers of its block.

use std::{collections::BTreeMap, sync::Arc};

use super::AccountState;
use crate::model::account::AccountId;

/// The accounts of a block at most. About the square root of the largest organization:
/// a change copies as many pointers again as there are blocks.
const BLOCK: usize = 128;

/// An account's id; `None` for the account whose credentials have not yet proved
/// whose they are.
type Id = Option<AccountId>;

/// Accounts in the order of their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    /// None is empty, and each has only greater ids than the one before.
    blocks: Vec<Arc<Block>>,
}

type Block = Vec<(Id, Arc<AccountState>)>;

// === impl Accounts ===

impl Accounts {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    fn entries(&self) -> impl Iterator<Item = &(Id, Arc<AccountState>)> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    /// The states, by id.
    pub(super) fn states(&self) -> impl Iterator<Item = &AccountState> {
        self.entries().map(|(_, state)| state.as_ref())
    }

    fn shared(&self, id: Id) -> Option<&Arc<AccountState>> {
        let (block, at) = self.place(id)?;
        Some(&self.blocks[block][at].1)
    }

    /// The state of one account.
    pub(super) fn get(&self, id: Id) -> Option<&AccountState> {
        self.shared(id).map(Arc::as_ref)
    }

    /// Changes one account: what is shared of it is copied before.
    pub(super) fn edit(&mut self, id: Id) -> Option<&mut AccountState> {
        let (block, at) = self.place(id)?;
        Some(Arc::make_mut(&mut Arc::make_mut(&mut self.blocks[block])[at].1))
    }

    /// Changes the accounts that are `wanted`; the others stay shared.
    pub(super) fn edit_each(
        &mut self,
        wanted: impl Fn(Id, &AccountState) -> bool,
        mut edit: impl FnMut(&mut AccountState),
    ) {
        for block in &mut self.blocks {
            for at in 0..block.len() {
                let (id, state) = &block[at];
                if wanted(*id, state) {
                    edit(Arc::make_mut(&mut Arc::make_mut(block)[at].1));
                }
            }
        }
    }

    /// Other accounts take the place of these, which are given as a map. States that stay
    /// the same stay shared, blocks do not.
    pub(super) fn relist(&mut self, change: impl FnOnce(&mut BTreeMap<Id, Arc<AccountState>>)) {
        let mut map = self.entries().cloned().collect();
        change(&mut map);
        *self = map.into_iter().collect();
    }

    /// The accounts that are not what they were in `before`, each with what it was.
    pub(super) fn changes<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (Option<&'a AccountState>, &'a AccountState)> {
        let others = self.blocks.iter().enumerate().filter(|(at, block)| {
            let old = before.blocks.get(*at);
            !old.is_some_and(|old| Arc::ptr_eq(old, block))
        });
        others.flat_map(|(_, block)| block.iter()).filter_map(|(id, state)| {
            let old = before.shared(*id);
            let is_same = old.is_some_and(|old| Arc::ptr_eq(old, state));
            (!is_same).then(|| (old.map(Arc::as_ref), state.as_ref()))
        })
    }

    /// For each account in order, whether it is what it was in `before`; `None` if there
    /// were other accounts.
    pub(super) fn unchanged(&self, before: &Self) -> Option<Vec<bool>> {
        let is_same_list = self.entries().map(|(id, _)| id).eq(before.entries().map(|(id, _)| id));
        let pairs = self.entries().zip(before.entries());
        is_same_list.then(|| pairs.map(|((_, new), (_, old))| Arc::ptr_eq(new, old)).collect())
    }

    /// Where an account is: in which block, and there at which place.
    fn place(&self, id: Id) -> Option<(usize, usize)> {
        let block = self.blocks.partition_point(|block| block.last().is_some_and(|(last, _)| *last < id));
        let at = self.blocks.get(block)?.binary_search_by(|(known, _)| known.cmp(&id)).ok()?;
        Some((block, at))
    }
}

impl FromIterator<(Id, Arc<AccountState>)> for Accounts {
    /// Takes accounts in the order of their ids, each once.
    fn from_iter<T: IntoIterator<Item = (Id, Arc<AccountState>)>>(accounts: T) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        for entry in accounts {
            match blocks.last_mut() {
                Some(block) if block.len() < BLOCK => block.push(entry),
                _ => {
                    let mut block = Vec::with_capacity(BLOCK);
                    block.push(entry);
                    blocks.push(block);
                }
            }
        }
        Self { blocks: blocks.into_iter().map(Arc::new).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{
        facts::Fault,
        facts::FaultClass,
        snapshot::Plan,
        time::{Moment, Timestamp, Uptime},
    };

    fn now() -> Moment {
        Moment { wall: Timestamp::from_millis(0), mono: Uptime::after_start(Duration::ZERO) }
    }

    fn id(number: usize) -> Id {
        Some(format!("{number:012}").parse().unwrap())
    }

    /// Accounts with even ids.
    fn even(count: usize) -> Accounts {
        (0..count).map(|number| (id(2 * number), Arc::new(AccountState::new(None, &Plan::ROOT)))).collect()
    }

    fn changed(after: &Accounts, before: &Accounts) -> usize {
        after.changes(before).count()
    }

    #[test]
    fn each_account_is_found_and_no_other() {
        for count in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
            let mut accounts = even(count);
            assert_eq!(accounts.is_empty(), count == 0);
            assert_eq!(accounts.states().count(), count);
            for number in 0..2 * count + 2 {
                let is_one = number % 2 == 0 && number < 2 * count;
                assert_eq!(accounts.get(id(number)).is_some(), is_one, "{number} of {count}");
                assert_eq!(accounts.edit(id(number)).is_some(), is_one, "{number} of {count}");
            }
            assert!(accounts.get(None).is_none());
        }
    }

    #[test]
    fn a_change_of_one_account_copies_its_block_and_is_the_only_one() {
        let before = even(5 * BLOCK + 1);
        let mut after = before.clone();
        for number in [0, 2 * BLOCK, 10 * BLOCK] {
            let (before, fault) = (after.clone(), Fault::new(FaultClass::WrongAccount, "another's"));
            after.edit(id(number)).unwrap().lose(&fault, now());
            let shared = after.blocks.iter().zip(&before.blocks).filter(|(new, old)| Arc::ptr_eq(new, old)).count();
            assert_eq!((after.blocks.len(), shared), (6, 5));
            assert_eq!(changed(&after, &before), 1);
            assert!(after.get(id(number)).unwrap().is_refused() && !before.get(id(number)).unwrap().is_refused());
        }
        let unchanged = after.unchanged(&before).unwrap();
        let changed: Vec<_> = unchanged.iter().enumerate().filter(|(_, same)| !**same).map(|(at, _)| at).collect();
        assert_eq!(changed, [0, BLOCK, 5 * BLOCK]);
    }

    #[test]
    fn what_nobody_wants_to_change_stays_shared() {
        let before = even(3 * BLOCK);
        let mut after = before.clone();
        after.edit_each(
            |id, _| id == self::id(2 * BLOCK + 2),
            |state| state.lose(&Fault::new(FaultClass::WrongAccount, ""), now()),
        );
        assert_eq!(changed(&after, &before), 1);
        after.edit_each(|_, _| false, |_| unreachable!());
        assert_eq!(changed(&after, &before), 1);
        after.edit_each(|_, _| true, |_| ());
        assert_eq!(changed(&after, &before), 3 * BLOCK);
    }

    #[test]
    fn of_another_list_only_what_is_new_is_a_change() {
        let before = even(2 * BLOCK);
        let mut after = before.clone();
        after.relist(|accounts| {
            accounts.remove(&id(0));
            accounts.insert(id(1), Arc::new(AccountState::new(None, &Plan::ROOT)));
        });
        let changes: Vec<_> = after.changes(&before).map(|(old, _)| old.is_none()).collect();
        assert_eq!(changes, [true]);
        assert_eq!(after.unchanged(&before), None);
        assert!(after.get(id(1)).is_some() && after.get(id(0)).is_none());
        after.relist(BTreeMap::clear);
        assert!(after.is_empty() && after.blocks.is_empty());
    }
}
