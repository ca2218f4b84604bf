//! The real shells, asked the same question; and random texts put to both.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::{Dialect, Environment, File, Variable, evaluate};

/// A shell of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shell {
    pub program: &'static str,
    pub arguments: &'static [&'static str],
    pub dialect: Dialect,
}

pub(crate) const SHELLS: &[Shell] = &[
    Shell { program: "dash", arguments: &[], dialect: Dialect::Dash },
    Shell { program: "bash", arguments: &[], dialect: Dialect::Bash },
    Shell { program: "bash", arguments: &["--posix"], dialect: Dialect::Bash },
];

/// What became of a variable; the reasons are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Is(Vec<u8>),
    Unset,
    NotDecidable,
    Aborts,
}

/// The files of one case, in the order of sourcing.
pub(crate) type Case = Vec<Vec<u8>>;

/// The variables' values, none where unset; or none, where the shell stops.
pub(crate) type Outcome = Option<Vec<Option<Vec<u8>>>>;

/// What the shell makes of each case. `None` where this machine lacks the shell.
pub(crate) fn ask(
    shell: Shell,
    cases: &[Case],
    names: &[&str],
    path: &str,
) -> Option<Vec<Outcome>> {
    let folder = tempfile::tempdir().unwrap();
    // Set here, because the program itself is looked for on the path given to it.
    let mut script = format!("PATH={path}\n");
    for (number, files) in cases.iter().enumerate() {
        script.push_str("( set -e\n");
        for (place, text) in files.iter().enumerate() {
            let name = format!("case{number}.{place}");
            write(&folder.path().join(&name), text);
            writeln!(script, ". ./{name}").unwrap();
        }
        // `printf` is built in. The NUL in front keeps apart what the files themselves print.
        for name in names {
            writeln!(script, "printf '\\000%s\\000' \"${{{name}+=}}${{{name}--}}\"").unwrap();
        }
        script.push_str(")\nprintf '\\000end%s\\000' \"$?\"\n");
    }
    write(&folder.path().join("all"), script.as_bytes());
    #[expect(clippy::disallowed_methods, reason = "the oracle is the real shell")]
    let command = Command::new(shell.program)
        .args(shell.arguments)
        .arg("./all")
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(output) = command else {
        println!("left out: no {} here", shell.program);
        return None;
    };
    let mut answers = Vec::new();
    let mut values = Vec::new();
    for field in output.stdout.split(|byte| *byte == 0) {
        match field {
            [b'e', b'n', b'd', status @ ..] => {
                let values = std::mem::take(&mut values);
                answers.push((status == b"0" && values.len() == names.len()).then_some(values));
            }
            [b'=', value @ ..] => values.push(Some(value.to_vec())),
            b"-" => values.push(None),
            _ => {}
        }
    }
    assert_eq!(answers.len(), cases.len(), "the shell itself stopped early");
    Some(answers)
}

#[expect(clippy::disallowed_methods, reason = "texts for the oracle, in a folder of their own")]
fn write(path: &Path, bytes: &[u8]) {
    std::fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

/// What this parser says of one case.
pub(super) fn say(case: &Case, names: &[&str], dialect: Dialect) -> Vec<Answer> {
    let files: Vec<File> = case.iter().map(|text| File { path: "f", text }).collect();
    let evaluation = evaluate(&files, Environment::grub(), dialect);
    names
        .iter()
        .map(|name| match evaluation.variable(name) {
            Variable::Known(known) => Answer::Is(known.value.bytes().to_vec()),
            Variable::Unset => Answer::Unset,
            Variable::NotDecidable(_) => Answer::NotDecidable,
            Variable::Aborts(_) => Answer::Aborts,
        })
        .collect()
}

/// The promise: what is said to be known is what the shell computes, and only a shell that stops is said
/// to stop. A child process that fails is not counted, so where one runs the shell may stop all the same.
pub(super) fn contradiction(
    case: &Case,
    shell: Option<&[Option<Vec<u8>>]>,
    said: &[Answer],
) -> Option<String> {
    let runs_children = case.iter().flatten().any(|byte| b"`(<>".contains(byte));
    for (place, answer) in said.iter().enumerate() {
        let is_right = match (answer, shell.map(|values| &values[place])) {
            (Answer::NotDecidable, _) | (Answer::Aborts, None) => true,
            (Answer::Aborts, Some(_)) => false,
            (Answer::Is(_) | Answer::Unset, None) => runs_children,
            (Answer::Is(value), Some(real)) => real.as_ref() == Some(value),
            (Answer::Unset, Some(real)) => real.is_none(),
        };
        if !is_right {
            let shown: Vec<String> = case.iter().map(|f| f.escape_ascii().to_string()).collect();
            return Some(format!("{shown:#?}\nvariable {place}: said {said:?}\nshell: {shell:?}"));
        }
    }
    None
}

const NAMES: &[&str] = &["GRUB_A", "GRUB_B", "GRUB_C"];

/// Cases put to a shell at once, because starting it is what takes the time.
struct Batch(Vec<Case>);

impl std::fmt::Debug for Batch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} cases; the failure shows the one", self.0.len())
    }
}

