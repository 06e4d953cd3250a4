//! Where the pages are: for whoever asks the server itself, and for a browser behind
//! a reverse proxy.

use std::str::FromStr;

use http::Uri;

/// The URL by which people reach the exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUrl(Uri);

/// The text is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a URL without query and fragment, for example https://monitoring.example.com/mfa/")]
pub struct ParseExternalUrlError;

/// The paths of the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// What all paths begin with: nothing, or a slash and more that does not end in one.
    prefix: String,
    /// The path of the metrics, behind the prefix.
    telemetry: String,
    /// What links on the landing page begin with.
    base: String,
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Healthy,
    Landing,
    Metrics,
    Ready,
    Reload,
    /// It is at home behind the prefix.
    Elsewhere,
    Nothing,
}

impl FromStr for ExternalUrl {
    type Err = ParseExternalUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| ParseExternalUrlError)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|h| !h.is_empty());
        if is_web && uri.query().is_none() && !text.contains('#') { Ok(Self(uri)) } else { Err(ParseExternalUrlError) }
    }
}

impl Paths {
    /// The paths where `--web.route-prefix`, else the path of `--web.external-url`, stands
    /// before each.
    #[must_use]
    pub fn new(telemetry: &str, external: Option<&ExternalUrl>, prefix: Option<&str>) -> Self {
        let external = external.map(|ExternalUrl(uri)| bare(uri.path()));
        let prefix = prefix.map(bare).or_else(|| external.clone()).unwrap_or_default();
        // Links that are relative hold behind whatever the page was asked for with.
        let base = external.unwrap_or_else(|| ".".to_owned());
        Self { prefix, telemetry: telemetry.to_owned(), base }
    }

    /// The path of the metrics.
    #[must_use]
    pub fn metrics(&self) -> String {
        format!("{}{}", self.prefix, self.telemetry)
    }

    /// The path of the landing page.
    pub(super) fn home(&self) -> String {
        format!("{}/", self.prefix)
    }

    /// What a link to the metrics says.
    #[must_use]
    pub fn link_to_metrics(&self) -> String {
        self.link(&self.telemetry)
    }

    /// What a link to one of the other pages says; `path` is without the prefix.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(super) fn page(&self, path: &str) -> Page {
        let Some(rest) = path.strip_prefix(&self.prefix) else {
            return if path == "/" { Page::Elsewhere } else { Page::Nothing };
        };
        match rest {
            "" => Page::Elsewhere,
            _ if rest == self.telemetry => Page::Metrics,
            "/" => Page::Landing,
            "/-/healthy" => Page::Healthy,
            "/-/ready" => Page::Ready,
            "/-/reload" => Page::Reload,
            _ => Page::Nothing,
        }
    }
}

/// A slash before it and none behind, or nothing.
fn bare(path: &str) -> String {
    let inner = path.trim_matches('/');
    if inner.is_empty() { String::new() } else { format!("/{inner}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(external: Option<&str>, prefix: Option<&str>) -> Paths {
        let external = external.map(|url| url.parse::<ExternalUrl>().unwrap());
        Paths::new("/metrics", external.as_ref(), prefix)
    }

    #[test]
    fn without_a_prefix_the_pages_are_at_the_root_and_links_are_relative() {
        for paths in [paths(None, None), paths(None, Some("/"))] {
            assert_eq!(paths.page("/"), Page::Landing);
            assert_eq!((paths.page("/metrics"), paths.page("/-/ready")), (Page::Metrics, Page::Ready));
            assert_eq!((paths.page("/metrics/"), paths.page("/mfa/metrics")), (Page::Nothing, Page::Nothing));
            assert_eq!((paths.link_to_metrics(), paths.link("/-/ready")), ("./metrics".into(), "./-/ready".into()));
        }
    }

    #[test]
    fn the_prefix_is_the_external_urls_path_unless_it_is_said() {
        let both = paths(Some("https://example.com/mfa/"), None);
        assert_eq!((both.page("/mfa/metrics"), both.page("/metrics")), (Page::Metrics, Page::Nothing));
        assert_eq!(
            (both.page("/mfa"), both.page("/"), both.home()),
            (Page::Elsewhere, Page::Elsewhere, "/mfa/".into())
        );
        assert_eq!((both.page("/mfa/"), both.page("/mfa-other/")), (Page::Landing, Page::Nothing));
        assert_eq!(both.link_to_metrics(), "/mfa/metrics");
        let stripped = paths(Some("https://example.com/mfa"), Some("/"));
        assert_eq!((stripped.page("/metrics"), stripped.link_to_metrics()), (Page::Metrics, "/mfa/metrics".into()));
        let inner = paths(None, Some("a/b/"));
        assert_eq!((inner.metrics(), inner.link("/-/healthy")), ("/a/b/metrics".into(), "./-/healthy".into()));
    }

    #[test]
    fn an_external_url_is_one_of_a_page() {
        for wrong in ["", "/mfa", "example.com/mfa", "ftp://example.com/", "https:///x", "https://x/?a", "https://x/#a"]
        {
            assert!(wrong.parse::<ExternalUrl>().is_err(), "{wrong}");
        }
        assert!("http://localhost:9090".parse::<ExternalUrl>().is_ok());
    }
}
