//! The page at `/`: what a person sees who opens the port in a browser. It needs
//! no script and loads nothing; what is wrong stands first.

use std::fmt::Write as _;

use crate::{
    clock::Moment,
    http::Landing,
    judge::{Control, Status, Verdict},
    metrics::UNIDENTIFIED,
    snapshot::{AccountState, Snapshot},
};

/// Draws the page.
#[must_use]
pub fn page(snapshot: &Snapshot, telemetry_path: &str, now: Moment) -> Landing {
    let version = crate::build_info::BUILD.version;
    let path = escape(telemetry_path);
    let html = format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n\
         <title>aws-mfa-exporter</title>\n<style>{STYLE}</style>\n<header><h1>aws-mfa-exporter</h1>\
         <p>Is the root user protected by multi-factor authentication? For Prometheus. Version {version}.</p>\
         <nav><a href=\"{path}\">Metrics</a> <a href=\"/-/healthy\">Healthy</a> <a href=\"/-/ready\">Ready</a></nav></header>\n\
         <main><table><thead><tr><th>Account<th>Control<th>Verdict<th>Age<th>Why</thead>\n<tbody>{}</tbody></table>\n{}</main>\n",
        rows(snapshot, now),
        faults(snapshot),
    );
    Landing { html, policy: "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'".to_owned() }
}

fn id(state: &AccountState) -> &str {
    state.account.as_ref().map_or(UNIDENTIFIED, |account| account.id.as_str())
}

/// A row for each control of each account, worst first.
fn rows(snapshot: &Snapshot, now: Moment) -> String {
    let mut all: Vec<(Verdict, &str, Control)> = Vec::new();
    for state in snapshot.accounts() {
        all.extend(state.standings().map(|(control, standing)| (standing.verdict, id(state), control)));
    }
    // What failed, then what nobody knows; IAM.9 before the others.
    all.sort_by_key(|(verdict, id, control)| (weight(verdict.status), *id, std::cmp::Reverse(*control)));
    let mut out = String::new();
    for (verdict, id, control) in all {
        let age = verdict
            .as_of
            .and_then(|as_of| now.age(as_of))
            .map_or("–".to_owned(), |age| format!("{} s", age.as_secs()));
        let remedy = verdict.reason.remedy().map(|remedy| format!("<br><small>{remedy}.</small>")).unwrap_or_default();
        let _ = writeln!(
            out,
            "<tr><td>{id}<td>{}<td class={1}><b>{2}</b><td>{age}<td>{3}{remedy}",
            control.as_str(),
            verdict.status,
            verdict.status.as_str().replace('_', " "),
            verdict.reason,
        );
    }
    out
}

const fn weight(status: Status) -> u8 {
    match status {
        Status::Failed => 0,
        Status::Unknown => 1,
        Status::Passed | Status::NotApplicable => 2,
    }
}

/// What is wrong with the collectors, and what to do about it.
fn faults(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for state in snapshot.accounts() {
        for (collector, fault) in state.health().filter_map(|(name, health)| Some((name, health.fault.as_ref()?))) {
            let place = if state.account.is_some() { format!(" in {}", id(state)) } else { String::new() };
            let (name, detail) = (collector.as_str(), escape(&fault.detail));
            let _ = writeln!(out, "<li><b>{name}</b>{place}: {detail}<br><small>{}.</small>", fault.class.remedy());
        }
    }
    if out.is_empty() { out } else { format!("<h2>Collectors that are down</h2>\n<ul>{out}</ul>\n") }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "
:root{color-scheme:light dark;--bad:#b3261e;--odd:#8a5300;--good:#1b6e3c;--line:#8883}
@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--odd:#ffc04d;--good:#7ddb9b}}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin-top:2rem}header p{margin:.25rem 0}nav a{margin-right:1rem}
table{border-collapse:collapse;width:100%;margin-top:1.5rem}
th,td{text-align:left;padding:.45rem .9rem .45rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td:nth-child(1),td:nth-child(4){font-variant-numeric:tabular-nums}td:nth-child(-n+4){white-space:nowrap}
.failed{color:var(--bad)}.unknown{color:var(--odd)}.passed,.not_applicable{color:var(--good)}
small{opacity:.8}li{margin:.4rem 0;overflow-wrap:anywhere}
@media(max-width:40rem){thead{display:none}tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
td{display:inline-block;border:0;padding:.1rem .7rem .1rem 0}td:last-child{display:block}}
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, judge::Cadence, snapshot::Plan};
    use std::time::Duration;

    #[test]
    fn nothing_of_a_path_becomes_markup() {
        let cadence = Cadence { root: Duration::from_secs(60), devices: Duration::from_secs(60) };
        let now = Moment { wall: Timestamp::default(), mono: Duration::ZERO };
        let page = page(&Snapshot::new(Plan { cadence, devices: true }, now), "/\"><script>", now);
        assert!(!page.html.contains("<script") && page.html.contains("&quot;&gt;&lt;script&gt;"));
        assert!(page.html.contains("Collectors that are down"));
    }
}
