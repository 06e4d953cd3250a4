//! The alerts, as files for Prometheus and for whatever evaluates its rules.
//!
//! There are two sets, made from one source. The full one records what must not
//! be forgotten while nobody exports it, and reads its own records. The simple one
//! has alerts alone, without records, without `keep_firing_for` and without
//! queries in texts: for rulers that lack these, or that write records too late to
//! be read by the next rule. What a site decides (where runbooks are, how long an
//! account may be new) is a setting, so that nobody edits what is made here.

mod accounts;
mod audit;
mod collectors;
mod contacts;
mod events;
mod exporter;
mod kit;
mod memory;
mod policies;
mod pools;
mod root;
mod root_access;
mod rule;
pub mod settings;
mod users;

use kit::Kit;
use rule::Group;
pub use settings::{Set, Settings};

/// The text of a rule file.
#[must_use]
pub fn alerts(settings: &Settings) -> String {
    let kit = Kit::new(settings);
    let mut groups = [
        root::group(&kit),
        users::group(&kit),
        policies::group(&kit),
        pools::group(&kit),
        root_access::group(&kit),
        collectors::group(&kit),
        exporter::group(&kit),
    ];
    groups.iter_mut().for_each(|group| kit.finish(group));
    let written: String = groups.iter().map(Group::to_yaml).collect();
    format!("{}groups:\n{written}", head(settings))
}

fn head(settings: &Settings) -> String {
    let about = match settings.set {
        Set::Full => FULL,
        Set::Simple => SIMPLE,
    };
    about.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}

const FULL: &str = "Alerts on aws-mfa-exporter, and the recording rules that they stand on.
Made by `aws-mfa-exporter generate alerts`; its flags say where your runbooks and your Grafana are.

How the expressions are made:
- Instances and pods are aggregated away. Shards, a pair of exporters that watch the same accounts, and a handover from
  one exporter to the next neither break an alert nor make two of it.
- The rules remember what must not be forgotten while nobody exports it: during a restart without a state file, a denial,
  or a gap between scrapes. Such a record takes what is exported now, or else its own last value. The records are in the
  group of the alerts that read them, before these, so that a page does not wait for another group.
- The account's name is in the description, not among the labels: a renamed account makes no new alert.
- critical pages, warning makes a ticket, info is to be read now and then.

The interval is part of the promise of how soon a page comes; README.md has the sum.
";

const SIMPLE: &str = "Alerts on aws-mfa-exporter, for rulers that cannot use the full set: an older vmalert, Grafana-managed alerts.
Made by `aws-mfa-exporter generate alerts --set=simple`; its flags say where your runbooks and your Grafana are.

These alerts record nothing, so they remember an hour at most. Run the exporter with --state.file: then it remembers what
it saw before a restart. README.md says what else the full set can do.
";
