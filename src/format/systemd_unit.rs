//! systemd's unit files, environment files and command lines, with systemd's own quoting.
//!
//! Not a shell's: `$WORD` alone is split into words, `${WORD}` is not, and nothing else is expanded.
//! Specifiers other than `%%` stay as they are, since their values are known to systemd only.

use std::collections::BTreeMap;

/// One assignment of a unit file. The value is as written, lines joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub section: String,
    pub key: String,
    pub value: String,
    /// Where the assignment begins, counting from 1.
    pub line: u32,
}

/// A command with its variables expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The path of the program, without the marks that may stand before it.
    pub program: String,
    /// What follows the program's name.
    pub arguments: Vec<String>,
}

/// The assignments of a unit file or of one of its drop-ins, in order.
pub fn settings(text: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut section = String::new();
    for (line, text) in logical_lines(text) {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = text.split_once('=') {
            settings.push(Setting {
                section: section.clone(),
                key: key.trim_end().to_owned(),
                value: value.trim_start().to_owned(),
                line,
            });
        }
    }
    settings
}

/// Lines with what a backslash at the end joins, comments left out, also those between joined lines.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let (body, continues) = match line.strip_suffix('\\') {
            Some(body) => (body, true),
            None => (line, false),
        };
        let (_, whole) = open.get_or_insert_with(|| (number, String::new()));
        whole.push_str(body);
        if continues {
            whole.push(' ');
        } else {
            lines.extend(open.take());
        }
    }
    lines.extend(open);
    lines
}

/// Splits at blanks outside quotes, and removes quotes and escapes. `None` where a quote does not end or
/// an escape is unknown; systemd ignores such an assignment.
pub fn words(text: &str) -> Option<Vec<String>> {
    split(text, Escapes::Strict)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// As in unit files.
    Strict,
    /// As in the values of variables: a backslash takes the next character as it is.
    Plain,
}

fn split(text: &str, escapes: Escapes) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', _) => {
                let word = word.get_or_insert_default();
                match escapes {
                    Escapes::Strict => word.push(unescape(&mut rest)?),
                    Escapes::Plain => word.extend(rest.next()),
                }
            }
            (c, Some(end)) if c == end => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '\t' | '\n' | '\r', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() && escapes == Escapes::Strict {
        return None;
    }
    words.extend(word);
    Some(words)
}

fn unescape(rest: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        's' => ' ',
        't' => '\t',
        'v' => '\u{b}',
        c @ ('\\' | '"' | '\'') => c,
        'x' => code(rest, 0, 2, 16)?,
        'u' => code(rest, 0, 4, 16)?,
        'U' => code(rest, 0, 8, 16)?,
        c => code(rest, c.to_digit(8)?, 2, 8)?,
    })
}

fn code(rest: &mut std::str::Chars<'_>, first: u32, digits: usize, base: u32) -> Option<char> {
    let mut value = first;
    for _ in 0..digits {
        value = value.checked_mul(base)?.checked_add(rest.next()?.to_digit(base)?)?;
    }
    char::from_u32(value).filter(|c| *c != '\0')
}

/// The variables of an `Environment=` value; items without `=` are ignored, as systemd does.
pub fn environment(value: &str) -> Vec<(String, String)> {
    words(value)
        .unwrap_or_default()
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.replace("%%", "%")))
        .collect()
}

/// The variables of an environment file, in order.
pub fn environment_file(text: &str) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.peek() {
        if first.is_whitespace() {
            rest.next();
        } else if matches!(first, '#' | ';') {
            // A backslash continues even a comment.
            while let Some(c) = rest.next() {
                match c {
                    '\\' => drop(rest.next()),
                    '\n' => break,
                    _ => {}
                }
            }
        } else {
            let mut name = String::new();
            let mut assigned = false;
            for c in rest.by_ref() {
                match c {
                    '=' => {
                        assigned = true;
                        break;
                    }
                    '\n' => break,
                    c => name.push(c),
                }
            }
            if assigned {
                variables.push((name.trim_end().to_owned(), file_value(&mut rest)));
            }
        }
    }
    variables
}

/// The value after `=`, to the end of its line. Quotes count only at its start or after others.
fn file_value(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut value = String::new();
    // Blanks at the end of an unquoted value do not count.
    let mut kept = 0;
    let mut unquoted = false;
    while let Some(c) = rest.next() {
        match c {
            '\n' => break,
            '\\' => {
                unquoted = true;
                match rest.next() {
                    Some('\n') | None => {}
                    Some(c) => {
                        value.push(c);
                        kept = value.len();
                    }
                }
            }
            '\'' | '"' if !unquoted => {
                quoted_value(rest, c, &mut value);
                kept = value.len();
            }
            c if c.is_whitespace() && !unquoted => {}
            c => {
                unquoted = true;
                value.push(c);
                if !c.is_whitespace() {
                    kept = value.len();
                }
            }
        }
    }
    value.truncate(kept);
    value
}

