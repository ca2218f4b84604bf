//! What the kubelet tells of devices through its Pod Resources socket.
//!
//! gRPC over a Unix socket, without authentication. Each question is asked once, all of them with one
//! deadline and each answer with a cap; nothing here retries, and nothing stays connected.

mod message;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};

use super::reading::{Cause, Reading};
use super::service::beside;

/// From the first byte of the first question to the last of the last answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// Bytes of an answer. A node has a few hundred pods of a few devices each.
const CAP: usize = 16 << 20;

const LIST: &str = "/v1.PodResourcesLister/List";
const GET: &str = "/v1.PodResourcesLister/Get";
const OFFERED: &str = "/v1.PodResourcesLister/GetAllocatableResources";

/// A pod that no cluster has: how `Get` refuses it tells whether it would have answered. No namespace may
/// have this name, as it is not in lower case.
const NO_POD: (&str, &str) = ("ccgpu-node", "Nowhere");

/// What the kubelet tells; the form of it in a capture too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodResources {
    /// The pods that hold devices. Names come from the cluster and may hold anything.
    pub pods: Vec<Pod>,
    /// What device plugins offer, held or not; `None` where the kubelet is too old to tell.
    pub offered: Option<Vec<Device>>,
    pub get: Get,
}

/// A pod that holds devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub devices: Vec<Device>,
}

/// Devices of one resource: those that a container of a pod holds, or that are offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// `nvidia.com/pgpu`; of a dynamic resource, its driver: `gpu.nvidia.com`.
    pub resource: String,
    pub ids: Vec<String>,
}

impl Device {
    /// Whether it is of NVIDIA: `nvidia.com/pgpu` of a device plugin, `gpu.nvidia.com` of the driver for
    /// claims.
    pub fn is_nvidia(&self) -> bool {
        self.resource.starts_with("nvidia.com/")
            || self.resource.ends_with(".nvidia.com")
            || self.ids.iter().any(|id| id.contains("nvidia.com/"))
    }
}

/// Whether the kubelet answers `Get`, by which Kata asks for the devices of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Get {
    /// It looked for the pod.
    Answered,
    /// Its feature gate is off.
    Disabled,
    /// It is too old to have such a method.
    Unimplemented,
    /// It said something else, in these words.
    Unclear(String),
}

impl Get {
    /// The kubelet has one code for both refusals, so its words decide; words that are not known prove
    /// nothing.
    fn of(answer: Result<(), Status>) -> Self {
        let Err(status) = answer else { return Self::Answered };
        let words = status.message();
        match status.code() {
            Code::Unimplemented => Self::Unimplemented,
            Code::Unknown if words.contains("Get method disabled") => Self::Disabled,
            Code::Unknown | Code::NotFound if words.contains("not found") => Self::Answered,
            _ => Self::Unclear(refusal(&status)),
        }
    }
}

/// The pods that hold devices. `Absent` where no kubelet serves the socket: it does not exist, or nobody
/// listens behind it, as after a kubelet that crashed.
pub fn list(socket: &Path) -> Reading<Vec<Pod>> {
    within(socket, DEADLINE, async |mut kubelet| kubelet.pods(CAP).await)
}

/// All that it tells; `Absent` as with [`list`].
pub fn look(socket: &Path) -> Reading<PodResources> {
    look_within(socket, DEADLINE, CAP)
}

fn look_within(socket: &Path, deadline: Duration, cap: usize) -> Reading<PodResources> {
    within(socket, deadline, async |mut kubelet| {
        let get = Get::of(kubelet.get(cap).await?);
        let pods = kubelet.pods(cap).await?;
        let offered = kubelet.offered(cap).await?;
        Ok(PodResources { pods, offered, get })
    })
}

