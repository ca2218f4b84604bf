//! What is written on one card of the picture: short lines of words, each with its tone.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::words::{Tone, Word};
use super::{Complex, Group, Kind, Node, Topology};
use crate::report::visible;

/// Columns of a line, at most.
pub(super) const WIDEST: usize = 30;
/// Lines of a card, at most; only a host that lies needs more.
const TALLEST: usize = 9;
const BETWEEN: &str = " \u{b7} ";
const CUT: char = '\u{2026}';

/// What a card stands for, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paper {
    Complex,
    Port,
    Gpu,
    NvSwitch,
    Group,
    SharedGroup,
}

/// The text of a card; its words are harmless, but not yet escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) paper: Paper,
    /// What it is about, set off from the rest.
    pub(super) head: String,
    pub(super) lines: Vec<Vec<Word>>,
}

impl Card {
    pub(super) fn of_complex(complex: &Complex) -> Self {
        Self::new(Paper::Complex, &complex.name(), complex.words())
    }

    pub(super) fn of_node(node: &Node) -> Self {
        let paper = match node.kind {
            Kind::Bridge => Paper::Port,
            Kind::Gpu | Kind::Companion => Paper::Gpu,
            Kind::NvSwitch => Paper::NvSwitch,
        };
        let mut card = Self::new(paper, &node.address.to_string(), node.words());
        // What it is has a line of its own.
        let mut lines = flow(vec![(Tone::Plain, node.what())]);
        lines.append(&mut card.lines);
        Self { lines, ..card }.cut()
    }

    pub(super) fn of_group(group: &Group) -> Self {
        let mut words: Vec<Word> =
            group.kind.known().map(|kind| (Tone::Faint, kind.clone())).into_iter().collect();
        let paper = if group.is_shared { Paper::SharedGroup } else { Paper::Group };
        if group.is_shared {
            words.push((Tone::Odd, "shared".to_owned()));
        }
        let mut card = Self::new(paper, &format!("IOMMU group {}", group.number), words);
        if group.is_shared {
            // Each on a line of its own.
            card.lines.extend(
                group.strangers().into_iter().flat_map(|member| flow(vec![(Tone::Odd, member)])),
            );
        }
        card.cut()
    }

    /// For a device that is in no group, or in one that is not known.
    pub(super) fn of_no_group(node: &Node, topology: &Topology) -> Option<Self> {
        if node.group.known().is_some_and(|number| topology.group(*number).is_some()) {
            return None;
        }
        let (tone, word) = node.group_word(topology)?;
        Some(Self { paper: Paper::Group, head: String::new(), lines: flow(vec![(tone, word)]) })
    }

    fn new(paper: Paper, head: &str, words: Vec<Word>) -> Self {
        Self { paper, head: fit(&visible(head), WIDEST), lines: flow(words) }.cut()
    }

    fn cut(mut self) -> Self {
        self.lines.truncate(TALLEST);
        self
    }

    /// Columns of the longest line.
    pub(super) fn width(&self) -> usize {
        let of_line = |line: &Vec<Word>| {
            let words: usize = line.iter().map(|(_, word)| word.width()).sum();
            words + BETWEEN.width() * line.len().saturating_sub(1)
        };
        self.lines.iter().map(of_line).chain([self.head.width()]).max().unwrap_or(0)
    }

    /// Lines, the head among them.
    pub(super) fn height(&self) -> usize {
        self.lines.len() + usize::from(!self.head.is_empty())
    }

    pub(super) fn between() -> &'static str {
        BETWEEN
    }
}

/// Sets words into lines; a word that is longer than a line is broken at its blanks.
fn flow(words: Vec<Word>) -> Vec<Vec<Word>> {
    let mut lines: Vec<Vec<Word>> = Vec::new();
    let mut column = WIDEST;
    for (tone, word) in words {
        let word = visible(&word).into_owned();
        let after = column + BETWEEN.width() + word.width();
        if let Some(line) = lines.last_mut().filter(|_| after <= WIDEST) {
            column = after;
            line.push((tone, word));
        } else {
            let pieces = broken(&word);
            column = pieces.last().map_or(0, |piece| piece.width());
            lines.extend(pieces.into_iter().map(|piece| vec![(tone, piece)]));
        }
    }
    lines
}

fn broken(word: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for part in word.split(' ') {
        match pieces.last_mut() {
            Some(piece) if piece.width() + 1 + part.width() <= WIDEST => {
                piece.push(' ');
                piece.push_str(part);
            }
            _ => pieces.push(fit(part, WIDEST)),
        }
    }
    pieces
}

/// The text, cut to so many columns.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            let width = c.width().unwrap_or(0);
            let fits = width <= left;
            left = if fits { left - width } else { 0 };
            fits
        })
        .collect();
    kept.push(CUT);
    kept
}
