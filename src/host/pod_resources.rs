//! Which devices the kubelet has given to pods, as its Pod Resources socket tells.
//!
//! gRPC over a Unix socket, without authentication. Only `List` is asked, once, with a deadline and a cap
//! on the answer; nothing here retries, and nothing stays connected.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::transport::{Endpoint, Uri};

use super::reading::{Cause, Reading};

/// From the first byte to the last.
const DEADLINE: Duration = Duration::from_secs(3);

/// Bytes of an answer. A node has a few hundred pods of a few devices each.
const CAP: usize = 16 << 20;

const LIST: &str = "/v1.PodResourcesLister/List";

/// A pod that holds devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub devices: Vec<Device>,
}

/// Devices of one resource that a container of the pod holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `nvidia.com/pgpu`; of a dynamic resource, its driver: `gpu.nvidia.com`.
    pub resource: String,
    pub ids: Vec<String>,
}

/// The pods that hold devices. `Absent` where no kubelet serves the socket: it does not exist, or nobody
/// listens behind it, as after a kubelet that crashed. Names come from the cluster and may hold anything.
pub fn list(socket: &Path) -> Reading<Vec<Pod>> {
    list_within(socket, DEADLINE, CAP)
}

fn list_within(socket: &Path, deadline: Duration, cap: usize) -> Reading<Vec<Pod>> {
    match nix::sys::stat::stat(socket) {
        Ok(_) => {}
        Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => return Reading::Absent,
        Err(nix::errno::Errno::EACCES) => return Reading::Unreadable(Cause::Permission),
        Err(errno) => return Reading::Unreadable(Cause::Os(errno as i32)),
    }
    let no_answer = |why: String| Reading::Unreadable(Cause::NoAnswer(why));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return no_answer(format!("no runtime: {error}")),
    };
    let answer = runtime
        .block_on(async { tokio::time::timeout(deadline, ask(socket.to_owned(), cap)).await });
    match answer {
        Ok(Ok(Some(answer))) => Reading::Known(answer.pods()),
        Ok(Ok(None)) => Reading::Absent,
        Ok(Err(why)) => no_answer(why),
        Err(_) => no_answer(format!("the kubelet gave no answer in {} s", deadline.as_secs())),
    }
}

/// The answer; `None` where nobody listens.
async fn ask(socket: PathBuf, cap: usize) -> Result<Option<message::ListResponse>, String> {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return Ok(None),
        Err(error) => return Err(error.to_string()),
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
    let mut grpc = Grpc::new(channel).max_decoding_message_size(cap);
    grpc.ready().await.map_err(|error| chain(&error))?;
    let path = Uri::from_static(LIST).into_parts().path_and_query.ok_or("no path")?;
    let codec = tonic_prost::ProstCodec::<message::ListRequest, message::ListResponse>::default();
    let answer = grpc.unary(tonic::Request::new(message::ListRequest {}), path, codec).await;
    answer.map(|answer| Some(answer.into_inner())).map_err(|status| {
        format!("the kubelet's answer is {:?}: {}", status.code(), status.message())
    })
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

/// The messages of the package `v1`, with the fields that are read here.
mod message {
    use super::{Device, Pod};

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ListRequest {}

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ListResponse {
        #[prost(message, repeated, tag = "1")]
        pub(super) pods: Vec<PodResources>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct PodResources {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) namespace: String,
        #[prost(message, repeated, tag = "3")]
        pub(super) containers: Vec<ContainerResources>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ContainerResources {
        #[prost(message, repeated, tag = "2")]
        pub(super) devices: Vec<ContainerDevices>,
        #[prost(message, repeated, tag = "5")]
        pub(super) dynamic: Vec<DynamicResource>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ContainerDevices {
        #[prost(string, tag = "1")]
        pub(super) resource: String,
        #[prost(string, repeated, tag = "2")]
        pub(super) ids: Vec<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct DynamicResource {
        #[prost(message, repeated, tag = "4")]
        pub(super) claims: Vec<ClaimResource>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ClaimResource {
        #[prost(message, repeated, tag = "1")]
        pub(super) cdi: Vec<CdiDevice>,
        #[prost(string, tag = "2")]
        pub(super) driver: String,
        #[prost(string, tag = "4")]
        pub(super) device: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct CdiDevice {
        #[prost(string, tag = "1")]
        pub(super) name: String,
    }

    impl ListResponse {
        /// The pods that hold anything.
        pub(super) fn pods(self) -> Vec<Pod> {
            let pods = self.pods.into_iter().map(|pod| Pod {
                namespace: pod.namespace,
                name: pod.name,
                devices: pod.containers.into_iter().flat_map(ContainerResources::devices).collect(),
            });
            pods.filter(|pod| !pod.devices.is_empty()).collect()
        }
    }

    impl ContainerResources {
        fn devices(self) -> impl Iterator<Item = Device> {
            let claims = self.dynamic.into_iter().flat_map(|resource| resource.claims);
            let plugin = self.devices.into_iter().map(|held| (held.resource, held.ids));
            let dynamic = claims.map(|claim| {
                let names = claim.cdi.into_iter().map(|cdi| cdi.name);
                (claim.driver, std::iter::once(claim.device).chain(names).collect())
            });
            plugin.chain(dynamic).map(|(resource, ids): (String, Vec<String>)| Device {
                resource,
                ids: ids.into_iter().filter(|id| !id.is_empty()).collect(),
            })
        }
    }
}

#[cfg(test)]
#[path = "pod_resources_tests.rs"]
mod tests;
