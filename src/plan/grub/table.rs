//! What every edit must be, whatever the text: checked for the rows of `excerpts` with the real shell.

use super::{ArgumentChange, DEFAULT, DEFAULTS, Defaults, LINUX, Refused, edit};
use crate::format::shell_vars::Dialect;
use crate::format::shell_vars::oracle::{Case, Outcome, SHELLS, ask};
use crate::plan::FileChange;

pub(super) const ADD: &str = "intel_iommu=on";
pub(super) const REMOVE: &str = "iommu=pt";

/// The texts of a host: `/etc/default/grub`, then the drop-ins.
pub(super) fn host(main: &[u8], drop_ins: &[(&str, &[u8])], reads: bool) -> Defaults {
    let mut files = vec![(DEFAULTS.to_owned(), main.to_vec())];
    files.extend(
        drop_ins.iter().map(|(name, text)| (format!("/etc/default/grub.d/{name}"), text.to_vec())),
    );
    let dialect = if reads { Dialect::Dash } else { Dialect::Unknown };
    Defaults { files, drop_ins: reads, dialect }
}

pub(super) fn change(add: &[&str], remove: &[&str]) -> ArgumentChange {
    let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    ArgumentChange { add: list(add), remove: list(remove) }
}

/// The host after the changes; each must fit what is there.
pub(super) fn applied(defaults: &Defaults, changes: &[FileChange]) -> Defaults {
    let mut after = defaults.clone();
    for change in changes {
        assert_ne!(change.before, change.after);
        let place = after.files.iter().position(|(path, _)| *path == change.path);
        let before = place.map(|place| after.files.remove(place).1);
        assert_eq!(before, change.before);
        let Some(text) = change.after.clone() else { continue };
        let sorted = after.files.iter().skip(1).take_while(|(path, _)| *path < change.path).count();
        after.files.insert(place.unwrap_or(sorted + 1), (change.path.clone(), text));
    }
    after
}

/// Makes the change and checks all that can be checked without a shell.
pub(super) fn edited(
    defaults: &Defaults,
    change: &ArgumentChange,
) -> Result<(Vec<FileChange>, Defaults), Refused> {
    let changes = edit(defaults, change)?;
    let after = applied(defaults, &changes);
    assert_eq!(edit(&after, change), Ok(Vec::new()), "the second edit is not empty: {after:?}");
    for one in &changes {
        if let (Some(before), Some(after)) = (&one.before, &one.after) {
            assert_eq!(bare(before, change), bare(after, change), "more has changed");
        }
    }
    let was_there = |text: &String| {
        defaults.files.iter().any(|(_, file)| {
            let key = text.split('=').next().unwrap_or(text).replace('-', "_");
            String::from_utf8_lossy(file).replace('-', "_").contains(&key)
        })
    };
    if change.remove.is_empty() && !change.add.iter().any(was_there) {
        let back = ArgumentChange { add: Vec::new(), remove: change.add.clone() };
        let changes = edit(&after, &back).expect("what was added can be removed");
        assert_eq!(applied(&after, &changes), *defaults, "removing is not the inverse of adding");
    }
    Ok((changes, after))
}

/// A text in words and other bytes, without the arguments of a change, the blanks and backslashes that may
/// go with them, and the line that is added where there is none.
fn bare(text: &[u8], change: &ArgumentChange) -> Vec<String> {
    let mut text = String::from_utf8_lossy(text).into_owned();
    if text.contains("# added by ccgpu-node") {
        let at = text.rfind(DEFAULT).unwrap();
        text.truncate(at);
        text = text.trim_end().to_owned();
    }
    for name in [LINUX, DEFAULT] {
        text = text.replace(&format!("{name}="), &format!("{name}\u{1}"));
    }
    let text = text.trim_end();
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_.,:=/@+-".contains(c);
    let mut bare = Vec::new();
    for piece in text.split_inclusive(|c| !is_word(c)) {
        let (word, other) = match piece.chars().next_back() {
            Some(last) if !is_word(last) => (&piece[..piece.len() - last.len_utf8()], last),
            _ => (piece, ' '),
        };
        bare.extend(rest(word, change).filter(|word| !word.is_empty()));
        bare.extend((!" \t\\".contains(other)).then(|| other.to_string()));
    }
    // The quotes around an argument go with it.
    while let Some(at) = bare.windows(2).position(|pair| pair[0] == "\"" && pair[0] == pair[1]) {
        bare.drain(at..at + 2);
    }
    bare
}

pub(super) fn case(defaults: &Defaults) -> Case {
    defaults.files.iter().map(|(_, text)| text.clone()).collect()
}

/// What dash makes of each host, or none where this machine has no dash.
pub(super) fn dash(hosts: &[&Defaults]) -> Option<Vec<Outcome>> {
    let cases: Vec<Case> = hosts.iter().map(|host| case(host)).collect();
    ask(SHELLS[0], &cases, &[LINUX, DEFAULT], "/usr/bin:/bin")
}

/// The promise: by the values that the shell computed, the change is made, and nothing else. Tokens are split
/// at white space here and nowhere else, so that the editor's own splitting is not its own judge.
pub(super) fn contradiction(
    before: &Outcome,
    after: &Outcome,
    change: &ArgumentChange,
) -> Option<String> {
    let (Some(before), Some(after)) = (before, after) else {
        return Some("the shell stops".to_owned());
    };
    let split = |values: &Vec<Option<Vec<u8>>>| -> Vec<Vec<String>> {
        let text = |value: &Option<Vec<u8>>| {
            String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned()
        };
        let tokens = |text: String| text.split_ascii_whitespace().map(str::to_owned).collect();
        values.iter().map(text).map(tokens).collect()
    };
    let (before, after) = (split(before), split(after));
    let rest = |lines: &[Vec<String>]| -> Vec<Vec<String>> {
        lines.iter().map(|line| line.iter().filter_map(|t| rest(t, change)).collect()).collect()
    };
    if rest(&before) != rest(&after) {
        return Some(format!("other arguments changed: {before:?} {after:?}"));
    }
    let line: Vec<String> = after.concat();
    for add in &change.add {
        let key = add.split('=').next().unwrap_or(add).to_owned() + "=";
        let last = line.iter().rfind(|token| token.replace('-', "_").starts_with(&key));
        if last.is_none_or(|last| !last.split([',', '=']).any(|one| add.ends_with(one))) {
            return Some(format!("{add} is not the last of its key: {line:?}"));
        }
    }
    let is_left = |token: &&String| rest_of(token, &[]) != rest_of(token, &change.remove);
    let unwanted = line.iter().find(is_left);
    unwanted.map(|token| format!("{token} is still there"))
}

fn rest(token: &str, change: &ArgumentChange) -> Option<String> {
    rest_of(token, &change.remove).and_then(|token| rest_of(&token, &change.add))
}

/// A token without what is listed; none where nothing is left.
fn rest_of(token: &str, list: &[String]) -> Option<String> {
    // GRUB takes the quotes away.
    let bare = token.strip_prefix('"').and_then(|token| token.strip_suffix('"'));
    let mut token = bare.unwrap_or(token).to_owned();
    for text in list {
        if token == *text {
            return None;
        }
        let Some((key, member)) = text.split_once('=') else { continue };
        let Some((its_key, value)) = token.split_once('=') else { continue };
        if its_key.replace('-', "_") != key {
            continue;
        }
        let left: Vec<&str> = value.split(',').filter(|one| *one != member).collect();
        if left.iter().all(|one| one.is_empty()) && !value.is_empty() {
            return None;
        }
        token = format!("{its_key}={}", left.join(","));
    }
    Some(token)
}
