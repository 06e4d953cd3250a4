//! Whose an account is: its organizational unit and some of its tags, as labels.
//!
//! Which tags is a list in the configuration, as kube-state-metrics has one: a tag
//! that nobody asked for is no label, and neither is a value without an end.

use std::{collections::BTreeSet, sync::Arc};

use super::organization::Entry;

/// The most tags that can become labels.
pub const MOST_TAGS: usize = 10;

/// The longest value of a label, in letters; AWS allows tags of 256.
const LONGEST_VALUE: usize = 100;

/// Names and values, in the order of the configuration.
pub type Labels = Arc<[(Arc<str>, String)]>;

/// Which labels an account gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelPlan {
    /// Whether its unit is one.
    pub ou: bool,
    /// The tags, each with the label that it becomes.
    pub tags: Vec<(String, Arc<str>)>,
}

/// Why tags cannot become labels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// There are too many.
    #[error("at most {MOST_TAGS} tags can become labels, because each one multiplies the series in Prometheus")]
    TooMany,
    /// Two would be one label.
    #[error("this tag and another one would both become the label {0}")]
    Same(String),
}

impl LabelPlan {
    /// Whether there are labels at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.ou && self.tags.is_empty()
    }

    /// Adds the tag of this key.
    ///
    /// # Errors
    /// When there are too many, or another tag has this label.
    pub fn add(&mut self, key: &str) -> Result<(), LabelError> {
        let label = label_of(key);
        let taken: BTreeSet<&str> = self.tags.iter().map(|(_, label)| &**label).collect();
        match () {
            () if taken.contains(label.as_str()) => Err(LabelError::Same(label)),
            () if taken.len() == MOST_TAGS => Err(LabelError::TooMany),
            () => {
                self.tags.push((key.to_owned(), label.into()));
                Ok(())
            }
        }
    }

    /// The labels of an account; `None` while the organization has not said what
    /// they are. A tag that the account does not have is an empty value.
    #[must_use]
    pub fn of(&self, entry: &Entry) -> Option<Labels> {
        if self.is_empty() {
            return None;
        }
        let mut labels = Vec::new();
        if self.ou {
            labels.push(("ou".into(), entry.unit.as_ref()?.path.clone()));
        }
        if !self.tags.is_empty() {
            let tags = entry.tags.as_ref()?;
            let value = |key: &String| tags.get(key).map(|value| clean(value)).unwrap_or_default();
            labels.extend(self.tags.iter().map(|(key, label)| (Arc::clone(label), value(key))));
        }
        Some(labels.into())
    }
}

/// `tag_` and the key, with `_` for what a label's name cannot have.
fn label_of(key: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    "tag_".chars().chain(key.chars().map(letter)).collect()
}

fn clean(value: &str) -> String {
    let letter = |letter: char| if letter.is_control() { ' ' } else { letter };
    value.chars().take(LONGEST_VALUE).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{account::AccountStatus, organization::Unit};

    fn entry() -> Entry {
        let tags =
            [("team", "payments"), ("cost-centre", "7\n")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        Entry {
            id: "111111111111".parse().unwrap(),
            name: String::new(),
            status: AccountStatus::Scanned,
            unit: Some(Unit::root("r-1".to_owned()).below("ou-1", "Workloads").below("ou-2", "Production")),
            tags: Some(tags.into()),
            email: None,
        }
    }

    #[test]
    fn chosen_tags_become_labels_and_a_missing_one_is_empty() {
        let mut plan = LabelPlan { ou: true, ..LabelPlan::default() };
        ["team", "cost-centre", "env"].into_iter().for_each(|key| plan.add(key).unwrap());
        let labels = plan.of(&entry()).unwrap();
        let labels: Vec<_> = labels.iter().map(|(name, value)| (&**name, value.as_str())).collect();
        let wanted =
            [("ou", "Workloads/Production"), ("tag_team", "payments"), ("tag_cost_centre", "7 "), ("tag_env", "")];
        assert_eq!(labels, wanted);
    }

    #[test]
    fn what_is_not_known_is_no_label_and_neither_is_what_nobody_asked_for() {
        let plan = LabelPlan { ou: true, ..LabelPlan::default() };
        assert_eq!(plan.of(&Entry { unit: None, ..entry() }), None);
        assert_eq!(plan.of(&entry()).unwrap().len(), 1);
        let mut tags = LabelPlan::default();
        tags.add("team").unwrap();
        assert_eq!(tags.of(&Entry { tags: None, ..entry() }), None);
        assert_eq!(LabelPlan::default().of(&entry()), None);
    }

    #[test]
    fn labels_are_few_and_each_is_one_tags() {
        let mut plan = LabelPlan::default();
        plan.add("cost-centre").unwrap();
        assert_eq!(plan.add("cost.centre"), Err(LabelError::Same("tag_cost_centre".into())));
        (1..MOST_TAGS).for_each(|n| plan.add(&n.to_string()).unwrap());
        assert_eq!(plan.add("more"), Err(LabelError::TooMany));
    }
}
