//! The top of the page: the verdict, which host it is about, what to do now, how far the host is; and its
//! foot, by what it was judged.

use super::markup::Markup;
use super::{Artefact, verdict};
use crate::report::human::evidence::list;
use crate::report::next_step::fix_command;
use crate::report::{Assumed, Header, HostOrigin, NextStep, Report, RuleResult, Status, Verdict};
use crate::rules::{Severity, Stage, Word as _};

pub(super) fn header(page: &mut Markup, report: &Report, has_picture: bool) {
    page.raw("<header>\n<h1>");
    page.element("bdi", &report.header.host);
    page.raw("</h1>\n");
    page.open("p", &[("class", verdict_class(report.verdict))]);
    page.element("strong", verdict(report.verdict));
    page.raw(" <span>");
    page.text(&answer(report));
    page.raw("</span></p>\n");
    identity(page, &report.header);
    page.raw(
        "<nav aria-label=\"Parts of the report\"><ul>\
        <li><a href=\"#now\">What to do now</a></li>\
        <li><a href=\"#stages\">Stages</a></li>\
        <li><a href=\"#findings\">Findings</a></li>",
    );
    if has_picture {
        page.raw("<li><a href=\"#topology\">Topology</a></li>");
    }
    page.raw(
        "<li><a href=\"#facts\">Facts</a></li>\
        <li><a href=\"#about\">About this report</a></li></ul></nav>\n</header>\n",
    );
}

pub(super) fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "verdict good",
        Verdict::NotReady => "verdict bad",
        Verdict::RebootRequired => "verdict advised",
        Verdict::CannotTell => "verdict unsure",
    }
}

