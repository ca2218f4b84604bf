//! The topology as a graph in the language of Graphviz.

use std::fmt::Write as _;

use super::{Group, Kind, Node, Topology};
use crate::report::visible;

/// One `digraph`, to be drawn from left to right.
pub fn dot(topology: &Topology) -> String {
    let mut graph = String::from("digraph topology {\n");
    let mut line = |text: String| {
        graph.push_str(&text);
        graph.push('\n');
    };
    let heading = match topology.doubt_in_words() {
        Some(doubt) => label([topology.heading(), doubt]),
        None => label([topology.heading()]),
    };
    line(format!("  graph [rankdir=LR, labelloc=t, fontname=\"sans-serif\", label={heading}];"));
    line("  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f6f8fa\", fontname=\"monospace\", fontsize=10];".to_owned());
    line("  edge [arrowhead=none];".to_owned());
    for complex in &topology.complexes {
        let words = complex.words().into_iter().map(|(_, word)| word);
        let name = complex.name();
        line(format!("  \"{name}\" [label={}];", label([name.clone()].into_iter().chain(words))));
        for node in &complex.nodes {
            nodes(topology, &name, node, &mut line);
        }
    }
    for group in &topology.groups {
        line(format!("  \"group {}\" [{}];", group.number, look(group)));
    }
    graph.push_str("}\n");
    graph
}

fn nodes(topology: &Topology, above: &str, node: &Node, line: &mut impl FnMut(String)) {
    let name = node.address.to_string();
    let words = node.words().into_iter().map(|(_, word)| word);
    let label = label([name.clone(), node.what()].into_iter().chain(words));
    let fill = match node.kind {
        Kind::Bridge => "",
        Kind::Gpu | Kind::Companion => ", fillcolor=\"#dafbe1\"",
        Kind::NvSwitch => ", fillcolor=\"#ddf4ff\"",
    };
    line(format!("  \"{name}\" [label={label}{fill}];"));
    line(format!("  \"{above}\" -> \"{name}\";"));
    if node.kind != Kind::Bridge
        && let Some(group) = node.group.known().and_then(|number| topology.group(*number))
    {
        line(format!("  \"{name}\" -> \"group {}\" [style=dashed];", group.number));
    }
    for child in &node.children {
        nodes(topology, &name, child, line);
    }
}

fn look(group: &Group) -> String {
    let mut words = vec![format!("IOMMU group {}", group.number)];
    words.extend(group.kind.known().cloned());
    if !group.is_shared {
        return format!("label={}", label(words));
    }
    words.push("shared".to_owned());
    words.extend(group.strangers());
    format!("label={}, fillcolor=\"#fff8c5\"", label(words))
}

/// A quoted text of lines that begin at the left.
fn label(lines: impl IntoIterator<Item = String>) -> String {
    let mut label = String::from("\"");
    for line in lines {
        // In a label a backslash begins an escape, and `\l` ends a line.
        let line = visible(&line).replace('\\', "\\\\").replace('"', "\\\"");
        // Writing to a String does not fail.
        let _ = write!(label, "{line}\\l");
    }
    label.push('"');
    label
}
