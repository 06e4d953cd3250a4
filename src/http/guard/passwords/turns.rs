//! Whose turn it is. Pure.
//!
//! Addresses take turns, so that one that tries a thousand passwords waits for itself.
//! Within an address the newest is next: a scraper that comes after two hundred who
//! guess waits for the check that is under way, and for no other. Somebody who asks
//! again is the newest again.
//! Where too many wait, the address that has most of them loses its oldest.

use std::collections::{HashMap, VecDeque};

use crate::http::connections::Origin;

/// Those who wait.
#[derive(Debug)]
pub(super) struct Turns<T> {
    most: usize,
    many: usize,
    order: VecDeque<Origin>,
    /// The oldest first, and no line without anybody.
    waiting: HashMap<Origin, VecDeque<T>>,
}

impl<T> Turns<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, many: 0, order: VecDeque::new(), waiting: HashMap::new() }
    }

    /// Lets somebody wait; answers with whoever does not any more for it.
    pub(super) fn push(&mut self, origin: Origin, item: T) -> Option<T> {
        let dropped = (self.many >= self.most).then(|| self.drop_one()).flatten();
        let line = self.waiting.entry(origin).or_insert_with(|| {
            self.order.push_back(origin);
            VecDeque::new()
        });
        line.push_back(item);
        self.many += 1;
        dropped
    }

    /// Makes of somebody who asks again the newest of the address that asks.
    pub(super) fn renew(&mut self, origin: Origin, is_the_one: impl Fn(&T) -> bool) {
        let found = self.waiting.iter().find_map(|(from, line)| Some((*from, line.iter().position(&is_the_one)?)));
        let Some((from, place)) = found else { return };
        if let Some(item) = self.take(from, |line| line.remove(place)) {
            self.push(origin, item);
        }
    }

    /// Whether somebody of this address waits.
    pub(super) fn has(&self, origin: Origin) -> bool {
        self.waiting.contains_key(&origin)
    }

    /// The next whose turn it is.
    pub(super) fn next(&mut self) -> Option<T> {
        let origin = self.order.pop_front()?;
        self.order.push_back(origin);
        self.take(origin, VecDeque::pop_back)
    }

    fn drop_one(&mut self) -> Option<T> {
        let origin = *self.waiting.iter().max_by_key(|(_, line)| line.len())?.0;
        self.take(origin, VecDeque::pop_front)
    }

    fn take(&mut self, origin: Origin, one: impl FnOnce(&mut VecDeque<T>) -> Option<T>) -> Option<T> {
        let line = self.waiting.get_mut(&origin)?;
        let item = one(line);
        if line.is_empty() {
            self.waiting.remove(&origin);
            self.order.retain(|other| *other != origin);
        }
        self.many -= usize::from(item.is_some());
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(n: u8) -> Origin {
        Origin::of([10, 0, 0, n].into())
    }

    fn turns(most: usize, pushed: &[(u8, u32)]) -> (Turns<u32>, Vec<u32>) {
        let mut turns = Turns::new(most);
        let dropped = pushed.iter().filter_map(|(from, item)| turns.push(origin(*from), *item)).collect();
        (turns, dropped)
    }

    fn rest(mut turns: Turns<u32>) -> Vec<u32> {
        let order: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert!((turns.many, turns.order.len(), turns.waiting.len()) == (0, 0, 0), "{turns:?}");
        order
    }

    #[test]
    fn addresses_take_turns_and_the_newest_of_one_is_next() {
        let (waiting, _) = turns(9, &[(1, 1), (1, 2), (1, 3), (1, 4), (2, 20)]);
        assert_eq!(rest(waiting), [4, 20, 3, 2, 1]);
    }

    #[test]
    fn whoever_asks_again_is_the_newest_again_and_of_the_address_that_asks() {
        let pushed = [(1, 1), (1, 2), (1, 3)];
        let renewed = |from, item| {
            let (mut waiting, _) = turns(9, &pushed);
            waiting.renew(origin(from), |other| *other == item);
            rest(waiting)
        };
        assert_eq!(renewed(1, 1), [1, 3, 2]);
        assert_eq!(renewed(2, 1), [3, 1, 2]);
        assert_eq!(renewed(2, 9), [3, 2, 1], "nobody waits for that");
    }

    #[test]
    fn where_too_many_wait_the_address_with_most_loses_its_oldest() {
        let (waiting, dropped) = turns(3, &[(2, 20), (1, 1), (1, 2), (1, 3), (3, 30)]);
        assert_eq!(dropped, [1, 2]);
        assert_eq!(rest(waiting), [20, 3, 30]);
        let (waiting, dropped) = turns(1, &[(1, 1), (2, 2)]);
        assert_eq!((dropped, rest(waiting)), (vec![1], vec![2]));
    }

    /// Two hundred try one password after the other, each as soon as it is answered.
    #[test]
    fn a_newcomer_is_next_whoever_else_waits_and_whenever_it_comes() {
        for before in 0..10 {
            let mut turns = Turns::new(1_000);
            (0..200).for_each(|client| assert!(turns.push(origin(1), client).is_none()));
            for _ in 0..before {
                let answered = turns.next().unwrap();
                assert!(turns.push(origin(1), answered).is_none());
            }
            assert!(turns.push(origin(1), 999).is_none());
            assert_eq!(turns.next(), Some(999));
        }
    }
}
