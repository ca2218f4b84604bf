//! A program that hands out credentials, as a kubeconfig may name one.
//!
//! It is run as every other program is: with a deadline, a fixed environment and nothing to read. kube would
//! run it without any of these.

use std::ffi::OsString;
use std::time::Duration;

use kube::config::{Cluster, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;

use super::credentials::Credentials;
use crate::host::process::{End, Process};

const LATEST: &str = "client.authentication.k8s.io/v1";

/// What it prints.
#[derive(Deserialize)]
struct ExecCredential {
    kind: String,
    status: Option<CredentialStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialStatus {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Has the credentials completed, where they name a program for it.
pub(super) fn complete(credentials: &mut Credentials, within: Duration) -> Result<(), String> {
    let Some(exec) = credentials.user.exec.take() else { return Ok(()) };
    let Some(name) = exec.command.as_deref().filter(|name| !name.is_empty()) else {
        return Err("the kubeconfig asks a program for credentials and does not name it".to_owned());
    };
    if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(format!("{name} gives out credentials only to a person"));
    }
    // With a slash in it, it is a path from where the kubeconfig is.
    let program: OsString =
        if name.contains('/') { credentials.directory.join(name).into() } else { name.into() };
    let mut process = Process::new(program, within).args(exec.args.clone().unwrap_or_default());
    process = process.env("KUBERNETES_EXEC_INFO", info(&exec, &credentials.cluster));
    for variable in exec.env.iter().flatten() {
        if let (Some(key), Some(value)) = (variable.get("name"), variable.get("value")) {
            process = process.env(key.clone(), value);
        }
    }
    let said = process.run().map_err(|error| format!("{name}: {error}"))?;
    match said.end {
        End::Code(0) => {}
        End::Code(code) => return Err(format!("{name} gave no credentials: it ended with {code}")),
        End::Signal(signal) => {
            return Err(format!("{name} gave no credentials: signal {signal} ended it"));
        }
    }
    // What it printed is a secret, so no error shows any of it.
    let unusable = || format!("what {name} printed are no credentials");
    let credential: ExecCredential =
        serde_json::from_slice(&said.stdout).map_err(|_| unusable())?;
    let status = credential.status.filter(|_| credential.kind == "ExecCredential");
    let CredentialStatus { token, client_certificate_data, client_key_data } =
        status.ok_or_else(unusable)?;
    match (client_certificate_data, client_key_data) {
        (Some(certificate), Some(key)) => credentials.present(&certificate, &key),
        _ if token.is_none() => return Err(unusable()),
        _ => {}
    }
    credentials.user.token = token.map(Into::into);
    Ok(())
}

/// What the program is told of who asks.
fn info(exec: &ExecConfig, cluster: &Cluster) -> String {
    let mut spec = serde_json::json!({ "interactive": false });
    if exec.provide_cluster_info
        && let Some(spec) = spec.as_object_mut()
    {
        let about = serde_json::json!({
            "server": cluster.server,
            "certificate-authority-data": cluster.certificate_authority_data,
            "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
            "tls-server-name": cluster.tls_server_name,
        });
        spec.insert("cluster".to_owned(), about);
    }
    let version = exec.api_version.as_deref().unwrap_or(LATEST);
    serde_json::json!({ "apiVersion": version, "kind": "ExecCredential", "spec": spec }).to_string()
}