/// The verdict in numbers.
fn answer(report: &Report) -> String {
    let required = |status| report.with(Severity::Required, status).count();
    let parts = [
        (required(Status::Fail), "failed"),
        (required(Status::Unknown), "could not be judged"),
        (required(Status::Blocked), "waiting for others"),
        (required(Status::Pass), "passed"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let said = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    format!("at stage {}; of the required rules: {said}", report.header.platform.stage)
}

fn identity(page: &mut Markup, header: &Header) {
    page.raw("<dl class=\"identity\">\n");
    let mut row = |label: &str, text: &str| {
        page.raw("<div>");
        page.element("dt", label);
        page.element("dd", text);
        page.raw("</div>\n");
    };
    let optional = [
        ("System", &header.os),
        ("Kernel", &header.kernel),
        ("CPU", &header.cpu),
        ("Machine", &header.virtualization),
        ("GPUs", &header.gpus),
    ];
    for (label, text) in optional {
        if let Some(text) = text {
            row(label, text);
        }
    }
    let because = |what: String, why: &str| {
        if why.is_empty() { what } else { format!("{what} ({why})") }
    };
    row("Stage", &because(header.platform.stage.to_string(), &header.stage_why));
    let tee = header.platform.tee.map_or("not known".to_owned(), |tee| tee.to_string());
    row("TEE", &because(tee, &header.tee_why));
    match &header.origin {
        HostOrigin::Live => {}
        HostOrigin::Directory(path) => row("Read from", &format!("the directory {path}")),
        HostOrigin::Capture(path) => row("Read from", &format!("{path}, a captured host")),
    }
    for Assumed { fact, value, by } in &header.assumed {
        row("Assumed", &format!("{fact} is {value}: not read, but vouched for {by}"));
    }
    page.raw("</dl>\n");
}

/// The answer to the one question that somebody has who opens the page.
pub(super) fn now(page: &mut Markup, report: &Report) {
    page.raw("<section id=\"now\">\n<h2>What to do now</h2>\n");
    match NextStep::of(report) {
        NextStep::Nothing => {
            page.raw("<p>Nothing has to be done for stage ");
            page.text(report.header.platform.stage.word());
            page.raw(".</p>\n");
        }
        NextStep::Reboot => page.raw("<p>Drain the node and reboot it, then judge it again.</p>\n"),
        NextStep::Fix(cause, _) | NextStep::Mend(cause) => {
            page.raw("<p>Mend the first cause: ");
            link(page, cause);
            page.raw(", ");
            page.text(&cause.rule.title);
            page.raw(".</p>\n");
            remedies(page, cause);
        }
        NextStep::BecomeRoot => {
            page.raw("<p>Judge it again as one who may read all of it, on the machine itself as root.</p>\n");
        }
        NextStep::FindOut(result) => {
            page.raw("<p>Find out what ");
            link(page, result);
            page.raw(" could not tell.</p>\n");
        }
        NextStep::JudgeMore => {
            page.raw("<p>Judge more: nothing that was judged answers the question.</p>\n");
        }
    }
    let advised = report.with(Severity::Recommended, Status::Fail).count();
    if advised > 0 {
        page.raw("<p class=\"faint\">");
        page.text(&match advised {
            1 => "1 recommendation is not met; it does not keep the host from being ready."
                .to_owned(),
            many => format!(
                "{many} recommendations are not met; they do not keep the host from being ready."
            ),
        });
        page.raw("</p>\n");
    }
    page.raw("</section>\n");
}

fn link(page: &mut Markup, result: &RuleResult) {
    let target = format!("#rule-{}", result.rule.id);
    page.open("a", &[("href", &target)]);
    page.element("code", &result.rule.id);
    page.raw("</a>");
}

/// What `fix` does about a failure, and what a person does.
pub(super) fn remedies(page: &mut Markup, result: &RuleResult) {
    if let Some(fix) = result.fix() {
        let edits: Vec<String> = fix.edits.iter().map(ToString::to_string).collect();
        page.raw("<p>");
        page.text(&format!("This program can do it: {}.", edits.join(", ")));
        page.raw("</p>\n<pre><code>");
        page.text(&fix_command(&result.rule.id, fix));
        page.raw("</code></pre>\n");
    }
    for advice in result.advice() {
        page.element("p", &one_line(&advice.text));
        page.raw("\n");
        if let Some(command) = &advice.command {
            page.raw("<pre><code>");
            for (place, line) in command.trim().lines().enumerate() {
                if place > 0 {
                    page.raw("\n");
                }
                page.text(line);
            }
            page.raw("</code></pre>\n");
        }
    }
    if result.waits_for_a_reboot() {
        page.raw("<p>A reboot puts this right.</p>\n");
    }
}

/// Line breaks of a rule's prose are the author's.
pub(super) fn one_line(prose: &str) -> String {
    prose.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How far the host is on its way.
pub(super) fn stages(page: &mut Markup, report: &Report) {
    page.raw(
        "<section id=\"stages\">\n<h2>Stages</h2>\n<table class=\"stages\">\n<thead><tr>\
        <th scope=\"col\">Stage</th><th scope=\"col\">Result</th><th scope=\"col\">Rules</th>\
        </tr></thead>\n<tbody>\n",
    );
    for stage in Stage::ALL {
        let (class, word, rules) = stage_row(report, *stage);
        page.raw("<tr><th scope=\"row\">");
        page.text(stage.word());
        page.raw("</th><td>");
        page.open("span", &[("class", class)]);
        page.text(word);
        page.raw("</span></td><td>");
        page.text(&rules);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n</section>\n");
}

fn stage_row(report: &Report, stage: Stage) -> (&'static str, &'static str, String) {
    if stage > report.header.platform.stage {
        return ("badge faint", "LATER", "not judged: the host is not at this stage".to_owned());
    }
    let of_stage = || report.results.iter().filter(move |result| result.rule.stage == stage);
    let count = |status| of_stage().filter(|result| result.status == status).count();
    let any = |status| of_stage().any(|result| result.is(Severity::Required, status));
    let parts = [
        (count(Status::Pass), "passed"),
        (count(Status::Fail), "failed"),
        (count(Status::Unknown), "unknown"),
        (count(Status::Blocked), "waiting"),
        (count(Status::NotApplicable), "not about this host"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let rules = if parts.is_empty() { "no rule".to_owned() } else { parts.join(", ") };
    let (class, word) = if any(Status::Fail) {
        ("badge bad", "FAIL")
    } else if any(Status::Unknown) {
        ("badge unsure", "UNKNOWN")
    } else if any(Status::Blocked) {
        ("badge faint", "WAIT")
    } else if any(Status::Pass) {
        ("badge good", "PASS")
    } else {
        ("badge faint", "NONE")
    };
    (class, word, rules)
}

/// By what the host was judged, when, and what was left out.
pub(super) fn footer(page: &mut Markup, artefact: &Artefact<'_>) {
    let report = artefact.report;
    page.raw("<footer id=\"about\">\n<h2>About this report</h2>\n<ul>\n");
    page.raw("<li>Judged ");
    let at = i64::try_from(artefact.at).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    match at {
        Some(at) => {
            let machine = at.to_string();
            page.open("time", &[("datetime", &machine)]);
            page.text(&at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
            page.raw("</time>");
        }
        None => page.raw("by a clock that shows no date"),
    }
    page.raw(", by the clock of the machine that judged.</li>\n<li>");
    page.text(&by(report));
    page.raw("</li>\n");
    for line in scope(report) {
        page.element("li", &line);
        page.raw("\n");
    }
    page.raw("<li>Exit code of <code>check</code>: ");
    page.text(&(report.exit() as u8).to_string());
    page.raw("</li>\n</ul>\n</footer>\n");
}

/// The rules, with those that are a site's own.
fn by(report: &Report) -> String {
    let is_built_in = |file: &str| file.starts_with("rules/");
    let rules = || report.results.iter().map(|result| &result.rule);
    let own = rules().filter(|rule| !is_built_in(&rule.origin.file)).count();
    let changed = rules().filter(|rule| rule.overridden.is_some()).count();
    let mut said =
        format!("{} rules of ccgpu-node {}", rules().count() - own, env!("CARGO_PKG_VERSION"));
    if own > 0 {
        said = format!("{said}, {own} of the site's own");
    }
    if changed > 0 {
        said = format!("{said}; the site changed {changed} of them");
    }
    format!("{said}.")
}

fn scope(report: &Report) -> Vec<String> {
    let mut said = Vec::new();
    if report.scope.left_out > 0 {
        let by = report.scope.left_out_by.as_deref().unwrap_or("--only or --skip");
        said.push(format!(
            "{} rules were left out by {by}: this is not the whole answer.",
            report.scope.left_out
        ));
    }
    if !report.scope.disabled.is_empty() {
        let ids = list(report.scope.disabled.iter().map(|rule| &rule.id), usize::MAX);
        said.push(format!("Disabled on this site: {ids}."));
    }
    if let Some(comparison) = &report.baseline {
        said.push(format!("{}.", comparison.line()));
        said.extend(comparison.worse.iter().map(|it| format!("worse: {} {}", it.rule.id, it.why)));
    }
    said
}
