//! Kernel arguments added to and removed from `/etc/default/grub` and two drop-ins, with lines `%%` between
//! them; the first byte says which. An edit holds, a second one is empty, removing undoes adding, and by the
//! shell's parser no other word and no other variable has changed.
#![no_main]

use ccgpu_node::format::shell_vars::{Dialect, Environment, File, Variable, evaluate};
use ccgpu_node::plan::grub::{Defaults, edit, length};
use ccgpu_node::plan::{ArgumentChange, FileChange};
use libfuzzer_sys::fuzz_target;

const ADD: &str = "intel_iommu=on";
const REMOVE: &str = "iommu=pt";
const LINE: [&str; 2] = ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"];

fuzz_target!(|input: &[u8]| {
    let Some((&choice, text)) = input.split_first() else { return };
    let before = defaults(choice, text);
    let list =
        |wanted: u8, text: &str| if choice & wanted == 0 { vec![] } else { vec![text.to_owned()] };
    let change = ArgumentChange { add: list(1, ADD), remove: list(2, REMOVE) };
    let changes = match edit(&before, &change) {
        Ok(changes) => changes,
        Err(refused) => {
            assert!(!refused.why.is_empty());
            return;
        }
    };
    let after = applied(&before, &changes);
    assert_eq!(edit(&after, &change), Ok(Vec::new()), "the second edit is not empty");
    assert!(length(&after).is_ok());
    let (old, new) = (values(&before), values(&after));
    assert_eq!(old.others, new.others);
    // Where no quotes stand in the way, words are what blanks divide.
    let is_plain = |text: &String| !text.contains(['"', '\'', '\\', ',']);
    if old.line.iter().chain(&new.line).all(is_plain) {
        for (old, new) in old.line.iter().zip(&new.line) {
            assert_eq!(others(old), others(new), "another word has changed");
        }
        let line = new.line.join(" ");
        let words = || line.split_ascii_whitespace();
        assert!(change.remove.is_empty() || words().all(|word| word != REMOVE), "{line}");
        assert!(
            change.add.is_empty() || words().any(|word| word.replace('-', "_") == ADD),
            "{line}"
        );
    }
    let is_new = !text.windows(5).any(|window| window == b"iommu") && !is_marked(text);
    if change.remove.is_empty() && is_new {
        let back = ArgumentChange { add: Vec::new(), remove: change.add };
        let changes = edit(&after, &back).expect("what was added can be removed");
        assert_eq!(applied(&after, &changes), before, "removing is not the inverse of adding");
    }
});

fn is_marked(text: &[u8]) -> bool {
    text.windows(10).any(|window| window == b"ccgpu-node")
}

fn defaults(choice: u8, text: &[u8]) -> Defaults {
    const BETWEEN: &[u8] = b"\n%%\n";
    let mut rest = Some(text);
    let mut part = || {
        let text = rest.take()?;
        match text.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
            Some(end) => {
                rest = Some(&text[end + BETWEEN.len()..]);
                // With its newline.
                Some(text[..=end].to_vec())
            }
            None => Some(text.to_vec()),
        }
    };
    let own = if choice & 8 == 0 { "99-z.cfg" } else { "zzz.cfg" };
    let mut files = vec![("/etc/default/grub".to_owned(), part().unwrap_or_default())];
    for name in ["50-x.cfg", own] {
        files.extend(part().map(|text| (format!("/etc/default/grub.d/{name}"), text)));
    }
    let dialect = [Dialect::Dash, Dialect::Bash, Dialect::Unknown, Dialect::Dash];
    let dialect = dialect[usize::from(choice >> 4 & 3)];
    Defaults { drop_ins: choice & 4 == 0 || files.len() > 1, files, dialect }
}

fn applied(before: &Defaults, changes: &[FileChange]) -> Defaults {
    let mut after = before.clone();
    for change in changes {
        let place = after.files.iter().position(|(path, _)| *path == change.path);
        let old = place.map(|place| after.files.remove(place).1);
        assert_eq!(old, change.before);
        assert_ne!(change.before, change.after);
        let Some(text) = change.after.clone() else { continue };
        let sorted = after.files.iter().skip(1).filter(|(path, _)| *path < change.path).count();
        after.files.insert(place.unwrap_or(sorted + 1), (change.path.clone(), text));
    }
    after
}

#[derive(Debug, PartialEq)]
struct Values {
    line: Vec<String>,
    others: Vec<Option<Vec<u8>>>,
}

fn values(defaults: &Defaults) -> Values {
    let files: Vec<File<'_>> =
        defaults.files.iter().map(|(path, text)| File { path, text }).collect();
    let evaluation = evaluate(&files, Environment::grub(), defaults.dialect);
    let value = |name: &str| match evaluation.variable(name) {
        Variable::Known(known) => Some(known.value.bytes().to_vec()),
        Variable::Unset => None,
        Variable::NotDecidable(_) => Some(b"not decidable".to_vec()),
        Variable::Aborts(doubt) => panic!("an edit where the shell stops: {doubt:?}"),
    };
    let text = |name| String::from_utf8_lossy(&value(name).unwrap_or_default()).into_owned();
    let others = ["GRUB_X", "GRUB_Y", "GRUB_TIMEOUT", "A", "B"].map(value).into();
    Values { line: LINE.map(text).into(), others }
}

fn others(line: &str) -> Vec<&str> {
    let is_other = |word: &&str| {
        let word = word.replace('-', "_");
        word != ADD && word != REMOVE
    };
    line.split_ascii_whitespace().filter(is_other).collect()
}
