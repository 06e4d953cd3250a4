//! Exemptions: users that somebody has decided to leave without a device, and
//! controls that somebody has decided not to meet in an account.
//!
//! An exemption changes no verdict and no count of users without MFA. It has
//! counts and rows of its own, so that an alert can subtract, and a dashboard can show,
//! what was decided and by when it ends. A name binds to the id of the first user
//! that is seen to have it: whoever is given the name later is not exempt.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{
    account::AccountId,
    facts::{UserFacts, UserId},
    hash::fnv1a,
    judge::Control,
    time::{Moment, Timestamp},
};

/// A decision that something need not be as the controls want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// What the decision is called, in the metrics and in a ticket.
    pub id: String,
    /// The account; every account where it is `None`.
    pub account: Option<AccountId>,
    /// For what.
    pub subject: Subject,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// What an exemption is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Users, who need no device.
    Users {
        /// A name, or a pattern in which `*` stands for any characters.
        names: String,
        /// The id that the user must have.
        id: Option<UserId>,
    },
    /// Controls of an account, which need not be met.
    Controls(Vec<Control>),
}

/// Which users of one account each exemption is for, by the exemptions' ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Bindings(BTreeMap<String, Binding>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Binding {
    /// A digest of what the exemption says of users, so that it binds anew when
    /// that is changed; the name itself is not kept.
    of: u64,
    users: BTreeSet<UserId>,
}

impl Exemption {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| now.wall < until)
    }

    /// Whether it is for this control of this account.
    #[must_use]
    pub fn is_of_control(&self, account: AccountId, control: Control) -> bool {
        let is_here = self.account.is_none_or(|id| id == account);
        is_here && matches!(&self.subject, Subject::Controls(controls) if controls.contains(&control))
    }
}

impl Subject {
    /// The names and the id of the users that it is about.
    const fn users(&self) -> Option<(&String, Option<&UserId>)> {
        match self {
            Self::Users { names, id } => Some((names, id.as_ref())),
            Self::Controls(_) => None,
        }
    }
}

fn is_pattern(names: &str) -> bool {
    names.contains('*')
}

fn digest(names: &str, id: Option<&UserId>) -> u64 {
    fnv1a(format!("{names}\n{}", id.map_or("", UserId::as_str)).as_bytes())
}

fn is_of(names: &str, id: Option<&UserId>, user: &UserFacts) -> bool {
    id.is_none_or(|id| *id == user.id) && user.name.as_ref().is_some_and(|name| matches(names, name))
}

impl Bindings {
    /// Binds what `exemptions` say of this account's users to those that there are.
    /// A name that is bound stays with the id it was bound to.
    pub fn bind<'e>(&mut self, exemptions: &'e [Exemption], account: AccountId, users: &[UserFacts]) {
        let mine = |exemption: &&Exemption| exemption.account.is_none_or(|id| id == account);
        let mut bound = BTreeMap::new();
        let of_users = |exemption: &'e Exemption| Some((exemption, exemption.subject.users()?));
        for (exemption, (names, id)) in exemptions.iter().filter(mine).filter_map(of_users) {
            let of = digest(names, id);
            let is_of = |user: &&UserFacts| is_of(names, id, user);
            let mut binding = self.0.remove(&exemption.id).filter(|binding| binding.of == of).unwrap_or_default();
            binding.of = of;
            let is_named = users.iter().any(|user| user.name.is_some());
            if is_pattern(names) && is_named {
                binding.users = users.iter().filter(is_of).map(|user| user.id.clone()).collect();
            } else if binding.users.is_empty() {
                binding.users.extend(users.iter().find(is_of).map(|user| user.id.clone()));
            }
            if !binding.users.is_empty() {
                bound.insert(exemption.id.clone(), binding);
            }
        }
        self.0 = bound;
    }

    /// Whether an exemption that holds at `now` is for this user.
    #[must_use]
    pub fn exempts(&self, exemptions: &[Exemption], user: &UserId, now: Moment) -> bool {
        let held = exemptions.iter().filter(|exemption| exemption.holds(now));
        let mut bindings = held.filter_map(|exemption| self.0.get(&exemption.id));
        bindings.any(|binding| binding.users.contains(user))
    }

    /// When the next exemption ends that holds at `now` and is for somebody here.
    #[must_use]
    pub fn next_end(&self, exemptions: &[Exemption], now: Moment) -> Option<Timestamp> {
        let held = exemptions.iter().filter(|exemption| exemption.holds(now) && self.0.contains_key(&exemption.id));
        held.filter_map(|exemption| exemption.until).min()
    }

    /// Whether nothing is bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether `name` is what `pattern` says; IAM's own names have no `*` in them, and
