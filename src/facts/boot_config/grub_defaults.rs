//! The arguments that `/etc/default/grub` and its drop-ins ask for, with the line that wrote each.

use crate::format::shell_vars::{
    Dialect, Doubt, Environment, Evaluation, File, Place, Variable, evaluate,
};
use crate::host::{Cause, Reading, Source};

use super::defaults::{Abort, Configured, ConfiguredToken, DEFAULTS, Overridden};

/// In the order of the final line, so that the last word on a parameter is the kernel's last word.
const VARIABLES: [&str; 2] = ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"];

/// What these files, sourced in this order, ask for.
pub(super) fn configured(files: &[(String, Vec<u8>)], dialect: Dialect) -> Reading<Configured> {
    let files: Vec<File<'_>> =
        files.iter().map(|(path, text)| File { path, text: text.as_slice() }).collect();
    let evaluation = evaluate(&files, Environment::grub(), dialect);
    let mut configured = Configured::default();
    for name in VARIABLES {
        match evaluation.variable(name) {
            Variable::Known(known) => {
                configured.tokens.extend(known.tokens().map(|token| ConfiguredToken {
                    token: String::from_utf8_lossy(token.bytes).into_owned(),
                    source: token.from.first().map_or_else(|| Source::file(DEFAULTS), place),
                }));
            }
            Variable::Unset => {}
            Variable::NotDecidable(doubt) => {
                let what = match doubt.place {
                    Some(Place { path, .. }) if path != DEFAULTS => {
                        format!("{path}: {}", doubt.why)
                    }
                    _ => doubt.why.into_owned(),
                };
                let line = doubt.place.map(|place| place.line);
                return Reading::Unreadable(Cause::NotDecidable { line, what });
            }
            Variable::Aborts(doubt) => {
                configured.aborts = Some(abort(doubt));
                break;
            }
        }
    }
    add_overridden(&mut configured, &evaluation);
    Reading::Known(configured)
}

/// Tokens of assignments that a later one replaced, as far as nothing wrote them again.
fn add_overridden(configured: &mut Configured, evaluation: &Evaluation<'_>) {
    for name in VARIABLES {
        for assigned in evaluation.assignments(name) {
            let (Some(at), Some(by), Some(value)) =
                (assigned.place, assigned.overridden_by, assigned.value)
            else {
                continue;
            };
            let text = String::from_utf8_lossy(value.bytes());
            for token in text.split_ascii_whitespace() {
                let (source, by) = (place(&at), place(&by));
                let known = |it: &Overridden| it.token == token && it.source == source;
                let kept = configured.tokens.iter().any(|it| it.token == token);
                if !kept && !configured.overridden.iter().any(known) {
                    let token = token.to_owned();
                    configured.overridden.push(Overridden { token, source, by });
                }
            }
        }
    }
}

fn place(place: &Place<'_>) -> Source {
    Source::line(place.path, place.line)
}

fn abort(doubt: Doubt<'_>) -> Abort {
    let at = doubt.place.as_ref().map_or_else(|| Source::file(DEFAULTS), place);
    Abort { at, why: doubt.why.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Reading<Configured> {
        let files: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect();
        configured(&files, Dialect::Dash)
    }

    const DROP_IN: &str = "/etc/default/grub.d/50-cloudimg-settings.cfg";

    #[test]
    fn a_drop_in_that_assigns_anew_overrides_what_stood_there() {
        let text =
            "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on\"\nGRUB_CMDLINE_LINUX=\"a=1\"\n";
        let drop_in = "# cloud\nGRUB_CMDLINE_LINUX_DEFAULT=\"console=ttyS0 quiet\"\n";
        let configured = of(&[(DEFAULTS, text), (DROP_IN, drop_in)]).into_known().unwrap();
        let tokens: Vec<_> =
            configured.tokens.iter().map(|it| format!("{} {}", it.token, it.source)).collect();
        assert_eq!(
            tokens,
            [
                "a=1 /etc/default/grub:2".to_owned(),
                format!("console=ttyS0 {DROP_IN}:2"),
                format!("quiet {DROP_IN}:2")
            ]
        );
        let [overridden] = configured.overridden.as_slice() else {
            panic!("{:?}", configured.overridden)
        };
        assert_eq!(overridden.token, "intel_iommu=on");
        assert_eq!(overridden.source.to_string(), "/etc/default/grub:1");
        assert_eq!(overridden.by.to_string(), format!("{DROP_IN}:2"));
    }

    #[test]
    fn a_drop_in_that_appends_overrides_nothing() {
        let text = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n";
        let drop_in = "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT intel_iommu=on\"\n";
        let configured = of(&[(DEFAULTS, text), (DROP_IN, drop_in)]).into_known().unwrap();
        let sources: Vec<_> = configured.tokens.iter().map(|it| it.source.to_string()).collect();
        assert_eq!(sources, ["/etc/default/grub:1".to_owned(), format!("{DROP_IN}:1")]);
        assert_eq!(configured.overridden, []);
    }

    #[test]
    fn what_stops_the_shell_is_named_by_its_line() {
        let configured = of(&[(DEFAULTS, "A=1\nGRUB_CMDLINE_LINUX_DEFAULT=quiet splash\n")]);
        let abort = configured.into_known().unwrap().aborts.unwrap();
        assert_eq!(abort.at.to_string(), "/etc/default/grub:2");
    }

    #[test]
    fn a_value_that_a_program_computes_is_not_decidable() {
        let computed = of(&[(DEFAULTS, "GRUB_CMDLINE_LINUX=\"$(cat /x) quiet\"\n")]);
        assert!(matches!(computed, Reading::Unreadable(Cause::NotDecidable { line: Some(1), .. })));
        let other =
            of(&[(DEFAULTS, "GRUB_DISTRIBUTOR=`lsb_release -is`\nGRUB_CMDLINE_LINUX=quiet\n")]);
        assert!(other.known().is_some_and(|configured| configured.tokens.len() == 1));
    }
}
