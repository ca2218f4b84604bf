//! Lays text out on a page of a given width. All that is written passes through here, so that no text
//! of a host reaches a terminal as it is; what the words are is not decided here.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::visible::visible;

/// How a report shall look; the caller knows the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub colour: bool,
    /// Columns; very wide lines are hard to read, and are not used.
    pub width: usize,
    /// Shows what passed, too, and every member.
    pub verbose: bool,
}

/// Where no terminal says how wide it is.
const DEFAULT_WIDTH: usize = 80;
const WIDEST: usize = 110;
const NARROWEST: usize = 40;

/// How wide most status words are.
const STATUS: usize = 4;

impl Default for Look {
    fn default() -> Self {
        Self { colour: false, width: DEFAULT_WIDTH, verbose: false }
    }
}

/// What a piece of text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    /// What the eye should find first.
    Strong,
    Faint,
    Bad,
    Unsure,
    Advised,
    Good,
    Command,
    /// Lines of a difference.
    Added,
    Removed,
}

impl Ink {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| colour.on_default();
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Bad => colour(AnsiColor::Red).bold(),
            Self::Unsure => colour(AnsiColor::Magenta).bold(),
            Self::Advised => colour(AnsiColor::Yellow).bold(),
            Self::Good => colour(AnsiColor::Green).bold(),
            Self::Command => colour(AnsiColor::Cyan),
            Self::Added => colour(AnsiColor::Green),
            Self::Removed => colour(AnsiColor::Red),
        }
    }
}

/// A text and what it is.
pub(super) type Piece<'t> = (Ink, &'t str);

pub(super) struct Page<'w> {
    out: &'w mut dyn Write,
    colour: bool,
    width: usize,
}

impl<'w> Page<'w> {
    pub(super) fn new(out: &'w mut dyn Write, look: Look) -> Self {
        let width = look.width.clamp(NARROWEST, WIDEST);
        Self { out, colour: look.colour, width }
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// One paragraph, broken at spaces; the first line begins at `first`, the others at `hang`.
    pub(super) fn wrapped(
        &mut self,
        first: usize,
        hang: usize,
        pieces: &[Piece<'_>],
    ) -> io::Result<()> {
        write!(self.out, "{:first$}", "")?;
        self.flow(first, hang, pieces)
    }

    /// A status word and what it is about; the words of short ones stand below each other.
    pub(super) fn headed(&mut self, status: Piece<'_>, pieces: &[Piece<'_>]) -> io::Result<()> {
        let (ink, word) = status;
        let width = word.width().max(STATUS);
        self.put(ink, &visible(word))?;
        write!(self.out, "{:1$}", "", width - word.width() + 2)?;
        self.flow(width + 2, STATUS, pieces)
    }

    /// Goes on at a column.
    fn flow(&mut self, mut column: usize, hang: usize, pieces: &[Piece<'_>]) -> io::Result<()> {
        let shown: Vec<(Ink, _)> = pieces.iter().map(|(ink, text)| (*ink, visible(text))).collect();
        let mut line_is_empty = true;
        let mut glued = Vec::new();
        // Pieces without a space between them belong to one word and stay on one line.
        let mut rest = shown.iter().flat_map(|(ink, text)| {
            let parts = text.split(' ').enumerate();
            parts.map(move |(place, part)| (*ink, part, place > 0))
        });
        let mut next = rest.next();
        while let Some((ink, part, _)) = next {
            glued.clear();
            glued.push((ink, part));
            next = rest.next();
            while let Some((ink, part, false)) = next {
                glued.push((ink, part));
                next = rest.next();
            }
            let width: usize = glued.iter().map(|(_, part)| part.width()).sum();
            if width == 0 {
                continue;
            }
            if !line_is_empty && column + 1 + width > self.width {
                write!(self.out, "\n{:hang$}", "")?;
                column = hang;
            } else if !line_is_empty {
                write!(self.out, " ")?;
                column += 1;
            }
            for (ink, part) in &glued {
                self.put(*ink, part)?;
            }
            column += width;
            line_is_empty = false;
        }
        writeln!(self.out)
    }

    /// A name in the margin and paragraphs beside it. Line breaks of the text are the author's, and go;
    /// an empty line begins a new paragraph.
    pub(super) fn labelled(&mut self, margin: Margin, label: &str, prose: &str) -> io::Result<()> {
        let mut label = label;
        for paragraph in prose.split("\n\n") {
            let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            if !words.is_empty() {
                self.entry(margin, label, &[(Ink::Plain, &words)])?;
                label = "";
            }
        }
        Ok(())
    }

    /// A name in the margin and pieces beside it.
    pub(super) fn entry(
        &mut self,
        margin: Margin,
        label: &str,
        pieces: &[Piece<'_>],
    ) -> io::Result<()> {
        let Margin { indent, label: width } = margin;
        write!(self.out, "{:indent$}", "")?;
        self.put(Ink::Faint, &visible(label))?;
        write!(self.out, "{:1$}", "", width.saturating_sub(label.width()))?;
        self.flow(indent + width, indent + width, pieces)
    }

    /// A line to be copied: never broken.
    pub(super) fn verbatim(&mut self, indent: usize, pieces: &[Piece<'_>]) -> io::Result<()> {
        write!(self.out, "{:indent$}", "")?;
        for (ink, text) in pieces {
            self.put(*ink, &visible(text))?;
        }
        writeln!(self.out)
    }

    fn put(&mut self, ink: Ink, shown: &str) -> io::Result<()> {
        let style = ink.style();
        if self.colour && ink != Ink::Plain && !shown.is_empty() {
            write!(self.out, "{style}{shown}{style:#}")
        } else {
            self.out.write_all(shown.as_bytes())
        }
    }
}

/// How far in a block stands, and how wide its column of names is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Margin {
    pub(super) indent: usize,
    pub(super) label: usize,
}
