//! Text that has to fit a terminal.

use std::fmt::Write as _;

/// As much of `text` as there is room for.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain((width > 0).then_some('…')).collect()
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
    let first = parts.next().map_or(0, |part| part.chars().count());
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| rest.chars().count())).sum::<usize>()
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
}
