//! The page at `/`: what a person sees who opens the port in a browser. What is
//! wrong stands first. It loads nothing; a script of its own, which the policy
//! names by its hash, filters and sorts, and the page reads the same without it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    build_info::BUILD,
    http::{Landing, MAX_EXPOSITION_AGE, paths::Paths},
    model::{
        judge::Status,
        snapshot::Snapshot,
        time::{Moment, Timestamp},
    },
    overview::{Overview, Reader, Row, age},
};

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Draws the page. A snapshot that has not been aged for as long as an exposition
/// may be old is not shown: its verdicts would be yesterday's.
#[must_use]
pub fn page(snapshot: &Snapshot, paths: &Paths, now: Moment) -> Landing {
    let is_old = now.age(snapshot.tick).is_none_or(|age| age > MAX_EXPOSITION_AGE);
    let (title, main) =
        if is_old { ("stopped".to_owned(), stopped()) } else { accounts(&Overview::of(snapshot, now, Reader::Daemon)) };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) " · aws-mfa-exporter" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "aws-mfa-exporter" }
                    p {
                        "Are the root users, and the IAM users, protected by multi-factor authentication? For Prometheus; version "
                        (BUILD.version) "."
                    }
                    nav {
                        a href=(paths.link_to_metrics()) { "Metrics" }
                        a href=(paths.link("/-/healthy")) { "Healthy" }
                        a href=(paths.link("/-/ready")) { "Ready" }
                        small { "As of " (time(snapshot.tick.wall)) span id="old" {} }
                    }
                }
                main { (main) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Landing::new(page.into_string(), SCRIPT)
}

/// To the second, as people write it.
fn time(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(19).collect::<String>().replace('T', " ") + " UTC"
}

fn stopped() -> Markup {
    html! {
        p.notice {
            "The exporter no longer updates its snapshot. The last one is too old to show."
            small { "Check the exporter's log, then restart it." }
        }
    }
}

/// What stands in the title, and the accounts.
fn accounts(overview: &Overview<'_>) -> (String, Markup) {
    let main = html! {
        (notice(overview))
        (tally(overview))
        (filter())
        table {
            thead {
                tr {
                    th { "Account" }
                    @for control in &overview.controls { th { (control.as_str()) } }
                    th { "Age" }
                    th { "Why, and what to do" }
                }
            }
            tbody {
                @for line in &overview.rows { (row(line, overview.controls.len())) }
            }
        }
    };
    (title(overview), main)
}

/// The worst that there is, for a tab among others.
fn title(overview: &Overview<'_>) -> String {
    let worst = overview.tally.by_urgency().into_iter().find(|(count, ..)| *count > 0);
    worst.map_or("no account".to_owned(), |(count, _, word)| format!("{count} {word}"))
}

fn notice(overview: &Overview<'_>) -> Markup {
    html! {
        @if let Some(fault) = overview.fault {
            p.notice {
                "Account discovery failed: " (fault.class.explain()) "."
                small { (fault.detail) "." }
                small { (fault.remedy()) "." }
            }
        }
    }
}

fn tally(overview: &Overview<'_>) -> Markup {
    let tally = &overview.tally;
    let scanned = tally.by_urgency().map(|(count, status, word)| (count, status.as_str(), word));
    let idle = [(tally.idle.values().sum(), "idle", "not scanned")];
    html! {
        ul.tally {
            @for (count, class, word) in scanned.into_iter().chain(idle) {
                li class=(if count > 0 { class } else { "none" }) { b { (count) } (word) }
            }
        }
    }
}

/// Hidden until the script has shown that it runs.
fn filter() -> Markup {
    html! {
        form hidden {
            input name="text" type="search" placeholder="Filter by account, unit or reason" aria-label="Filter" autocomplete="off";
            select name="state" aria-label="Verdict" {
                option value="" { "Every verdict" }
                option value="failed" { "Failed" }
                option value="unknown" { "Unknown" }
                option value="protected" { "Protected" }
                option value="idle" { "Not scanned" }
            }
            small id="shown" {}
        }
    }
}

