//! What each path answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LOCATION, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{
    Site,
    answer::Answer,
    connections::{Connection, Phase},
    negotiate,
    paths::Page,
    refusal::Refusal,
};
use crate::exposition::{Encoding, Exposition};

/// Why there is nothing to scrape.
enum Unfit {
    NotYet,
    Old,
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSP: HeaderName = HeaderName::from_static("content-security-policy");

fn refuse_method(path: &str, is: &str, allowed: &'static str) -> Response<Answer> {
    let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, format!("{path:.100} is {is}.\n"));
    refusal.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    refusal
}

impl Site {
    /// Answers a request of whoever may ask. Waits for nothing but the check of a
    /// password that was not seen before, and the drawing of the landing page.
    pub(super) async fn attend<B>(&self, request: &Request<B>, connection: &Arc<Connection>) -> Response<Answer> {
        connection.enter(Phase::Served);
        let rules = self.guard.as_ref().map(|guard| (guard, guard.rules()));
        let admitted = match &rules {
            Some((guard, rules)) => guard.admit(rules, request.headers(), connection).await,
            None => Ok(()),
        };
        let mut response = match admitted {
            Ok(()) => self.answer(request, connection).await,
            Err(refusal) => refusal,
        };
        self.finish(request.method(), &mut response);
        if let Some((_, rules)) = &rules {
            rules.decorate(response.headers_mut());
        }
        response.body_mut().tell(Arc::clone(connection));
        response
    }

    /// What all answers have in common, refusals included.
    fn finish(&self, method: &Method, response: &mut Response<Answer>) {
        if method == Method::HEAD {
            response.body_mut().without_body();
        }
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        self.metrics.http_requests().with_label_values(&[response.status().as_str()]).inc();
    }

    async fn answer<B>(&self, request: &Request<B>, connection: &Arc<Connection>) -> Response<Answer> {
        let (path, method) = (request.uri().path(), request.method());
        let page = self.paths.page(path);
        let is_read = method == Method::GET || method == Method::HEAD;
        match page {
            Page::Reload => self.reload(path, method).await,
            Page::Nothing => {
                let words = format!("There is no page at {path:.100}. The metrics are at {}.\n", self.paths.metrics());
                text(StatusCode::NOT_FOUND, words)
            }
            _ if !is_read => refuse_method(path, "read with GET or HEAD", "GET, HEAD"),
            Page::Elsewhere => self.redirect(),
            Page::Landing => self.landing(connection).await,
            Page::Healthy => self.healthy(),
            Page::Ready => self.ready(),
            Page::Metrics => self.metrics(request, connection),
        }
    }

