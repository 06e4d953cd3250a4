//! The page at `/`: what a person sees who opens the port in a browser. What is
//! wrong stands first. It loads nothing; a script of its own, which the policy
//! names by its hash, filters and sorts, and the page reads the same without it.

use std::{fmt::Write as _, sync::LazyLock};

use crate::{
    http::{self, Landing, MAX_EXPOSITION_AGE, paths::Paths},
    model::{
        judge::Status,
        snapshot::Snapshot,
        time::{Moment, Timestamp},
    },
    overview::{Overview, Reader, Row, age},
};

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

static POLICY: LazyLock<String> = LazyLock::new(|| http::policy_with(SCRIPT));

/// Draws the page. A picture that has not been aged for as long as an exposition
/// may be old is not shown: its verdicts would be yesterday's.
#[must_use]
pub fn page(snapshot: &Snapshot, paths: &Paths, now: Moment) -> Landing {
    let is_old = now.age(snapshot.tick).is_none_or(|age| age > MAX_EXPOSITION_AGE);
    let (title, main) = if is_old { ("stopped".to_owned(), STOPPED.to_owned()) } else { accounts(snapshot, now) };
    let version = crate::build_info::BUILD.version;
    let [metrics, healthy, ready] =
        [paths.link_to_metrics(), paths.link("/-/healthy"), paths.link("/-/ready")].map(|link: String| escape(&link));
    let html = format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n\
         <title>{title} · aws-mfa-exporter</title>\n<style>{STYLE}</style>\n<header><h1>aws-mfa-exporter</h1>\
         <p>Are the root users, and the IAM users, protected by multi-factor authentication? For Prometheus; version {version}.</p>\
         <nav><a href=\"{metrics}\">Metrics</a> <a href=\"{healthy}\">Healthy</a> <a href=\"{ready}\">Ready</a>\
         <small>As of {time}<span id=old></span></small></nav></header>\n\
         <main>{main}</main>\n<script>{SCRIPT}</script>\n",
        time = time(snapshot.tick.wall),
    );
    Landing { html: html.into(), policy: POLICY.clone() }
}

/// To the second, as people write it.
fn time(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(19).collect::<String>().replace('T', " ") + " UTC"
}

const STOPPED: &str = "<p class=notice>The exporter has stopped looking, and what it knew is too old to be shown.\
     <small>Look at its log, and restart it.</small></p>\n";

/// What stands in the title, and the accounts.
fn accounts(snapshot: &Snapshot, now: Moment) -> (String, String) {
    let overview = Overview::of(snapshot, now, Reader::Daemon);
    let heads: String = overview.controls.iter().map(|control| format!("<th>{}", control.as_str())).collect();
    let (notice, tally) = (notice(&overview), tally(&overview));
    let rows: String = overview.rows.iter().map(|line| row(line, overview.controls.len())).collect();
    let table = format!(
        "<table><thead><tr><th>Account{heads}<th>Age<th>Why, and what to do</thead>\n<tbody>\n{rows}</tbody></table>\n"
    );
    (title(&overview), [notice, tally, FORM.to_owned(), table].concat())
}

const FORM: &str = "<form hidden><input name=text type=search placeholder=\"Filter by account, unit or reason\" aria-label=Filter autocomplete=off>\
     <select name=state aria-label=Verdict><option value=\"\">Every verdict<option value=failed>Failed<option value=unknown>Unknown\
     <option value=protected>Protected<option value=idle>Not scanned</select><small id=shown></small></form>\n";

fn title(overview: &Overview<'_>) -> String {
    match (overview.tally.failed, overview.tally.unknown) {
        (0, 0) => format!("{} protected", overview.tally.protected),
        (0, unknown) => format!("{unknown} unknown"),
        (failed, _) => format!("{failed} failed"),
    }
}

fn notice(overview: &Overview<'_>) -> String {
    overview.fault.map_or(String::new(), |fault| {
        let (what, detail, remedy) = (fault.class.explain(), escape(&fault.detail), fault.class.remedy());
        format!("<p class=notice>It is not known which accounts there are: {what}.<small>{detail}.</small><small>{remedy}.</small></p>\n")
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
        out.push_str(&"<td class=none>–".repeat(controls + 1));
        let _ = writeln!(out, "<td class=why>Not scanned: {}.", row.status.as_str());
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
    let Some(account) = row.account else { return "<td class=id data-k=\"\"><b>not known yet</b>".to_owned() };
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
    use crate::model::{
        account::Account,
        judge::Cadence,
        snapshot::{Event, Plan},
    };
    use std::time::Duration;

    fn html_of(page: &Landing) -> String {
        String::from_utf8(page.html.to_vec()).unwrap()
    }

    #[test]
    fn nothing_of_a_path_or_a_name_becomes_markup() {
        let now = Moment { wall: Timestamp::default(), mono: Duration::ZERO };
        let mut snapshot =
            Snapshot::awaiting_accounts(Plan { cadence: Cadence::DEFAULT, devices: true, users: None }, now);
        let named = Account::named("111111111111".parse().unwrap(), "\"><script>evil()</script>".to_owned());
        let listed = Event::Discovered { accounts: vec![named], is_all: true, fault: None, at: now };
        snapshot.fold(listed, now);
        let html = html_of(&page(&snapshot, &Paths::new("/\"><script>", None, None), now));
        assert_eq!(html.matches("<script>").count(), 1, "its own");
        assert!(html.contains("&quot;&gt;&lt;script&gt;") && html.contains("&lt;script&gt;evil"));
    }

    /// The picture's own clock has stopped: nothing of it is shown, and that is said.
    #[test]
    fn a_picture_that_is_no_longer_aged_is_not_shown() {
        let at = |seconds: u64| Moment {
            wall: Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap()),
            mono: Duration::from_secs(seconds),
        };
        let snapshot = Snapshot::new(Plan { cadence: Cadence::DEFAULT, devices: true, users: None }, at(100));
        let html = |now: u64| html_of(&page(&snapshot, &Paths::new("/metrics", None, None), at(now)));
        assert!(html(160).contains("<td") && !html(160).contains("stopped"));
        assert!(!html(161).contains("<td") && html(161).contains("has stopped looking"));
        assert!(html(90).contains("has stopped looking"), "a clock that was stepped back tells no age");
    }

    /// A browser runs the script only if the hash is of exactly what stands there.
    #[test]
    fn the_script_has_no_end_tag_and_is_what_the_policy_names() {
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
        let scripts = POLICY.split("; ").find(|part| part.starts_with("script-src ")).unwrap();
        assert!(scripts.starts_with("script-src 'sha256-") && !scripts.contains("unsafe"), "{scripts}");
    }
}
