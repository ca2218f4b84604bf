//! The log: the journal's own protocol where standard error leads there, else lines of text. One entry for
//! each change and none where nothing changed; what is written has been made visible before.

use std::os::fd::AsFd as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, filter::Targets};

use super::environment;
use super::transitions::{Changes, Transition};
use super::words;
use crate::remediate::Decision;
use crate::report::{Report, Status, Verdict, visible};
use crate::rules::Severity;

/// By which the journal's readers find all changes of a verdict.
const VERDICT_CHANGED: &str = "afdeabd608584f0081cca06fd8d63727";
const IDENTIFIER: &str = "ccgpu-node";

/// Begins the log of this process.
pub(super) fn start() {
    let ours = Targets::new().with_target("ccgpu_node", LevelFilter::INFO);
    let journal = if stderr_is_the_journal() { tracing_journald::layer().ok() } else { None };
    // A process has one log; a second one is for tests, which have their own.
    let _ = if let Some(layer) = journal {
        let layer = layer.with_field_prefix(None).with_syslog_identifier(IDENTIFIER.to_owned());
        let log = tracing_subscriber::registry().with(layer.with_filter(ours));
        tracing::subscriber::set_global_default(log)
    } else {
        // Whoever collects the lines adds the time, and the message says what the fields do.
        let fields = format::debug_fn(|out, field, value| match field.name() {
            "message" => write!(out, "{value:?}"),
            _ => Ok(()),
        });
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .fmt_fields(fields);
        let log = tracing_subscriber::registry().with(layer.with_filter(ours));
        tracing::subscriber::set_global_default(log)
    };
}

/// Whether the service manager connected standard error with the journal, and nobody redirected it since.
fn stderr_is_the_journal() -> bool {
    let stream = rustix::fs::fstat(std::io::stderr().as_fd());
    let stream = stream.ok().map(|stat| (stat.st_dev, stat.st_ino));
    stream.is_some() && stream == environment::journal_stream()
}

/// A level must be known when the program is built.
macro_rules! log {
    ($level:expr, $($entry:tt)+) => {
        match $level {
            Level::Error => tracing::error!($($entry)+),
            Level::Warning => tracing::warn!($($entry)+),
            Level::Notice => tracing::info!($($entry)+),
        }
    };
}

/// Priorities 3, 4 and 5 of the journal.
#[derive(Debug, Clone, Copy)]
enum Level {
    Error,
    Warning,
    Notice,
}

/// Everything that a report says otherwise than the one before.
pub(super) fn changes(changes: &Changes<'_>, report: &Report) {
    for transition in &changes.rules {
        rule(transition, report.verdict);
    }
    if changes.is_verdict_new {
        verdict(changes.verdict_before, report);
    }
}

fn rule(transition: &Transition<'_>, verdict: Verdict) {
    let Transition { from, result } = transition;
    let level = match (result.rule.severity, result.status) {
        (Severity::Required, Status::Fail | Status::Unknown) => Level::Warning,
        _ => Level::Notice,
    };
    let was = from.map_or("new".to_owned(), |from| format!("was {from}"));
    let title = match result.status {
        Status::Fail => format!(": {}", visible(&result.rule.title)),
        _ => String::new(),
    };
    let finding = words::findings(result);
    let found = if finding.is_empty() { String::new() } else { format!(" ({finding})") };
    let (id, to) = (&*result.rule.id, result.status.to_string());
    log!(
        level,
        rule = id,
        from = from.map(|from| from.to_string()),
        to,
        severity = %result.rule.severity,
        verdict = %verdict,
        finding = (!finding.is_empty()).then_some(&*finding),
        "rule {id}: {to} ({was}){title}{found}"
    );
}

fn verdict(from: Option<Verdict>, report: &Report) {
    let level = match report.verdict {
        Verdict::Ready => Level::Notice,
        Verdict::NotReady | Verdict::RebootRequired | Verdict::CannotTell => Level::Warning,
    };
    let was = from.map_or("new".to_owned(), |from| format!("was {from}"));
    let why = words::status(report);
    log!(
        level,
        message_id = VERDICT_CHANGED,
        from = from.map(|from| from.to_string()),
        to = %report.verdict,
        verdict = %report.verdict,
        stage = %report.header.platform.stage,
        "verdict: {why} ({was})"
    );
}

/// Something of the daemon's own work that began or ceased to fail.
pub(super) fn problem(what: &str, news: &super::problems::News) {
    use super::problems::News;
    match news {
        News::Began(why) => log!(Level::Error, problem = what, "{what}: {why}"),
        News::Ended(why) => log!(Level::Notice, problem = what, "{what}: works again (was: {why})"),
    }
}

/// What is done about failures that could be mended, when that is another thing than before.
pub(super) fn decision(decision: &Decision) {
    match decision {
        Decision::Nothing => log!(Level::Notice, "mending: nothing fails that may be mended here"),
        Decision::Would { rules } => {
            let rules = rules.join(" ");
            log!(Level::Notice, rules, "mending: `fix` would mend {rules}");
        }
        Decision::Request { rules } => {
            let rules = rules.join(" ");
            log!(Level::Warning, rules, "mending: the fixer is asked to mend {rules}");
        }
        Decision::HeldBack { rules, why } => {
            let rules = rules.join(" ");
            log!(Level::Notice, rules, "mending: not yet for {rules}: {why}");
        }
    }
}

pub(super) fn reloaded() {
    log!(Level::Notice, "the configuration and the rules were read again");
}

pub(super) fn reload_failed(why: &str) {
    log!(Level::Error, "the configuration is not used, the one before stays: {why}");
}
