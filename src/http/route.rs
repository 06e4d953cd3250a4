//! What each path answers.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::{Site, negotiate};
use crate::exposition::{Encoding, Exposition};

/// A body whose bytes all exist already, and what is held while it is sent.
#[derive(Debug, Default)]
pub struct Frames {
    frames: [Bytes; 4],
    next: usize,
    left: u64,
    _slot: Option<OwnedSemaphorePermit>,
}

/// Why there is nothing to scrape.
enum Unfit {
    NotYet,
    Old,
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSP: HeaderName = HeaderName::from_static("content-security-policy");

const RELOAD: &str = "/-/reload";

fn refuse_method(path: &str, is: &str, allowed: &'static str) -> Response<Frames> {
    let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, format!("{path:.100} is {is}.\n"));
    refusal.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    refusal
}

impl Site {
    /// Answers a request of whoever may ask. Waits for nothing but the check of a
    /// password that was not seen before.
    pub(super) async fn attend<B>(&self, request: &Request<B>) -> Response<Frames> {
        let Some(guard) = &self.guard else { return self.finish(request.method(), self.answer(request).await) };
        let rules = guard.rules();
        let answer = match guard.admit(&rules, request.headers()).await {
            Ok(()) => self.answer(request).await,
            Err(refusal) => refusal,
        };
        let mut response = self.finish(request.method(), answer);
        rules.decorate(response.headers_mut());
        response
    }

    /// What all answers have in common, refusals included.
    fn finish(&self, method: &Method, mut response: Response<Frames>) -> Response<Frames> {
        if method == Method::HEAD {
            response.body_mut().next = usize::MAX;
        }
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        self.requests.with_label_values(&[response.status().as_str()]).inc();
        response
    }

    async fn answer<B>(&self, request: &Request<B>) -> Response<Frames> {
        if request.uri().path() == RELOAD { self.reload(request.method()).await } else { self.route(request) }
    }

    /// Reads the configuration again, off the threads that serve.
    async fn reload(&self, method: &Method) -> Response<Frames> {
        let Some(reload) = self.reload.clone() else {
            let hint = "Reloading over HTTP is off; see --web.enable-lifecycle. SIGHUP always works.\n";
            return text(StatusCode::FORBIDDEN, hint);
        };
        if method != Method::POST && method != Method::PUT {
            return refuse_method(RELOAD, "asked for with POST or PUT", "POST, PUT");
        }
        match tokio::task::spawn_blocking(move || reload()).await {
            Ok(Ok(())) => text(StatusCode::OK, "The configuration was read again.\n"),
            Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "Reading the configuration panicked; see the log.\n"),
        }
    }

    fn route<B>(&self, request: &Request<B>) -> Response<Frames> {
        let path = request.uri().path();
        let page: fn(&Self, &HeaderMap) -> Response<Frames> = match path {
            _ if path == self.telemetry_path => Self::metrics,
            "/" => Self::landing,
            "/-/healthy" => Self::healthy,
            "/-/ready" => Self::ready,
            _ => {
                return text(
                    StatusCode::NOT_FOUND,
                    format!("Nothing is at {path:.100}; the metrics are at {}.\n", self.telemetry_path),
                );
            }
        };
        if request.method() == Method::GET || request.method() == Method::HEAD {
            return page(self, request.headers());
        }
        refuse_method(path, "read with GET or HEAD", "GET, HEAD")
    }

    fn metrics(&self, headers: &HeaderMap) -> Response<Frames> {
        let slot = match self.slots.as_ref().map(|slots| Arc::clone(slots).try_acquire_owned()) {
            Some(Err(_)) => {
                return text(StatusCode::SERVICE_UNAVAILABLE, "Too many scrapes at once; see --web.max-requests.\n");
            }
            Some(Ok(slot)) => Some(slot),
            None => None,
        };
        match self.fit() {
            Ok(exposition) => scrape(&exposition, headers, slot),
            Err(unfit) => text(StatusCode::SERVICE_UNAVAILABLE, unfit.to_string()),
        }
    }

    fn healthy(&self, _: &HeaderMap) -> Response<Frames> {
        match self.fit() {
            Ok(_) => text(StatusCode::OK, "Healthy\n"),
            Err(Unfit::NotYet) if self.clock.uptime() <= self.max_age => text(StatusCode::OK, "Healthy\n"),
            Err(unfit) => text(StatusCode::SERVICE_UNAVAILABLE, unfit.to_string()),
        }
    }

    fn ready(&self, _: &HeaderMap) -> Response<Frames> {
        match *self.exposition.borrow() {
            Some(_) => text(StatusCode::OK, "Ready\n"),
            None => text(StatusCode::SERVICE_UNAVAILABLE, Unfit::NotYet.to_string()),
        }
    }

    fn landing(&self, _: &HeaderMap) -> Response<Frames> {
        let page = (self.landing)();
        let mut response = respond(StatusCode::OK, HTML, page.html.into());
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
            Self::NotYet => "Nothing has been published yet.\n",
            Self::Old => "The exporter has stopped publishing; what it published last is too old to be served. Look at its log.\n",
        })
    }
}

fn scrape(exposition: &Exposition, headers: &HeaderMap, slot: Option<OwnedSemaphorePermit>) -> Response<Frames> {
    let values = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let choice = negotiate::Choice::of(values(ACCEPT));
    let encoding = negotiate::encoding(values(ACCEPT_ENCODING));
    let body = exposition.body(choice.format, encoding);
    let frames = Frames { frames: body.frames.clone(), next: 0, left: body.length, _slot: slot };
    let mut response = Response::new(frames);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(choice.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A short answer in words.
pub(super) fn text(status: StatusCode, words: impl Into<String>) -> Response<Frames> {
    respond(status, TEXT, Bytes::from(words.into()))
}

fn respond(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Frames> {
    let left = body.len() as u64;
    let frames = Frames { frames: [body, Bytes::new(), Bytes::new(), Bytes::new()], next: 0, left, _slot: None };
    let mut response = Response::new(frames);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while let Some(frame) = self.frames.get(self.next).cloned() {
            self.next += 1;
            if !frame.is_empty() {
                self.left -= frame.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(frame))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    /// Exact, so that every answer has a length. A HEAD's is that of the GET.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
