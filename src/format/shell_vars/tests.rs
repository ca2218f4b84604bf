//! Provenance, spans, environments, and texts made to hurt.

use super::oracle::{Case, say};
use super::{Dialect, Environment, File, Kind, Quote, Span, Variable, evaluate, parse};

const LINUX: &str = "GRUB_CMDLINE_LINUX";

fn sources<'t>(texts: &[(&'t str, &'t str)]) -> Vec<File<'t>> {
    texts.iter().map(|(path, text)| File { path, text: text.as_bytes() }).collect()
}

#[test]
fn every_token_names_the_line_it_came_from() {
    let files = sources(&[
        ("grub", "# x\nGRUB_CMDLINE_LINUX=\"quiet iommu\"\n"),
        ("50.cfg", "GRUB_X=hi\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX=pt ${GRUB_X} b=\\\n1\"\n"),
    ]);
    let evaluation = evaluate(&files, Environment::grub(), Dialect::Unknown);
    let Variable::Known(known) = evaluation.variable(LINUX) else { panic!("{evaluation:?}") };
    let tokens: Vec<String> = known
        .tokens()
        .map(|token| {
            let from: Vec<String> = token.from.iter().map(ToString::to_string).collect();
            format!("{} {}", token.bytes.escape_ascii(), from.join(" "))
        })
        .collect();
    assert_eq!(tokens, ["quiet grub:2", "iommu=pt grub:2 50.cfg:2", "hi 50.cfg:1", "b=1 50.cfg:2"]);
}

#[test]
fn every_byte_of_a_value_is_found_where_it_is_written() {
    let texts = [
        "GRUB_X='h i'\nGRUB_CMDLINE_LINUX=\"quiet \\\"a\"' b'\n",
        "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX c\\\nd ${GRUB_X}\"\n",
    ];
    let files = sources(&[("grub", texts[0]), ("50.cfg", texts[1])]);
    let evaluation = evaluate(&files, Environment::grub(), Dialect::Unknown);
    let Variable::Known(known) = evaluation.variable(LINUX) else { panic!("{evaluation:?}") };
    assert_eq!(known.value.text(), Some("quiet \"a b cd h i"));
    for start in 0..known.value.bytes().len() {
        for end in start..=known.value.bytes().len() {
            let mut text = Vec::new();
            for (place, span) in known.written(start..end).into_iter().flatten() {
                let file = files.iter().find(|file| file.path == place.path).unwrap();
                text.extend_from_slice(span.of(file.text));
            }
            assert_eq!(text, known.value.bytes()[start..end], "{start}..{end}");
        }
    }
}

