//! What the service manager is told, and how often it wants to hear that the daemon is alive. Without a
//! service manager all of this does nothing. A message that cannot be sent is dropped: there is nobody else
//! to tell it to, and the watchdog acts on silence.

use std::time::Duration;

use sd_notify::NotifyState;

/// Bytes of a status; the service manager shows it on one line.
const LONGEST: usize = 200;

/// The first check is done and its verdict is published.
pub(super) fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&line(status))]);
}

pub(super) fn status(status: &str) {
    send(&[NotifyState::Status(&line(status))]);
}

/// A reload begins; it ends with [`ready`].
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

pub(super) fn stopping() {
    send(&[NotifyState::Stopping]);
}

pub(super) fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// How often [`alive`] is to be said: twice within the time that the service manager waits.
pub(super) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|time| !time.is_zero()).map(|time| time / 2)
}

fn send(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

/// Visible ASCII and no more than the bound. A line break would begin another message.
fn line(text: &str) -> String {
    let shown: String =
        text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
    match shown.get(..LONGEST - 3) {
        Some(start) if shown.len() > LONGEST => format!("{start}..."),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_visible_line_of_bounded_length() {
        assert_eq!(line("not-ready; a rule: its title"), "not-ready; a rule: its title");
        assert_eq!(line("a\nREADY=1\x1b[2J\u{e9}"), "a?READY=1?[2J?");
        assert_eq!(line(&"x".repeat(200)).len(), 200);
        let cut = line(&"\u{65e5}".repeat(1000));
        assert_eq!(cut.len(), 200);
        assert!(cut.ends_with("?..."), "{cut}");
    }
}