/// differ in more than case.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Uptime;

    const NOW: Moment = Moment { wall: Timestamp::from_millis(1_000_000), mono: Uptime::MIN };

    fn exemption(users: &str) -> Exemption {
        Exemption {
            id: "x".into(),
            account: None,
            subject: Subject::Users { names: users.into(), id: None },
            reason: "a test".into(),
            until: None,
        }
    }

    fn account() -> AccountId {
        "111111111111".parse().unwrap()
    }

    fn user(id: &str, name: &str) -> UserFacts {
        UserFacts::new(id.into(), name, Uptime::default(), Timestamp::default())
    }

    fn exempts(bindings: &Bindings, exemption: &Exemption, id: &str) -> bool {
        bindings.exempts(std::slice::from_ref(exemption), &id.into(), NOW)
    }

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_does() {
        for (pattern, name, wanted) in [
            ("svc-*", "svc-backup", true),
            ("svc-*", "svc-", true),
            ("svc-*", "asvc-x", false),
            ("*-ci", "team-ci", true),
            ("*-ci", "ci", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*a", "a", false),
            ("svc.x", "svcyx", false),
            ("Svc", "svc", false),
        ] {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn a_name_binds_to_the_first_who_has_it_and_to_nobody_after() {
        let (exemption, mut bindings) = (exemption("backup"), Bindings::default());
        bindings.bind(std::slice::from_ref(&exemption), account(), &[user("AIDA1", "backup")]);
        assert!(exempts(&bindings, &exemption, "AIDA1"));
        bindings.bind(std::slice::from_ref(&exemption), account(), &[user("AIDA2", "backup")]);
        assert!(!exempts(&bindings, &exemption, "AIDA2"), "deleted, and made anew with the same name");
        bindings.bind(std::slice::from_ref(&exemption), account(), &[user("AIDA1", "renamed")]);
        assert!(exempts(&bindings, &exemption, "AIDA1"), "still the same user");
    }

    #[test]
    fn a_pattern_follows_who_is_there() {
        let (exemption, mut bindings) = (exemption("svc-*"), Bindings::default());
        bindings.bind(std::slice::from_ref(&exemption), account(), &[user("AIDA1", "svc-a"), user("AIDA2", "person")]);
        assert!(exempts(&bindings, &exemption, "AIDA1") && !exempts(&bindings, &exemption, "AIDA2"));
        let nameless = UserFacts { name: None, ..user("AIDA1", "") };
        bindings.bind(std::slice::from_ref(&exemption), account(), &[nameless]);
        assert!(exempts(&bindings, &exemption, "AIDA1"), "after a restart, before the names are known again");
        bindings.bind(std::slice::from_ref(&exemption), account(), &[user("AIDA3", "svc-b")]);
        assert!(!exempts(&bindings, &exemption, "AIDA1") && exempts(&bindings, &exemption, "AIDA3"));
    }

    #[test]
    fn an_exemption_ends_binds_to_an_id_and_is_another_accounts() {
        let mut ended = exemption("backup");
        let mut bindings = Bindings::default();
        bindings.bind(std::slice::from_ref(&ended), account(), &[user("AIDA1", "backup")]);
        ended.until = Some(NOW.wall);
        assert!(!exempts(&bindings, &ended, "AIDA1"));
        let subject = Subject::Users { names: "backup".into(), id: Some("AIDA9".into()) };
        let by_id = Exemption { subject, ..exemption("backup") };
        bindings.bind(std::slice::from_ref(&by_id), account(), &[user("AIDA1", "backup")]);
        assert!(!exempts(&bindings, &by_id, "AIDA1"), "bound anew, since what it says has changed");
        let other = Exemption { account: Some("222222222222".parse().unwrap()), ..exemption("backup") };
        bindings.bind(std::slice::from_ref(&other), account(), &[user("AIDA1", "backup")]);
        assert!(bindings.is_empty());
    }
}