#[test]
fn an_assignment_knows_what_overrode_it() {
    let files = sources(&[
        ("grub", "GRUB_CMDLINE_LINUX=a\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX b\"\n"),
        ("50", "GRUB_KEEP=$GRUB_CMDLINE_LINUX; GRUB_CMDLINE_LINUX=\"$(date)\"\n"),
        ("60", "\nGRUB_CMDLINE_LINUX=\"c\"\n"),
        ("70", "[ a ] || GRUB_CMDLINE_LINUX=\"d\"\nGRUB_CMDLINE_LINUX=\"$GRUB_KEEP e\"\n"),
    ]);
    let evaluation = evaluate(&files, Environment::grub(), Dialect::Unknown);
    let Variable::Known(known) = evaluation.variable(LINUX) else { panic!("{evaluation:?}") };
    assert_eq!(known.value.text(), Some("a b e"));
    let shown: Vec<String> = known
        .assignments
        .iter()
        .map(|one| {
            let value = one.value.and_then(|value| value.text()).unwrap_or("?");
            let by = one.overridden_by.map_or("-".to_owned(), |place| place.to_string());
            format!("{} {value:?} {by}", one.place.unwrap())
        })
        .collect();
    let expected = [
        "grub:1 \"a\" 50:1",
        "grub:2 \"a b\" 50:1",
        "50:1 \"?\" 60:2",
        "60:2 \"c\" -",
        "70:1 \"?\" -",
        "70:2 \"a b e\" -",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_doubt_names_the_line_to_blame() {
    let files = sources(&[
        ("grub", "A=1\nGRUB_X=`date`\n\nGRUB_CMDLINE_LINUX=\"$GRUB_X\"\n"),
        ("50", "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX c\"\n"),
    ]);
    let evaluation = evaluate(&files, Environment::grub(), Dialect::Unknown);
    let Variable::NotDecidable(doubt) = evaluation.variable(LINUX) else {
        panic!("{evaluation:?}")
    };
    assert_eq!(doubt.place.unwrap().to_string(), "grub:2");
    assert_eq!(doubt.why, "a command substitution");
    let Variable::NotDecidable(doubt) = evaluation.variable("HOME") else { panic!() };
    assert_eq!((doubt.place, doubt.why.as_ref()), (None, "`HOME` comes from outside these files"));

    let aborting = sources(&[("grub", "A=1\n\nGRUB_X=quiet splash\n")]);
    let evaluation = evaluate(&aborting, Environment::grub(), Dialect::Unknown);
    let Variable::Aborts(doubt) = evaluation.variable(LINUX) else { panic!("{evaluation:?}") };
    assert_eq!(doubt.place.unwrap().to_string(), "grub:3");
    assert_eq!(doubt.why, "`splash` stands where a command is expected");
}

#[test]
fn variables_that_grub_mkconfig_computes_come_from_outside() {
    let evaluation = evaluate(&[], Environment::grub(), Dialect::Dash);
    assert!(matches!(evaluation.variable("GRUB_DEVICE_UUID"), Variable::NotDecidable(_)));
    assert!(matches!(evaluation.variable("grub_probe"), Variable::NotDecidable(_)));
    assert_eq!(evaluation.variable(LINUX), Variable::Unset);
}

#[test]
fn a_preset_variable_can_be_added_to() {
    let files = sources(&[("grub", "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX b\"")]);
    let environment = Environment::grub().with(LINUX, b"a");
    let evaluation = evaluate(&files, environment, Dialect::Dash);
    let Variable::Known(known) = evaluation.variable(LINUX) else { panic!("{evaluation:?}") };
    assert_eq!(known.value.text(), Some("a b"));
    assert_eq!(known.tokens().map(|token| token.from.len()).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn os_release_is_read() {
    let text = "NAME=\"Some Linux\"\nID=some\nID_LIKE='a b'\nVERSION_ID=\"24.04\"\nHOME_URL=\"https://x/?a=b&c\"\n";
    let evaluation =
        evaluate(&sources(&[("os-release", text)]), Environment::empty(), Dialect::Unknown);
    let value = |name| match evaluation.variable(name) {
        Variable::Known(known) => known.value.text().map(str::to_owned),
        _ => None,
    };
    assert_eq!(value("ID").as_deref(), Some("some"));
    assert_eq!(value("ID_LIKE").as_deref(), Some("a b"));
    assert_eq!(value("HOME_URL").as_deref(), Some("https://x/?a=b&c"));
    assert_eq!(evaluation.variable("VARIANT"), Variable::Unset);
}

#[test]
fn spans_are_exact_enough_to_edit_by() {
    let text = b"  export A=1  B=\"x \\\"y\\\" ${C:-z}\"'' # c\n";
    let script = parse(text);
    let [statement] = script.statements.as_slice() else { panic!("{script:?}") };
    assert_eq!(statement.span.of(text), b"export A=1  B=\"x \\\"y\\\" ${C:-z}\"''");
    let Kind::Assignments { exported: true, list } = &statement.kind else { panic!("{script:?}") };
    assert_eq!(list[1].span.of(text), b"B=\"x \\\"y\\\" ${C:-z}\"''");
    assert_eq!(list[1].value.span.of(text), b"\"x \\\"y\\\" ${C:-z}\"''");
    let parts: Vec<(&[u8], Quote)> =
        list[1].value.parts.iter().map(|part| (part.span.of(text), part.quote)).collect();
    let expected: [(&[u8], Quote); 6] = [
        (b"x ", Quote::Double),
        (b"\"", Quote::Double),
        (b"y", Quote::Double),
        (b"\"", Quote::Double),
        (b" ", Quote::Double),
        (b"${C:-z}", Quote::Double),
    ];
    assert_eq!(parts[..6], expected);
    assert_eq!(parts[6], (b"".as_slice(), Quote::Single));
    assert_eq!(Span { start: 90, end: 99 }.of(text), b"");
}

/// A mebibyte of the worst there is; a quadratic parser would take hours.
#[test]
fn a_large_hostile_text_is_soon_done_with() {
    let grow = "GRUB_A=\"$GRUB_A$GRUB_A x\"\n";
    let append = "GRUB_A=\"$GRUB_A x\"\n";
    let long = format!("GRUB_A={}\n{}", "x".repeat(100_000), "GRUB_B=$GRUB_A\n".repeat(50_000));
    let texts: Vec<String> = vec![
        "${".repeat(1 << 19),
        "\"".repeat(1 << 20),
        "GRUB_A=\"".to_owned() + &"${GRUB_B:-".repeat(1 << 16),
        "GRUB_A=".to_owned() + &"\"\"".repeat(1 << 19),
        "A=1 ".repeat(1 << 18),
        "`".repeat(1 << 20),
        "$(".repeat(1 << 19),
        "if ".repeat(1 << 18),
        "( ".repeat(1 << 19),
        "{ ".repeat(1 << 19),
        "! ".repeat(1 << 19),
        "f() ".repeat(1 << 18),
        "a && ".repeat(1 << 18),
        "\\\n".repeat(1 << 19),
        "<<A ".repeat(1 << 18),
        "cat <<A <<B\n".repeat(1 << 16),
        "$'a".repeat(1 << 18),
        "case a in ".repeat(1 << 16),
        "A=${A%".repeat(1 << 17),
        "A".repeat(1 << 20),
        "1".repeat(1 << 20) + "<",
        "#".repeat(1 << 20),
        ";\n".repeat(1 << 19),
        grow.repeat(1 << 15),
        append.repeat(1 << 15),
        long,
    ];
    for text in &texts {
        let case: Case = vec![text.as_bytes().to_vec()];
        say(&case, &["GRUB_A", "GRUB_B"], Dialect::Unknown);
    }
}
