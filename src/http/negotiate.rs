//! Which format and encoding a client gets. Pure.
//!
//! The best that both sides can do, by the client's weights; where it names
//! nothing we speak, the text format: a scraper that is refused is a scraper
//! that sees nothing, so nobody is ever answered 406.

use crate::exposition::{Encoding, Format};

/// A format, and the `escaping` parameter to repeat to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The format.
    pub format: Format,
    /// How names outside the classic alphabet would be escaped. There are none,
    /// so the bytes are the same for each; Prometheus 3 wants it named.
    pub escaping: &'static str,
}

const ESCAPINGS: [&str; 4] = ["allow-utf-8", "underscores", "dots", "values"];

impl Choice {
    const TEXT: Self = Self { format: Format::Text, escaping: "underscores" };

    /// Reads the `Accept` headers of a request.
    pub fn of<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let ranges = accept.into_iter().flat_map(|header| header.split(','));
        let mut best: Option<(u16, Self)> = None;
        for (weight, choice) in ranges.filter_map(offer) {
            // Only a greater weight beats an earlier range.
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, choice));
            }
        }
        best.map_or(Self::TEXT, |(_, choice)| choice)
    }

    /// The `Content-Type` of the answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match (self.format, self.escaping) {
            (Format::Text, _) => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
            (_, "allow-utf-8") => "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            (_, "dots") => "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots",
            (_, "values") => "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values",
            _ => "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        }
    }
}

/// What we can offer for one media range, and its weight in thousandths.
fn offer(range: &str) -> Option<(u16, Choice)> {
    let mut parameters = range.split(';').map(str::trim);
    let media = parameters.next()?.to_ascii_lowercase();
    let (mut weight, mut version, mut escaping) = (1000, None, "underscores");
    for (name, value) in parameters.filter_map(|parameter| parameter.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match name.trim() {
            "q" | "Q" => weight = thousandths(value)?,
            "version" => version = Some(value),
            "escaping" => escaping = ESCAPINGS.into_iter().find(|known| *known == value).unwrap_or(escaping),
            _ => {}
        }
    }
    let choice = match (media.as_str(), version) {
        ("application/openmetrics-text", Some("1.0.0")) => Choice { format: Format::OpenMetrics, escaping },
        ("text/plain" | "text/*" | "*/*", None | Some("0.0.4")) => Choice::TEXT,
        _ => return None,
    };
    Some((weight, choice))
}

/// Reads the `Accept-Encoding` headers of a request.
pub fn encoding<'a>(accept: impl IntoIterator<Item = &'a str>) -> Encoding {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for coding in accept.into_iter().flat_map(|header| header.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.filter_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))).next();
        let Some(weight) = weight.map_or(Some(1000), thousandths) else { continue };
        match name {
            _ if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => gzip = Some(weight),
            _ if name.eq_ignore_ascii_case("identity") => identity = Some(weight),
            "*" => any = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    if gzip > 0 && gzip >= identity.unwrap_or(0) { Encoding::Gzip } else { Encoding::Identity }
}

/// A weight between 0 and 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let weight: f32 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 1000")]
    (0.0..=1.0).contains(&weight).then(|| (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn format(accept: &str) -> (Format, &'static str) {
        let choice = Choice::of([accept]);
        (choice.format, choice.escaping)
    }

    #[test]
    fn real_scrapers_get_what_they_prefer() {
        let prometheus_2_42 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3_5 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let victoria = "text/plain;version=0.0.4;q=1,*/*;q=0.1";
        assert_eq!(format(prometheus_2_42), (Format::OpenMetrics, "underscores"));
        assert_eq!(format(prometheus_3_5), (Format::OpenMetrics, "allow-utf-8"));
        assert_eq!(format(victoria), (Format::Text, "underscores"));
    }

    #[test]
    fn whatever_else_is_asked_gets_text() {
        for accept in [
            "",
            "*/*",
            "text/html",
            "application/openmetrics-text",
            "text/plain;version=1.0.0",
            ";q=,;;=",
            "*/*;q=0",
            "application/openmetrics-text;version=1.0.0;q=0",
            "application/openmetrics-text;version=1.0.0;q=nan",
        ] {
            assert_eq!(format(accept).0, Format::Text, "{accept}");
        }
        assert_eq!(Choice::of([]), Choice::TEXT);
    }

    /// Prometheus 3 fails a scrape whose content type it does not know.
    #[test]
    fn the_escaping_asked_for_is_named_in_the_answer() {
        for escaping in ESCAPINGS {
            let accept = format!("application/openmetrics-text; version=1.0.0; escaping={escaping}");
            let named = format!("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping={escaping}");
            assert_eq!(Choice::of([accept.as_str()]).content_type(), named);
        }
        let text = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
        assert_eq!(Choice::of(["text/plain;version=0.0.4;escaping=dots"]).content_type(), text);
    }

    #[test]
    fn gzip_is_sent_only_where_it_is_welcome() {
        for (headers, gzip) in [
            (&["gzip"][..], true),
            (&["deflate, gzip;q=0.5"], true),
            (&["deflate", "gzip"], true),
            (&["*"], true),
            (&["GZIP"], true),
            (&["gzip;q=0"], false),
            (&["gzip;q=0, *"], false),
            (&["gzip;q=0.2, identity;q=0.8"], false),
            (&["br"], false),
            (&[""], false),
            (&[], false),
        ] {
            assert_eq!(encoding(headers.iter().copied()) == Encoding::Gzip, gzip, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(text in ".*") {
            let _ = (Choice::of([text.as_str()]), encoding([text.as_str()]));
        }
    }
}
