//! Texts with the answers expected of them, checked here and against the real shells.

use super::Dialect;
use super::oracle::{Answer, Case, SHELLS, ask, contradiction, say};

const DEFAULT: &str = "GRUB_CMDLINE_LINUX_DEFAULT";
const LINUX: &str = "GRUB_CMDLINE_LINUX";

#[derive(Clone, Copy)]
pub(super) enum Expect {
    Is(&'static str),
    Unset,
    NotDecidable,
    Aborts,
}
use Expect::{Aborts, Is, NotDecidable, Unset};

impl Expect {
    fn answer(self) -> Answer {
        match self {
            Is(value) => Answer::Is(value.as_bytes().to_vec()),
            Unset => Answer::Unset,
            NotDecidable => Answer::NotDecidable,
            Aborts => Answer::Aborts,
        }
    }
}

/// What a row is about, its files, and the two variables after them in dash and in bash.
pub(super) type Row = (&'static str, &'static [&'static str], (Expect, Expect), (Expect, Expect));

/// A row whose answer does not depend on the shell: first the default arguments, then the others.
pub(super) const fn both(
    about: &'static str,
    files: &'static [&'static str],
    default: Expect,
    linux: Expect,
) -> Row {
    (about, files, (default, linux), (default, linux))
}

/// A row where dash stops and bash does what is not followed.
pub(super) const fn dash_stops(about: &'static str, files: &'static [&'static str]) -> Row {
    (about, files, (Aborts, Aborts), (NotDecidable, NotDecidable))
}

pub(super) fn check(rows: &[Row]) {
    let cases: Vec<Case> = rows
        .iter()
        .map(|(_, files, ..)| files.iter().map(|text| text.as_bytes().to_vec()).collect())
        .collect();
    let names = [DEFAULT, LINUX];
    for ((about, _, dash, bash), case) in rows.iter().zip(&cases) {
        for (dialect, expected) in [(Dialect::Dash, dash), (Dialect::Bash, bash)] {
            let expected = [expected.0.answer(), expected.1.answer()];
            assert_eq!(say(case, &names, dialect), expected, "{about}, {dialect:?}");
        }
        let (dash, bash) = (say(case, &names, Dialect::Dash), say(case, &names, Dialect::Bash));
        for ((dash, bash), either) in
            dash.iter().zip(&bash).zip(say(case, &names, Dialect::Unknown))
        {
            let expected = if dash == bash { dash } else { &Answer::NotDecidable };
            assert_eq!(either, *expected, "{about}, shell not known");
        }
    }
    for shell in SHELLS {
        let Some(answers) = ask(*shell, &cases, &names, "/usr/bin:/bin") else { continue };
        for ((about, ..), (case, answer)) in rows.iter().zip(cases.iter().zip(&answers)) {
            let said = say(case, &names, shell.dialect);
            let wrong = contradiction(case, answer.as_deref(), &said);
            assert_eq!(wrong, None, "{about}, {shell:?}");
        }
    }
}
