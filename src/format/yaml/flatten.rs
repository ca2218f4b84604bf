//! Maps with their merges applied, and the checks that Go's decoder makes while it expands aliases.

use std::borrow::Cow;

use super::{Document, Kind, NodeId, Scalar, YamlError};

/// One setting of a key. The same key may be set several times; the last one counts.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub key: Cow<'a, str>,
    /// Where the key stands.
    pub line: u32,
    pub value: NodeId,
}

/// Go refuses documents of which aliases make up too much: 99 % up to so many nodes...
const RATIO_LOW: u32 = 400_000;
/// ... falling to 10 % from so many on.
const RATIO_HIGH: u32 = 4_000_000;

fn allowed_alias_ratio(decoded: u32) -> f64 {
    match decoded {
        ..=RATIO_LOW => 0.99,
        RATIO_HIGH.. => 0.10,
        _ => 0.99 - 0.89 * (f64::from(decoded - RATIO_LOW) / f64::from(RATIO_HIGH - RATIO_LOW)),
    }
}

/// What is left to do in the walk over the expanded document.
enum Step {
    Visit(NodeId),
    VisitKey(NodeId),
    /// The expansion of this alias is complete.
    Leave(NodeId),
}

impl Document {
    /// The settings of a map in the order in which Go applies them, merges in their place; empty for
    /// anything but a map.
    pub fn entries(&self, map: NodeId) -> Vec<Entry<'_>> {
        let mut entries = Vec::new();
        let mut open = vec![(self.target(map), 0)];
        while let Some((map, place)) = open.pop() {
            let Kind::Mapping(pairs) = &self.node(map).kind else {
                continue;
            };
            let Some([key, value]) = pairs.get(place..place + 2) else {
                continue;
            };
            open.push((map, place + 2));
            if self.is_merge(*key) {
                match &self.node(*value).kind {
                    // The last of the open ones is read first, and the first of the list shall win.
                    Kind::Sequence(maps) => {
                        open.extend(maps.iter().map(|map| (self.target(*map), 0)));
                    }
                    _ => open.push((self.target(*value), 0)),
                }
            } else if let Some(text) = self.key_text(*key) {
                entries.push(Entry { key: text, line: self.line(*key), value: *value });
            }
        }
        entries
    }

    fn is_merge(&self, key: NodeId) -> bool {
        matches!(self.node(key).kind, Kind::Scalar(Scalar::Merge))
    }

    /// Walks the document as Go expands it, counting as Go counts, so that a document is refused here
    /// exactly where it is refused there. The count also bounds the walk.
    pub(super) fn check_use(&self) -> Result<(), YamlError> {
        let mut expanding = vec![false; self.nodes.len()];
        // The document itself counts as decoded.
        let (mut decoded, mut aliased, mut depth) = (1_u32, 0_u32, 0_u32);
        let mut steps = vec![Step::Visit(self.root)];
        while let Some(step) = steps.pop() {
            let node = match step {
                Step::Leave(alias) => {
                    expanding[alias.0 as usize] = false;
                    depth -= 1;
                    continue;
                }
                Step::VisitKey(node) => {
                    self.check_key(node)?;
                    node
                }
                Step::Visit(node) => node,
            };
            let line = self.line(node);
            decoded += 1;
            aliased += u32::from(depth > 0);
            if aliased > 100
                && decoded > 1000
                && f64::from(aliased) / f64::from(decoded) > allowed_alias_ratio(decoded)
            {
                return Err(YamlError::Aliasing { line });
            }
            match &self.node(node).kind {
                Kind::Scalar(_) => {}
                Kind::Sequence(items) => {
                    steps.extend(items.iter().rev().map(|item| Step::Visit(*item)));
                }
                Kind::Mapping(pairs) => {
                    for pair in pairs.chunks_exact(2).rev() {
                        self.push_pair(pair[0], pair[1], &mut steps)?;
                    }
                }
                Kind::Alias(target) => {
                    if std::mem::replace(&mut expanding[node.0 as usize], true) {
                        return Err(YamlError::Cycle { line });
                    }
                    depth += 1;
                    steps.push(Step::Leave(node));
                    steps.push(Step::Visit(*target));
                }
            }
        }
        Ok(())
    }

    fn push_pair(
        &self,
        key: NodeId,
        value: NodeId,
        steps: &mut Vec<Step>,
    ) -> Result<(), YamlError> {
        if !self.is_merge(key) {
            steps.push(Step::Visit(value));
            steps.push(Step::VisitKey(key));
            return Ok(());
        }
        let first = steps.len();
        match &self.node(value).kind {
            Kind::Sequence(maps) => steps.extend(maps.iter().map(|map| Step::Visit(*map))),
            _ => steps.push(Step::Visit(value)),
        }
        let all_maps = steps[first..].iter().all(|step| {
            matches!(step, Step::Visit(map)
                if matches!(self.node(self.target(*map)).kind, Kind::Mapping(_)))
        });
        if all_maps { Ok(()) } else { Err(YamlError::Merge { line: self.line(value) }) }
    }

    fn check_key(&self, key: NodeId) -> Result<(), YamlError> {
        let line = self.line(key);
        let what = match &self.node(self.target(key)).kind {
            Kind::Mapping(_) => "a map",
            Kind::Sequence(_) => "a list",
            Kind::Scalar(Scalar::Null) => "null",
            Kind::Scalar(_) | Kind::Alias(_) => return Ok(()),
        };
        Err(YamlError::Key { line, what })
    }
}
