//! What is said of one account: its evidence, judged now, and anew where age or anything
//! else can have changed the answer.

use std::{sync::Arc, time::Duration};

use super::{
    super::{Collector, Plan},
    AccountState, Health, LONGEST_RUN,
};
use crate::model::{
    exemption::Exemption,
    facts::{
        Changes, Known, RootAudit, RootReading, UserId, UsersReading, policies::PoliciesReading, pools::PoolsReading,
    },
    judge::{
        Control, Reason, Verdict, is_young,
        pools::PoolCensus,
        root::{self, RootDeviceCounts, RootEvidence},
        users::{Census, Terms, UserCounts, UsersEvidence},
    },
    time::{Moment, Timestamp},
};

/// A census, and what it depends on beside the evidence and its age.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    census: Census,
    /// How old the facts behind it might be.
    terms: Terms,
    /// Whether there was a heartbeat that would have shown a change.
    is_watched: bool,
    /// Whether it was known what policies enforce.
    has_policies: bool,
    /// When the next exemption ends.
    exempt_until: Option<Timestamp>,
}

impl AccountState {
    /// How many users are what; `None` while it is not known who there is.
    #[must_use]
    pub fn user_counts(&self) -> Option<&UserCounts> {
        self.census.as_ref()?.census.counts.as_ref()
    }

    /// How many Regions are switched off in the account, while the list of them is fresh.
    #[must_use]
    pub fn regions_switched_off(&self, plan: &Plan, now: Moment) -> Option<u32> {
        let known = self.pools(plan).filter(|known| is_young(known.as_of, plan.max_age_of_pools(), now))?;
        known.value.switched_off
    }

    /// What is said of the user pools.
    #[must_use]
    pub fn pool_census(&self) -> Option<&PoolCensus> {
        self.pool_census.as_ref()
    }

    /// What the policies of each user enforce, while that is known of every user: the
    /// answer is young, whole, and of after the last change that was seen.
    #[must_use]
    pub fn policies(&self, plan: &Plan, now: Moment) -> Option<&PoliciesReading> {
        let known = self.policies.as_ref().filter(|known| is_young(known.as_of, plan.max_age_of_policies(), now))?;
        let is_good = known.value.is_whole() && self.changes.is_settled(known.as_of) && self.is_watched(plan, now);
        is_good.then_some(&known.value)
    }

    /// Whether there is a security contact, while that is known.
    #[must_use]
    pub fn security_contact(&self, plan: &Plan, now: Moment) -> Option<bool> {
        let known = self.contacts.as_ref()?.security.as_ref()?;
        is_young(known.as_of, plan.max_age_of_contacts(), now).then_some(known.value)
    }

    /// Whether the telephone of the primary contact is verified, while that is known.
    #[must_use]
    pub fn contact_phone(&self, plan: &Plan, now: Moment) -> Option<bool> {
        let known = self.contacts.as_ref()?.phone.as_ref()?;
        known.value.filter(|_| is_young(known.as_of, plan.max_age_of_contacts(), now))
    }

    /// What was last learnt of the users, while the list of them is fresh.
    #[must_use]
    pub fn fresh_users(&self, plan: &Plan, now: Moment) -> Option<&Known<Arc<UsersReading>>> {
        let max_age = self.in_force(plan, now).users_terms().list;
        self.users.as_ref().filter(|known| now.age(known.as_of).is_some_and(|age| age <= max_age))
    }