/// Puts a batch to every shell, and to this parser with and without knowing which shell.
fn agree(Batch(cases): &Batch) -> Result<(), TestCaseError> {
    for shell in SHELLS {
        // Nothing can be run: no program is on this path.
        let Some(answers) = ask(*shell, cases, NAMES, "/nonexistent") else { continue };
        for (case, answer) in cases.iter().zip(&answers) {
            for dialect in [shell.dialect, Dialect::Unknown] {
                let said = say(case, NAMES, dialect);
                if let Some(why) = contradiction(case, answer.as_deref(), &said) {
                    return Err(TestCaseError::fail(format!("{shell:?} {dialect:?} {why}")));
                }
            }
        }
    }
    Ok(())
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(NAMES).prop_map(str::to_owned), 1 => "[a-c]"]
}

/// Text that holds nothing special outside quotes.
fn plain() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-c=.,:/_0-9-]{0,6}",
        2 => "[äЁ€\u{1}\u{7f}\u{a0}\u{3000}*?!%@+^\\[\\]]{1,3}",
        1 => Just("#x".to_owned()),
    ]
}

fn expansion() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-c =.]{0,4}",
        2 => name().prop_map(|name| format!("${name} ")),
        2 => name().prop_map(|name| format!("${{{name}}} ")),
        2 => name().prop_map(|name| format!("${{{name}:+${name} }}")),
        1 => "[a-c \\\\$#~'\"{}()\n]{0,4}",
    ];
    let operator = prop_oneof![
        8 => prop::sample::select(vec![":-", "-", ":+", "+"]),
        1 => prop::sample::select(vec!["=", ":=", "?", "%", "##", ":", "/", "^", "["]),
    ];
    prop_oneof![
        3 => name().prop_map(|name| format!("${name}")),
        3 => name().prop_map(|name| format!("${{{name}}}")),
        3 => (name(), operator, word).prop_map(|(n, o, w)| format!("${{{n}{o}{w}}}")),
    ]
}

