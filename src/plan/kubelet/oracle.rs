//! What other people's parsers make of a text before and after its edit.

use std::process::Command;

use super::text::{Role, edit};
use super::{Doubt, Wanted};

/// Reads pairs of files and what was wanted, and says a line for each pair that is not as it should be.
/// `PyYAML` reads YAML 1.1 as the kubelet does; JSON is read as JSON.
const SCRIPT: &str = r"
import difflib, json, sys, pathlib, yaml
class Loader(yaml.SafeLoader): pass
# Go takes these for bools, too.
import re
Loader.add_implicit_resolver('tag:yaml.org,2002:bool', re.compile(r'^(?:y|Y|n|N)$'), list('yYnN'))
Loader.bool_values = dict(yaml.SafeLoader.bool_values, y=True, n=False)
def load(path):
    text = path.read_bytes()
    if text.lstrip().startswith(b'{'):
        return json.loads(text)
    try:
        return yaml.load(text, Loader)
    except yaml.scanner.ScannerError as error:
        # The kubelet takes tabs between words, this parser does not.
        if b'\t' not in text:
            raise
        return yaml.load(text.replace(b'\t', b' '), Loader)
def seconds(text):
    parts = re.findall(r'([0-9.]+)(ns|us|ms|s|m|h)', text)
    unit = dict(ns=1e-9, us=1e-6, ms=1e-3, s=1, m=60, h=3600)
    return sum(float(number) * unit[name] for number, name in parts)
def other_lines(before, wanted):
    names = [*wanted['gates'], 'featureGates', 'runtimeRequestTimeout']
    old = before.read_bytes().decode().splitlines(True)
    new = before.with_suffix('.after').read_bytes().decode().splitlines(True)
    gone, come = [], []
    for kind, i, j, k, l in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != 'equal':
            gone += old[i:j]
            come += new[k:l]
    same = lambda line: line.replace(',', '').strip()
    come = [same(line) for line in come]
    for line in gone:
        about = any(name in line for name in names) or line.strip().startswith('{')
        if not about and same(line) not in come:
            yield line
folder = pathlib.Path(sys.argv[1])
for before in sorted(folder.glob('*.before')):
    wanted = json.loads(before.with_suffix('.wanted').read_text())
    try:
        old, new = load(before), load(before.with_suffix('.after'))
    except Exception as error:
        print(before.stem, 'cannot be read:', type(error).__name__, error)
        continue
    gates, now = old.get('featureGates') or {}, new.get('featureGates') or {}
    for name, value in wanted['gates'].items():
        gates.pop(name, None)
        if value is not None:
            gates[name] = value
    if {k: bool(v) for k, v in gates.items()} != {k: bool(v) for k, v in now.items()}:
        print(before.stem, 'gates', now, 'not', gates)
    timeout = wanted['timeout'] or old.get('runtimeRequestTimeout')
    said = new.get('runtimeRequestTimeout')
    if timeout != said and seconds(timeout) != seconds(said):
        print(before.stem, 'timeout', said, 'not', timeout)
    for document in (old, new):
        document.pop('featureGates', None)
        document.pop('runtimeRequestTimeout', None)
    if old != new:
        print(before.stem, 'other settings differ')
    for line in other_lines(before, wanted):
        print(before.stem, 'another line changed:', line)
    print(before.stem, 'seen')
";

/// Texts and what becomes of each; `Err` where the editor refuses.
pub(super) type Case = (String, Vec<u8>, Wanted);

/// How many were edited, and why the others were not.
pub(super) struct Tally {
    pub(super) edited: usize,
    pub(super) refused: Vec<(String, Doubt)>,
}

/// Edits all cases and has the results read by Python. `None` where this machine lacks `PyYAML`.
#[expect(clippy::disallowed_methods, reason = "the oracle is another program")]
pub(super) fn judge(cases: &[Case]) -> Option<Tally> {
    let probe = Command::new("python3").args(["-c", "import yaml"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("left out: python3 with yaml is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut tally = Tally { edited: 0, refused: Vec::new() };
    for (number, (name, text, wanted)) in cases.iter().enumerate() {
        let after = match edit(text, wanted, Role::Main) {
            Ok(after) => after,
            Err(doubt) => {
                tally.refused.push((name.clone(), doubt));
                continue;
            }
        };
        assert_eq!(edit(&after, wanted, Role::Main).as_ref(), Ok(&after), "{name}: a second edit");
        tally.edited += 1;
        let file = |end: &str| folder.path().join(format!("{number:05}.{end}"));
        std::fs::write(file("before"), text).unwrap();
        std::fs::write(file("after"), &after).unwrap();
        let wanted = serde_json::json!({
            "gates": wanted.gates,
            "timeout": wanted.runtime_request_timeout,
        });
        std::fs::write(file("wanted"), wanted.to_string()).unwrap();
    }
    let output = Command::new("python3").args(["-c", SCRIPT]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let wrong: Vec<&str> = said.lines().filter(|line| !line.ends_with(" seen")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(said.lines().count(), tally.edited);
    Some(tally)
}
