//! What the cluster's API server says of this node, and whether a pod would be scheduled onto it.
//!
//! It is asked only where the user wants it. Where it is not, `cluster.asked` is false and all else absent:
//! a rule that goes by it applies only where it was asked.

mod list;
mod object;
mod predict;
mod schedule;

use std::path::PathBuf;

use super::kubelet::Kubelet;
use super::os::Os;
use super::{Cause, Reading};
use crate::host::api_server::Usual;
use crate::host::{Output, Run};

pub(crate) use list::is_of_interest;
pub(super) use list::{COLLECTIONS, FACTS, NEEDS, NODE, label};
pub use object::{
    Metadata, Node, NodeSpec, NodeStatus, RuntimeClass, RuntimeClasses, Scheduling, Taint,
    Toleration,
};

/// Where the kubelet's kubeconfig is, unless `--kubeconfig` says otherwise. What stands there may be
/// something else; whoever reads it looks.
const KUBECONFIG: &str = "/etc/kubernetes/kubelet.conf";

#[derive(Debug)]
pub struct Cluster {
    pub asked: bool,
    /// Absent where it was not asked, or knows no such node.
    pub node: Reading<Node>,
    /// Absent where it was not asked.
    pub classes: Reading<Vec<RuntimeClass>>,
}

pub(super) fn gather(run: &Run, kubelet: Option<&Kubelet>, os: Option<&Os>) -> Cluster {
    let usual = || {
        let start = kubelet.and_then(|kubelet| kubelet.start.known());
        let kubeconfig = start.and_then(|start| start.kubeconfig.as_deref()).unwrap_or(KUBECONFIG);
        let hostname = os.and_then(|os| os.host_name.known());
        let named = start.and_then(|start| start.hostname.as_ref()).or(hostname);
        // As the kubelet makes the name of its node.
        let node = named.map(|name| name.trim().to_lowercase());
        Usual { kubeconfig: PathBuf::from(kubeconfig), node }
    };
    match run.api_server(usual) {
        Reading::Known(answers) => Cluster {
            asked: true,
            node: answers.node.and_then(|output| node(&output)),
            classes: answers.classes.and_then(|output| classes(&output)),
        },
        Reading::Absent | Reading::Unreadable(_) => {
            Cluster { asked: false, node: Reading::Absent, classes: Reading::Absent }
        }
    }
}

fn node(output: &Output) -> Reading<Node> {
    match output.code {
        Some(404) => Reading::Absent,
        _ => object(output, "this node"),
    }
}

fn classes(output: &Output) -> Reading<Vec<RuntimeClass>> {
    object(output, "RuntimeClasses").map(|list: RuntimeClasses| list.items)
}

fn object<T: serde::de::DeserializeOwned>(output: &Output, what: &str) -> Reading<T> {
    let no_answer = |why: String| Reading::Unreadable(Cause::NoAnswer(why));
    match output.code {
        Some(200) => match serde_json::from_slice(&output.stdout) {
            Ok(object) => Reading::Known(object),
            Err(error) => Reading::Unreadable(Cause::malformed(
                None,
                format!("the API server's answer is no object of the kind: {error}"),
            )),
        },
        Some(401) => {
            no_answer("the API server does not accept the credentials (401 Unauthorized)".into())
        }
        Some(403) => no_answer(format!("these credentials may not read {what} (403 Forbidden)")),
        Some(code) => no_answer(format!("the API server answers with the status {code}")),
        None => no_answer("the API server gave no answer".into()),
    }
}

#[cfg(test)]
mod tests;