fn piece() -> impl Strategy<Value = String> {
    let quoted = prop_oneof![
        5 => "[a-c =.;#|&()<>*~\t']{0,8}",
        2 => "\\\\[\"$`\\\\a-c']",
        1 => Just("\\\n".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just("äЁ".to_owned()),
        4 => expansion(),
    ];
    prop_oneof![
        4 => plain(),
        3 => prop::collection::vec(quoted, 0..4).prop_map(|p| format!("\"{}\"", p.concat())),
        2 => "'[a-c =.;#|&()<>\"$`\\\\\n\t]{0,8}'",
        2 => expansion(),
        1 => "\\\\[a-c \"'$`\\\\#;\t\r\n~*]",
        1 => "[$][\"'a-c0@]?[a-c]?[\"']?",
    ]
}

fn statement() -> impl Strategy<Value = String> {
    let value = || prop::collection::vec(piece(), 0..4).prop_map(|pieces| pieces.concat());
    let assignment =
        (name(), prop::sample::select(vec!["=", "=", "=", "=", "=", "=", "+="]), value())
            .prop_map(|(name, equals, value)| format!("{name}{equals}{value}"));
    prop_oneof![
        12 => assignment,
        3 => (name(), value(), name(), value()).prop_map(|(a, b, c, d)| format!("{a}={b} {c}={d}")),
        2 => (name(), value()).prop_map(|(a, b)| format!("export {a}={b}")),
        1 => (name(), value()).prop_map(|(a, b)| format!("{a} = {b}")),
        1 => (name(), value(), value()).prop_map(|(a, b, c)| format!("{a}={b} {c}")),
        1 => (name(), value()).prop_map(|(a, b)| format!("if [ a = b ]; then {a}={b}; fi")),
        1 => (name(), value()).prop_map(|(a, b)| format!("[ a = b ] && {a}={b}")),
        1 => (name(), value()).prop_map(|(a, b)| format!("case a in (b) {a}={b};; a|c) :; esac")),
        1 => (name(), value()).prop_map(|(a, b)| format!("f() {{ {a}={b}; }}")),
        1 => value().prop_map(|a| format!(": {a}")),
        1 => name().prop_map(|a| format!("unset {a}")),
        1 => value().prop_map(|a| format!(": <<-b\n{a}\n\tb")),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![
        8 => Just("\n"), 2 => Just("; "), 2 => Just(" # it's \"\n"), 1 => Just("\r\n"), 1 => Just("\t\\\n"),
        1 => Just(" # \\\n"), 1 => Just(" "), 1 => Just("\n\n"), 1 => Just(" & "), 1 => Just(" | "),
    ];
    let start =
        prop_oneof![12 => Just(""), 1 => Just("\u{feff}"), 1 => Just("\t"), 1 => Just("# \\\n")];
    let lines = prop::collection::vec((statement(), end), 1..6);
    let noise =
        prop::option::weighted(0.2, (any::<prop::sample::Index>(), prop::sample::select(NOISE)));
    (start, lines, noise).prop_map(|(start, lines, noise)| {
        let mut text = start.to_owned();
        for (statement, end) in lines {
            text.push_str(&statement);
            text.push_str(end);
        }
        let mut text = text.into_bytes();
        if let Some((place, byte)) = noise {
            text.insert(place.index(text.len()), byte);
        }
        text
    })
}

/// Bytes put in somewhere. None makes a program's name or a path.
const NOISE: &[u8] = b"\"'\\$`{}()#;&| \t\n\r=~*!\x00\x01\x7f\x81\x88\xc3\xff";

/// Syntax without sense, but so that no function is ever defined: it could call itself.
fn jumble() -> impl Strategy<Value = Vec<u8>> {
    "([a-b =\"'\\\\$`{}()#;&|\t\n\r+:!~-]|GRUB_[AB]=?|[$]GRUB_A){1,24}"
        .prop_map(|text| text.replace('(', "(a").into_bytes())
}

/// Never run.
const VOCABULARY: &[&str] = &[
    "if ", "then ", "elif ", "else ", "fi ", "for x ", "in ", "do ", "done ", "while ", "case ",
    "esac ", "{ ", "} ", "! ", "( ", ") ", "f() ", "cat ", "<<A", "<<-'A' ", "A\n", "\n", ";",
    ";;", "&", "&&", "||", "|", ">", "2>&1", "$(", "${", "}", "`", "\"", "'", "\\", "$", "#", " ",
    "GRUB_A=", "GRUB_A+=", "$GRUB_A", ":-", "export ", "unset ", ". ", "x ", "[ ", "] ", "é",
];

fn config(share: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    ProptestConfig { cases: (config.cases / share).max(1), ..config }
}

proptest! {
    #![proptest_config(config(6))]

    #[test]
    fn nothing_known_differs_from_the_shells(
        batch in prop::collection::vec(prop::collection::vec(text(), 1..3), 50).prop_map(Batch)
    ) {
        agree(&batch)?;
    }

    /// Single characters of the grammar in any order.
    #[test]
    fn no_jumble_of_syntax_makes_it_lie(
        batch in prop::collection::vec(jumble().prop_map(|text| vec![text]), 50).prop_map(Batch)
    ) {
        agree(&batch)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for dialect in [Dialect::Dash, Dialect::Bash, Dialect::Unknown] {
            say(&vec![bytes.clone()], NAMES, dialect);
        }
    }

    #[test]
    fn no_order_of_shell_words_makes_it_panic(
        words in prop::collection::vec(prop::sample::select(VOCABULARY), 0..40)
    ) {
        for dialect in [Dialect::Dash, Dialect::Bash, Dialect::Unknown] {
            say(&vec![words.concat().into_bytes()], NAMES, dialect);
        }
    }

    #[test]
    fn spans_lie_in_the_text_and_in_order(text in text()) {
        let script = super::parse(&text);
        let mut end = 0;
        for statement in &script.statements {
            prop_assert!(end <= statement.span.start && statement.span.start <= statement.span.end);
            end = statement.span.end;
            prop_assert!(end <= text.len());
            let super::Kind::Assignments { list, .. } = &statement.kind else { continue };
            let mut start = statement.span.start;
            for one in list {
                prop_assert!(start <= one.span.start && one.span.end <= end);
                let equals = if one.append { "+=" } else { "=" };
                let word = one.value.span.of(&text);
                let whole = [one.name.as_bytes(), equals.as_bytes(), word].concat();
                prop_assert_eq!(one.span.of(&text), whole.as_slice());
                prop_assert!(one.value.parts.is_sorted_by_key(|part| part.span.start));
                prop_assert!(one.value.parts.iter().all(|p| p.span.start >= one.value.span.start
                    && p.span.end <= one.value.span.end));
                start = one.span.end;
            }
        }
    }
}

/// Without this, a parser that knows nothing would pass.
#[test]
fn most_plain_texts_are_decided() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut decided = 0;
    for _ in 0..400 {
        let case = vec![text().new_tree(&mut runner).unwrap().current()];
        let said = say(&case, NAMES, Dialect::Dash);
        decided += usize::from(said.iter().any(|answer| *answer != Answer::NotDecidable));
    }
    assert!(decided > 200, "only {decided} of 400");
}
