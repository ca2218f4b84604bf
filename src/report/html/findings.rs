//! The rules on the page: what is wrong, with what waits for it folded under it; then, folded away, what
//! passed and what is not about the host.

use super::markup::Markup;
use super::overview::{one_line, remedies};
use crate::report::human::evidence::sentences;
use crate::report::human::{not_concerned, passed};
use crate::report::{Report, RuleResult, Status};
use crate::rules::Severity;

/// Everything that fails or cannot be told: what counts first, then by severity.
pub(super) fn wrong(page: &mut Markup, report: &Report) {
    page.raw("<section id=\"findings\">\n<h2>Findings</h2>\n");
    let of = |severity, status| report.with(severity, status);
    let all = [Severity::Required, Severity::Recommended, Severity::Info];
    let all = all.into_iter().flat_map(|it| of(it, Status::Fail).chain(of(it, Status::Unknown)));
    let (known, new): (Vec<&RuleResult>, Vec<&RuleResult>) =
        all.partition(|result| report.is_known(result));
    if new.is_empty() && known.is_empty() {
        page.raw("<p>Nothing is wrong among the rules that were judged.</p>\n");
    }
    for result in new.into_iter().chain(known) {
        article(page, report, result);
    }
    unshown(page, report);
    page.raw("</section>\n");
}

/// The class of the badge and the word in it: no colour says anything alone.
fn badge(report: &Report, result: &RuleResult) -> (&'static str, &'static str) {
    if report.is_known(result) {
        return ("badge faint", "KNOWN");
    }
    match (result.status, result.rule.severity) {
        (Status::Fail, Severity::Required) => ("badge bad", "FAIL"),
        (Status::Fail, Severity::Recommended) => ("badge advised", "WARN"),
        (Status::Fail, Severity::Info) => ("badge note", "NOTE"),
        (Status::Unknown, _) => ("badge unsure", "UNKNOWN"),
        (Status::Pass, _) => ("badge good", "PASS"),
        (Status::NotApplicable, _) => ("badge faint", "N/A"),
        (Status::Blocked, _) => ("badge faint", "WAIT"),
    }
}

fn article(page: &mut Markup, report: &Report, result: &RuleResult) {
    let rule = &result.rule;
    let (class, word) = badge(report, result);
    let anchor = format!("rule-{}", rule.id);
    page.open("article", &[("id", &anchor)]);
    page.raw("\n<h3>");
    page.open("span", &[("class", class)]);
    page.text(word);
    page.raw("</span> ");
    page.text(&match result.status {
        Status::Unknown => {
            format!("cannot tell whether {}", rule.good.as_deref().unwrap_or(&rule.title))
        }
        _ => rule.title.clone(),
    });
    page.raw("</h3>\n<p class=\"faint\"><code>");
    page.text(&rule.id);
    page.raw("</code> ");
    page.text(&format!("{}, group {}, stage {}", rule.severity, rule.group, rule.stage));
    page.raw("</p>\n<dl>\n<div><dt>Found</dt><dd><ul>\n");
    for said in sentences(result, true) {
        page.element("li", &said);
        page.raw("\n");
    }
    page.raw("</ul></dd></div>\n");
    entry(page, "Why", &one_line(&rule.why));
    if let Some(symptom) = &rule.symptom {
        entry(page, "Leads to", &one_line(symptom));
    }
    let has_remedy =
        result.fix().is_some() || !result.advice.is_empty() || result.waits_for_a_reboot();
    if has_remedy {
        page.raw("<div><dt>Do</dt><dd>\n");
        remedies(page, result);
        page.raw("</dd></div>\n");
    }
    if let Some(change) = &rule.overridden {
        let at = format!("{}:{}", change.origin.file, change.origin.line);
        entry(page, "Site", &format!("severity set by {at}: {}", change.reason));
    }
    sources(page, &rule.docs);
    page.raw("</dl>\n");
    let behind: Vec<&RuleResult> = waiting_for(report, &rule.id);
    waiting(page, &behind, "for this");
    page.raw("</article>\n");
}

