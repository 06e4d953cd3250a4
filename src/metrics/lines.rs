//! How a sample is written. Where a value is finite and the sample has no time, both
//! formats write it alike, so that it is written once and served in both.

use std::fmt::Write as _;

/// Integers below this are written as integers: a float's digits cost three times as much.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Below this a number with three decimals has fifteen digits at most.
const DIGITS: f64 = 1e12;

/// Appends labels to a line that goes on with `separator`; answers with the next one.
pub fn labels<'a>(out: &mut String, mut separator: char, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> char {
    for (name, value) in pairs {
        out.push(separator);
        out.push_str(name);
        out.push_str("=\"");
        escape(out, value, true);
        out.push('"');
        separator = ',';
    }
    separator
}

/// Ends a line that would go on with `separator`.
pub fn end(out: &mut String, separator: char, value: f64) {
    out.push_str(if separator == ',' { "} " } else { " " });
    number(out, value);
    out.push('\n');
}

/// Appends a text with whatever would end it escaped; in help texts of the older format
/// a quotation mark does not.
pub fn escape(out: &mut String, text: &str, quotes: bool) {
    let is_special = |byte: u8| matches!(byte, b'\\' | b'\n') || quotes && byte == b'"';
    if !text.bytes().any(is_special) {
        return out.push_str(text);
    }
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            _ => out.push(char),
        }
    }
}

/// Most values are a digit, and most others an integer or an instant in milliseconds; the
/// digits of any other float cost ten times as much. Writing to a string cannot fail, so
/// results are dropped.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "these are integers of at most 53 bits")]
fn number(out: &mut String, value: f64) {
    let is_integer = value.fract() == 0.0 && value.abs() < EXACT && !(value == 0.0 && value.is_sign_negative());
    let _ = match value {
        0.0..10.0 if is_integer => return out.push(char::from(b'0' + value as u8)),
        _ if is_integer => write!(out, "{}", value as i64),
        0.001..DIGITS if is_in_millis(value) => return millis(out, (value * 1_000.0).round() as u64),
        value if value.is_finite() => write!(out, "{value}"),
        value if value.is_nan() => write!(out, "NaN"),
        value => write!(out, "{}Inf", if value > 0.0 { '+' } else { '-' }),
    };
}

/// Whether three decimals are all that it has. With fifteen digits at most these are the
/// shortest text that reads as this float, for no two such texts read as the same one.
fn is_in_millis(value: f64) -> bool {
    (value * 1_000.0).round() / 1_000.0 == value
}

fn millis(out: &mut String, value: u64) {
    let _ = write!(out, "{}.{:03}", value / 1_000, value % 1_000);
    out.truncate(out.trim_end_matches('0').len());
}

#[cfg(test)]
mod tests {
    use prometheus::{GaugeVec, Opts, TextEncoder, core::Collector as _};
    use proptest::prelude::*;

    use super::*;

    fn line(label: &str, value: f64) -> String {
        let mut out = "g".to_owned();
        let separator = labels(&mut out, '{', [("a", label)]);
        end(&mut out, separator, value);
        out
    }

    /// The same sample by the Prometheus library, without its comments.
    fn of_the_library(label: &str, value: f64) -> String {
        let gauge = GaugeVec::new(Opts::new("g", "G."), &["a"]).unwrap();
        gauge.with_label_values(&[label]).set(value);
        let text = TextEncoder::new().encode_to_string(&gauge.collect()).unwrap();
        text.split_inclusive('\n').skip(2).collect()
    }

    #[test]
    fn what_is_not_finite_is_spelt_as_both_formats_read_it() {
        for (value, spelt) in [(f64::INFINITY, "+Inf"), (f64::NEG_INFINITY, "-Inf"), (f64::NAN, "NaN")] {
            assert_eq!(line("", value), format!("g{{a=\"\"}} {spelt}\n"));
        }
    }

    proptest! {
        #[test]
        fn a_line_is_the_librarys(
            label in "(?s).*",
            value in prop_oneof![
                any::<f64>(),
                any::<i64>().prop_map(|n| n as f64),
                (-10_000..10_000i32).prop_map(f64::from),
                (0..4_000_000_000_000i64).prop_map(|millis| millis as f64 / 1_000.0),
                (0..1_000_100_000_000_000i64).prop_map(|millis| millis as f64 / 1_000.0),
                Just(-0.0), Just(EXACT), Just(EXACT - 1.0), Just(-EXACT), Just(1e300), Just(1e-7), Just(f64::MIN_POSITIVE),
            ].prop_filter("finite", |value| value.is_finite()),
        ) {
            prop_assert_eq!(line(&label, value), of_the_library(&label, value));
        }
    }
}
