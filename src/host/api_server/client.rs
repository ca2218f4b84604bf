//! Asks the API server, within a deadline that covers all: files, a program for credentials, the way there,
//! and the answers.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::Request;
use kube::Client;
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions};

use super::certificate::Examined;
use super::credentials::Credentials;
use super::{Access, Answers, Usual, exec};
use crate::host::run::Output;
use crate::host::service::beside;
use crate::host::{Cause, Reading, Stopwatch, now};

/// For everything.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// Bytes of an answer. A Node with the images of a large machine has some 100 KiB.
const CAP: usize = 4 << 20;

const CLASSES: &str = "/apis/node.k8s.io/v1/runtimeclasses";

pub(super) fn look(access: &Access, usual: &Usual, deadline: Duration) -> Answers {
    let path = access.kubeconfig.as_deref().unwrap_or(&usual.kubeconfig);
    match answers(path, usual.node.as_deref(), deadline) {
        Ok(answers) => answers,
        Err(why) => {
            let cause = Cause::NoAnswer(why);
            Answers {
                node: Reading::Unreadable(cause.clone()),
                classes: Reading::Unreadable(cause),
            }
        }
    }
}

fn answers(path: &Path, node: Option<&str>, deadline: Duration) -> Result<Answers, String> {
    let stopwatch = Stopwatch::start();
    let left = || deadline.saturating_sub(stopwatch.elapsed());
    let mut credentials = Credentials::read(path)?;
    exec::complete(&mut credentials, left())?;
    let own = credentials.certificates().as_deref().and_then(Examined::of);
    if let Some(fault) = own.as_ref().and_then(|own| own.fault(now())) {
        return Err(format!(
            "the client certificate of {} does not count: {fault}",
            path.display()
        ));
    }
    // The credentials know best whose they are.
    let node = own.and_then(|own| own.node).or_else(|| node.map(str::to_owned));
    let node = node.ok_or("the name of this node is not known")?;
    if !is_name(&node) {
        return Err(format!("{node:?} is no name of a node"));
    }
    beside(left(), async move || ask(credentials, &node).await)?.unwrap_or_else(|| {
        Err(format!("the API server gave no answer in {} s", deadline.as_secs()))
    })
}

async fn ask(credentials: Credentials, node: &str) -> Result<Answers, String> {
    let kubeconfig = credentials.into_kubeconfig();
    let proxy =
        kubeconfig.clusters.first().and_then(|each| each.cluster.as_ref()?.proxy_url.clone());
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| chain(&error))?;
    if proxy.is_none() {
        // The environment of whoever runs this is not that of the kubelet.
        config.proxy_url = None;
    }
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|error| chain(&error))?;
    let own = format!("/api/v1/nodes/{node}");
    let (node, classes) = tokio::join!(get(&client, &own), get(&client, CLASSES));
    Ok(Answers { node: told(node), classes: told(classes) })
}

fn told(answer: Result<Output, String>) -> Reading<Output> {
    answer.map_or_else(|why| Reading::Unreadable(Cause::NoAnswer(why)), Reading::Known)
}

async fn get(client: &Client, path: &str) -> Result<Output, String> {
    let request = Request::get(path).header("accept", "application/json").body(Body::empty());
    let request = request.map_err(|error| error.to_string())?;
    let response = client.send(request).await.map_err(|error| unreached(&error))?;
    let code = i32::from(response.status().as_u16());
    let body = Limited::new(response.into_body(), CAP).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            format!("the API server's answer is larger than {CAP} bytes")
        } else {
            format!("the API server's answer broke off: {}", chain(&*error))
        }
    })?;
    Ok(Output { code: Some(code), stdout: body.to_bytes().to_vec() })
}

/// Why there is no answer. The two sides of TLS say much the same of each other, so it is said whose
/// certificate is meant.
fn unreached(error: &dyn std::error::Error) -> String {
    let words = chain(error);
    if words.contains("received fatal alert") {
        format!("the API server refuses the client certificate: {words}")
    } else if words.contains("invalid peer certificate") {
        format!("the API server's certificate does not count: {words}")
    } else {
        format!("the API server cannot be asked: {words}")
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = error.source();
    }
    text
}

/// Whether it can stand in a path as it is.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !text.is_empty() && text.bytes().all(fits) && !text.contains("..")
}
