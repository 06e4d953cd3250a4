//! Which accounts the configuration's filters name, and which filters name nothing.
//!
//! A filter that names nothing is not what its author meant: an `include` would leave
//! out what it should name, an `exclude` would not leave out what it should. Nobody
//! sees either, so it is a fault.

use crate::{
    config::{Filter, Organization},
    model::{
        facts::{Fault, FaultClass},
        organization::{Entry, Unit},
    },
};

/// So many filters are named in one fault.
const NAMED: usize = 5;

impl Organization {
    /// Whether `include` is about this account, or there is none.
    pub(super) fn includes(&self, entry: &Entry) -> bool {
        self.include.is_empty() || self.include.matches(entry, true)
    }

    /// Whether `exclude` is about this account.
    pub(super) fn excludes(&self, entry: &Entry) -> bool {
        self.exclude.matches(entry, false)
    }
}

impl Filter {
    /// Whether any part of the filter is about `entry`; where that cannot be told,
    /// `unknown`.
    fn matches(&self, entry: &Entry, unknown: bool) -> bool {
        let is_within = |wanted| entry.unit.as_ref().and_then(|unit| unit.is_within(wanted)).unwrap_or(unknown);
        let is_tagged = |(key, values): (&String, &Vec<String>)| {
            entry.tags.as_ref().map_or(unknown, |tags| tags.get(key).is_some_and(|value| values.contains(value)))
        };
        self.accounts.contains(&entry.id) || self.ous.iter().any(is_within) || self.tags.iter().any(is_tagged)
    }

    /// The parts that name nothing, as the configuration writes them. A unit is one
    /// although no account is in it. What was not read, nothing is said of.
    pub(super) fn unmatched(&self, entries: &[&Entry], units: Option<&[Unit]>) -> Vec<String> {
        let accounts = self.accounts.iter().filter(|id| !entries.iter().any(|entry| entry.id == **id));
        let is_none =
            |wanted: &&_| units.is_some_and(|all| all.iter().all(|unit| unit.is_within(wanted) == Some(false)));
        let ous = self.ous.iter().filter(is_none);
        let is_set = |key: &str, value: &String| {
            entries.iter().any(|entry| entry.tags.as_ref().is_none_or(|tags| tags.get(key) == Some(value)))
        };
        let tags = self.tags.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
        let tags = tags.filter(|(key, value)| !is_set(key, value));
        accounts
            .map(|id| format!("accounts: {id}"))
            .chain(ous.map(|unit| format!("ous: {unit}")))
            .chain(tags.map(|(key, value)| format!("tags: {key}: {value}")))
            .collect()
    }
}

/// The fault of filters with parts that name nothing, if there are any.
pub(super) fn verdict(include: &[String], exclude: &[String]) -> Result<(), Fault> {
    let parts = |key: &'static str, filter: &[String]| {
        filter.iter().map(move |part| format!("organization.{key}.{part}")).collect::<Vec<_>>()
    };
    let all = [parts("include", include), parts("exclude", exclude)].concat();
    if all.is_empty() {
        return Ok(());
    }
    let more = if all.len() > NAMED { format!(", and {} more", all.len() - NAMED) } else { String::new() };
    let named = all[..all.len().min(NAMED)].join(", ");
    Err(Fault::new(FaultClass::UnmatchedFilter, format!("nothing in the organization matches {named}{more}")))
}