fn quoted_value(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    quote: char,
    value: &mut String,
) {
    while let Some(c) = rest.next() {
        match c {
            c if c == quote => return,
            '\\' if quote == '"' => match rest.next() {
                Some('\n') | None => {}
                Some(c @ ('"' | '\\' | '`' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
}

/// The command of an `ExecStart=` value. `None` where systemd would refuse it.
pub fn command(value: &str, environment: &BTreeMap<String, String>) -> Option<Command> {
    let mut words = words(value)?.into_iter();
    let first = words.next()?;
    let program = first.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let marks = &first[..first.len() - program.len()];
    if program.is_empty() {
        return None;
    }
    if marks.contains('@') {
        // The name that the program is told to have.
        words.next();
    }
    let mut arguments = Vec::new();
    for word in words {
        let word = word.replace("%%", "%");
        if marks.contains(':') {
            arguments.push(word);
        } else {
            expand(&word, environment, &mut arguments);
        }
    }
    Some(Command { program: program.replace("%%", "%"), arguments })
}

fn expand(word: &str, environment: &BTreeMap<String, String>, arguments: &mut Vec<String>) {
    match word.strip_prefix('$') {
        Some(name) if !name.is_empty() && !name.starts_with(['{', '$']) => {
            if let Some(value) = environment.get(name) {
                arguments.extend(split(value, Escapes::Plain).unwrap_or_default());
            }
        }
        _ => arguments.push(expand_inside(word, environment)),
    }
}

/// Replaces `${NAME}` by its value, nothing where it has none, and `$$` by `$`.
fn expand_inside(word: &str, environment: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) =
            after.strip_prefix('{').and_then(|after| after.split_once('}'))
        {
            expanded.push_str(environment.get(name).map_or("", String::as_str));
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn assignments_have_section_and_line() {
        let text = "# kubelet\n[Unit]\nAfter = a b\n\n[Service]\nExecStart=/bin/a \\\n  # between\n  \
                    --b \\\n  --c\n;x=1\nEnvironment=\nnonsense\n";
        let settings: Vec<_> = settings(text)
            .into_iter()
            .map(|own| (own.section, own.key, own.value, own.line))
            .collect();
        let expected = [
            ("Unit", "After", "a b", 3),
            ("Service", "ExecStart", "/bin/a    --b    --c", 6),
            ("Service", "Environment", "", 11),
        ];
        let expected = expected.map(|(section, key, value, line)| {
            (section.to_owned(), key.to_owned(), value.to_owned(), line)
        });
        assert_eq!(settings, expected);
    }

    #[test]
    fn words_are_split_as_systemd_splits_them() {
        for (text, expected) in [
            ("a  b\tc", vec!["a", "b", "c"]),
            (r#""a b" 'c d'"#, vec!["a b", "c d"]),
            (r#"--a="b c"d"#, vec!["--a=b cd"]),
            (r#""" x"#, vec!["", "x"]),
            (r"a\x20b \101 \u00e9 \s", vec!["a b", "A", "\u{e9}", " "]),
            (r#""it's""#, vec!["it's"]),
            ("", vec![]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        for text in [r#""a"#, "'", r"a\q", r"\x0", "a\\", r"\000"] {
            assert_eq!(words(text), None, "{text}");
        }
    }

    #[test]
    fn environment_files_are_read_as_systemd_reads_them() {
        let text = "# c\\\nstill=comment\nA=1\n B = two words  \nC=\"x y\" 'z'\nD='a\\b'\nE=\"q\\\"\\$\\n\"\n\
                    F=a\\\nb\nG=\n;H=1\nexport I=2\nJ=it's\nnonsense\nK=\"over\nlines\"\n";
        let variables = environment_file(text);
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "x yz"),
            ("D", "a\\b"),
            ("E", "q\"$\\n"),
            ("F", "ab"),
            ("G", ""),
            ("export I", "2"),
            ("J", "it's"),
            ("K", "over\nlines"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables, expected);
    }

    #[test]
    fn a_command_is_expanded_as_systemd_expands_it() {
        let environment: BTreeMap<String, String> =
            [("ARGS", "--config=/a  --x='y z'"), ("ONE", "a b"), ("EMPTY", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        for (value, program, arguments) in [
            (
                "/usr/bin/kubelet $ARGS $EMPTY $NONE",
                "/usr/bin/kubelet",
                vec!["--config=/a", "--x=y z"],
            ),
            ("-/k ${ONE} --a=${ONE} --b=${NONE}", "/k", vec!["a b", "--a=a b", "--b="]),
            ("@/bin/k name --a $$HOME a$ONE", "/bin/k", vec!["--a", "$HOME", "a$ONE"]),
            (":/bin/k $ONE", "/bin/k", vec!["$ONE"]),
            ("+/bin/k 100%% $", "/bin/k", vec!["100%", "$"]),
        ] {
            let command = command(value, &environment).unwrap();
            assert_eq!(command.program, program);
            assert_eq!(command.arguments, arguments, "{value}");
        }
        assert_eq!(command("", &environment), None);
        assert_eq!(command("/bin/k \"open", &environment), None);
    }

    #[test]
    fn an_environment_line_may_hold_several() {
        assert_eq!(
            environment(r#""A=--x --y" B=2 novalue 'C=50%%'"#),
            [("A", "--x --y"), ("B", "2"), ("C", "50%")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-a-c=$ {}\\\\\"'#;%@\n\t\\[\\]é0-7xuU]{0,60}") {
            let _ = settings(&text);
            let _ = environment(&text);
            let _ = environment_file(&text);
            let _ = command(&text, &BTreeMap::new());
        }
    }
}
