//! `check` for a spreadsheet and for a mail: one line an account, as CSV or as a
//! table of Markdown, worst first.

use std::fmt::Write as _;

use super::{Overview, Row};

/// One line an account and one column a control, as RFC 4180 has it.
#[must_use]
pub fn csv(overview: &Overview<'_>) -> String {
    let controls = overview.controls.iter().map(|control| control.as_str());
    let head = ["account_id", "account_name", "ou", "state"].into_iter().chain(controls).chain(["why"]);
    let mut out = line(head.map(str::to_owned));
    for row in &overview.rows {
        out += &line(cells(row, overview).into_iter().map(|cell| field(&cell)));
    }
    out
}

/// The headline, and the accounts that are not well, as a table.
#[must_use]
pub fn markdown(overview: &Overview<'_>) -> String {
    let mut out = format!("{}\n", overview.headline());
    if let Some(fault) = overview.fault {
        let _ = writeln!(out, "\nAccount discovery failed: {}.", text(fault.class.explain()));
    }
    let ill: Vec<_> = overview.rows.iter().filter(|row| row.is_ill()).collect();
    if ill.is_empty() {
        return out;
    }
    let heads: Vec<_> = overview.controls.iter().map(|control| control.as_str()).collect();
    let _ = writeln!(out, "\n| account | name | {} | why |", heads.join(" | "));
    let _ = writeln!(out, "|{}", " --- |".repeat(heads.len() + 3));
    for row in ill {
        let [id, name, _, _, rest @ ..] = &cells(row, overview)[..] else { continue };
        let rest: Vec<_> = rest.iter().map(|cell| text(cell)).collect();
        let _ = writeln!(out, "| {id} | {} | {} |", text(name), rest.join(" | "));
    }
    out
}

fn cells(row: &Row<'_>, overview: &Overview<'_>) -> Vec<String> {
    let (name, ou) = row.account.map_or(("", ""), |account| (&account.name, &account.ou));
    let mut cells = vec![row.id.to_owned(), name.to_owned(), ou.to_owned(), row.status.as_str().to_owned()];
    let verdict = |at: usize| row.verdicts.get(at).map_or("", |(_, verdict)| verdict.status.as_str()).to_owned();
    cells.extend((0..overview.controls.len()).map(verdict));
    let why: Vec<_> = row.notes.iter().map(|note| note.what.as_str()).collect();
    cells.push(why.join("; "));
    cells
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

/// A cell, in quotes where it has to be. A spreadsheet takes what begins like a
/// formula for one, and an account's owner chooses its name: an apostrophe before
/// it makes it text.
fn field(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Text that is no markup, in one line.
fn text(cell: &str) -> String {
    let mut out = String::new();
    for letter in cell.chars() {
        match letter {
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => out.extend(['\\', letter]),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_no_second_cell() {
        for (cell, wanted) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=cmd()", "'=cmd()"),
            ("-1,2", "\"'-1,2\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(field(cell), wanted);
        }
        assert_eq!(text("a|b <i> [x](y) \n*z*"), "a\\|b \\<i\\> \\[x\\](y)  \\*z\\*");
    }
}
