//! From a snapshot to the samples of each family, as lines.
//!
//! Lines are written directly: at ten thousand accounts the Prometheus library's data
//! model of them would be half a million samples, each with an allocation a label. A
//! property test holds them against the library's own. All families here are gauges.
//!
//! The rule of the house is written here for good: a *fact* has no sample while
//! it is unknown, a *verdict* always has all four.

mod accounts;
mod blocks;
mod collectors;
mod contacts;
mod controls;
mod policies;
mod pools;
mod rendering;
mod root;
mod root_access;
mod rows;
mod seen;
mod users;

use std::sync::LazyLock;

use super::{Kind, Metric, UNIDENTIFIED};
use crate::model::{
    snapshot::{AccountState, Snapshot},
    time::{Moment, Timestamp},
};
pub use rendering::Rendering;
use rows::Rows;
use seen::View;

/// A row: a metric, and where its samples come from.
#[derive(Debug)]
struct Family {
    metric: Metric,
    sample: Sample,
    form: Form,
}

/// In which form a family has a place: as it is served, or in a file that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// True of an account whenever it was looked at.
    Both,
    /// True of a process that goes on, or of all its accounts together.
    Served,
    /// What only a file has to say.
    AtRest,
}

#[derive(Debug)]
enum Sample {
    /// Of one account after the other; the label `account_id` comes first, and is given already.
    Account(fn(&View<'_>, &mut Rows)),
    /// Of all accounts together.
    Snapshot(fn(&Snapshot, &mut Rows)),
}

/// Every row, by name.
static FAMILIES: LazyLock<Vec<&'static Family>> = LazyLock::new(|| {
    let subjects = [
        accounts::FAMILIES,
        collectors::FAMILIES,
        contacts::FAMILIES,
        controls::FAMILIES,
        policies::FAMILIES,
        pools::FAMILIES,
        root::FAMILIES,
        root_access::FAMILIES,
        users::FAMILIES,
    ];
    let mut families: Vec<_> = subjects.into_iter().flatten().collect();
    families.sort_unstable_by_key(|family| family.metric.name);
    families
});

/// Every metric that is rendered, in the order of exposition.
pub(super) fn metrics() -> impl Iterator<Item = Metric> {
    FAMILIES.iter().map(|family| family.metric)
}

// === impl Family ===

impl Family {
    /// The same, in this form only.
    const fn only(self, form: Form) -> Self {
        let Self { metric, sample, .. } = self;
        Self { metric, sample, form }
    }
}

const fn of_account(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    sample: fn(&View<'_>, &mut Rows),
) -> Family {
    Family {
        metric: Metric { name, help, kind: Kind::Gauge, labels },
        sample: Sample::Account(sample),
        form: Form::Both,
    }
}

const fn of_snapshot(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    sample: fn(&Snapshot, &mut Rows),
) -> Family {
    Family {
        metric: Metric { name, help, kind: Kind::Gauge, labels },
        sample: Sample::Snapshot(sample),
        form: Form::Served,
    }
}

// === values ===

fn id(state: &AccountState) -> &str {
    state.account.as_ref().map_or(UNIDENTIFIED, |account| account.id.as_str())
}

fn or_never(at: Option<Moment>) -> f64 {
    at.map_or(Timestamp::default(), |at| at.wall).as_seconds()
}

#[expect(clippy::cast_precision_loss, reason = "no account list is longer than 2^52")]
fn count(accounts: usize) -> f64 {
    accounts as f64
}
