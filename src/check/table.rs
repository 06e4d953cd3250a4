//! `check` for people: one account at length, many as a table, and what to do.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _},
};

use crate::{
    judge::Status,
    overview::{Note, Overview, Row, age},
};

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// In colour on a terminal that has any, unless `NO_COLOR` says otherwise.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: io::stdout().is_terminal() && !refused && !is_dumb }
    }

    fn status(self, status: Status) -> String {
        self.paint(status, &format!("{status:<14}"))
    }

    fn paint(self, status: Status, text: &str) -> String {
        let code = match status {
            Status::Passed | Status::NotApplicable => 32,
            Status::Failed => 31,
            Status::Unknown => 33,
        };
        if self.colour { format!("\x1b[1;{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Draws the overview.
pub fn draw(overview: &Overview<'_>, style: Style) -> String {
    let mut out = String::new();
    match &overview.rows[..] {
        [] => {}
        [row] => one(&mut out, row, style),
        rows => many(&mut out, rows, overview, style),
    }
    if let Some(fault) = overview.fault.filter(|_| overview.rows.iter().all(|row| row.account.is_some())) {
        let (what, remedy) = (fault.class.explain(), fault.class.remedy());
        let _ = writeln!(out, "It is not known which accounts there are: {what}.\n  {fault}\n  What to do: {remedy}.");
    }
    out
}

fn one(out: &mut String, row: &Row<'_>, style: Style) {
    if let Some(account) = row.account {
        let partition = account.partition.as_ref().map_or("partition not proved", |partition| partition.as_str());
        let name = if account.name.is_empty() { String::new() } else { format!(" {}", account.name) };
        let _ = writeln!(out, "Account {}{name} ({partition})\n", account.id);
        let _ = writeln!(out, "  CONTROL  STATUS           AGE  WHY");
        for ((control, verdict), as_of) in row.verdicts.iter().zip(&row.ages) {
            let age = as_of.map_or("-".to_owned(), age);
            let (control, status) = (control.as_str(), style.status(verdict.status));
            let _ = writeln!(out, "  {control:<8} {status} {age:>5}  {}", verdict.reason);
        }
        out.push('\n');
    }
    to_do(out, std::slice::from_ref(row));
    names(out, std::slice::from_ref(row));
}

/// The users without a device, account by account, where they were asked for.
fn names(out: &mut String, rows: &[Row<'_>]) {
    for row in rows {
        let Some(failing) = row.users.as_ref().filter(|failing| !failing.named.is_empty()) else { continue };
        let _ = writeln!(out, "IAM users without an MFA device in {}:", row.id);
        for (name, password) in &failing.named {
            let console = match password {
                Some(true) => "has a console password",
                Some(false) => "no console password",
                None => "console password not known",
            };
            let _ = writeln!(out, "  {name:<32}  {console}");
        }
        if failing.omitted > 0 {
            let _ = writeln!(out, "  and {} more", failing.omitted);
        }
        out.push('\n');
    }
}

fn many(out: &mut String, rows: &[Row<'_>], overview: &Overview<'_>, style: Style) {
    let name = |row: &Row<'_>| row.account.map(|account| account.name.clone()).unwrap_or_default();
    let width = rows.iter().map(|row| name(row).chars().count()).max().unwrap_or(0).clamp(4, 32);
    let _ = write!(out, "{:<12}  {:<width$}", "ACCOUNT", "NAME");
    for control in &overview.controls {
        let _ = write!(out, "  {:<14}", control.as_str());
    }
    let _ = writeln!(out, "  {:>5}  WHY", "AGE");
    for row in rows {
        let short: String = name(row).chars().take(width).collect();
        let _ = write!(out, "{:<12}  {short:<width$}", row.id);
        for (_, verdict) in &row.verdicts {
            let _ = write!(out, "  {}", style.status(verdict.status));
        }
        if row.verdicts.is_empty() {
            let idle = format!("not scanned: {}", row.standby.as_str());
            let _ = writeln!(out, "  {idle}");
            continue;
        }
        let why = row.notes.first().map_or("", |note| &note.what);
        let _ = writeln!(out, "  {:>5}  {why}", row.age.map_or("-".to_owned(), age));
    }
    let _ = writeln!(out, "\n{}\n", total(overview, style));
    to_do(out, rows);
    names(out, rows);
}

fn total(overview: &Overview<'_>, style: Style) -> String {
    let tally = &overview.tally;
    let mut parts: Vec<String> = [
        (tally.failed, Status::Failed, "failed"),
        (tally.unknown, Status::Unknown, "unknown"),
        (tally.protected, Status::Passed, "passed or not applicable"),
    ]
    .into_iter()
    .map(
        |(count, status, word)| {
            if count == 0 { format!("0 {word}") } else { style.paint(status, &format!("{count} {word}")) }
        },
    )
    .collect();
    parts.extend(tally.idle.iter().map(|(standby, count)| format!("{count} {} and not scanned", standby.as_str())));
    format!("{} accounts: {}.", tally.all(), parts.join(", "))
}

/// Each thing to do once, with what it would mend and where.
fn to_do(out: &mut String, rows: &[Row<'_>]) {
    let mut all: Vec<(&Note, Vec<&str>)> = Vec::new();
    for (row, note) in rows.iter().flat_map(|row| row.notes.iter().map(move |note| (row, note))) {
        match all.iter_mut().find(|(known, _)| known.is_like(note)) {
            Some((_, ids)) => ids.push(row.id),
            None => all.push((note, vec![row.id])),
        }
    }
    for (note, ids) in all {
        let Some(remedy) = note.remedy else { continue };
        let whose = if rows.len() > 1 { format!(" in {}", some(&ids)) } else { String::new() };
        let _ = writeln!(out, "{}{whose}.", capital(&note.what));
        if let Some(detail) = &note.detail {
            let _ = writeln!(out, "  {detail}");
        }
        let _ = writeln!(out, "  What to do: {remedy}.\n");
    }
}

fn some(ids: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = ids[..ids.len().min(SHOWN)].join(", ");
    if ids.len() > SHOWN { format!("{shown} and {} more", ids.len() - SHOWN) } else { shown }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