    /// What the verdicts on users rest on.
    #[must_use]
    pub fn users_evidence(&self, plan: &Plan, now: Moment) -> UsersEvidence<'_> {
        let is_watched = self.is_watched(plan, now);
        let policies = self.policies(plan, now);
        UsersEvidence { reading: self.users.as_ref(), changes: self.changes, is_watched, policies }
    }

    /// What the next run of the users' collector should know.
    #[must_use]
    pub fn knowledge(&self) -> (Option<Known<Arc<UsersReading>>>, Changes) {
        let listed = self.devices.as_ref().map(|known| known.value);
        let audited = self.audit.as_ref().and_then(|known| known.value.seal);
        let seal = self.root_devices.listed().or(audited);
        let key = self.changes.key.or(seal.map(|seal| seal.key));
        (self.users.clone(), Changes { listed: self.changes.listed.or(listed), key, ..self.changes })
    }

    /// Whether a change of users or devices would have been seen: the last heartbeat
    /// is fresh, and shows every counter.
    fn is_watched(&self, plan: &Plan, now: Moment) -> bool {
        let heartbeat = self.in_force(plan, now).cadence.fresh_reading(self.reading.as_ref(), now);
        heartbeat.is_some_and(|reading| reading.value.summary.shows_users_and_devices())
    }

    /// When root's devices were last seen to be others than before.
    #[must_use]
    pub fn root_devices_changed(&self) -> Option<Moment> {
        self.root_devices.changed()
    }

    /// How many devices root has, as far as that is known.
    #[must_use]
    pub fn root_device_counts(&self, plan: &Plan, now: Moment) -> Option<Known<RootDeviceCounts>> {
        let (plan, users) = (self.in_force(plan, now), self.user_counts().map(|counts| counts.other_devices));
        RootDeviceCounts::of(self.root_evidence(&plan, now), users, &plan.cadence, now)
    }

    /// The account summary: the last heartbeat while it is fresh, or else that of an audit
    /// which nothing contradicts.
    #[must_use]
    pub fn root_summary(&self, plan: &Plan, now: Moment) -> Option<Known<RootReading>> {
        let plan = self.in_force(plan, now);
        self.root_evidence(&plan, now).summary(&plan.cadence, now)
    }

    /// The last audit of root, while it is young enough to be judged.
    #[must_use]
    pub fn fresh_audit(&self, plan: &Plan, now: Moment) -> Option<&Known<RootAudit>> {
        self.audit.as_ref().filter(|known| is_young(known.as_of, plan.max_age_of_audit(), now))
    }

    fn root_evidence(&self, plan: &Plan, now: Moment) -> RootEvidence<'_> {
        RootEvidence {
            reading: self.reading.as_ref(),
            devices: self.devices.as_ref(),
            audit: self.fresh_audit(plan, now),
            changes: self.changes,
        }
    }

    fn root_verdict(&self, control: Control, plan: &Plan, now: Moment) -> Verdict {
        let evidence = self.root_evidence(plan, now);
        let unread = || Verdict::unknown(Reason::NotRead);
        self.account.as_ref().map_or_else(unread, |account| root::judge(control, account, evidence, &plan.cadence, now))
    }

    fn take_census(&self, plan: &Plan, exemptions: &[Exemption], now: Moment) -> Taken {
        let (evidence, terms) = (self.users_evidence(plan, now), plan.users_terms());
        let is_exempt = |id: &UserId| self.bindings.exempts(exemptions, id, now);
        let census =
            if self.account.is_some() { Census::take(evidence, &terms, is_exempt, now) } else { Census::unread() };
        let exempt_until = self.bindings.next_end(exemptions, now);
        let has_policies = evidence.policies.is_some();
        Taken { census, terms, is_watched: evidence.is_watched, has_policies, exempt_until }
    }

    /// Whether the census would be the same at `now`. It is taken again when evidence
    /// comes; in between, only time can change it.
    fn is_census_good(&self, plan: &Plan, now: Moment) -> bool {
        self.census.as_ref().is_some_and(|taken| {
            taken.terms == plan.users_terms()
                && taken.is_watched == self.is_watched(plan, now)
                && taken.has_policies == self.policies(plan, now).is_some()
                && taken.exempt_until.is_none_or(|end| now.wall < end)
                && taken.census.holds(&taken.terms, now)
        })
    }

    /// What was last learnt of the user pools, if that is of the Regions that are to be read.
    fn pools(&self, plan: &Plan) -> Option<&Known<Arc<PoolsReading>>> {
        let chosen = &plan.cognito.as_ref()?.regions;
        self.pools.as_ref().filter(|known| known.value.is_of(chosen))
    }

    fn is_pool_census_good(&self, plan: &Plan, now: Moment) -> bool {
        let (pools, max_age) = (self.pools(plan), plan.max_age_of_pools());
        self.pool_census.as_ref().is_some_and(|census| census.holds(pools, max_age, now))
    }

    pub(in crate::model::snapshot) fn judge(&mut self, plan: &Plan, exemptions: &[Exemption], now: Moment) {
        let plan = &*self.in_force(plan, now);
        if !self.is_census_good(plan, now) {
            self.census = Some(self.take_census(plan, exemptions, now));
        }
        if !self.is_pool_census_good(plan, now) {
            self.pool_census = Some(PoolCensus::take(self.pools(plan), plan.max_age_of_pools(), now));
        }
        let cognito5 = self.pool_census.as_ref().map(|census| census.cognito5);
        let users = self.census.as_ref().map(|taken| (taken.census.iam5, taken.census.iam19));
        let (iam5, iam19) = users.expect("a census has just been taken");
        if let Some(known) = self.root_device_counts(plan, now) {
            known.value.others.into_iter().for_each(|others| self.root_devices.count(others, known.as_of));
        }
        for (control, place) in Control::ALL.into_iter().zip(0..) {
            let verdict = match control {
                Control::Cognito5 => cognito5.expect("a census has just been taken"),
                Control::Iam5 => iam5,
                Control::Iam19 => iam19,
                Control::Iam4 | Control::Iam6 | Control::Iam9 => self.root_verdict(control, plan, now),
            };
            self.standings[place].take(verdict);
        }
    }

    /// Whether anything about this account may be different at `now`. Most ticks
    /// change nothing, and an unchanged account is shared, not copied.
    pub(in crate::model::snapshot) fn would_age(&self, plan: &Plan, now: Moment) -> bool {
        let plan = &*self.in_force(plan, now);
        let stalls = |(collector, health): &(Collector, Health)| {
            health.would_stall(patience(plan, *collector, self.reading.as_ref()), now)
        };
        let differs = |control: Control| {
            control.is_of_root() && self.root_verdict(control, plan, now) != self.standing(control).verdict
        };
        !self.is_census_good(plan, now)
            || !self.is_pool_census_good(plan, now)
            || self.health.iter().any(stalls)
            || Control::ALL.into_iter().any(differs)
    }

    pub(in crate::model::snapshot) fn age(&mut self, plan: &Plan, exemptions: &[Exemption], now: Moment) {
        let plan = &*self.in_force(plan, now);
        for (collector, health) in &mut self.health {
            health.age(patience(plan, *collector, self.reading.as_ref()), now);
        }
        self.judge(plan, exemptions, now);
    }
}

/// How long a collector may go without reporting: three of its intervals, and
/// the longest that one run may take.
fn patience(plan: &Plan, collector: Collector, reading: Option<&Known<RootReading>>) -> Duration {
    let interval = match (collector, reading) {
        (Collector::Root, Some(reading)) => plan.cadence.heartbeat(&reading.value),
        _ => plan.interval(collector),
    };
    interval * 3 + LONGEST_RUN
}
