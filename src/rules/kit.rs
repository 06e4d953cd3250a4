//! Expressions and parts of texts that more than one alert needs, in the form that
//! the set has for them.

use super::{
    Set, Settings,
    memory::{LABELS, ROOT_DEVICES},
    rule::{ACCOUNT, Group, Kind},
};

/// What an expression of the simple set looks back to, so that a gap is none.
const GAP: &str = "1h";

/// The same for what is asked of each exporter now.
const SHORT_GAP: &str = "5m";

/// Makes expressions and texts.
#[derive(Debug)]
pub(super) struct Kit<'a> {
    settings: &'a Settings,
}

impl<'a> Kit<'a> {
    pub(super) const fn new(settings: &'a Settings) -> Self {
        Self { settings }
    }

    pub(super) fn is_full(&self) -> bool {
        self.settings.set == Set::Full
    }

    /// The one for the full set, or the other.
    pub(super) fn either<'t>(&self, full: &'t str, simple: &'t str) -> &'t str {
        if self.is_full() { full } else { simple }
    }

    /// For how many seconds an account is new.
    pub(super) fn grace(&self) -> u64 {
        self.settings.grace.as_secs()
    }

    /// For how many seconds an account may be unprotected that its exporter had from the beginning.
    pub(super) fn unprotected_grace(&self) -> u64 {
        self.settings.unprotected_grace.as_secs()
    }

    /// The same of an account that was listed later.
    pub(super) fn new_unprotected_grace(&self) -> u64 {
        self.settings.new_unprotected_grace.as_secs()
    }

    /// For how long any account may be unprotected, as an alert waits for it.
    pub(super) fn unprotected_wait(&self) -> String {
        match self.unprotected_grace() {
            whole if whole % 3_600 == 0 => format!("{}h", whole / 3_600),
            seconds => format!("{seconds}s"),
        }
    }

    /// How many seconds ago the last check by cron may have been.
    pub(super) fn check_age(&self) -> u64 {
        self.settings.check_age.as_secs()
    }

    /// The labels of accounts that alerts carry.
    pub(super) fn labels(&self) -> &[String] {
        &self.settings.labels
    }

    pub(super) fn job(&self) -> &str {
        &self.settings.job
    }

    /// What `series` last recorded.
    pub(super) fn last(&self, series: &str) -> String {
        format!("last_over_time({series}[{}m])", self.settings.memory.as_secs() / 60)
    }

    // === expressions ===

    /// When the control was last seen passed or not applicable, by account.
    pub(super) fn protected(&self, control: &str) -> String {
        self.seen("last_protected", control)
    }

    /// When the control was last seen failed, by account.
    pub(super) fn failed(&self, control: &str) -> String {
        self.seen("last_failed", control)
    }

    fn seen(&self, what: &str, control: &str) -> String {
        let metric = format!("aws_mfa_control_{what}_timestamp_seconds");
        match self.settings.set {
            Set::Full => format!("account_control:{metric}:max{{control=\"{control}\"}}"),
            Set::Simple => {
                format!("max by (account_id, control) (last_over_time({metric}{{control=\"{control}\"}}[{GAP}]))")
            }
        }
    }

    /// The accounts of which the control's last known verdict is failed, and when.
    pub(super) fn is_failed(&self, control: &str) -> String {
        match self.settings.set {
            Set::Full => {
                format!("account_control:aws_mfa_control_failed_timestamp_seconds:last{{control=\"{control}\"}}")
            }
            Set::Simple => {
                let (failed, protected) = (self.failed(control), self.protected(control));
                format!("({failed} unless ({protected} >= {failed}))")
            }
        }
    }

