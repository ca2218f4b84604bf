//! `/healthz` of the kubelet: where it is, and whether it says 200.
//!
//! One line of HTTP is sent and one is read, so that no client is needed for it.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::format::yaml::{Document, Scalar, Value};
use crate::host::{DEFAULT_CAP, Reading, Root};

/// For the whole answer.
const DEADLINE: Duration = Duration::from_secs(3);

const DEFAULT_PORT: u16 = 10248;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    /// In words, as what the kubelet does.
    Bad(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address(SocketAddr);

impl Address {
    /// Where a kubelet process answers, by its flags and its configuration; `None` where it is told not to.
    /// What cannot be read is taken for the default: a wrong address makes a watch fail and never pass.
    pub(super) fn of(root: &Root, pid: u32) -> Option<Self> {
        let flags = root.read_text(&format!("/proc/{pid}/cmdline")).into_known();
        let flags = Flags::parse(flags.as_deref().unwrap_or_default());
        let mut told = Told::default();
        if let Some(path) = &flags.config {
            told.read(root, path);
        }
        if let Some(directory) = &flags.config_dir
            && let Reading::Known(names) = root.list(directory)
        {
            for entry in names.iter().filter(|entry| is_drop_in(&entry.name)) {
                told.read(root, &format!("{directory}/{}", entry.name));
            }
        }
        told.port = flags.told.port.or(told.port);
        told.address = flags.told.address.or(told.address);
        told.to_address()
    }

    pub(super) fn ask(&self) -> Health {
        match self.status() {
            Ok(200) => Health::Good,
            Ok(code) => Health::Bad(format!("{} says {code}", self.name())),
            Err(error) => Health::Bad(format!("{} does not answer: {error}", self.name())),
        }
    }

    fn name(self) -> String {
        format!("http://{}/healthz", self.0)
    }

    fn status(self) -> std::io::Result<u16> {
        let end = now() + DEADLINE;
        let mut stream = TcpStream::connect_timeout(&self.0, DEADLINE)?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        // `HTTP/1.0 200`
        let mut line = Vec::new();
        while line.len() < 12 {
            let left = end.saturating_duration_since(now());
            if left.is_zero() {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            let mut some = [0; 12];
            let room = some.get_mut(line.len()..).unwrap_or_default();
            match stream.read(room) {
                Ok(0) => break,
                Ok(count) => line.extend(room.iter().take(count)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let line = String::from_utf8_lossy(&line);
        // `1 200` is left of it.
        let code = line.strip_prefix("HTTP/1.").filter(|rest| rest.len() == 5);
        let code = code.and_then(|rest| rest.get(2..)?.parse().ok());
        code.ok_or_else(|| std::io::Error::other("this is no HTTP"))
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an answer has a deadline")]
    Instant::now()
}

/// The flags that matter, as the process was given them.
#[derive(Debug, Default)]
struct Flags {
    config: Option<String>,
    config_dir: Option<String>,
    told: Told,
}

impl Flags {
    /// Words that end in NUL; `--name=value` and `--name value`.
    fn parse(words: &str) -> Self {
        let mut flags = Self::default();
        let mut words = words.split('\0').skip(1);
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                continue;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            let name = name.replace('_', "-");
            if !["config", "config-dir", "healthz-port", "healthz-bind-address"]
                .contains(&name.as_str())
            {
                continue;
            }
            let Some(value) = value.or_else(|| words.next()) else { break };
            match name.as_str() {
                "config" => flags.config = Some(value.to_owned()),
                "config-dir" => flags.config_dir = Some(value.to_owned()),
                "healthz-port" => flags.told.port = value.parse().ok(),
                _ => flags.told.address = value.parse().ok(),
            }
        }
        flags
    }
}

/// What flags or files say.
#[derive(Debug, Default)]
struct Told {
    port: Option<u16>,
    address: Option<IpAddr>,
}

impl Told {
    /// Lays a file over what is told so far.
    fn read(&mut self, root: &Root, path: &str) {
        if let Reading::Known(text) = root.read(path, DEFAULT_CAP) {
            self.lay_over(&text);
        }
    }

    fn lay_over(&mut self, text: &[u8]) {
        let Ok(document) = Document::parse(text) else { return };
        for entry in document.entries(document.root()) {
            match (entry.key.as_ref(), document.value(entry.value)) {
                ("healthzPort", Value::Scalar(Scalar::Integer(port))) => {
                    self.port = u16::try_from(*port).ok();
                }
                ("healthzBindAddress", Value::Scalar(Scalar::Text(address))) => {
                    self.address = address.parse().ok();
                }
                _ => {}
            }
        }
    }

    /// An address for all of them is asked at the loopback; port 0 is none.
    fn to_address(&self) -> Option<Address> {
        let port = self.port.unwrap_or(DEFAULT_PORT);
        let address = match self.address {
            None => Ipv4Addr::LOCALHOST.into(),
            Some(IpAddr::V4(address)) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            Some(IpAddr::V6(address)) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            Some(address) => address,
        };
        (port != 0).then(|| Address(SocketAddr::new(address, port)))
    }
}

fn is_drop_in(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "conf")
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
