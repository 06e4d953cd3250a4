//! Whose turn it is. Pure.
//!
//! Addresses take turns, so that one that tries a thousand passwords waits for itself.
//! Within an address the newest and the oldest take turns: whoever comes after two
//! hundred that wait patiently is next but one, and among more than can ever be served
//! nobody waits for ever. Where too many wait, the address that has most of them loses
//! its oldest.

use std::collections::{HashMap, VecDeque};

use crate::http::door::Origin;

/// Those who wait.
#[derive(Debug)]
pub(super) struct Turns<T> {
    most: usize,
    many: usize,
    order: VecDeque<Origin>,
    waiting: HashMap<Origin, Line<T>>,
}

#[derive(Debug)]
struct Line<T> {
    line: VecDeque<T>,
    is_oldest_next: bool,
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
            Line { line: VecDeque::new(), is_oldest_next: false }
        });
        line.line.push_back(item);
        self.many += 1;
        dropped
    }

    /// The next whose turn it is.
    pub(super) fn next(&mut self) -> Option<T> {
        let origin = self.order.pop_front()?;
        let line = self.waiting.get_mut(&origin)?;
        let item = if line.is_oldest_next { line.line.pop_front() } else { line.line.pop_back() };
        line.is_oldest_next = !line.is_oldest_next;
        if line.line.is_empty() {
            self.waiting.remove(&origin);
        } else {
            self.order.push_back(origin);
        }
        self.many -= usize::from(item.is_some());
        item
    }

    fn drop_one(&mut self) -> Option<T> {
        let (origin, line) = self.waiting.iter_mut().max_by_key(|(_, line)| line.line.len())?;
        let (origin, item) = (*origin, line.line.pop_front());
        if line.line.is_empty() {
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
    fn addresses_take_turns_and_so_do_the_newest_and_the_oldest_of_one() {
        let (waiting, _) = turns(9, &[(1, 1), (1, 2), (1, 3), (1, 4), (2, 20)]);
        assert_eq!(rest(waiting), [4, 20, 1, 3, 2]);
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
    fn a_newcomer_is_next_but_one_whoever_else_waits() {
        let mut turns = Turns::new(1_000);
        (0..200).for_each(|client| assert!(turns.push(origin(1), client).is_none()));
        let mut until = 0;
        assert!(turns.push(origin(1), 999).is_none());
        while turns.next() != Some(999) {
            until += 1;
            assert!(turns.push(origin(1), until).is_none());
        }
        assert!(until < 2, "{until}");
    }
}
