//! The page of `check --format html`, read by a strict parser of the HTML standard.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::formats::{hostile_tree, hosts, rendered};
use crate::program::report;

/// The system's own Python, for which Debian has the parser.
const PYTHON: &str = "/usr/bin/python3";

fn can_parse() -> bool {
    let found = Command::new(PYTHON).args(["-c", "import html5lib"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        println!("left out: python3-html5lib is not installed");
    }
    found
}

/// The pages of all hosts, and what the parser finds in each.
struct Pages {
    hosts: Vec<(String, [String; 2], i32)>,
    found: Value,
    /// The hostile host is below it.
    _tree: tempfile::TempDir,
}

/// Written and read once for all tests; `None` without the parser.
fn pages() -> Option<&'static Pages> {
    static PAGES: OnceLock<Option<Pages>> = OnceLock::new();
    let write = || {
        if !can_parse() {
            return None;
        }
        let tree = hostile_tree();
        let directory = tempfile::tempdir().unwrap();
        let hosts = hosts(tree.path());
        for (name, which, code) in &hosts {
            let page = rendered(which, "html", *code);
            std::fs::write(directory.path().join(format!("{name}.html")), page).unwrap();
        }
        let found = parsed(directory.path());
        Some(Pages { hosts, found, _tree: tree })
    };
    PAGES.get_or_init(write).as_ref()
}

fn parsed(directory: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/html.py");
    let output = Command::new(PYTHON).arg(script).arg(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

#[test]
fn the_page_is_valid_and_nothing_in_it_runs_or_is_fetched() {
    let Some(Pages { hosts, found, .. }) = pages() else { return };
    for (name, which, _) in hosts {
        let page = &found[name];
        for tag in texts(&page["tags"]) {
            let known = [
                "a", "article", "bdi", "body", "br", "code", "dd", "details", "div", "dl", "dt",
                "em", "footer", "h1", "h2", "h3", "head", "header", "html", "li", "main", "meta",
                "nav", "p", "pre", "section", "span", "strong", "style", "summary", "table",
                "tbody", "td", "th", "thead", "time", "title", "tr", "ul",
            ];
            assert!(known.contains(&tag), "{name}: <{tag}>");
        }
        for attribute in texts(&page["attributes"]) {
            let known = [
                "aria-label",
                "role",
                "tabindex",
                "charset",
                "class",
                "content",
                "datetime",
                "href",
                "http-equiv",
                "id",
                "lang",
                "name",
                "rel",
                "scope",
            ];
            assert!(known.contains(&attribute), "{name}: {attribute}");
        }
        let known = ["g", "path", "rect", "style", "svg", "text", "title", "tspan"];
        assert!(texts(&page["drawn"]).iter().all(|tag| known.contains(tag)), "{name}: {page}");
        let known =
            ["class", "d", "height", "role", "rx", "space", "viewBox", "width", "x", "xmlns", "y"];
        let attributes = texts(&page["drawn_attributes"]);
        assert!(attributes.iter().all(|it| known.contains(it)), "{name}: {attributes:?}");
        assert_eq!(page["lang"], "en", "{name}");
        assert!(texts(&page["policy"])[0].starts_with("default-src 'none';"), "{name}");
        let ids = texts(&page["ids"]);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{name}: {ids:?}");
        for href in texts(&page["hrefs"]) {
            match href.strip_prefix('#') {
                Some(id) => assert!(ids.contains(&id), "{name}: {href} leads nowhere"),
                None => assert!(href.starts_with("https://"), "{name}: {href}"),
            }
        }
        let report = report(&[&which[0], &which[1]]);
        let wrong: BTreeSet<String> = report["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["status"] == "fail" || rule["status"] == "unknown")
            .map(|rule| format!("rule-{}", rule["id"].as_str().unwrap()))
            .collect();
        let articles: BTreeSet<String> =
            texts(&page["articles"]).into_iter().map(str::to_owned).collect();
        assert_eq!(articles, wrong, "{name}");
    }
    // What a browser shows of a host is the text of the host.
    let h1 = texts(&found["hostile"]["h1"])[0];
    assert!(h1.contains("</code></details><script>alert(1)</script><img src=x onerror=a>"), "{h1}");
    assert!(h1.contains("\\u{202e}rtl \\x9b31m"), "{h1}");
}

#[test]
fn the_page_can_be_used_without_seeing_colours() {
    let Some(Pages { hosts, found, .. }) = pages() else { return };
    for (name, ..) in hosts {
        let page = &found[name];
        let headings = page["headings"].as_array().unwrap();
        let levels: Vec<u64> = headings.iter().map(|it| it.as_u64().unwrap()).collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{name}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{name}: {levels:?}");
        assert_eq!(page["details"], page["summaries"], "{name}");
        assert_eq!(page["unscoped"], 0, "{name}: a header of a table says not of what");
        assert_eq!(page["ragged"], 0, "{name}: a row of another length");
        for badge in texts(&page["badges"]) {
            let words =
                ["FAIL", "WARN", "NOTE", "UNKNOWN", "PASS", "WAIT", "KNOWN", "LATER", "NONE"];
            assert!(words.contains(&badge), "{name}: {badge}");
        }
        let verdict = ["READY", "NOT READY", "READY AFTER A REBOOT", "CANNOT TELL"];
        let title = page["title"].as_str().unwrap();
        assert!(verdict.iter().any(|word| title.ends_with(&format!(": {word}"))), "{title}");
    }
}

#[test]
fn the_page_tells_what_to_do_first_and_every_fact() {
    let host = crate::program::fixture("grub-overridden-by-cloud-dropin").display().to_string();
    let which = ["--host".to_owned(), host];
    let page = rendered(&which, "html", 1);
    let now =
        page.split("<section id=\"now\">").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(now.contains("<a href=\"#rule-iommu-argument-overridden\">"), "{now}");
    assert!(now.contains("ccgpu-node fix --only iommu-argument-overridden"), "{now}");
    let facts = crate::program::run(&["facts", &which[0], &which[1]]);
    let facts: Value = serde_json::from_str(&facts.stdout).unwrap();
    let read = |value: &Value| value["unreadable"] != "not read in this run";
    for (fact, _) in facts["facts"].as_object().unwrap().iter().filter(|(_, value)| read(value)) {
        assert!(page.contains(&format!("<code>{fact}</code>")), "{fact}");
    }
    assert!(page.contains("<svg "), "the picture is missing");
    for address in ["0000:18:00.0", "/etc/default/grub.d/50-cloudimg-settings.cfg:2"] {
        assert!(page.contains(address), "{address}");
    }
}
