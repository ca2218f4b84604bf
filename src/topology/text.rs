//! The topology as a tree for a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use super::words::{Tone, Word};
use super::{Node, Topology};
use crate::report::visible;

/// How it shall look; the caller knows the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub colour: bool,
    /// Columns.
    pub width: usize,
    /// Whether lines can be drawn; else plain ASCII is used.
    pub unicode: bool,
}

/// The strokes of a tree, each as wide as the others.
struct Strokes {
    child: &'static str,
    last: &'static str,
    beside: &'static str,
    below: &'static str,
}

const DRAWN: Strokes = Strokes { child: "├─ ", last: "└─ ", beside: "│  ", below: "   " };
const ASCII: Strokes = Strokes { child: "|- ", last: "`- ", beside: "|  ", below: "   " };

/// Narrower than this, a tree is not worth breaking lines for.
const NARROWEST: usize = 60;

/// Writes the tree, then the groups that several devices share.
pub fn text(topology: &Topology, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let strokes = if look.unicode { &DRAWN } else { &ASCII };
    let look = Look { width: look.width.max(NARROWEST), ..look };
    let mut page = Page { out, look, strokes, topology };
    page.line("", "", &[(Style::new().bold(), topology.heading())])?;
    for complex in &topology.complexes {
        writeln!(page.out)?;
        let mut pieces = vec![(Style::new().bold(), complex.name())];
        pieces.extend(complex.words().into_iter().map(styled));
        page.line("", strokes.beside, &pieces)?;
        page.nodes(&complex.nodes, "")?;
    }
    page.shared_groups()?;
    if let Some(doubt) = topology.doubt_in_words() {
        writeln!(page.out)?;
        page.line("", "", &[styled((Tone::Odd, doubt))])?;
    }
    Ok(())
}

struct Page<'a> {
    out: &'a mut dyn Write,
    look: Look,
    strokes: &'a Strokes,
    topology: &'a Topology,
}

impl Page<'_> {
    fn nodes(&mut self, nodes: &[Node], before: &str) -> io::Result<()> {
        let Strokes { child, last, beside, below } = *self.strokes;
        for (place, node) in nodes.iter().enumerate() {
            let is_last = place + 1 == nodes.len();
            let (own, others) = if is_last { (last, below) } else { (child, beside) };
            let hang = format!("{before}{others}");
            let stem = if node.children.is_empty() { below } else { beside };
            self.line(&format!("{before}{own}"), &format!("{hang}{stem}"), &self.pieces(node))?;
            self.nodes(&node.children, &hang)?;
        }
        Ok(())
    }

    fn pieces(&self, node: &Node) -> Vec<(Style, String)> {
        let mut pieces =
            vec![(Style::new().bold(), node.address.to_string()), (Style::new(), node.what())];
        pieces.extend(node.group_word(self.topology).map(styled));
        pieces.extend(node.words().into_iter().map(styled));
        pieces
    }

    fn shared_groups(&mut self) -> io::Result<()> {
        for group in self.topology.groups.iter().filter(|group| group.is_shared) {
            writeln!(self.out)?;
            let title = format!("IOMMU group {} is shared:", group.number);
            self.line("", "  ", &[styled((Tone::Odd, title))])?;
            for member in group.sharers() {
                self.line("  ", "    ", &[styled((Tone::Plain, member))])?;
            }
        }
        Ok(())
    }

    /// Pieces with two blanks between; what does not fit goes on in the next line, behind `hang`.
    fn line(&mut self, first: &str, hang: &str, pieces: &[(Style, String)]) -> io::Result<()> {
        self.out.write_all(first.as_bytes())?;
        let mut column = first.width();
        for (place, (style, text)) in pieces.iter().enumerate() {
            let text = visible(text);
            if place > 0 {
                if column + 2 + text.width() > self.look.width {
                    write!(self.out, "\n{hang}  ")?;
                    column = hang.width() + 2;
                } else {
                    self.out.write_all(b"  ")?;
                    column += 2;
                }
            }
            column += text.width();
            if self.look.colour && *style != Style::new() {
                write!(self.out, "{style}{text}{style:#}")?;
            } else {
                self.out.write_all(text.as_bytes())?;
            }
        }
        writeln!(self.out)
    }
}

fn styled((tone, text): Word) -> (Style, String) {
    let style = match tone {
        Tone::Plain => Style::new(),
        Tone::Faint => Style::new().dimmed(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Odd => AnsiColor::Yellow.on_default().bold(),
    };
    (style, text)
}
