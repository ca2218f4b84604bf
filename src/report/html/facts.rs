//! All that was read, by source: each fact with its value and the place that it was read from. Members of
//! a collection that say the same of themselves share a line.

use super::markup::Markup;
use crate::facts::catalogue::{self, Collection, Evidence, Fact};
use crate::facts::{Cause, Facts, Needs, Reading, Value};
use crate::report::human::evidence::list;
use crate::rules::Spoken;

/// Characters of a value before it is folded away.
const LONG: usize = 160;

pub(super) fn section(page: &mut Markup, facts: &Facts) {
    page.raw("<section id=\"facts\">\n<h2>Facts</h2>\n");
    page.raw(
        "<p class=\"faint\">Everything that was read, and where. A value that could not be told is \
        neither good nor bad.</p>\n",
    );
    for (source, of_source) in &by_source(facts) {
        begin(page, source, "Fact");
        for (fact, evidence) in of_source {
            let assumed = facts.assumed.get(fact.name);
            row(page, fact.name, Some(fact.doc), evidence, assumed, None);
        }
        end(page);
    }
    let mut shown: Vec<&str> = Vec::new();
    for collection in catalogue::collections() {
        // Every function of a large machine makes a page that no browser likes.
        if collection.needs.has(Needs::PCI_EVERY_DETAIL) {
            continue;
        }
        members(page, facts, collection, &mut shown);
    }
    page.raw("</section>\n");
}

/// What was read, by the first word of the facts' names, in the order of the catalogue.
fn by_source(facts: &Facts) -> Vec<(&'static str, Vec<(&'static Fact, Evidence)>)> {
    let mut sources: Vec<(&str, Vec<(&Fact, Evidence)>)> = Vec::new();
    for fact in catalogue::facts() {
        let evidence = (fact.read)(facts);
        if was_not_read(&evidence) {
            continue;
        }
        let source = fact.name.split('.').next().unwrap_or(fact.name);
        match sources.iter_mut().find(|(name, _)| *name == source) {
            Some((_, known)) => known.push((fact, evidence)),
            None => sources.push((source, vec![(fact, evidence)])),
        }
    }
    sources
}

fn begin(page: &mut Markup, title: &str, what: &'static str) {
    page.raw("<details class=\"facts\">\n<summary>");
    page.text(title);
    page.raw("</summary>\n<table>\n<thead><tr><th scope=\"col\">");
    page.raw(what);
    page.raw(
        "</th><th scope=\"col\">Value</th><th scope=\"col\">Read from</th></tr></thead>\n<tbody>\n",
    );
}

fn end(page: &mut Markup) {
    page.raw("</tbody>\n</table>\n</details>\n");
}

fn was_not_read(evidence: &Evidence) -> bool {
    evidence.reading.cause() == Some(&Cause::NotGathered)
}

/// Members that were shown in an earlier collection of the same facts are not shown again.
fn members(
    page: &mut Markup,
    facts: &Facts,
    collection: &'static Collection,
    shown: &mut Vec<&'static str>,
) {
    let selection = (collection.select)(facts);
    let again = catalogue::collections()
        .filter(|other| shown.contains(&other.name) && std::ptr::eq(other.facts, collection.facts))
        .flat_map(|other| (other.select)(facts).subjects)
        .map(|subject| subject.index)
        .collect::<std::collections::BTreeSet<usize>>();
    let subjects: Vec<_> =
        selection.subjects.into_iter().filter(|subject| !again.contains(&subject.index)).collect();
    shown.push(collection.name);
    if subjects.is_empty() && selection.doubt.is_none() {
        return;
    }
    begin(page, &format!("{} ({})", collection.name, subjects.len()), "Fact, of whom");
    if let Some((cause, source)) = selection.doubt {
        let evidence = Evidence::new(Reading::Unreadable(cause), source);
        row(page, "which there are", None, &evidence, None, None);
    }
    for fact in collection.facts {
        let mut groups: Vec<(Evidence, Vec<&str>)> = Vec::new();
        for subject in &subjects {
            let evidence = (fact.read)(facts, subject.index);
            let same = |group: &&mut (Evidence, Vec<&str>)| {
                group.0.reading == evidence.reading && group.0.note == evidence.note
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.1.push(&subject.label),
                None => groups.push((evidence, vec![&subject.label])),
            }
        }
        groups.retain(|(evidence, _)| !was_not_read(evidence));
        for (place, (evidence, labels)) in groups.iter().enumerate() {
            let whom = if labels.len() == subjects.len() && labels.len() > 1 {
                format!("all {}", labels.len())
            } else {
                list(labels.iter(), usize::MAX)
            };
            let doc = (place == 0).then_some(fact.doc);
            row(page, fact.name, doc, evidence, None, Some(&whom));
        }
    }
    end(page);
}

fn row(
    page: &mut Markup,
    name: &str,
    doc: Option<&str>,
    evidence: &Evidence,
    assumed: Option<&Value>,
    whom: Option<&str>,
) {
    page.raw("<tr><th scope=\"row\"><code>");
    page.text(name);
    page.raw("</code>");
    if let Some(whom) = whom {
        page.raw("<br><span class=\"whom\">");
        page.text(whom);
        page.raw("</span>");
    }
    if let Some(doc) = doc {
        page.raw("<br><span class=\"doc\">");
        page.text(doc);
        page.raw("</span>");
    }
    page.raw("</th><td>");
    match (&evidence.reading, assumed) {
        (Reading::Known(value), _) => self::value(page, value),
        (Reading::Absent, _) => page.raw("<em>absent</em>"),
        (Reading::Unreadable(cause), assumed) => {
            if let Some(assumed) = assumed {
                self::value(page, assumed);
                page.raw(" <em>(assumed, not read)</em> ");
            }
            page.raw("<em>cannot be told</em>: ");
            page.text(&cause.to_string());
        }
    }
    if let Some(note) = &evidence.note {
        page.raw("<br><span class=\"doc\">");
        page.text(note);
        page.raw("</span>");
    }
    page.raw("</td><td>");
    if let Some(source) = &evidence.source {
        page.text(&source.to_string());
    }
    page.raw("</td></tr>\n");
}

fn value(page: &mut Markup, value: &Value) {
    let text = Spoken(value).to_string();
    if text.chars().count() <= LONG {
        return page.element("code", &text);
    }
    page.raw("<details><summary>");
    page.text(&match value {
        Value::Set(members) => format!("{} members", members.len()),
        _ => format!("{} characters", text.chars().count()),
    });
    page.raw("</summary>");
    page.element("code", &text);
    page.raw("</details>");
}
