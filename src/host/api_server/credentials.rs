//! A kubeconfig, with all that it points at read into it.
//!
//! The client is given no path: a file that hangs or never ends must not hold it up, and files are opened in
//! one place only. Each look reads everything anew, so a certificate that was rotated counts at once.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};

use crate::host::{DEFAULT_CAP, Reading, Root};

/// The cluster and the user of the current context.
pub(super) struct Credentials {
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
    /// Where relative paths begin.
    pub(super) directory: PathBuf,
}

impl Credentials {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = text_of(path)?;
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        let said = |what: String| format!("{}: {what}", path.display());
        let kubeconfig =
            Kubeconfig::from_yaml(&text).map_err(|error| said(first_line(&error.to_string())))?;
        if kubeconfig.kind.as_deref().is_some_and(|kind| kind != "Config") {
            let kind = kubeconfig.kind.unwrap_or_default();
            return Err(said(format!("it is of the kind {kind}, and no kubeconfig")));
        }
        let (mut cluster, mut user) = current(kubeconfig).map_err(said)?;
        let at = |path: &str| directory.join(path);
        if let Some(path) = cluster.certificate_authority.take() {
            cluster.certificate_authority_data = Some(encoded(&at(&path))?);
        }
        if let Some(path) = user.client_certificate.take() {
            user.client_certificate_data = Some(encoded(&at(&path))?);
        }
        if let Some(path) = user.client_key.take() {
            user.client_key_data = Some(encoded(&at(&path))?.into());
        }
        // The file counts more than a token beside it, as with kubectl.
        if let Some(path) = user.token_file.take() {
            user.token = Some(text_of(&at(&path))?.trim().to_owned().into());
        }
        Ok(Self { cluster, user, directory })
    }

    /// The user's certificates, as PEM.
    pub(super) fn certificates(&self) -> Option<String> {
        let data = self.user.client_certificate_data.as_ref()?;
        String::from_utf8(STANDARD.decode(data).ok()?).ok()
    }

    /// Takes over certificate and key, both PEM.
    pub(super) fn present(&mut self, certificate: &str, key: &str) {
        self.user.client_certificate_data = Some(STANDARD.encode(certificate));
        self.user.client_key_data = Some(STANDARD.encode(key).into());
    }

    /// A kubeconfig that says just this.
    pub(super) fn into_kubeconfig(self) -> Kubeconfig {
        const NAME: &str = "node";
        let context = kube::config::Context {
            cluster: NAME.to_owned(),
            user: Some(NAME.to_owned()),
            ..kube::config::Context::default()
        };
        Kubeconfig {
            clusters: vec![NamedCluster {
                name: NAME.to_owned(),
                cluster: Some(self.cluster),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo {
                name: NAME.to_owned(),
                auth_info: Some(self.user),
                ..NamedAuthInfo::default()
            }],
            contexts: vec![NamedContext {
                name: NAME.to_owned(),
                context: Some(context),
                ..NamedContext::default()
            }],
            current_context: Some(NAME.to_owned()),
            ..Kubeconfig::default()
        }
    }
}

fn current(kubeconfig: Kubeconfig) -> Result<(Cluster, AuthInfo), String> {
    let Kubeconfig { clusters, auth_infos, contexts, current_context, .. } = kubeconfig;
    let name = current_context.ok_or("no context is current")?;
    let context = contexts.into_iter().find(|each| each.name == name);
    let context = context.and_then(|each| each.context);
    let context = context.ok_or_else(|| format!("there is no context {name:?}"))?;
    let cluster = clusters.into_iter().find(|each| each.name == context.cluster);
    let cluster = cluster.and_then(|each| each.cluster);
    let cluster = cluster.ok_or_else(|| format!("there is no cluster {:?}", context.cluster))?;
    let user = context.user.unwrap_or_default();
    let user = auth_infos.into_iter().find(|each| each.name == user);
    Ok((cluster, user.and_then(|each| each.auth_info).unwrap_or_default()))
}

fn text_of(path: &Path) -> Result<String, String> {
    let said = |what: &str| format!("{}: {what}", path.display());
    match Root::named_file(path, DEFAULT_CAP) {
        Reading::Known(bytes) => String::from_utf8(bytes).map_err(|_| said("it is not UTF-8")),
        Reading::Absent => Err(said("no such file")),
        Reading::Unreadable(cause) => Err(said(&cause.to_string())),
    }
}

fn encoded(path: &Path) -> Result<String, String> {
    text_of(path).map(|text| STANDARD.encode(text))
}

/// Parsers show the text around a fault, which may hold a secret.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
