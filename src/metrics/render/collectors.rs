//! The families about collectors: how often they run, and how their last run ended.

use super::{Family, Form, of_account, of_snapshot, or_never};

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_collector_duration_seconds",
        &["account_id", "collector"],
        "Duration of the collector's last run in this account, with confirmation and retries.",
        |view, rows| {
            for (collector, health) in view.state.health() {
                rows.push_known(&[collector.as_str()], health.duration.map(|duration| duration.as_secs_f64()));
            }
        },
    )
    .only(Form::Served),
    of_account(
        "aws_mfa_collector_fault",
        &["account_id", "collector", "fault"],
        "Why the collector is down in this account, by class. Present only while it is down; always 1.",
        |view, rows| {
            for (collector, health) in view.state.health() {
                if let Some(fault) = &health.fault {
                    rows.push(&[collector.as_str(), fault.class.as_str()], 1);
                }
            }
        },
    ),
    of_snapshot(
        "aws_mfa_collector_interval_seconds",
        &["collector"],
        "Configured interval between two runs of the collector; with --collector.root.interval-with-events, the longer one. In accounts without root credentials, the root collector waits up to five times as long.",
        |snapshot, rows| {
            let longest = snapshot.plan.stretched();
            let plan = longest.as_ref().unwrap_or(&snapshot.plan);
            for collector in plan.collectors() {
                rows.push(&[collector.as_str()], plan.interval(collector).as_secs_f64());
            }
        },
    ),
    of_account(
        "aws_mfa_collector_last_attempt_timestamp_seconds",
        &["account_id", "collector"],
        "When the collector's last finished run in this account began; 0 before the first.",
        |view, rows| {
            for (collector, health) in view.state.health() {
                rows.push(&[collector.as_str()], or_never(health.last_attempt));
            }
        },
    )
    .only(Form::Served),
    of_account(
        "aws_mfa_collector_last_success_timestamp_seconds",
        &["account_id", "collector"],
        "When the collector's last run without a fault in this account began; 0 before the first.",
        |view, rows| {
            for (collector, health) in view.state.health() {
                rows.push(&[collector.as_str()], or_never(health.last_success));
            }
        },
    )
    .only(Form::Served),
    of_account(
        "aws_mfa_collector_up",
        &["account_id", "collector"],
        "Whether the collector's last run in this account was recent and without a fault.",
        |view, rows| {
            for (collector, health) in view.state.health() {
                rows.push(&[collector.as_str()], health.is_up());
            }
        },
    )
    .only(Form::Served),
    of_account(
        "aws_mfa_source_timestamp_seconds",
        &["account_id", "source"],
        "When the exporter read a source other than the account summary; for the credential report, when AWS made it. Absent while no usable answer from the source is known.",
        |view, rows| {
            let report = view.seen.report.map(|report| report.generated);
            let list = view.seen.devices.as_ref().map(|list| list.as_of);
            let sources = [("credential_report", report), ("root_audit", view.seen.audited), ("virtual_devices", list)];
            for (source, at) in sources {
                rows.push_known(&[source], at.map(|at| at.wall.as_seconds()));
            }
        },
    ),
];
