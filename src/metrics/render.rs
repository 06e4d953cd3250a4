//! From a snapshot to the samples of each family, as lines.
//!
//! Lines are written directly: at ten thousand accounts the Prometheus library's data
//! model of them would be half a million samples, each with an allocation a label. A
//! property test holds them against the library's own. All families here are gauges.
//!
//! The rule of the house is written here for good: a *fact* has no sample while
//! it is unknown, a *verdict* always has all four.

mod accounts;
mod collectors;
mod contacts;
mod controls;
mod policies;
mod pools;
mod root;
mod root_access;
mod rows;
mod users;

use std::sync::LazyLock;

use super::{Kind, Metric, UNIDENTIFIED};
use crate::model::{
    facts::{Known, RootReading, VirtualDevices, user::ReportUse},
    judge::users::young_report,
    snapshot::{AccountState, Snapshot},
    time::{Moment, Timestamp},
};
use rows::Rows;

/// A row: a metric, and where its samples come from.
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

enum Sample {
    /// Of one account after the other; the label `account_id` comes first, and is given already.
    Account(fn(&View<'_>, &mut Rows)),
    /// Of all accounts together.
    Snapshot(fn(&Snapshot, &mut Rows)),
}

/// One account, as it is seen at the snapshot's tick.
struct View<'a> {
    snapshot: &'a Snapshot,
    state: &'a AccountState,
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

/// Renders every family that is served and has a sample, by name: its lines.
pub fn render(snapshot: &Snapshot, family: impl FnMut(&Metric, String)) {
    render_but(Form::AtRest, snapshot, family);
}

/// Renders what stays true in a file, as of the time that stands in it. Each sample is
/// of an account, so that the files of several accounts can lie side by side.
pub fn render_at_rest(snapshot: &Snapshot, family: impl FnMut(&Metric, String)) {
    render_but(Form::Served, snapshot, family);
}

fn render_but(unwanted: Form, snapshot: &Snapshot, mut family: impl FnMut(&Metric, String)) {
    for row in FAMILIES.iter().filter(|row| row.form != unwanted) {
        if let Some(lines) = row.render(snapshot) {
            family(&row.metric, lines);
        }
    }
}

// === impl Family ===

impl Family {
    /// The same, in this form only.
    const fn only(self, form: Form) -> Self {
        let Self { metric, sample, .. } = self;
        Self { metric, sample, form }
    }

    fn render(&self, snapshot: &Snapshot) -> Option<String> {
        let mut rows = Rows::of(&self.metric);
        match self.sample {
            Sample::Snapshot(sample) => sample(snapshot, &mut rows),
            Sample::Account(sample) => {
                for state in snapshot.accounts() {
                    rows.begin_account(id(state));
                    sample(&View { snapshot, state }, &mut rows);
                }
            }
        }
        rows.into_lines()
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

// === impl View ===

impl<'a> View<'a> {
    /// The account summary: the last heartbeat while it is fresh, or else that of an audit.
    fn reading(&self) -> Option<Known<RootReading>> {
        self.state.root_summary(&self.snapshot.plan, self.snapshot.tick)
    }

    /// The list of virtual devices, while it is fresh and belongs to the account as
    /// the last heartbeat showed it.
    fn devices(&self) -> Option<&'a Known<VirtualDevices>> {
        let plan = self.state.in_force(&self.snapshot.plan, self.snapshot.tick);
        let list = plan.cadence.fresh_devices(self.state.devices.as_ref(), self.snapshot.tick)?;
        let reading = plan.cadence.fresh_reading(self.state.reading.as_ref(), self.snapshot.tick)?;
        list.value.is_of(&reading.value.summary).then_some(list)
    }

    /// The report behind what is known of the users.
    fn report(&self) -> Option<&'a ReportUse> {
        let tick = self.snapshot.tick;
        young_report(&self.state.fresh_users(&self.snapshot.plan, tick)?.value, tick)
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
