//! What systemd says of a unit.

use std::time::Duration;

use super::super::error::{ActionError, shown};
use super::super::programs::{Programs, succeeded};

const DEADLINE: Duration = Duration::from_secs(10);

const PROPERTIES: &str = "--property=ActiveState,SubState,MainPID,NRestarts,RestartUSec";

/// The state of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// `active`, `activating`, `failed`...
    pub(super) active: String,
    /// `running`, `auto-restart`...
    pub(super) sub: String,
    /// 0 where no process runs.
    pub(super) pid: u32,
    /// How often systemd has restarted it by itself.
    pub(super) restarts: u64,
    /// How long it waits before it does; `None` for ever, or where the text is not understood.
    pub(super) pause: Option<Duration>,
}

impl State {
    pub(super) fn ask(programs: &Programs, unit: &str) -> Result<Self, ActionError> {
        let show = programs.program("systemctl", DEADLINE).args(["show", PROPERTIES, "--", unit]);
        let said = succeeded("systemctl", &show)?;
        let text = String::from_utf8_lossy(&said.stdout);
        Self::parse(&text).ok_or_else(|| ActionError::Refused {
            program: "systemctl".to_owned(),
            why: format!("it does not say how {} is: \"{}\"", shown(unit), shown(&text)),
        })
    }

    /// `KEY=value`, one a line. All but the pause must be there.
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::trim)
        };
        Some(Self {
            active: value("ActiveState")?.to_owned(),
            sub: value("SubState")?.to_owned(),
            pid: value("MainPID")?.parse().ok()?,
            restarts: value("NRestarts")?.parse().ok()?,
            pause: value("RestartUSec").and_then(time_span),
        })
    }

    /// For a message: `activating (auto-restart)`.
    pub(super) fn describe(&self) -> String {
        format!("{} ({})", shown(&self.active), shown(&self.sub))
    }
}

/// A time span as systemd prints it: `1min 30s`, `10s`, `200ms`, `0`; `None` for `infinity`.
fn time_span(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut parts = text.split_ascii_whitespace().peekable();
    parts.peek()?;
    for part in parts {
        let unit = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = part.strip_suffix(unit)?;
        let seconds = match unit {
            "" if number == "0" => 0.0,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return None,
        };
        let span = number.parse::<f64>().ok()? * seconds;
        total = total.checked_add(Duration::try_from_secs_f64(span).ok()?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_systemd_writes_them() {
        for (text, millis) in [
            ("0", Some(0)),
            ("100ms", Some(100)),
            ("10s", Some(10_000)),
            ("1min 30s", Some(90_000)),
            ("1.500s", Some(1500)),
            ("2h", Some(7_200_000)),
            ("infinity", None),
            ("", None),
            ("10", None),
            ("-1s", None),
            ("1e9w", None),
            ("99999999999999999999999999w", None),
        ] {
            assert_eq!(time_span(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_state_needs_all_its_lines() {
        let text =
            "ActiveState=active\nSubState=running\nMainPID=7\nNRestarts=0\nRestartUSec=10s\n";
        let state = State::parse(text).unwrap();
        assert_eq!((state.pid, state.restarts, state.pause), (7, 0, Some(Duration::from_secs(10))));
        for line in ["ActiveState=active\n", "SubState=running\n", "MainPID=7\n", "NRestarts=0\n"] {
            assert_eq!(State::parse(&text.replace(line, "")), None, "{line}");
        }
        assert_eq!(State::parse(&text.replace("=7", "=[not set]")), None);
        assert_eq!(State::parse("\u{0}\n garbage"), None);
    }
}