fn within<T: Send>(
    socket: &Path,
    deadline: Duration,
    ask: impl AsyncFnOnce(Kubelet) -> Result<T, String> + Send,
) -> Reading<T> {
    match nix::sys::stat::stat(socket) {
        Ok(_) => {}
        Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => return Reading::Absent,
        Err(nix::errno::Errno::EACCES) => return Reading::Unreadable(Cause::Permission),
        Err(errno) => return Reading::Unreadable(Cause::Os(errno as i32)),
    }
    let asked = async move || match connect(socket.to_owned()).await? {
        Connected::Nobody => Ok(Reading::Absent),
        Connected::Denied => Ok(Reading::Unreadable(Cause::Permission)),
        Connected::To(kubelet) => ask(kubelet).await.map(Reading::Known),
    };
    let answer = beside(deadline, asked).and_then(|in_time| {
        in_time.unwrap_or_else(|| {
            Err(format!("the kubelet gave no answer in {} s", deadline.as_secs()))
        })
    });
    answer.unwrap_or_else(|why| Reading::Unreadable(Cause::NoAnswer(why)))
}

/// What came of knocking.
enum Connected {
    To(Kubelet),
    /// Nobody listens.
    Nobody,
    /// It is for root alone.
    Denied,
}

/// A kubelet that listens.
struct Kubelet {
    channel: Channel,
}

async fn connect(socket: PathBuf) -> Result<Connected, String> {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => return Ok(Connected::Nobody),
            std::io::ErrorKind::PermissionDenied => return Ok(Connected::Denied),
            _ => return Err(error.to_string()),
        },
    };
    let mut stream = Some(TokioIo::new(stream));
    let connect = tower::service_fn(move |_: Uri| {
        let stream = stream.take();
        async move { stream.ok_or_else(|| std::io::Error::other("the kubelet hung up")) }
    });
    // The address is never looked up; HTTP wants to name one.
    let channel = Endpoint::from_static("http://localhost")
        .connect_with_connector(connect)
        .await
        .map_err(|error| chain(&error))?;
    Ok(Connected::To(Kubelet { channel }))
}

impl Kubelet {
    async fn pods(&mut self, cap: usize) -> Result<Vec<Pod>, String> {
        let answer = self.ask::<_, message::ListResponse>(LIST, message::Nothing {}, cap).await?;
        answer.map(message::ListResponse::pods).map_err(|status| refusal(&status))
    }

    /// Until 1.28 a feature gate decided whether this is told.
    async fn offered(&mut self, cap: usize) -> Result<Option<Vec<Device>>, String> {
        let nothing = message::Nothing {};
        match self.ask::<_, message::AllocatableResponse>(OFFERED, nothing, cap).await? {
            Ok(answer) => Ok(Some(answer.devices())),
            Err(status) if status.code() == Code::Unimplemented => Ok(None),
            Err(status) if status.message().contains("disabled") => Ok(None),
            Err(status) => Err(refusal(&status)),
        }
    }

    async fn get(&mut self, cap: usize) -> Result<Result<(), Status>, String> {
        let (name, namespace) = (NO_POD.0.to_owned(), NO_POD.1.to_owned());
        let request = message::GetRequest { name, namespace };
        let answer = self.ask::<_, message::GetResponse>(GET, request, cap).await?;
        Ok(answer.map(|_| ()))
    }

    /// One question. The inner error is the kubelet's own, the outer one that of the way to it.
    async fn ask<Q, A>(
        &mut self,
        path: &'static str,
        question: Q,
        cap: usize,
    ) -> Result<Result<A, Status>, String>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(cap);
        grpc.ready().await.map_err(|error| chain(&error))?;
        let path = Uri::from_static(path).into_parts().path_and_query.ok_or("no path")?;
        let codec = tonic_prost::ProstCodec::<Q, A>::default();
        let answer = grpc.unary(tonic::Request::new(question), path, codec).await;
        Ok(answer.map(tonic::Response::into_inner))
    }
}

fn refusal(status: &Status) -> String {
    format!("the kubelet's answer is {:?}: {}", status.code(), status.message())
}

/// An error with its causes, since the first says only "transport error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
