//! `GET /metrics` on a loopback address, for a Prometheus that cannot read a textfile.
//!
//! It serves what the daemon last published and nothing else, and never a text whose time is over: a
//! target that answers with an old verdict looks healthier than one that does not answer. A reader that
//! is slow, silent or many costs a bounded number of connections for a bounded time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::PublishError;
use crate::host::uptime;

/// Connections at a time; the next ones wait in the kernel's queue.
const CONNECTIONS: usize = 8;

/// For the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);

/// For all of a connection; a scrape has 10 s by default.
const DEADLINE: Duration = Duration::from_secs(10);

/// Bytes that are kept of a request.
const BUFFER: usize = 16 << 10;

/// How long not to accept after the kernel refused a connection, for lack of descriptors most likely.
const PAUSE: Duration = Duration::from_secs(1);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What is shown now.
#[derive(Debug, Clone, Default)]
struct Page {
    text: Bytes,
    /// Uptime at which it ends.
    until: Duration,
}

type Shown = Arc<Mutex<Page>>;

/// A listener, from the first page on; it ends with this value.
#[derive(Debug)]
pub(super) struct Served {
    address: SocketAddr,
    shown: Shown,
    task: Option<JoinHandle<()>>,
}

impl Served {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, shown: Shown::default(), task: None }
    }

    /// As the configuration has it.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves this text until its end, or a newer one. An address that cannot be had is tried again with
    /// the next text.
    pub(super) fn show(&mut self, text: Vec<u8>, until: Duration) -> Result<(), PublishError> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) =
            Page { text: text.into(), until };
        if self.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let failed = |error| PublishError::Listen {
            address: self.address,
            source: std::io::Error::other(error),
        };
        let runtime = Handle::try_current().map_err(failed)?;
        let listener = listen(self.address)?;
        self.task = Some(runtime.spawn(serve(listener, Arc::clone(&self.shown))));
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, PublishError> {
    if !address.ip().is_loopback() {
        return Err(PublishError::NotLoopback(address));
    }
    let failed = |source| PublishError::Listen { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    TcpListener::from_std(listener).map_err(failed)
}

async fn serve(listener: TcpListener, shown: Shown) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // The readers end with the listener.
    let mut readers = tokio::task::JoinSet::new();
    loop {
        while readers.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let shown = Arc::clone(&shown);
        readers.spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let page = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let answer = answer(&request, page, uptime());
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_DEADLINE)
                .keep_alive(false)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(stream), answer);
            // Whatever a reader does wrong is the reader's loss.
            let _ = tokio::time::timeout(DEADLINE, connection).await;
            drop(place);
        });
    }
}

fn answer<B>(request: &Request<B>, page: Page, now: Duration) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return reply(StatusCode::NOT_FOUND, PLAIN, Bytes::from_static(b"see /metrics\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let text = Bytes::from_static(b"only GET and HEAD are served\n");
        let mut refusal = reply(StatusCode::METHOD_NOT_ALLOWED, PLAIN, text);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    if now > page.until {
        let text = Bytes::from_static(b"the last verdict is too old to be told\n");
        return reply(StatusCode::SERVICE_UNAVAILABLE, PLAIN, text);
    }
    reply(StatusCode::OK, TEXT, page.text)
}

fn reply(status: StatusCode, kind: HeaderValue, text: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
