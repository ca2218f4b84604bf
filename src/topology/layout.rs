//! Where each card of the picture stands: a column for each step from the root, a row for each device, the
//! bridges in the middle of what is below them, the groups at the right.
//!
//! All rows are as high as the tallest card, so that no bridge can stand on its neighbours.

use std::collections::BTreeMap;

use super::card::Card;
use super::{Node, Topology};

/// Pixels.
pub(super) const LINE: usize = 15;
pub(super) const PADDING: usize = 10;
const ROW_GAP: usize = 12;
const COLUMN_GAP: usize = 44;
pub(super) const MARGIN: usize = 16;
/// Room for the heading.
const TOP: usize = 48;
/// Tenths of a pixel that a character takes, in a font of fixed pitch at 12 pixels.
const CHARACTER: usize = 73;

/// A card in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) card: Card,
    pub(super) column: usize,
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Placed {
    pub(super) fn middle(&self) -> usize {
        self.y + self.height / 2
    }

    pub(super) fn right(&self) -> usize {
        self.x + self.width
    }
}

/// A stroke from the right of one card to the left of another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) from: (usize, usize),
    pub(super) to: (usize, usize),
    /// Where it bends.
    pub(super) bend: usize,
    /// To a group that several devices share.
    pub(super) is_shared: bool,
}

#[derive(Debug)]
pub(super) struct Layout {
    pub(super) cards: Vec<Placed>,
    pub(super) strokes: Vec<Stroke>,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Places all cards and strokes.
pub(super) fn layout(topology: &Topology) -> Layout {
    let mut plan = Plan { topology, cards: Vec::new(), links: Vec::new(), row: 0, last: 0 };
    for complex in &topology.complexes {
        for node in &complex.nodes {
            plan.last = plan.last.max(depth(node) + 1);
        }
    }
    for complex in &topology.complexes {
        let index = plan.add(Card::of_complex(complex), 0);
        plan.children(index, &complex.nodes, 1);
    }
    plan.groups();
    plan.measure()
}

/// How many steps are below a node.
fn depth(node: &Node) -> usize {
    node.children.iter().map(|child| depth(child) + 1).max().unwrap_or(0)
}

/// A card before its place is known in pixels.
struct Draft {
    card: Card,
    column: usize,
    /// The middle of its row, in halves of a row's height.
    row: usize,
}

struct Plan<'t> {
    topology: &'t Topology,
    cards: Vec<Draft>,
    /// From which card to which, and whether to a shared group.
    links: Vec<(usize, usize, bool)>,
    /// The next free row.
    row: usize,
    /// The column of the devices.
    last: usize,
}

impl Plan<'_> {
    fn add(&mut self, card: Card, column: usize) -> usize {
        self.cards.push(Draft { card, column, row: 0 });
        self.cards.len() - 1
    }

    fn row_of(&self, index: usize) -> usize {
        self.cards.get(index).map_or(0, |draft| draft.row)
    }

    fn set_row(&mut self, index: usize, row: usize) {
        if let Some(draft) = self.cards.get_mut(index) {
            draft.row = row;
        }
    }

    /// Places what is below a card, then the card itself in the middle of that.
    fn children(&mut self, index: usize, nodes: &[Node], column: usize) {
        let mut rows = Vec::new();
        for node in nodes {
            let is_device = node.children.is_empty();
            let child = self.add(Card::of_node(node), if is_device { self.last } else { column });
            self.links.push((index, child, false));
            if is_device {
                self.set_row(child, self.row * 2);
                self.row += 1;
            } else {
                self.children(child, &node.children, column + 1);
            }
            rows.push(self.row_of(child));
        }
        if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
            self.set_row(index, usize::midpoint(*first, *last));
        }
    }

    /// Places each group in the middle of its devices, and those without one beside their devices.
    fn groups(&mut self) {
        let mut rows: BTreeMap<String, usize> = BTreeMap::new();
        for (index, draft) in self.cards.iter().enumerate() {
            rows.insert(draft.card.head.clone(), index);
        }
        let mut groups = Vec::new();
        for group in &self.topology.groups {
            let devices: Vec<usize> = group
                .devices
                .iter()
                .filter_map(|address| rows.get(&address.to_string()).copied())
                .collect();
            let middle: usize = devices.iter().map(|device| self.row_of(*device)).sum();
            let Some(middle) = middle.checked_div(devices.len()) else { continue };
            groups.push((middle, devices, Card::of_group(group), group.is_shared));
        }
        self.topology.visit(&mut |node| {
            if node.children.is_empty()
                && let Some(card) = Card::of_no_group(node, self.topology)
                && let Some(device) = rows.get(&node.address.to_string())
            {
                groups.push((self.row_of(*device), vec![*device], card, false));
            }
        });
        groups.sort_by_key(|(middle, ..)| *middle);
        let mut free = 0;
        for (middle, devices, card, is_shared) in groups {
            let row = middle.max(free);
            free = row + 2;
            let index = self.add(card, self.last + 1);
            self.set_row(index, row);
            self.links.extend(devices.into_iter().map(|device| (device, index, is_shared)));
        }
    }

    fn measure(self) -> Layout {
        let lines = self.cards.iter().map(|draft| draft.card.height()).max().unwrap_or(0);
        let row = lines * LINE + 2 * PADDING + ROW_GAP;
        let mut widths = vec![0; self.last + 2];
        for draft in &self.cards {
            if let Some(width) = widths.get_mut(draft.column) {
                let text = (draft.card.width() * CHARACTER).div_ceil(10) + 2 * PADDING;
                *width = text.max(*width);
            }
        }
        let mut lefts = Vec::with_capacity(widths.len());
        let mut x = MARGIN;
        for width in &widths {
            lefts.push(x);
            x += if *width > 0 { *width + COLUMN_GAP } else { 0 };
        }
        let cards: Vec<Placed> = self
            .cards
            .into_iter()
            .map(|Draft { card, column, row: at }| {
                let height = card.height() * LINE + 2 * PADDING;
                let middle = TOP + at * row / 2 + row / 2;
                let of = |numbers: &[usize]| numbers.get(column).copied().unwrap_or(0);
                let (x, width) = (of(&lefts), of(&widths));
                Placed { card, column, x, y: middle - height / 2, width, height }
            })
            .collect();
        let strokes = strokes(&cards, &self.links);
        let bottom = cards.iter().map(|placed| placed.y + placed.height).max().unwrap_or(TOP);
        let right = cards.iter().map(Placed::right).max().unwrap_or(0);
        Layout { cards, strokes, width: right + MARGIN, height: bottom + MARGIN }
    }
}

/// Strokes to shared groups bend each at a place of its own, so that two can be told apart.
fn strokes(cards: &[Placed], links: &[(usize, usize, bool)]) -> Vec<Stroke> {
    let mut bends: BTreeMap<usize, usize> = BTreeMap::new();
    let mut strokes = Vec::with_capacity(links.len());
    for (from, to, is_shared) in links {
        let (Some(start), Some(end)) = (cards.get(*from), cards.get(*to)) else { continue };
        let next = bends.len();
        let lane = if *is_shared { *bends.entry(*to).or_insert(next) } else { 0 };
        strokes.push(Stroke {
            from: (start.right(), start.middle()),
            to: (end.x, end.middle()),
            // Near the right card, where no other card stands between.
            bend: end.x.saturating_sub(COLUMN_GAP / 2 - lane % 3 * 7),
            is_shared: *is_shared,
        });
    }
    strokes
}
