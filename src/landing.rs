//! The page at `/`: what a person sees who opens the port in a browser.

use crate::{clock::Moment, http::Landing, snapshot::Snapshot};

/// Draws the page.
#[must_use]
pub fn page(snapshot: &Snapshot, telemetry_path: &str, now: Moment) -> Landing {
    let mut rows = String::new();
    for state in snapshot.accounts() {
        let id = state.account.as_ref().map_or("unknown", |account| account.identity.account.as_str());
        for (control, standing) in state.standings() {
            let verdict = standing.verdict;
            let age = verdict.as_of.and_then(|as_of| now.age(as_of)).map(|age| format!("{} s", age.as_secs()));
            rows.push_str(&format!(
                "<tr><td>{id}<td>{}<td class={}>{}<td>{}<td>{}",
                control.as_str(),
                verdict.status,
                verdict.status,
                age.as_deref().unwrap_or("–"),
                verdict.reason,
            ));
        }
    }
    let version = crate::build_info::VERSION;
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>aws-mfa-exporter</title><style>{STYLE}</style><h1>aws-mfa-exporter</h1>\
         <p>Root MFA of an AWS account, for Prometheus. Version {version}.</p>\
         <p><a href=\"{telemetry_path}\">Metrics</a> · <a href=\"/-/healthy\">Healthy</a> · <a href=\"/-/ready\">Ready</a></p>\
         <table><thead><tr><th>Account<th>Control<th>Verdict<th>Age<th>Why<tbody>{rows}</table>\n"
    );
    Landing { html, policy: "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'".to_owned() }
}

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
    padding:0 1rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;\
    border-bottom:1px solid #8884;vertical-align:top}.failed{color:#d33;font-weight:600}.unknown{color:#a70;font-weight:600}\
    .passed,.not_applicable{color:#283}@media(prefers-color-scheme:dark){.passed,.not_applicable{color:#6c6}.failed{color:#f76}\
    .unknown{color:#fb4}}";