fn row(row: &Row<'_>, controls: usize) -> Markup {
    let (class, state) = match row.worst {
        Some(Status::Failed) => ("bad", "failed"),
        Some(Status::Unknown) => ("odd", "unknown"),
        Some(Status::Passed | Status::NotApplicable) => ("good", "protected"),
        None => ("idle", "idle"),
    };
    html! {
        tr class=(class) data-s=(state) {
            (identity(row))
            @for (control, verdict) in &row.verdicts {
                td class={ "v " (verdict.status.as_str()) } data-c=(control.as_str()) {
                    (verdict.status.as_str().replace('_', " "))
                }
            }
            @if row.verdicts.is_empty() {
                @for _ in 0..=controls { td.none { "–" } }
                td.why { "Not scanned: " (row.status.as_str()) "." }
            } @else {
                td.age data-k=(row.age.map_or(u64::MAX, |age| age.as_secs())) data-c="Age" {
                    (row.age.map_or("–".to_owned(), age))
                }
                td.why {
                    @for note in &row.notes {
                        p {
                            (note.what)
                            @for text in note.detail.as_deref().into_iter().chain(note.remedy.as_deref()) { small { (text) "." } }
                        }
                    }
                }
            }
        }
    }
}

fn identity(row: &Row<'_>) -> Markup {
    let Some(account) = row.account else { return html! { td.id data-k="" { b { "not known yet" } } } };
    let name = if account.name.is_empty() { row.id } else { &account.name };
    let id = (!account.name.is_empty()).then_some(row.id);
    let unit = Some(&*account.ou).filter(|unit| !unit.is_empty());
    let lines = [id, unit, account.management.then_some("management account")];
    let below = lines.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    html! {
        td.id data-k=(name) {
            b { (name) }
            @if !below.is_empty() { br; small { (below) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        account::Account,
        snapshot::{Event, Plan},
        time::Uptime,
    };
    use std::time::Duration;

    fn html_of(page: &Landing) -> String {
        String::from_utf8(page.html.to_vec()).unwrap()
    }

    #[test]
    fn nothing_of_a_path_or_a_name_becomes_markup() {
        let now = Moment { wall: Timestamp::default(), mono: Uptime::default() };
        let mut snapshot = Snapshot::awaiting_accounts(Plan::ROOT, now);
        let named = Account::named("111111111111".parse().unwrap(), "\"><script>evil()</script>".to_owned());
        let listed = Event::Discovered { accounts: vec![named], is_all: true, fault: None, at: now };
        snapshot.fold(listed, now);
        let html = html_of(&page(&snapshot, &Paths::new("/\"><script>", None, None), now));
        assert_eq!(html.matches("<script>").count(), 1, "its own");
        assert!(html.contains("&quot;&gt;&lt;script&gt;") && html.contains("&lt;script&gt;evil"));
    }

    /// The snapshot's own clock has stopped: nothing of it is shown, and that is said.
    #[test]
    fn a_snapshot_that_is_no_longer_aged_is_not_shown() {
        let at = |seconds: u64| Moment {
            wall: Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap()),
            mono: Uptime::after_start(Duration::from_secs(seconds)),
        };
        let snapshot = Snapshot::new(Plan::ROOT, at(100));
        let html = |now: u64| html_of(&page(&snapshot, &Paths::new("/metrics", None, None), at(now)));
        assert!(html(160).contains("<td") && !html(160).contains("no longer updates"));
        assert!(!html(161).contains("<td") && html(161).contains("no longer updates its snapshot"));
        assert!(html(90).contains("no longer updates its snapshot"), "a clock that was stepped back tells no age");
    }

    /// A browser runs the script only if the hash is of exactly what stands there.
    #[test]
    fn the_script_has_no_end_tag_and_is_what_the_policy_names() {
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
        let now = Moment { wall: Timestamp::default(), mono: Uptime::default() };
        let snapshot = Snapshot::new(Plan::ROOT, now);
        let page = page(&snapshot, &Paths::new("/metrics", None, None), now);
        let policy = &page.policy;
        assert!(html_of(&page).contains(&format!("<script>{SCRIPT}</script>")));
        let scripts = policy.split("; ").find(|part| part.starts_with("script-src ")).unwrap();
        assert!(scripts.starts_with("script-src 'sha256-") && !scripts.contains("unsafe"), "{scripts}");
    }
}
