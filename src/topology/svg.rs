//! The topology as a picture that needs nothing else: no script, no font, no file beside it.
//!
//! It stands alone or in a page; its styles bind only below its own class. Light or dark is the reader's choice.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::Topology;
use super::card::{Card, Paper, fit};
use super::layout::{LINE, Layout, MARGIN, PADDING, Placed, Stroke, layout};
use super::words::Tone;
use crate::report::visible;

const STYLE: &str = include_str!("topology.css");

/// Columns of the heading, at most.
const HEADING: usize = 90;
/// Tenths of a pixel that a character of the heading takes.
const HEADING_CHARACTER: usize = 98;
/// The heading's line, and how far the first line of a card is below its upper edge.
const HEADING_Y: usize = 32;
const BASELINE: usize = 11;

/// One `<svg>` element.
pub fn svg(topology: &Topology) -> String {
    let Layout { cards, strokes, width, height } = layout(topology);
    let heading = fit(&visible(&topology.heading()), HEADING);
    let doubt = topology.doubt_in_words().map(|doubt| fit(&visible(&doubt), HEADING));
    let texts = [Some(&heading), doubt.as_ref()].into_iter().flatten();
    let longest = texts.map(|text| text.width()).max().unwrap_or(0);
    let width = width.max((longest * HEADING_CHARACTER).div_ceil(10) + 2 * MARGIN);
    let bottom = height;
    let height = if doubt.is_some() { bottom + 2 * LINE } else { bottom };
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ccgpu-topology\" role=\"img\" xml:space=\"preserve\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\">"
    ));
    line(&format!("<title>{}</title>", escaped(&heading)));
    line(&format!("<style>\n{STYLE}</style>"));
    line(&format!("<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>"));
    line(&format!(
        "<text class=\"heading\" x=\"{MARGIN}\" y=\"{HEADING_Y}\">{}</text>",
        escaped(&heading)
    ));
    for stroke in &strokes {
        line(&path(stroke));
    }
    for placed in &cards {
        line(&drawn(placed));
    }
    if let Some(doubt) = doubt {
        let y = bottom + LINE;
        line(&format!("<text class=\"odd\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", escaped(&doubt)));
    }
    out.push_str("</svg>\n");
    out
}

fn path(stroke: &Stroke) -> String {
    let Stroke { from: (x, y), to: (end_x, end_y), bend, is_shared } = stroke;
    let class = if *is_shared { "stroke shared" } else { "stroke" };
    format!("<path class=\"{class}\" d=\"M{x} {y}H{bend}V{end_y}H{end_x}\"/>")
}

fn drawn(placed: &Placed) -> String {
    let Placed { card, x, y, width, height, .. } = placed;
    let class = match card.paper {
        Paper::Complex => "complex",
        Paper::Port => "port",
        Paper::Gpu => "gpu",
        Paper::NvSwitch => "nvswitch",
        Paper::Group => "group",
        Paper::SharedGroup => "group shared",
    };
    let mut text = format!(
        "<g class=\"card {class}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>"
    );
    let left = x + PADDING;
    let mut baseline = y + PADDING + BASELINE;
    if !card.head.is_empty() {
        // Writing to a String does not fail.
        let head = escaped(&card.head);
        let _ = write!(text, "<text class=\"head\" x=\"{left}\" y=\"{baseline}\">{head}</text>");
        baseline += LINE;
    }
    for line in &card.lines {
        let _ = write!(text, "<text x=\"{left}\" y=\"{baseline}\">");
        for (place, (tone, word)) in line.iter().enumerate() {
            if place > 0 {
                let between = Card::between();
                let _ = write!(text, "<tspan class=\"faint\">{between}</tspan>");
            }
            let word = escaped(word);
            let _ = match tone {
                Tone::Plain => write!(text, "<tspan>{word}</tspan>"),
                Tone::Faint => write!(text, "<tspan class=\"faint\">{word}</tspan>"),
                Tone::Good => write!(text, "<tspan class=\"good\">{word}</tspan>"),
                Tone::Odd => write!(text, "<tspan class=\"odd\">{word}</tspan>"),
            };
        }
        text.push_str("</text>");
        baseline += LINE;
    }
    text.push_str("</g>");
    text
}

/// Text as it stands in XML and in HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
