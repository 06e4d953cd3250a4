//! The page at `/`: what a person sees who opens the port in a browser. What is
//! wrong stands first. It loads nothing; a script of its own, which the policy
//! names by its hash, filters and sorts, and the page reads the same without it.

use std::{fmt::Write as _, sync::LazyLock};

use crate::{
    clock::Moment,
    http::{self, Landing},
    judge::Status,
    overview::{Overview, Row, age},
    snapshot::Snapshot,
};

const STYLE: &str = include_str!("landing/page.css");
const SCRIPT: &str = include_str!("landing/page.js");

static POLICY: LazyLock<String> = LazyLock::new(|| http::policy_with(SCRIPT));

/// Draws the page.
#[must_use]
pub fn page(snapshot: &Snapshot, telemetry_path: &str, now: Moment) -> Landing {
    let overview = Overview::of(snapshot, now);
    let (version, path) = (crate::build_info::BUILD.version, escape(telemetry_path));
    let heads: String = overview.controls.iter().map(|control| format!("<th>{}", control.as_str())).collect();
    let html = format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<header><h1>aws-mfa-exporter</h1>\
         <p>Are the root users protected by multi-factor authentication? For Prometheus; version {version}.</p>\
         <nav><a href=\"{path}\">Metrics</a> <a href=\"/-/healthy\">Healthy</a> <a href=\"/-/ready\">Ready</a></nav></header>\n\
         <main>{notice}{tally}{form}<table><thead><tr><th>Account{heads}<th>Age<th>Why, and what to do</thead>\n<tbody>\n{rows}</tbody></table>\n</main>\n\
         <script>{SCRIPT}</script>\n",
        title = title(&overview),
        notice = notice(&overview),
        tally = tally(&overview),
        form = FORM,
        rows = overview.rows.iter().map(|line| row(line, overview.controls.len())).collect::<String>(),
    );
    Landing { html, policy: POLICY.clone() }
}

const FORM: &str = "<form hidden><input name=text type=search placeholder=\"Filter by account, unit or reason\" aria-label=Filter autocomplete=off>\
     <select name=state aria-label=Verdict><option value=\"\">Every verdict<option value=failed>Failed<option value=unknown>Unknown\
     <option value=protected>Protected<option value=idle>Not scanned</select><small id=shown></small></form>\n";

fn title(overview: &Overview<'_>) -> String {
    match (overview.tally.failed, overview.tally.unknown) {
        (0, 0) => "aws-mfa-exporter".to_owned(),
        (0, unknown) => format!("{unknown} unknown · aws-mfa-exporter"),
        (failed, _) => format!("{failed} failed · aws-mfa-exporter"),
    }
}

fn notice(overview: &Overview<'_>) -> String {
    overview.fault.map_or(String::new(), |fault| {
        let (what, detail, remedy) = (fault.class.explain(), escape(&fault.detail), fault.class.remedy());
        format!("<p class=notice>It is not known which accounts there are: {what}.<br><small>{detail}.<br>{remedy}.</small></p>\n")
    })
}

fn tally(overview: &Overview<'_>) -> String {
    let tally = &overview.tally;
    let idle: usize = tally.idle.values().sum();
    let mut out = String::from("<ul class=tally>");
    for (count, class, word) in [
        (tally.failed, "failed", "failed"),
        (tally.unknown, "unknown", "unknown"),
        (tally.protected, "passed", "protected"),
        (idle, "idle", "not scanned"),
    ] {
        let class = if count > 0 { class } else { "none" };
        let _ = write!(out, "<li class={class}><b>{count}</b>{word}");
    }
    out + "</ul>\n"
}

fn row(row: &Row<'_>, controls: usize) -> String {
    let (class, state) = match row.worst {
        Some(Status::Failed) => ("bad", "failed"),
        Some(Status::Unknown) => ("odd", "unknown"),
        Some(Status::Passed | Status::NotApplicable) => ("good", "protected"),
        None => ("idle", "idle"),
    };
    let mut out = format!("<tr class={class} data-s={state}>{}", identity(row));
    for (control, verdict) in &row.verdicts {
        let (word, status) = (verdict.status.as_str().replace('_', " "), verdict.status);
        let _ = write!(out, "<td class=\"v {status}\" data-c={}>{word}", control.as_str());
    }
    if row.verdicts.is_empty() {
        out.push_str(&"<td class=v>–".repeat(controls));
        let _ = writeln!(out, "<td class=age>–<td class=why>Not scanned: {}.", row.standby.as_str());
        return out;
    }
    let seconds = row.age.map_or(i64::MAX.to_string(), |age| age.as_secs().to_string());
    let _ =
        write!(out, "<td class=age data-k={seconds} data-c=Age>{}<td class=why>", row.age.map_or("–".to_owned(), age));
    for note in &row.notes {
        let small = |text: &str| format!("<small>{}.</small>", escape(text));
        let below: String = note.detail.as_deref().into_iter().chain(note.remedy).map(small).collect();
        let _ = write!(out, "<p>{}{below}", escape(&note.what));
    }
    out.push('\n');
    out
}

fn identity(row: &Row<'_>) -> String {
    let Some(account) = row.account else { return format!("<td class=id data-k={0}>{0}", row.id) };
    let id = row.id;
    let name = if account.name.is_empty() { id.to_owned() } else { escape(&account.name) };
    let mut lines = vec![id.to_owned()];
    lines.extend((!account.ou.is_empty()).then(|| escape(&account.ou)));
    lines.extend(account.management.then(|| "management account".to_owned()));
    let lines = if account.name.is_empty() { lines.split_off(1) } else { lines };
    let below = if lines.is_empty() { String::new() } else { format!("<br><small>{}</small>", lines.join(" · ")) };
    format!("<td class=id data-k=\"{name}\"><b>{name}</b>{below}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::Account,
        clock::Timestamp,
        judge::Cadence,
        snapshot::{Event, Plan},
    };
    use std::time::Duration;

    #[test]
    fn nothing_of_a_path_or_a_name_becomes_markup() {
        let now = Moment { wall: Timestamp::default(), mono: Duration::ZERO };
        let mut snapshot =
            Snapshot::awaiting_accounts(Plan { cadence: Cadence::DEFAULT, devices: true, users: None }, now);
        let named = Account::named("111111111111".parse().unwrap(), "\"><script>evil()</script>".to_owned());
        let listed = Event::Discovered { accounts: vec![named], is_all: true, fault: None, at: now };
        snapshot.fold(listed, now);
        let html = page(&snapshot, "/\"><script>", now).html;
        assert_eq!(html.matches("<script>").count(), 1, "its own");
        assert!(html.contains("&quot;&gt;&lt;script&gt;") && html.contains("&lt;script&gt;evil"));
    }

    /// A browser runs the script only if the hash is of exactly what stands there.
    #[test]
    fn the_script_has_no_end_tag_and_is_what_the_policy_names() {
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
        let scripts = POLICY.split("; ").find(|part| part.starts_with("script-src ")).unwrap();
        assert!(scripts.starts_with("script-src 'sha256-") && !scripts.contains("unsafe"), "{scripts}");
    }
}
