//! What an expression of Prometheus names: its series with the labels that it
//! matches, and the labels that it groups and joins by. promtool says whether an
//! expression can be parsed; this only has to find the names in one that can.

use std::collections::BTreeSet;

/// A series that an expression selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The metric; empty where only labels are matched.
    pub metric: String,
    /// The labels and what they are matched with.
    pub matchers: Vec<(String, String)>,
}

/// All that an expression names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The series.
    pub selectors: Vec<Selector>,
    /// The labels of `by`, `on` and their like.
    pub labels: BTreeSet<String>,
    /// The labels that functions make.
    pub made: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

const AGGREGATIONS: [&str; 12] =
    ["sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile"];
const OPERATORS: [&str; 9] = ["and", "or", "unless", "offset", "bool", "atan2", "inf", "nan", "start"];
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Functions that make a label, which the first text of their own arguments names.
const MAKERS: [&str; 3] = ["label_replace", "label_join", "count_values"];

/// Reads the names in `expression`.
pub fn names(expression: &str) -> Names {
    let tokens = tokens(expression);
    let mut names = Names::default();
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1);
        match &tokens[at] {
            Token::Word(word) if LISTS.contains(&word.as_str()) && next == Some(&Token::Sign('(')) => {
                let list = tokens[at + 2..].iter().take_while(|token| **token != Token::Sign(')'));
                names.labels.extend(list.filter_map(word_of));
                at = past(&tokens, at, ')');
                continue;
            }
            Token::Word(word) if MAKERS.contains(&word.as_str()) => names.made.extend(made(&tokens[at + 1..])),
            Token::Word(word) if is_metric(word, next) => {
                let has_matchers = next == Some(&Token::Sign('{'));
                let matchers = if has_matchers { matchers(&tokens[at + 2..]) } else { Vec::new() };
                names.selectors.push(Selector { metric: word.clone(), matchers });
                at = if has_matchers { past(&tokens, at, '}') } else { at + 1 };
                continue;
            }
            Token::Sign('{') => {
                names.selectors.push(Selector { metric: String::new(), matchers: matchers(&tokens[at + 1..]) });
                at = past(&tokens, at, '}');
                continue;
            }
            Token::Sign('[') => {
                at = past(&tokens, at, ']');
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// A word that is no number, no duration, no operator, no function and no aggregation.
fn is_metric(word: &str, next: Option<&Token>) -> bool {
    let is_number = word.starts_with(|c: char| c.is_ascii_digit());
    let lower = word.to_ascii_lowercase();
    let is_operator = [&OPERATORS[..], &AGGREGATIONS, &LISTS].iter().any(|words| words.contains(&lower.as_str()));
    !is_number && !is_operator && next != Some(&Token::Sign('('))
}

/// The label that a function makes whose arguments these are.
fn made(arguments: &[Token]) -> Option<String> {
    let mut depth = 0;
    for token in arguments {
        match token {
            Token::Sign('(' | '{' | '[') => depth += 1,
            Token::Sign(')' | '}' | ']') => depth -= 1,
            Token::Text(text) if depth == 1 => return Some(text.clone()),
            _ => {}
        }
    }
    None
}

fn word_of(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.clone()),
        _ => None,
    }
}

fn past(tokens: &[Token], from: usize, end: char) -> usize {
    let found = tokens[from..].iter().position(|token| *token == Token::Sign(end));
    from + found.expect("a bracket that opens closes") + 1
}

fn matchers(tokens: &[Token]) -> Vec<(String, String)> {
    let inside = tokens.iter().take_while(|token| **token != Token::Sign('}'));
    let (mut label, mut found) = (String::new(), Vec::new());
    for token in inside {
        match token {
            Token::Word(word) => label.clone_from(word),
            Token::Text(text) => found.push((label.clone(), text.clone())),
            Token::Sign(_) => {}
        }
    }
    found
}

fn tokens(expression: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expression.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '"' | '\'' | '`' => {
                let mut text = String::new();
                while let Some(c) = rest.next().filter(|c| *c != first) {
                    text.push(if c == '\\' { rest.next().unwrap_or(c) } else { c });
                }
                tokens.push(Token::Text(text));
            }
            '#' => while rest.next().is_some_and(|c| c != '\n') {},
            // `$` is a variable's of a dashboard.
            c if c.is_ascii_alphanumeric() || "_:$".contains(c) => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || "_:.$".contains(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c if c.is_whitespace() => {}
            c => tokens.push(Token::Sign(c)),
        }
    }
    tokens
}

#[test]
fn the_names_of_an_expression_are_found() {
    let found = names(
        r#"sum by (job, le) (rate(a_bucket{x="}",y!~'b|"'}[5m:1m] offset 1h)) > on (job) group_left (z) 2e3 * (b unless {w="1"}) # c"#,
    );
    let selector = |metric: &str, matchers: &[(&str, &str)]| Selector {
        metric: metric.into(),
        matchers: matchers.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect(),
    };
    let wanted = [selector("a_bucket", &[("x", "}"), ("y", "b|\"")]), selector("b", &[]), selector("", &[("w", "1")])];
    assert_eq!(found.selectors, wanted);
    assert_eq!(found.labels, ["job", "le", "z"].map(String::from).into());
    let found = names(r#"label_replace(sum(a{x="1"}), "y", "$1", "z", "(.*)") and count_values by (w) ("v", b)"#);
    assert_eq!(found.made, ["v", "y"].map(String::from).into());
}
