//! `check` for people: one account at length, many as a table, and what to do.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _},
};

use unicode_width::UnicodeWidthStr as _;

use super::fit;
use crate::{
    model::judge::Status,
    overview::{Note, Overview, Row, age},
};

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    colour: bool,
    /// How wide the terminal is; `None` where lines may be of any length.
    columns: Option<usize>,
}

/// Where there is less room than this for the reasons, the table goes without;
/// they stand below it anyway.
const LEAST_WHY: usize = 20;
/// The least of an account's name that is worth a column.
const LEAST_NAME: usize = 16;
/// The longest name that a terminal is shown whole.
const MOST_NAME: usize = 32;
/// The room that reasons are given before names are.
const FIRST_WHY: usize = 40;

impl Style {
    /// In colour on a terminal that has any, unless `NO_COLOR` says otherwise.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_terminal = io::stdout().is_terminal();
        let size = terminal_size::terminal_size_of(io::stdout()).filter(|_| is_terminal);
        let columns = size.map(|(terminal_size::Width(width), _)| usize::from(width)).filter(|width| *width > 0);
        Self { colour: is_terminal && !refused && !is_dumb(), columns }
    }

    fn status(self, status: Status, width: usize) -> String {
        self.paint(status, &format!("{:<width$}", self.word(status)))
    }

    /// A terminal has no room for the long one; whatever reads a pipe looks for it.
    const fn word(self, status: Status) -> &'static str {
        match status {
            Status::NotApplicable if self.columns.is_some() => "n/a",
            _ => status.as_str(),
        }
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

/// Whether the terminal is one that understands nothing but text.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
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
        let (what, remedy) = (fault.class.explain(), overview.reader.remedy(fault));
        fit::wrap(&mut out, "", &format!("Account discovery failed: {what}."), style.columns);
        fit::wrap(&mut out, "  ", &fault.to_string(), style.columns);
        fit::wrap(&mut out, "  ", &format!("What to do: {remedy}."), style.columns);
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
            let (control, status) = (control.as_str(), style.status(verdict.status, 14));
            let _ = writeln!(out, "  {control:<8} {status} {age:>5}  {}", verdict.reason);
        }
        out.push('\n');
    }
    to_do(out, std::slice::from_ref(row), style);
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
        if let Some(omitted) = failing.omitted.filter(|omitted| *omitted > 0) {
            let _ = writeln!(out, "  and {omitted} more; see --collector.users.names-limit");
        }
        out.push('\n');
    }
}

/// How wide the columns are that are not always equally wide.
struct Widths {
    name: usize,
    status: usize,
    why: usize,
}

impl Widths {
    fn of(overview: &Overview<'_>, style: Style) -> Self {
        let (rows, controls) = (&overview.rows, &overview.controls);
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let statuses =
            &mut rows.iter().flat_map(|row| &row.verdicts).map(|(_, verdict)| style.word(verdict.status).len());
        let status = widest(statuses);
        let status = status.max(controls.iter().map(|control| control.as_str().len()).max().unwrap_or(0));
        let name = widest(&mut rows.iter().map(|row| name(row).width())).max(4);
        let why = widest(&mut rows.iter().map(|row| why(row).width()));
        let Some(columns) = style.columns else { return Self { name, status, why } };
        let name = name.min(MOST_NAME);
        // The id, the statuses and the age, each with its gap.
        let left = columns.saturating_sub(12 + 2 + controls.len() * (status + 2) + 2 + 5);
        let name = name.min(LEAST_NAME.max(left.saturating_sub(why.min(FIRST_WHY) + 2)));
        let why = why.min(left.saturating_sub(name + 2));
        if why < LEAST_WHY {
            Self { name: left.clamp(4, MOST_NAME), status, why: 0 }
        } else {
            Self { name, status, why }
        }
    }
}

fn name<'a>(row: &'a Row<'_>) -> &'a str {
    row.account.map_or("", |account| &account.name)
}

fn why<'a>(row: &'a Row<'_>) -> &'a str {
    row.notes.first().map_or("", |note| &note.what)
}

fn many(out: &mut String, rows: &[Row<'_>], overview: &Overview<'_>, style: Style) {
    let Widths { name: name_width, status, why: why_width } = Widths::of(overview, style);
    let mut head = format!("{:<12}  {:<name_width$}", "ACCOUNT", "NAME");
    for control in &overview.controls {
        let _ = write!(head, "  {:<status$}", control.as_str());
    }
    let _ = writeln!(out, "{head}  {:>5}{}", "AGE", if why_width > 0 { "  WHY" } else { "" });
    for row in rows {
        let _ = write!(out, "{:<12}  {}", row.id, fit::column(name(row), name_width));
        for (_, verdict) in &row.verdicts {
            let _ = write!(out, "  {}", style.status(verdict.status, status));
        }
        if row.verdicts.is_empty() {
            let _ = writeln!(out, "  not scanned: {}", row.status.as_str());
            continue;
        }
        let age = row.age.map_or("-".to_owned(), age);
        let _ = writeln!(out, "{}", format!("  {age:>5}  {}", fit::cut(why(row), why_width)).trim_end());
    }
    out.push('\n');
    let headline = overview.headline_by(|status, text| style.paint(status, text));
    fit::wrap(out, "", &headline, style.columns);
    out.push('\n');
    to_do(out, rows, style);
    names(out, rows);
}

/// Each thing to do once, with what it would mend and where.
fn to_do(out: &mut String, rows: &[Row<'_>], style: Style) {
    let mut all: Vec<(&Note, Vec<&str>)> = Vec::new();
    for (row, note) in rows.iter().flat_map(|row| row.notes.iter().map(move |note| (row, note))) {
        match all.iter_mut().find(|(known, _)| known.is_like(note)) {
            Some((_, ids)) => ids.push(row.id),
            None => all.push((note, vec![row.id])),
        }
    }
    for (note, ids) in all {
        let Some(remedy) = &note.remedy else { continue };
        let whose = if rows.len() > 1 { format!(" in {}", some(&ids, style)) } else { String::new() };
        fit::wrap(out, "", &format!("{}{whose}.", capital(&note.what)), style.columns);
        if let Some(detail) = &note.detail {
            fit::wrap(out, "  ", detail, style.columns);
        }
        fit::wrap(out, "  ", &format!("What to do: {remedy}."), style.columns);
        out.push('\n');
    }
}

/// A terminal is shown the first of them; a pipe gets all.
fn some(ids: &[&str], style: Style) -> String {
    const SHOWN: usize = 8;
    if style.columns.is_none() {
        return ids.join(", ");
    }
    let shown = ids[..ids.len().min(SHOWN)].join(", ");
    if ids.len() > SHOWN { format!("{shown} and {} more", ids.len() - SHOWN) } else { shown }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
