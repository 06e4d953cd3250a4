//! The lines of one snapshot, made out of those of the one before.
//!
//! In a minute every account is read once, in a second one account in sixty. So most lines
//! of a snapshot are those of the one before, and only accounts are rendered that are not
//! what they were. That is told by everything that rows see: the account's state, which is
//! shared between snapshots until something changes it, and what [`Common`] and [`Seen`]
//! hold. A property test compares each snapshot of random histories with its rendering from
//! nothing. Besides, each account is rendered anew once in [`ROUNDS`], whatever it was.

use std::{iter::zip, sync::Arc};

use bytes::Bytes;

use super::{
    FAMILIES, Family, Form, Sample,
    blocks::{BLOCK, Blocks},
    id,
    rows::Rows,
    seen::{Common, Seen, View},
};
use crate::{metrics::Metric, model::snapshot::Snapshot};

/// In so many snapshots each account is rendered anew at least once.
const ROUNDS: usize = 32;

/// The lines of every family, of one snapshot.
#[derive(Debug)]
pub struct Rendering {
    snapshot: Arc<Snapshot>,
    common: Common,
    seen: Vec<Seen>,
    families: Vec<(&'static Family, Blocks)>,
    form: Form,
    round: usize,
}

impl Rendering {
    /// Renders what is served.
    #[must_use]
    pub fn served(snapshot: Arc<Snapshot>) -> Self {
        Self::new(snapshot, Form::Served)
    }

    /// Renders what stays true in a file, as of the time that stands in it. Each sample is
    /// of an account, so that the files of several accounts can lie side by side.
    #[must_use]
    pub fn at_rest(snapshot: Arc<Snapshot>) -> Self {
        Self::new(snapshot, Form::AtRest)
    }

    fn new(snapshot: Arc<Snapshot>, form: Form) -> Self {
        let (common, seen) = (Common::of(&snapshot, form), seen(&snapshot));
        let wanted = FAMILIES.iter().filter(|family| family.form == Form::Both || family.form == form);
        let families = wanted.map(|family| (*family, Blocks::default())).collect();
        let all: Vec<_> = (0..seen.len()).collect();
        let mut rendering = Self { snapshot, common, seen, families, form, round: 0 };
        rendering.render(&all);
        rendering
    }

    /// Renders a later snapshot, in the same form.
    #[must_use]
    pub fn next(self, snapshot: Arc<Snapshot>) -> Self {
        let (common, seen) = (Common::of(&snapshot, self.form), seen(&snapshot));
        let unchanged = snapshot.unchanged(&self.snapshot).filter(|_| common == self.common);
        let Some(unchanged) = unchanged else { return Self::new(snapshot, self.form) };
        let round = (self.round + 1) % ROUNDS;
        let is_as_before =
            |place: usize| unchanged[place] && seen[place] == self.seen[place] && place / BLOCK % ROUNDS != round;
        let changed: Vec<_> = (0..seen.len()).filter(|place| !is_as_before(*place)).collect();
        let mut next = Self { snapshot, common, seen, round, ..self };
        next.render(&changed);
        next
    }

    /// The snapshot that this is the rendering of.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Every family that has a sample, by name: its lines, in pieces, some of them empty.
    /// A piece without a line that is another than before is the same bytes as before.
    pub fn families(&self) -> impl Iterator<Item = (&Metric, &[Bytes])> {
        let all = self.families.iter().filter(|(_, blocks)| !blocks.is_empty());
        all.map(|(family, blocks)| (&family.metric, blocks.lines()))
    }

    /// Renders the accounts at these places, and what is of no account.
    fn render(&mut self, changed: &[usize]) {
        let Self { snapshot, common, seen, families, .. } = self;
        let states: Vec<_> = snapshot.accounts().collect();
        let view = |place: usize| View { state: states[place], common, seen: &seen[place] };
        for (Family { metric, sample, .. }, blocks) in families {
            match sample {
                Sample::Snapshot(sample) => {
                    let mut rows = Rows::of(metric);
                    sample(snapshot, &mut rows);
                    blocks.replace(rows.into_lines());
                }
                Sample::Account(sample) => {
                    for places in changed.chunk_by(|one, other| one / BLOCK == other / BLOCK) {
                        let mut rows = Rows::of(metric);
                        let mut ends = vec![0];
                        for place in places {
                            rows.begin_account(id(states[*place]));
                            sample(&view(*place), &mut rows);
                            ends.push(rows.lines().len());
                        }
                        let lines = ends.windows(2).map(|ends| &rows.lines()[ends[0]..ends[1]]);
                        let fresh: Vec<_> = zip(places.iter().map(|place| place % BLOCK), lines).collect();
                        let block = places[0] / BLOCK;
                        blocks.update(block, BLOCK.min(states.len() - block * BLOCK), &fresh);
                    }
                }
            }
        }
    }
}

/// What time has left standing of each account.
fn seen(snapshot: &Snapshot) -> Vec<Seen> {
    snapshot.accounts().map(|state| Seen::of(snapshot, state)).collect()
}