    /// Reads the configuration again, off the threads that serve, and for one at a time:
    /// whoever asks for it a thousand times over shall not take all of those.
    async fn reload(&self, path: &str, method: &Method) -> Response<Answer> {
        let Some(reload) = self.reload.clone() else {
            let hint = "Reloading over HTTP is off: start the exporter with --web.enable-lifecycle, or send SIGHUP.\n";
            return text(StatusCode::FORBIDDEN, hint);
        };
        if method != Method::POST && method != Method::PUT {
            return refuse_method(path, "asked for with POST or PUT", "POST, PUT");
        }
        let _turn = self.reloading.lock().await;
        match tokio::task::spawn_blocking(move || reload()).await {
            Ok(Ok(())) => text(StatusCode::OK, "The exporter has reloaded its configuration.\n"),
            Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "Reading the configuration panicked; see the log.\n"),
        }
    }

    fn redirect(&self) -> Response<Answer> {
        let home = self.paths.home();
        let mut response = text(StatusCode::TEMPORARY_REDIRECT, format!("The exporter is at {home}.\n"));
        response.headers_mut().extend(HeaderValue::try_from(home).ok().map(|home| (LOCATION, home)));
        response
    }

    fn metrics<B>(&self, request: &Request<B>, connection: &Arc<Connection>) -> Response<Answer> {
        if let Some(filter) = request.uri().query().and_then(filter) {
            let words = format!(
                "{filter} is not supported: this exporter always answers with all that it knows. Leave the parameter out, \
                 and drop what you do not want by metric_relabel_configs.\n"
            );
            return text(StatusCode::BAD_REQUEST, words);
        }
        if let Err(refusal) = connection.take_slot() {
            return too_many(connection, refusal);
        }
        match self.fit() {
            Ok(exposition) => scrape(&exposition, request.headers()),
            Err(unfit) => {
                connection.refuse(Refusal::Unpublished);
                text(StatusCode::SERVICE_UNAVAILABLE, unfit.to_string())
            }
        }
    }

    fn healthy(&self) -> Response<Answer> {
        match self.fit() {
            Ok(_) => text(StatusCode::OK, "Healthy\n"),
            Err(Unfit::NotYet) if self.clock.uptime() <= self.max_age => text(StatusCode::OK, "Healthy\n"),
            Err(unfit) => text(StatusCode::SERVICE_UNAVAILABLE, unfit.to_string()),
        }
    }

    fn ready(&self) -> Response<Answer> {
        match *self.exposition.borrow() {
            Some(_) => text(StatusCode::OK, "Ready\n"),
            None => text(StatusCode::SERVICE_UNAVAILABLE, Unfit::NotYet.to_string()),
        }
    }

    async fn landing(&self, connection: &Arc<Connection>) -> Response<Answer> {
        if let Err(refusal) = connection.take_slot() {
            return too_many(connection, refusal);
        }
        let Some(page) = self.landing.latest().await else {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "Drawing the page panicked; see the log.\n");
        };
        let mut response = respond(StatusCode::OK, HTML, page.html);
        let policy = HeaderValue::try_from(page.policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        response.headers_mut().insert(CSP, policy);
        response
    }

    /// The exposition, if it may be served: yesterday's "passed" is worse than
    /// no answer, which Prometheus shows as `up` 0 and alerts can see.
    fn fit(&self) -> Result<Arc<Exposition>, Unfit> {
        let exposition = self.exposition.borrow().clone().ok_or(Unfit::NotYet)?;
        match self.clock.now().age(exposition.at) {
            Some(age) if age <= self.max_age => Ok(exposition),
            _ => Err(Unfit::Old),
        }
    }
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotYet => "The exporter has just started and has no snapshot yet.\n",
            Self::Old => "The exporter no longer updates its snapshot. The last one is too old to serve. Check the exporter's log.\n",
        })
    }
}

fn too_many(connection: &Connection, refusal: Refusal) -> Response<Answer> {
    connection.refuse(refusal);
    text(StatusCode::SERVICE_UNAVAILABLE, "Too many scrapes at once; see --web.max-requests.\n")
}

/// A parameter by which other exporters leave something out. To answer with everything
/// would be to misunderstand.
fn filter(query: &str) -> Option<&'static str> {
    let names = || query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    [("collect[]", "collect%5B%5D"), ("exclude[]", "exclude%5B%5D"), ("name[]", "name%5B%5D")]
        .into_iter()
        .find(|(plain, escaped)| names().any(|name| name == *plain || name.eq_ignore_ascii_case(escaped)))
        .map(|(plain, _)| plain)
}

fn scrape(exposition: &Exposition, headers: &HeaderMap) -> Response<Answer> {
    let values = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let choice = negotiate::Choice::of(values(ACCEPT));
    let encoding = negotiate::encoding(values(ACCEPT_ENCODING));
    let body = exposition.body(choice.format, encoding);
    let mut response = Response::new(Answer::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(choice.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A short answer in words.
pub(super) fn text(status: StatusCode, words: impl Into<String>) -> Response<Answer> {
    respond(status, TEXT, Bytes::from(words.into()))
}

fn respond(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Answer> {
    let mut response = Response::new(Answer::new(&body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
