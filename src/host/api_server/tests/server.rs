//! An API server of the test's own: HTTPS with client certificates, and as ill-behaved as is wanted.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd as date,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// The years in which a certificate counts.
pub(super) const NOW: (i32, i32) = (2020, 2120);
pub(super) const OVER: (i32, i32) = (2010, 2020);
pub(super) const NOT_YET: (i32, i32) = (2110, 2120);

/// An authority and what it signs.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(parameters, key), certificate }
    }

    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    fn signed(&self, names: Vec<String>, user: &str, (from, to): (i32, i32)) -> Signed {
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        parameters.distinguished_name.push(DnType::CommonName, user);
        parameters.not_before = date(from, 1, 1);
        parameters.not_after = date(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Signed { certificate, key }
    }

    /// Certificate and key of a user, in one text as the kubelet keeps them.
    pub(super) fn user(&self, name: &str, years: (i32, i32)) -> String {
        let Signed { certificate, key } = self.signed(Vec::new(), name, years);
        format!("{}{}", certificate.pem(), key.serialize_pem())
    }
}

struct Signed {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// What is answered on a path.
#[derive(Clone)]
pub(super) enum Answer {
    Status(u16, String),
    /// A body of so many bytes, in chunks.
    Long(usize),
    /// The head, and half a body.
    Broken,
    Never,
}

/// How a server comes to be.
pub(super) struct Setup<'a> {
    pub(super) own: &'a Authority,
    pub(super) years: (i32, i32),
    /// Whose clients it knows.
    pub(super) clients: &'a Authority,
    /// Whether it turns others away, which no API server does.
    pub(super) strict: bool,
}

/// A server that runs until the test is over.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn start(
        setup: &Setup<'_>,
        answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let config = configuration(setup);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (asked_too, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                let acceptor = TlsAcceptor::from(Arc::new(config));
                while let Ok((stream, _)) = listener.accept().await {
                    let (acceptor, asked) = (acceptor.clone(), Arc::clone(&asked_too));
                    let answer = Arc::clone(&answer);
                    tokio::spawn(async move {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let known = stream.get_ref().1.peer_certificates().is_some();
                        let service = service_fn(|request: Request<Incoming>| {
                            asked.lock().unwrap().push(line(&request, known));
                            let answer = answer(request.uri().path());
                            async move { respond(answer).await }
                        });
                        let _ = http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            });
        });
        Self { address, asked }
    }

    /// Each question with how who asked showed who he is.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

fn configuration(setup: &Setup<'_>) -> ServerConfig {
    let own = setup.own.signed(vec!["127.0.0.1".to_owned()], "api", setup.years);
    let provider = Arc::new(default_provider());
    let mut clients = RootCertStore::empty();
    clients.add(setup.clients.certificate.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(clients), Arc::clone(&provider));
    let verifier = if setup.strict { verifier } else { verifier.allow_unauthenticated() };
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![own.certificate.der().clone()],
            PrivateKeyDer::try_from(own.key.serialize_der()).unwrap(),
        )
        .unwrap()
}

fn line(request: &Request<Incoming>, certificate: bool) -> String {
    let token = request.headers().get("authorization").map(|it| it.to_str().unwrap().to_owned());
    let who = match (certificate, token) {
        (true, _) => "a certificate".to_owned(),
        (false, Some(token)) => token,
        (false, None) => "nothing".to_owned(),
    };
    format!("{} {} with {who}", request.method(), request.uri().path())
}

async fn respond(answer: Answer) -> Result<Response<Chunks>, std::convert::Infallible> {
    let (status, chunks): (u16, Vec<Chunk>) = match answer {
        Answer::Status(status, text) => (status, vec![Ok(Frame::data(text.into()))]),
        Answer::Long(bytes) => {
            let chunk = Bytes::from(vec![b' '; 1 << 16]);
            let chunks = (0..bytes >> 16).map(|_| Ok(Frame::data(chunk.clone())));
            (200, chunks.collect())
        }
        Answer::Broken => {
            let begun = Ok(Frame::data("{\"metadata\":".into()));
            (200, vec![begun, Err(std::io::Error::other("broken off"))])
        }
        Answer::Never => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            (200, Vec::new())
        }
    };
    Ok(Response::builder().status(status).body(Chunks(chunks.into_iter())).unwrap())
}

/// Chunks that are there already, as a body.
struct Chunks(std::vec::IntoIter<Chunk>);

type Chunk = Result<Frame<Bytes>, std::io::Error>;

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Chunk>> {
        Poll::Ready(self.0.next())
    }
}
