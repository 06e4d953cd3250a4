//! What a row may know of an account, so that it can be told when its lines are others.

use super::Form;
use crate::model::{
    account::AccountId,
    exemption::Exemption,
    facts::{
        Known, RootReading, VirtualDevices,
        policies::{EnforcementCounts, PoliciesReading},
        user::ReportUse,
    },
    judge::{Control, root::RootDeviceCounts, users::young_report},
    snapshot::{AccountState, Failing, Plan, Snapshot},
    time::{Moment, Timestamp},
};

/// One account, as rows see it. They see no clock: all that may become another by time
/// alone is in [`Seen`] and [`Common`]. So the lines of an account are the same as before
/// where its state, these two and the settings are.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) state: &'a AccountState,
    pub(super) common: &'a Common,
    pub(super) seen: &'a Seen,
}

/// What is the same for all accounts at one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Common {
    /// What is collected.
    pub(super) plan: Plan,
    /// The exemptions that have not ended.
    exemptions: Vec<Exemption>,
    /// The tick, in a file that is kept.
    pub(super) read_at: Option<Timestamp>,
}

/// What is known of one account while it is fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The account summary: the last heartbeat, or else that of an audit.
    pub(super) reading: Option<Known<RootReading>>,
    /// The list of virtual devices, if it belongs to the account as the last heartbeat
    /// showed it.
    pub(super) devices: Option<Known<VirtualDevices>>,
    pub(super) root_devices: Option<Known<RootDeviceCounts>>,
    /// When the last audit of root was.
    pub(super) audited: Option<Moment>,
    /// The report behind what is known of the users.
    pub(super) report: Option<ReportUse>,
    pub(super) enforcement: Option<EnforcementCounts>,
    pub(super) security_contact: Option<bool>,
    pub(super) contact_phone: Option<bool>,
    pub(super) regions_switched_off: Option<u32>,
    /// Whether the account is read at the longer interval.
    pub(super) is_stretched: Option<bool>,
    pub(super) failing: Option<Failing<String>>,
}

// === impl Common ===

impl Common {
    pub(super) fn of(snapshot: &Snapshot, form: Form) -> Self {
        let read_at = (form == Form::AtRest).then_some(snapshot.tick.wall);
        let exemptions = snapshot.exemptions.iter().filter(|exemption| exemption.holds(snapshot.tick));
        Self { plan: snapshot.plan.clone(), exemptions: exemptions.cloned().collect(), read_at }
    }

    /// The exemptions for a control of an account.
    pub(super) fn exemptions(&self, account: AccountId, control: Control) -> impl Iterator<Item = &Exemption> {
        self.exemptions.iter().filter(move |exemption| exemption.is_of_control(account, control))
    }
}

// === impl Seen ===

impl Seen {
    pub(super) fn of(snapshot: &Snapshot, state: &AccountState) -> Self {
        let (tick, plan) = (snapshot.tick, &*state.in_force(&snapshot.plan, snapshot.tick));
        let users = state.fresh_users(plan, tick);
        Self {
            reading: state.root_summary(plan, tick),
            devices: devices(state, plan, tick).cloned(),
            root_devices: state.root_device_counts(plan, tick),
            audited: state.fresh_audit(plan, tick).map(|audit| audit.as_of),
            report: users.and_then(|users| young_report(&users.value, tick).copied()),
            enforcement: state.policies(plan, tick).map(PoliciesReading::counts),
            security_contact: state.security_contact(plan, tick),
            contact_phone: state.contact_phone(plan, tick),
            regions_switched_off: state.regions_switched_off(plan, tick),
            is_stretched: state.is_stretched(&snapshot.plan, tick),
            failing: snapshot.failing(state).map(|failing| failing.to_owned()),
        }
    }
}

fn devices<'a>(state: &'a AccountState, plan: &Plan, tick: Moment) -> Option<&'a Known<VirtualDevices>> {
    let list = plan.cadence.fresh_devices(state.devices.as_ref(), tick)?;
    let reading = plan.cadence.fresh_reading(state.reading.as_ref(), tick)?;
    list.value.is_of(&reading.value.summary).then_some(list)
}
