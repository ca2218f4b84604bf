//! `/etc/default/grub` and what is sourced after it: positions lie in the text, in order and within each
//! other, a file without assignments changes nothing, and what is told of an unknown shell holds for both.
#![no_main]

use ccgpu_node::format::shell_vars::{
    Dialect, Environment, Evaluation, File, Kind, Part, PartKind, Span, Variable, Word, evaluate,
    parse,
};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 6] =
    ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT", "GRUB_X", "GRUB_Y", "A", "B"];

fuzz_target!(|text: &[u8]| {
    positions(text);
    let (one, two) = text.split_at(text.len() / 2);
    for dialect in [Dialect::Dash, Dialect::Bash, Dialect::Unknown] {
        let whole = [File { path: "/etc/default/grub", text }];
        let halves = [
            File { path: "/etc/default/grub", text: one },
            File { path: "/etc/default/grub.d/x.cfg", text: two },
        ];
        let told = evaluate(&whole, Environment::grub(), dialect);
        answers(&told, text);
        let empty = evaluate(
            &[whole[0], File { path: "/empty", text: b"# nothing\n" }],
            Environment::grub(),
            dialect,
        );
        for name in NAMES {
            known(&told, &empty, name);
        }
        let _ = evaluate(&halves, Environment::empty().with("A", b"x"), dialect).variable("GRUB_X");
    }
    // Where the shell is not known, only what both of them say is told.
    let files = [File { path: "/etc/default/grub", text }];
    let each = [Dialect::Unknown, Dialect::Dash, Dialect::Bash]
        .map(|dialect| evaluate(&files, Environment::grub(), dialect));
    for name in NAMES {
        if let Variable::Known(known) = each[0].variable(name) {
            for shell in &each[1..] {
                let Variable::Known(same) = shell.variable(name) else {
                    panic!("{name} is told for no shell, and not for one of them");
                };
                assert_eq!(known.value.bytes(), same.value.bytes(), "{name}");
            }
        }
    }
});

fn known(told: &Evaluation<'_>, empty: &Evaluation<'_>, name: &str) {
    if let (Variable::Known(one), Variable::Known(two)) =
        (told.variable(name), empty.variable(name))
    {
        assert_eq!(one.value.bytes(), two.value.bytes(), "{name}");
    }
}

fn answers(evaluation: &Evaluation<'_>, text: &[u8]) {
    let lines = text.split(|byte| *byte == b'\n').count();
    for name in NAMES {
        match evaluation.variable(name) {
            Variable::Known(known) => {
                assert!(!known.assignments.is_empty());
                for token in known.tokens() {
                    assert!(!token.bytes.is_empty());
                    assert!(
                        token.from.iter().all(|place| (1..=lines).contains(&(place.line as usize)))
                    );
                }
            }
            Variable::Unset => {}
            Variable::NotDecidable(doubt) | Variable::Aborts(doubt) => {
                assert!(!doubt.why.is_empty());
                let line = doubt.place.map_or(1, |place| place.line as usize);
                assert!((1..=lines).contains(&line), "{doubt:?}");
            }
        }
        for assigned in evaluation.assignments(name) {
            assert!(assigned.word.is_none_or(|word| word.end <= text.len()));
        }
    }
}

fn positions(text: &[u8]) {
    let script = parse(text);
    let lines = text.split(|byte| *byte == b'\n').count();
    let mut end = 0;
    for statement in &script.statements {
        assert!(statement.span.start >= end, "{statement:?}");
        end = statement.span.end;
        assert!(statement.span.start <= end && end <= text.len(), "{statement:?}");
        assert!((1..=lines).contains(&(statement.line as usize)), "{statement:?}");
        if let Kind::Assignments { list, .. } = &statement.kind {
            let mut place = statement.span.start;
            for assignment in list {
                let written = assignment.span.of(text);
                assert!(inside(assignment.span, statement.span) && assignment.span.start >= place);
                place = assignment.span.end;
                assert!(written.starts_with(assignment.name.as_bytes()), "{assignment:?}");
                assert!(
                    (statement.line..=lines as u32).contains(&assignment.line),
                    "{assignment:?}"
                );
                word(&assignment.value, assignment.span);
            }
        }
    }
}

fn word(word: &Word<'_>, around: Span) {
    assert!(inside(word.span, around), "{word:?}");
    parts(&word.parts, word.span);
}

fn parts(all: &[Part<'_>], around: Span) {
    let mut place = around.start;
    for part in all {
        assert!(part.span.start >= place && inside(part.span, around), "{part:?}");
        place = part.span.end;
        if let PartKind::Expansion(expansion) = &part.kind {
            parts(&expansion.word, part.span);
        }
    }
}

fn inside(inner: Span, outer: Span) -> bool {
    outer.start <= inner.start && inner.start <= inner.end && inner.end <= outer.end
}
