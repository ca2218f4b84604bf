//! That a document is read as it was meant, whatever is in it.

use proptest::prelude::*;

use super::document::Node;
use super::names::{is_image, is_label_value, is_object_name, is_resource};
use crate::format::yaml::{Document, NodeId, Scalar, Value, YamlError};

/// A document as the reader of kubelet configurations sees it.
fn read(document: &Document, node: NodeId) -> Node {
    match document.value(node) {
        Value::Scalar(Scalar::Text(text)) => Node::Text(text.clone()),
        Value::Sequence(items) => {
            Node::List(items.iter().map(|item| read(document, *item)).collect())
        }
        Value::Mapping => {
            let pair = |(key, value)| match read(document, key) {
                Node::Text(key) => (key, read(document, value)),
                other => panic!("{other:?}"),
            };
            Node::Table(document.pairs(node).map(pair).collect())
        }
        Value::Scalar(other) => panic!("{other:?}"),
    }
}

fn nodes() -> impl Strategy<Value = Node> {
    let text = prop_oneof![
        any::<String>().prop_map(Node::Text),
        prop_oneof![
            "on", "1e3", "~", "null", "0x10", "- a", "a: b", "", " ", "#", "\u{85}", "\u{2028}"
        ]
        .prop_map(Node::Text),
    ];
    text.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof!["[a-z./-]{1,8}", "on", "y", "[ -~]{1,5}", any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Node::List),
            proptest::collection::btree_map(key, inner, 1..4)
                .prop_map(|entries| Node::Table(entries.into_iter().collect())),
        ]
    })
}

#[test]
fn names_are_those_that_kubernetes_takes() {
    for (text, object, label) in [
        ("a", true, true),
        ("a-1.b", true, true),
        ("on", true, true),
        ("-a", false, false),
        ("a-", false, false),
        ("A", false, true),
        ("a_b", false, true),
        ("a..b", false, true),
        ("", false, false),
        ("a\nb", false, false),
        ("\u{e9}", false, false),
    ] {
        assert_eq!((is_object_name(text), is_label_value(text)), (object, label), "{text:?}");
    }
    assert!(is_object_name(&"a".repeat(253)) && !is_object_name(&"a".repeat(254)));
    assert!(is_label_value(&"a".repeat(63)) && !is_label_value(&"a".repeat(64)));
    assert!(is_resource("nvidia.com/GH100_H100_SXM5_80GB") && !is_resource("nvidia.com/"));
    assert!(!is_resource("pgpu") && !is_resource("nvidia.com/a b") && !is_resource("a/b/c"));
    assert!(
        is_image("nvcr.io/a:b@sha256:c") && !is_image("a b") && !is_image("") && !is_image("a\n")
    );
}

proptest! {
    #[test]
    fn any_document_is_read_as_it_was_meant(node in nodes()) {
        let Node::Table(_) = node else { return Ok(()) };
        let text = node.yaml();
        prop_assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
        let document = match Document::parse(text.as_bytes()) {
            // The reader is careful where the parser below it is not.
            Err(YamlError::Unsupported { .. }) => return Ok(()),
            parsed => parsed.unwrap(),
        };
        prop_assert_eq!(read(&document, document.root()), node);
    }
}
