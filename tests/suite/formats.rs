//! The formats of `check` that others read, each held against a program that reads them: `xmllint` and
//! Python for `JUnit`, a GitHub-flavoured Markdown parser, `promtool` and `node_exporter` for Prometheus.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{fixture, fixtures, has, report, run};

/// All that a markup, a shell or a terminal could obey.
const HOSTILE: &str = "x</code></details><script>alert(1)</script><img src=x onerror=a> ]]> \
    <!-- `@octocat` @octocat #1 **b** _i_ ![i](http://evil/i) [l](javascript:a) https://evil.test \
    www.evil.test a@evil.test $x$ | \\| \\\" \" ' & &lt; {a=\"b\"} ~~s~~ \u{202e}rtl \u{9b}31m \
    \u{ffff} \u{fffe}";

/// A host whose every text is against its readers, and ten kilobytes long.
pub(crate) fn hostile_tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let text = format!("{HOSTILE} \x1b[2J\x07\x01 {}", "long ".repeat(2_000));
    for (path, text) in [
        ("etc/hostname", format!("{text}\n")),
        ("proc/sys/kernel/hostname", format!("{text}\n")),
        ("proc/sys/kernel/osrelease", format!("6.17 {text}\n")),
        ("etc/os-release", format!("ID=debian\nPRETTY_NAME='{}'\n", text.replace('\'', ""))),
        ("proc/cmdline", format!("BOOT_IMAGE=/vmlinuz {text} intel_iommu=off pci={text}\n")),
        ("etc/default/grub", format!("GRUB_CMDLINE_LINUX=\"$({text}\n")),
        ("var/lib/kubelet/config.yaml", format!("kind: '{}'\n", text.replace('\'', ""))),
    ] {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    tree
}

/// Each fixture and the hostile host: a name, the arguments that name it, and the exit code of a plain
/// `check`.
pub(crate) fn hosts(tree: &Path) -> Vec<(String, [String; 2], i32)> {
    let mut hosts: Vec<(String, [String; 2])> = fixtures()
        .into_iter()
        .map(|name| {
            let file = fixture(&name).display().to_string();
            (name, ["--host".to_owned(), file])
        })
        .collect();
    hosts.push(("hostile".to_owned(), ["--root".to_owned(), tree.display().to_string()]));
    hosts
        .into_iter()
        .map(|(name, which)| {
            let code = run(&["check", &which[0], &which[1]]).code;
            (name, which, code)
        })
        .collect()
}

pub(crate) fn rendered(which: &[String; 2], format: &str, code: i32) -> String {
    let mut shown = String::new();
    // The second one is what is looked at: it holds more.
    for verbose in [&[][..], &["-v"]] {
        let arguments = [&["check", "--format", format, &which[0], &which[1]], verbose].concat();
        let outcome = run(&arguments);
        assert_eq!(outcome.code, code, "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stderr, "", "{arguments:?}");
        shown = outcome.stdout;
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(raw), "{arguments:?}");
    }
    shown
}