fn entry(page: &mut Markup, label: &str, text: &str) {
    page.raw("<div>");
    page.element("dt", label);
    page.element("dd", text);
    page.raw("</div>\n");
}

/// Where the requirement comes from. Only addresses of pages become links.
fn sources(page: &mut Markup, docs: &[String]) {
    if docs.is_empty() {
        return;
    }
    page.raw("<div><dt>Source</dt><dd><ul>");
    for address in docs {
        page.raw("<li>");
        if address.starts_with("https://") && !address.contains(char::is_whitespace) {
            page.open("a", &[("href", address), ("rel", "noopener noreferrer")]);
            page.text(address);
            page.raw("</a>");
        } else {
            page.text(address);
        }
        page.raw("</li>");
    }
    page.raw("</ul></dd></div>\n");
}

fn waiting_for<'r>(report: &'r Report, id: &str) -> Vec<&'r RuleResult> {
    let waits = |result: &&RuleResult| result.blocked_by.iter().any(|root| &*root.id == id);
    report.results.iter().filter(waits).collect()
}

/// What is not judged, with what a user would meet if it failed too.
fn waiting(page: &mut Markup, results: &[&RuleResult], whom: &str) {
    if results.is_empty() {
        return;
    }
    page.raw("<details>\n<summary>");
    page.text(&match results.len() {
        1 => format!("1 rule waits {whom}"),
        many => format!("{many} rules wait {whom}"),
    });
    page.raw("</summary>\n<ul>\n");
    for result in results {
        page.raw("<li>");
        page.element("code", &result.rule.id);
        page.raw(": whether ");
        let good = result.rule.good.as_ref().unwrap_or(&result.rule.title);
        page.text(good);
        if let Some(symptom) = &result.rule.symptom {
            page.raw("<br><span class=\"faint\">a failure would show as: ");
            page.text(&one_line(symptom));
            page.raw("</span>");
        }
        page.raw("</li>\n");
    }
    page.raw("</ul>\n</details>\n");
}

/// What waits for rules that were left out.
fn unshown(page: &mut Markup, report: &Report) {
    let mut said: Vec<&str> = Vec::new();
    for root in report.results.iter().flat_map(|result| &result.blocked_by) {
        let shown = report.results.iter().any(|result| result.rule.id == root.id);
        if shown || said.contains(&&*root.id) {
            continue;
        }
        said.push(&root.id);
        let whom = format!("for {}, which was left out but did not pass", root.id);
        waiting(page, &waiting_for(report, &root.id), &whom);
    }
}

/// What asks for no attention.
pub(super) fn quiet(page: &mut Markup, report: &Report) {
    for (status, title, seen) in [
        (Status::Pass, "passed", "Seen"),
        (Status::NotApplicable, "not about this host", "Why not"),
    ] {
        let results = report.results.iter().filter(|result| result.status == status);
        let results: Vec<&RuleResult> = results.collect();
        if results.is_empty() {
            continue;
        }
        page.raw("<details class=\"quiet\">\n<summary>");
        let rules = if results.len() == 1 { "rule" } else { "rules" };
        page.text(&format!("{} {rules} {title}", results.len()));
        page.raw(
            "</summary>\n<table>\n<thead><tr><th scope=\"col\">Rule</th>\
            <th scope=\"col\">What it wants</th><th scope=\"col\">",
        );
        page.raw(seen);
        page.raw("</th></tr></thead>\n<tbody>\n");
        for result in results {
            row(page, report, result);
        }
        page.raw("</tbody>\n</table>\n</details>\n");
    }
}

fn row(page: &mut Markup, report: &Report, result: &RuleResult) {
    let rule = &result.rule;
    let seen = match result.status {
        Status::Pass => passed(result),
        _ => not_concerned(report, result),
    };
    page.raw("<tr><th scope=\"row\"><code>");
    page.text(&rule.id);
    page.raw("</code></th><td>");
    page.text(rule.good.as_deref().unwrap_or(&rule.title));
    page.raw("</td><td>");
    page.text(seen.trim_start_matches('(').trim_end_matches(')'));
    page.raw("</td></tr>\n");
}
