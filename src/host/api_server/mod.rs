//! What the API server of the cluster says of this node and of its RuntimeClasses.
//!
//! It is asked only where the user wants it, with the kubelet's own credentials or those of a kubeconfig
//! that the user names: two reads with one deadline, and nothing is ever written. This module carries texts;
//! what they mean is told by `facts::cluster`.

#[cfg(feature = "cluster")]
mod certificate;
#[cfg(feature = "cluster")]
mod client;
#[cfg(feature = "cluster")]
mod credentials;
#[cfg(feature = "cluster")]
mod exec;

use std::path::PathBuf;

use super::reading::Reading;
use super::run::Output;

/// How the API server is reached, as far as the user says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The kubeconfig to use instead of the kubelet's.
    pub kubeconfig: Option<PathBuf>,
}

/// What the host says of its own access.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usual {
    /// The kubelet's kubeconfig.
    pub kubeconfig: PathBuf,
    /// What the node is called where the credentials do not say it.
    pub node: Option<String>,
}

/// Bodies of answers, each with its HTTP status as `code`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    pub node: Reading<Output>,
    pub classes: Reading<Output>,
}

/// Whether this program can ask at all; the cargo feature `cluster` decides.
pub const BUILT_IN: bool = cfg!(feature = "cluster");

#[cfg(feature = "cluster")]
pub(super) fn look(access: &Access, usual: &Usual) -> Answers {
    client::look(access, usual, client::DEADLINE)
}

#[cfg(not(feature = "cluster"))]
pub(super) fn look(_: &Access, _: &Usual) -> Answers {
    let cause = super::Cause::NoAnswer("this program was built without the cluster feature".into());
    Answers { node: Reading::Unreadable(cause.clone()), classes: Reading::Unreadable(cause) }
}

#[cfg(all(test, feature = "cluster"))]
#[expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the tests make the files and the server, and have failed where they cannot go on"
)]
mod tests;
