//! What is wrong in a file, told twice: in one line for a log, and at length, with the
//! line and a caret, for a person.

use std::fmt;

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line and the column, from 1; `None` where the text says it all.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what to write instead.
    pub what: String,
}

/// All that is wrong in a file. `{}` is one line, and quotes nothing, since what is quoted
/// may be a user's name; `{:#}` shows each place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    name: String,
    list: Vec<(Mistake, Option<String>)>,
}

impl Mistake {
    /// A mistake that has no place of its own.
    #[must_use]
    pub fn nowhere(what: String) -> Self {
        Self { place: None, what }
    }

    /// What is quoted in it may hold what moves a terminal's cursor, or ends a log's line.
    fn visible(&self) -> Self {
        let escaped =
            |letter: char| if letter.is_control() { letter.escape_default().to_string() } else { letter.into() };
        Self { place: self.place, what: self.what.chars().map(escaped).collect() }
    }
}

impl Mistakes {
    /// `list` is what is wrong in `text`, the file called `name`. They are told from top to
    /// bottom, after those without a place.
    #[must_use]
    pub fn new(name: &str, text: &str, mut list: Vec<Mistake>) -> Self {
        list.sort_by_key(|mistake| mistake.place);
        let lines: Vec<_> = text.lines().collect();
        let quote = |mistake: &Mistake| {
            let (line, column) = mistake.place?;
            Some(quote(lines.get(line.checked_sub(1)?)?, column))
        };
        Self {
            name: name.to_owned(),
            list: list.into_iter().map(|mistake| (mistake.visible(), quote(&mistake))).collect(),
        }
    }

    /// Writes them after `words`, in the same line or below it.
    ///
    /// # Errors
    /// When `f` cannot be written to.
    pub fn after(&self, words: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{words}:{}", if f.alternate() { "\n" } else { " " })?;
        fmt::Display::fmt(self, f)
    }

    /// The same without the lines that it is about, which may hold secrets.
    #[must_use]
    pub fn unquoted(name: &str, list: Vec<Mistake>) -> Self {
        Self::new(name, "", list)
    }
}

impl std::error::Error for Mistakes {}

/// The line, and a caret below the column.
fn quote(line: &str, column: usize) -> String {
    let shown: String = line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("  | {shown}\n  | {:>column$}", '^')
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (mistake, quote)) in self.list.iter().enumerate() {
            if n > 0 {
                f.write_str(if f.alternate() { "\n" } else { "; " })?;
            }
            f.write_str(&self.name)?;
            if let Some((line, column)) = mistake.place {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}", mistake.what)?;
            if let Some(quote) = quote.as_ref().filter(|_| f.alternate()) {
                write!(f, "\n{quote}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_one_line_and_a_person_the_places() {
        let at = |line, column, what: &str| Mistake { place: Some((line, column)), what: what.to_owned() };
        let all = Mistakes::new("x.yml", "a: 1\n\tb: 2\n", vec![at(2, 2, "no b"), Mistake::nowhere("no c".into())]);
        assert_eq!(all.to_string(), "x.yml: no c; x.yml:2:2: no b");
        assert_eq!(format!("{all:#}"), "x.yml: no c\nx.yml:2:2: no b\n  |  b: 2\n  |  ^");
        let odd = Mistakes::new("x.yml", "", vec![Mistake::nowhere("no \u{1b}[2Jb\tc".into())]);
        assert_eq!(odd.to_string(), "x.yml: no \\u{1b}[2Jb\\tc");
        let outside = Mistakes::new("x.yml", "", vec![at(7, 1, "no d")]);
        assert_eq!(format!("{outside:#}"), "x.yml:7:1: no d");
    }
}