    /// Takes from what has a `control` that which an exemption is for.
    pub(super) fn unless_exempt(&self) -> &'static str {
        if self.is_full() {
            "unless on (account_id, control) account_control:aws_mfa_control_exemption_info:max"
        } else {
            "unless on (account_id, control) last_over_time(aws_mfa_control_exemption_info[1h])"
        }
    }

    /// Takes the accounts in which an exemption is for this control.
    pub(super) fn unless_control_exempt(&self, control: &str) -> String {
        let series =
            self.either("account_control:aws_mfa_control_exemption_info:max", "aws_mfa_control_exemption_info");
        format!("unless on (account_id) {series}{{control=\"{control}\"}}")
    }

    /// The accounts in which nobody can tell whether root has MFA.
    pub(super) fn is_root_unknown(&self) -> String {
        match self.settings.set {
            Set::Full => "(account:aws_mfa_root_mfa_unknown:min == 1)".to_owned(),
            Set::Simple => format!(
                "(min by (account_id) (last_over_time(aws_mfa_control_status{{control=\"IAM.9\",status=\"unknown\"}}[{SHORT_GAP}])) == 1)"
            ),
        }
    }

    /// The accounts of which root's MFA was ever known.
    pub(super) fn was_root_known(&self) -> String {
        format!("(\n    {}\n    or {}\n  )", self.protected("IAM.9"), self.failed("IAM.9"))
    }

    /// When root's devices were last seen to be others than before, by account.
    pub(super) fn root_devices_changed(&self) -> String {
        match self.settings.set {
            Set::Full => ROOT_DEVICES.to_owned(),
            Set::Simple => {
                format!("max by (account_id) (last_over_time(aws_mfa_root_devices_changed_timestamp_seconds[{GAP}]))")
            }
        }
    }

    /// The accounts in which root has MFA, its devices changed within an hour of the last
    /// answer by which it had none, and when that was.
    pub(super) fn came_on_after_failure(&self) -> String {
        let (failed, protected, changed) = (self.failed("IAM.9"), self.protected("IAM.9"), self.root_devices_changed());
        format!(
            "max by (account_id) (
              {failed}
              < {protected}
            )
            and on (account_id)
              abs({changed} - on (account_id) {failed}) <= 3600
            and on (account_id)
              max by (account_id) (last_over_time(aws_mfa_root_mfa_enabled[{SHORT_GAP}])) == 1"
        )
    }

    // === texts ===

    /// Which account an alert is about, by id and by name. The series is asked for by its id
    /// alone: of `account_name!=""` Prometheus would go through the names of all accounts.
    pub(super) fn account(&self) -> &'static str {
        if self.is_full() {
            "Account {{ $labels.account_id }}{{ range printf \
             \"account:aws_mfa_account_info:topk{account_id=%q}\" $labels.account_id | query }}\
             {{ with .Labels.account_name }} ({{ . }}){{ end }}{{ end }}"
        } else {
            "Account {{ $labels.account_id }}"
        }
    }

    /// The collectors of the account that are down, and why.
    pub(super) fn faults(&self) -> &'static str {
        if self.is_full() {
            "Faults of the collectors: {{ range $n, $fault := printf \
             \"group by (collector, fault) (aws_mfa_collector_fault{account_id=%q})\" $labels.account_id | query | \
             sortByLabel \"collector\" }}{{ if $n }}, {{ end }}{{ $fault.Labels.collector }} {{ $fault.Labels.fault }}\
             {{ else }}none{{ end }}."
        } else {
            "The metric aws_mfa_collector_fault says why."
        }
    }

    /// The same of one collector, which a label or a text names.
    pub(super) fn fault_of(&self, collector: &str) -> String {
        if !self.is_full() {
            return "The metric aws_mfa_collector_fault says why.".to_owned();
        }
        format!(
            "Fault of the collector: {{{{ range $n, $fault := printf \
             \"group by (fault) (aws_mfa_collector_fault{{account_id=%q,collector=%q}})\" $labels.account_id {collector} | \
             query | sortByLabel \"fault\" }}}}{{{{ if $n }}}}, {{{{ end }}}}{{{{ $fault.Labels.fault }}}}\
             {{{{ else }}}}none{{{{ end }}}}."
        )
    }

    // === the end ===

    /// Adds to the rules of a group what depends on the settings alone.
    pub(super) fn finish(&self, group: &mut Group) {
        for rule in &mut group.rules {
            let Kind::Alert(alert) = &mut rule.kind else { continue };
            alert.keep = alert.keep.filter(|_| self.is_full());
            let runbook = format!("{}#{}", self.settings.runbooks, alert.name.to_lowercase());
            let slash = if self.settings.grafana.is_empty() { "" } else { "/" };
            let dashboard = format!("{}{slash}d/{}", self.settings.grafana, alert.dashboard);
            alert.links = vec![("runbook_url", runbook), ("dashboard_url", dashboard)];
            if alert.dashboard == ACCOUNT {
                alert.labels.extend(self.settings.labels.iter().map(|name| (name.clone(), carried(name))));
            }
        }
    }
}

/// What an alert says of its account, as a template; `none` where the account has no
/// such label, because Prometheus shows the template itself in place of nothing.
fn carried(label: &str) -> String {
    format!(
        "{{{{ with printf \"{LABELS}{{account_id=%q}}\" $labels.account_id | query }}}}\
         {{{{ with . | first | label \"{label}\" }}}}{{{{ . }}}}{{{{ else }}}}none{{{{ end }}}}{{{{ else }}}}none{{{{ end }}}}"
    )
}
