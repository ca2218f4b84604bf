//! What a client certificate says of itself: until when it counts, and of which node it is.
//!
//! An API server answers an expired certificate as it does any stranger, so only the certificate tells.
//! Nothing is verified here; that is for the server.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// What the names of nodes begin with among users.
const NODE: &str = "system:node:";

/// The first certificate of a PEM text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Examined {
    /// The name of the node whose it is; `None` where it is of another user.
    pub(super) node: Option<String>,
    /// Seconds since the epoch.
    not_before: u64,
    not_after: u64,
}

impl Examined {
    /// `None` where it cannot be understood, which is for the server to judge.
    pub(super) fn of(pem: &str) -> Option<Self> {
        let (_, after) = pem.split_once(BEGIN)?;
        let (body, _) = after.split_once(END)?;
        let base64: String = body.split_ascii_whitespace().collect();
        let certificate = Certificate::from_der(&STANDARD.decode(base64).ok()?).ok()?;
        let validity = certificate.tbs_certificate.validity;
        Some(Self {
            node: common_name(&certificate)
                .and_then(|name| name.strip_prefix(NODE).map(str::to_owned))
                .filter(|name| !name.is_empty()),
            not_before: validity.not_before.to_unix_duration().as_secs(),
            not_after: validity.not_after.to_unix_duration().as_secs(),
        })
    }

    /// Why it does not count at a time, in seconds since the epoch.
    pub(super) fn fault(&self, now: u64) -> Option<String> {
        if now > self.not_after {
            return Some(format!("it expired on {}", date(self.not_after)));
        }
        (now < self.not_before)
            .then(|| format!("it counts only from {}; is the clock right?", date(self.not_before)))
    }
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let mut parts = certificate.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
    let name = parts.rfind(|attribute| attribute.oid == COMMON_NAME)?;
    let utf8 = name.value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
    utf8.or_else(|_| {
        name.value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned())
    })
    .ok()
}

/// `2026-11-26T01:05:40Z`
fn date(seconds: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let time = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    time.map_or_else(|| format!("second {seconds}"), |time| time.to_string())
}
