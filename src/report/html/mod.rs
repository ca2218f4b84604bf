//! The report as one page for a browser, complete in itself, to be kept with a test run: no script, no
//! address that is fetched, and no text of a host that could become either. It shows what the report and
//! the facts hold and judges nothing.

mod facts;
mod findings;
mod markup;
mod overview;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::{Report, Verdict};
use crate::facts::Facts;
use crate::topology::{Topology, svg};
use markup::Markup;

/// What is put on the page.
#[derive(Debug)]
pub struct Artefact<'r> {
    pub report: &'r Report,
    /// What was read; sources that were not are left out.
    pub facts: &'r Facts,
    /// When, in seconds since 1970, by the clock of the machine that judged.
    pub at: u64,
}

/// An `<svg>` element that this program drew itself, with all texts in it escaped.
#[derive(Debug)]
struct Picture(String);

impl Picture {
    /// The devices and the buses above them; `None` where nothing was read, or is there, to be drawn.
    fn of(facts: &Facts) -> Option<Self> {
        facts.pci.as_ref()?;
        let topology = Topology::of(facts);
        let is_empty = topology.complexes.is_empty() && topology.doubt.is_none();
        (!is_empty).then(|| Self(svg(&topology)))
    }
}

/// Nothing is fetched and nothing runs, even if markup should get in.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("style.css");

/// Writes the page.
pub fn render(artefact: &Artefact<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = artefact.report;
    let mut page = Markup::default();
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.empty("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    page.text(&report.header.host);
    page.raw(": ");
    page.text(verdict(report.verdict));
    page.raw("</title>\n<style>\n");
    page.raw(STYLE);
    page.raw("</style>\n</head>\n<body>\n");
    let picture = Picture::of(artefact.facts);
    overview::header(&mut page, report, picture.is_some());
    page.raw("<main>\n");
    overview::now(&mut page, report);
    overview::stages(&mut page, report);
    findings::wrong(&mut page, report);
    findings::quiet(&mut page, report);
    if let Some(picture) = &picture {
        topology(&mut page, picture);
    }
    facts::section(&mut page, artefact.facts);
    page.raw("</main>\n");
    overview::footer(&mut page, artefact);
    page.raw("</body>\n</html>\n");
    out.write_all(page.finish().as_bytes())
}

/// The picture's place on the page.
fn topology(page: &mut Markup, picture: &Picture) {
    page.raw(
        "<section id=\"topology\">\n<h2>Topology</h2>\n<div class=\"picture\" tabindex=\"0\" \
        role=\"region\" aria-label=\"Picture of the topology\">\n",
    );
    page.picture(picture);
    page.raw("</div>\n</section>\n");
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "READY",
        Verdict::NotReady => "NOT READY",
        Verdict::RebootRequired => "READY AFTER A REBOOT",
        Verdict::CannotTell => "CANNOT TELL",
    }
}
