//! Text that has to fit a terminal, where a letter may take two columns.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// As much of `text` as there is room for.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width;
    let fitting = text.chars().take_while(|char| {
        left = left.saturating_sub(char.width().unwrap_or(0));
        left > 0
    });
    fitting.chain((width > 0).then_some('…')).collect()
}

/// `text`, cut or filled up with spaces to just this width.
pub fn column(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    let gap = width.saturating_sub(cut.width());
    format!("{cut}{:gap$}", "")
}

/// Writes a line, broken between words where the terminal is not wide enough.
pub fn wrap(out: &mut String, indent: &str, text: &str, columns: Option<usize>) {
    let (mut line, most) = (indent.to_owned(), columns.unwrap_or(usize::MAX));
    for word in text.split(' ') {
        let is_begun = line.len() > indent.len();
        if is_begun && visible(&line) + 1 + visible(word) > most {
            let _ = writeln!(out, "{line}");
            line = indent.to_owned();
        } else if is_begun {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

/// How many columns a text takes, colours apart.
fn visible(text: &str) -> usize {
    let mut parts = text.split("\x1b[");
    let first = parts.next().map_or(0, |part| part.width());
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| rest.width())).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_colours_take_no_room() {
        let wrapped = |text: &str, columns| {
            let mut out = String::new();
            wrap(&mut out, "  ", text, columns);
            out
        };
        assert_eq!(wrapped("one two three", Some(9)), "  one two\n  three\n");
        assert_eq!(wrapped("\x1b[1;31mone\x1b[0m two three", Some(9)), "  \x1b[1;31mone\x1b[0m two\n  three\n");
        assert_eq!(wrapped("unbreakable", Some(4)), "  unbreakable\n", "a word stays whole");
        assert_eq!(wrapped("one two three", None), "  one two three\n");
    }

    #[test]
    fn what_is_cut_off_is_seen_to_be() {
        assert_eq!([cut("päyments", 8), cut("päyments", 4), cut("päyments", 0)], ["päyments", "päy…", ""]);
    }

    /// AWS lets an account have any name; a letter of Japanese takes two columns, an
    /// accent of its own none.
    #[test]
    fn a_column_is_as_wide_as_it_is_seen_to_be() {
        assert_eq!(column("決済アカウント", 14), "決済アカウント");
        assert_eq!([column("決済アカウント", 8), column("決済アカウント", 7)], ["決済ア… ", "決済ア…"]);
        assert_eq!(column("pa\u{308}y", 5), "pa\u{308}y  ");
    }
}