#[test]
fn junit_fits_its_schema_and_is_red_exactly_where_check_is() {
    if !has("xmllint") || !has("python3") {
        return;
    }
    let tree = hostile_tree();
    let files = tempfile::tempdir().unwrap();
    let hosts = hosts(tree.path());
    let mut paths: Vec<PathBuf> = Vec::new();
    for (name, which, code) in &hosts {
        let path = files.path().join(format!("{name}.xml"));
        std::fs::write(&path, rendered(which, "junit", *code)).unwrap();
        paths.push(path);
    }
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(suite.join("junit.xsd"))
        .args(&paths)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let output =
        Command::new("python3").arg(suite.join("junit.py")).arg(files.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, which, code) in &hosts {
        let found = &found[name];
        let red = found["failures"].as_u64().unwrap() + found["errors"].as_u64().unwrap();
        assert_eq!(red > 0, *code != 0, "{name}: {found}");
        for key in ["skipped", "failures", "errors"] {
            assert_eq!(found["says"][key], found[key].to_string(), "{name}");
        }
        let report = report(&[&which[0], &which[1]]);
        let mut rules: Vec<&str> = report["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].as_str().unwrap())
            .collect();
        let mut cases: Vec<&str> =
            found["cases"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        cases.retain(|case| *case != "verdict");
        rules.sort_unstable();
        cases.sort_unstable();
        assert_eq!(cases, rules, "{name}");
    }
    let host = found["hostile"]["hosts"][0].as_str().unwrap();
    assert!(host.contains("</code></details><script>"), "{host}");
}

/// With nothing to be red, a report that only readers of XML see must be red all the same.
#[test]
fn junit_is_red_where_nothing_was_judged() {
    let host = fixture("grub-overridden-by-cloud-dropin").display().to_string();
    let arguments = ["check", "--host", &host, "--only", "gpu-group-viable", "--format", "junit"];
    let outcome = run(&arguments);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("errors=\"1\""), "{}", outcome.stdout);
}

#[test]
fn markdown_shows_no_markup_of_a_host() {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.math_dollars = true;
    options.render.r#unsafe = true;
    let tree = hostile_tree();
    for (name, which, code) in hosts(tree.path()) {
        let page = rendered(&which, "markdown", code);
        let html = comrak::markdown_to_html(&page, &options);
        let mut depth = 0;
        for part in html.split('<').skip(1) {
            let (tag, text) = part.split_once('>').expect(part);
            match tag {
                "code" => depth += 1,
                "/code" => depth -= 1,
                "h3" | "/h3" | "p" | "/p" | "ul" | "/ul" | "li" | "/li" | "strong" | "/strong"
                | "table" | "/table" | "thead" | "/thead" | "tbody" | "/tbody" | "tr" | "/tr"
                | "th" | "/th" | "td" | "/td" | "details" | "/details" | "summary" | "/summary"
                | "wbr" => {}
                other => panic!("{name}: <{other}> in {html}"),
            }
            assert!((0..=1).contains(&depth), "{name}: {html}");
            // Only in code are names and numbers left alone.
            assert!(depth == 1 || !text.contains(['@', '#']), "{name}: {text}");
        }
        let cells = html.matches("<td").count();
        assert_eq!(cells % 3, 0, "{name}: a cell was split: {html}");
        if name == "hostile" {
            assert!(html.replace("<wbr>", "").contains("@octocat"), "{html}");
        }
    }
}

/// Asks promtool, where it is installed, whether Prometheus would like the text.
pub(crate) fn checked_by_promtool(name: &str, text: &str) {
    if !has("promtool") {
        return;
    }
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.is_empty(), "{name}: {said}");
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    let tree = hostile_tree();
    for (name, which, code) in hosts(tree.path()) {
        let text = rendered(&which, "prometheus", code);
        for label in text.split('"').skip(1).step_by(2) {
            assert!(label.len() < 500, "{name}: {label}");
        }
        checked_by_promtool(&name, &text);
    }
}

/// A `node_exporter` that serves a directory of textfiles; it ends however the test ends.
pub(crate) struct Exporter {
    child: std::process::Child,
    pub(crate) port: u16,
}

impl Exporter {
    pub(crate) fn start(directory: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus-node-exporter")
            .args(["--collector.disable-defaults", "--collector.textfile"])
            .arg(format!("--collector.textfile.directory={}", directory.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, port }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scrape(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// What `/metrics` answers once this word is in it.
pub(crate) fn scrape_until(port: u16, word: &str) -> String {
    let start = Instant::now();
    loop {
        match scrape(port) {
            Some(answer) if answer.contains(word) => return answer,
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no {word} on port {port}");
    }
}

#[test]
fn node_exporter_serves_the_file_of_a_hostile_host() {
    if !has("prometheus-node-exporter") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let tree = hostile_tree();
    let file = directory.path().join("ccgpu-node.prom").display().to_string();
    let root = tree.path().display().to_string();
    let outcome = run(&["check", "--root", &root, "--format", "prometheus", "--output", &file]);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    let exporter = Exporter::start(directory.path());
    let answer = scrape_until(exporter.port, "node_textfile_scrape_error");
    assert!(answer.contains("\nnode_textfile_scrape_error 0\n"), "{answer}");
    assert!(answer.contains("\nccgpu_node_verdict{verdict=\"not-ready\"} 1\n"), "{answer}");
}

#[test]
fn npd_gets_80_bytes_and_its_own_exit_codes() {
    let tree = hostile_tree();
    for (name, which, code) in hosts(tree.path()) {
        let of_npd = match code {
            0 => 0,
            1 | 4 => 1,
            _ => 2,
        };
        let line = rendered(&which, "npd", of_npd);
        assert!(line.len() <= 80 && line.is_ascii(), "{name}: {line}");
        assert_eq!(line.lines().count(), 1, "{name}: {line}");
        let report = report(&[&which[0], &which[1]]);
        let bad = if code == 3 { "unknown" } else { "fail" };
        let first = report["rules"]
            .as_array()
            .unwrap()
            .iter()
            .find(|rule| rule["status"] == bad && rule["severity"] == "required");
        match first {
            Some(rule) if code != 0 => {
                assert!(line.starts_with(rule["id"].as_str().unwrap()), "{name}: {line}");
            }
            _ if code == 0 => assert!(line.starts_with("ready"), "{name}: {line}"),
            _ => {}
        }
    }
    assert_eq!(run(&["check", "--format", "npd", "--root", "/nowhere"]).code, 2);
}
