//! Own texts of every difficulty that real `/etc/default/grub` files were seen to have, each with an argument
//! added, one removed, and both. What becomes of them stands in `excerpts.txt`, a row per change.

use std::fmt::Write as _;

use super::table::{ADD, REMOVE, change, contradiction, dash, edited, host};
use super::{ArgumentChange, Defaults};
use crate::plan::FileChange;

/// What is hard, the main text, the drop-ins, and whether this host reads drop-ins.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], bool);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("a comment behind the value that holds quotes and arguments", "GRUB_CMDLINE_LINUX_DEFAULT=\"log=1 acpi='Some 10' iommu=pt s=2\" #video=x\" #intel_iommu=on iommu=pt\"\n", &[], true),
    ("escaped quotes with a blank between", "GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=pt quiet os=\\\"!Some 8\\\"\"\n", &[], true),
    ("single quotes, and another style below", "GRUB_CMDLINE_LINUX_DEFAULT='nowatchdog iommu=pt n.load=Y'\nGRUB_CMDLINE_LINUX=\"\"\n", &[], true),
    ("assigned twice, of which the last counts", "GRUB_CMDLINE_LINUX_DEFAULT=\"l=3 iommu=pt\"\n#\n\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt b=v\"\n", &[], true),
    ("a file that is sourced, and no newline at the end", "source quirks\nGRUB_CMDLINE_LINUX_DEFAULT=\"l=3 iommu=pt ${MORE} a=0x1\"", &[], true),
    ("adding to itself in the main file", "GRUB_CMDLINE_LINUX=\"audit=0\"\nGRUB_CMDLINE_LINUX=\"${GRUB_CMDLINE_LINUX} amd_iommu=off iommu=pt f=vc:2-6\"\n", &[], true),
    ("a comment that ends in a backslash", "#  /_/\\_\\  art \\\nGRUB_TIMEOUT_STYLE='menu'\nGRUB_CMDLINE_LINUX_DEFAULT=\"a=L iommu=pt vt.red=0x28,0xcc,0x97\"\n", &[], true),
    ("a drop-in that is a program with a here-document", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt\"\n", &[("00-x.cfg", "DISK=\"$(stat -c %d/%i /)\"\nif [ \"$DISK\" != 2/2 -a -d \"/nowhere\" ]; then\n\tcat <<-EOF > custom.cfg\n\t\tmenuentry \"it's $DISK\" { # fi\n\t\t}\n\tEOF\nfi\n")], true),
    ("a drop-in that adds to itself in many lines", "GRUB_CMDLINE_LINUX=\"\"\n", &[("40.cfg", "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX m=auto,nosmt\"\n#GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX iommu=pt\"\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX iommu=pt\"\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX kvm-x.v=1\"\n")], true),
    ("keys with dots", "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX p.shuffle=1 iommu=pt\"\n", &[], true),
    ("a drop-in that appends a range of sizes", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt\"\n", &[("kdump.cfg", "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=2G-4G:320M,128G-:4096M\"\n")], true),
    ("a key given twice for two purposes", "GRUB_FORCE=ab-1\nGRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1 console=ttyS0 iommu=pt n.t=4294967295\"\n", &[], true),
    ("a drop-in that replaces the value, and one of comments", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\n", &[("50-cloud.cfg", "# c\n\nGRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1 iommu=pt console=ttyS0\"\n"), ("init.cfg", "# nothing\n")], true),
    ("comments around the live line that look like it", "# GRUB_CMDLINE_LINUX=\"root=Z=r/1 boot=z\" # ORIGINAL\nGRUB_CMDLINE_LINUX=\"root=Z=r/1 boot=z iommu=pt\"\n# GRUB_CMDLINE_LINUX=\"acs=d,m iommu=pt\" # NOT\n", &[], true),
    ("a comment before it", "#GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on\"\n", &[], true),
    ("one key twice with other values, a near copy below", "GRUB_CMDLINE_LINUX_DEFAULT=\"r=U=b-1 iommu=1 amd_iommu=on iommu=pt t=never\"\n#GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=1 iommu=pt\"\n", &[], true),
    ("all arguments in the other variable", "GRUB_CMDLINE_LINUX_DEFAULT=\"\"\nGRUB_CMDLINE_LINUX=\"nomerge lockdown=c iommu=pt v=none\"\n", &[], true),
    ("one line without a newline", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on iommu=pt nofb nox2apic\"", &[], true),
    ("a program's output elsewhere, and only one variable", "GRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/os-release)\"\nGRUB_CMDLINE_LINUX=\"rhgb quiet iommu=pt\"\n", &[], false),
    ("the one variable only as a comment", "#GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"intel_iommu=on iommu=pt\"\n", &[], false),
    ("one variable in one line", "GRUB_CMDLINE_LINUX=\"i.test=1 b.card=105 quiet\"", &[], false),
    ("the other order, and a blank at the end", "GRUB_CMDLINE_LINUX=\"\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"splash quiet \"\n", &[], true),
    ("only the default arguments", "GRUB_CMDLINE_LINUX_DEFAULT=\"l=4 mitigations=off preempt=full\"\n", &[], false),
    ("a name that begins another", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash t.force=1\"\n#GRUB_CMDLINE_LINUX=\"mem=1G\"\nGRUB_CMDLINE_LINUX=\"iommu=pt\"\n", &[], true),
    ("blanks inside quotes, a flag and a key of one name", "GRUB_CMDLINE_LINUX_DEFAULT=\"m=off zap=\\\"x  1\\\" quiet iommu=pt foo=\\\"foo  bar\\\" quiet=off\"\nGRUB_CMDLINE_XEN_DEFAULT=\"vga=gfx iommu=pt\"\n", &[], true),
    ("a key twice, the argument's own among them", "GRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=on intel_iommu=off quiet foo=\\\"foo  bar\\\"\"\n", &[], true),
    ("an argument twice", "GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=pt quiet foo=\\\"foo  bar\\\" iommu=pt iommu=pt n=1\"\n", &[], true),
    ("neither variable", "GRUB_DEFAULT=0\n\nGRUB_TIMEOUT=5\n", &[], true),
    ("a value over two lines", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt \\\np.max=1 pcie=off\"\n", &[], true),
    ("a function, and a value over three lines", "GRUB_CMDLINE_LINUX_DEFAULT='quiet iommu=pt'\n", &[("99-n.cfg", "_cut() {\n  GRUB_CMDLINE_LINUX_DEFAULT=\"$(echo \"$GRUB_CMDLINE_LINUX_DEFAULT\" | sed 's/ *k=[^ ]*//g')\"\n}\nGRUB_CMDLINE_LINUX_DEFAULT=\"\\\n${GRUB_CMDLINE_LINUX_DEFAULT:+${GRUB_CMDLINE_LINUX_DEFAULT} }\\\nk.max_us=0\"\nunset -f _cut\n")], true),
    ("appended by an installer", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt\"\nGRUB_CMDLINE_LINUX_DEFAULT+=' d=/dev/v/l:n'\n", &[], true),
    ("appended where the shell may be either", "GRUB_CMDLINE_LINUX=\"quiet iommu=pt\"\nGRUB_CMDLINE_LINUX+=\" rd.debug\"\n", &[], false),
    ("a program's output in the value", "GRUB_CMDLINE_LINUX_DEFAULT=\"$(echo $GRUB_CMDLINE_LINUX_DEFAULT | sed 's/\\(quiet\\|splash\\)//g') iommu=pt\"\n", &[], true),
    ("nested quotes in a program's output", "GRUB_CMDLINE_LINUX=\"a mem=1G iommu=pt\"\n", &[("zz.cfg", "GRUB_CMDLINE_LINUX=\"$(printf '%s' \"$GRUB_CMDLINE_LINUX\" | sed -E 's/(^| +)mem=[^ ]*//g')\"\n")], true),
    ("assigned within a `case`", "GRUB_CMDLINE_LINUX=\"iommu=pt\"\n", &[("99-v.cfg", "case \" ${GRUB_CMDLINE_LINUX:-} \" in\n  *\" v6=1 \"*) ;;\n  *) GRUB_CMDLINE_LINUX=\"${GRUB_CMDLINE_LINUX:+${GRUB_CMDLINE_LINUX} }v6=1\" ;;\nesac\nexport GRUB_CMDLINE_LINUX\n")], true),
    ("exported", "export GRUB_CMDLINE_LINUX_DEFAULT=\"amd_iommu=on iommu=pt vfio-pci.ids=02:00.0,02:00.1 intel_iommu=igfx_off\"\n", &[], true),
    ("no quotes, and nothing at all", "GRUB_CMDLINE_LINUX_DEFAULT=quiet\nGRUB_CMDLINE_LINUX=\n", &[], true),
    ("words without quotes, which stop the shell", "GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX_DEFAULT=quiet splash iommu=pt\n", &[], true),
    ("put together from other variables", "MY_ROOT=\"r=1 iommu=pt\" MY_FS='f=2'\nGRUB_CMDLINE_LINUX=\"${MY_ROOT} ${MY_FS}\"\n", &[], false),
    ("a loop that sources drop-ins where none are read", "GRUB_CMDLINE_LINUX=\"iommu=pt\"\nfor f in /etc/default/grub.d/*.cfg; do\n  if [ -e \"$f\" ]; then . \"$f\"; fi\ndone\n", &[], false),
    ("a comment, empty lines", "# GRUB_CMDLINE_LINUX_DEFAULT=\"l=3 iommu=pt\"\n\nGRUB_CMDLINE_LINUX_DEFAULT=\"l=3 iommu=pt\"\n\nGRUB_CMDLINE_LINUX=\"\"\n", &[], true),
    ("the argument in the variable that stands first", "GRUB_CMDLINE_LINUX=\"quiet noibrs iommu=pt tsx=on m=off\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"s=1\"\n", &[], true),
    ("a variable of GRUB itself", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"${GRUB_CMDLINE_LINUX_DEFAULT:+$GRUB_CMDLINE_LINUX_DEFAULT }\\$tuned_params\"\n", &[], true),
    // Forms of the shell.
    ("quotes in a comment", "GRUB_CMDLINE_LINUX_DEFAULT=\"a\" #iommu=pt\" #intel_iommu=on\"\n", &[], true),
    ("no blank before what looks like a comment", "GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=pt a\"#b\n", &[], true),
    ("a line continued before the argument", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet a=1 \\\niommu=pt\"\n", &[], true),
    ("a line that is not continued in single quotes", "GRUB_CMDLINE_LINUX_DEFAULT='quiet iommu=pt \\\nb=1'\n", &[], true),
    ("a newline in quotes", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\niommu=pt\"\n", &[], true),
    ("an escaped blank", "GRUB_CMDLINE_LINUX_DEFAULT=quiet\\ iommu=pt\n", &[], true),
    ("blanks around the sign", "GRUB_CMDLINE_LINUX_DEFAULT = \"iommu=pt\"\n", &[], true),
    ("quotes side by side", "GRUB_CMDLINE_LINUX_DEFAULT=\"a iommu=pt\"' b'\n", &[], true),
    ("an argument over two quotes", "GRUB_CMDLINE_LINUX_DEFAULT=\"a iommu\"'=pt b'\n", &[], true),
    ("escaped dollar and backquote", "GRUB_CMDLINE_LINUX_DEFAULT=\"a=\\$b iommu=pt c=\\`d\\`\"\n", &[], true),
    ("a backquote", "GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=pt c=`echo x`\"\n", &[], true),
    ("an escape of bash", "GRUB_CMDLINE_LINUX_DEFAULT=$'iommu=pt\\tb'\n", &[], true),
    ("two on a line", "GRUB_CMDLINE_LINUX=\"iommu=pt\"; GRUB_CMDLINE_LINUX_DEFAULT=\"b\" # c\n", &[], true),
    ("exported with another, indented", "\texport GRUB_CMDLINE_LINUX_DEFAULT=\"iommu=pt x\" FOO=1\n", &[], true),
    ("CRLF", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt\"\r\nGRUB_CMDLINE_LINUX=\"\"\r\n#\r\n", &[], true),
    ("CRLF and neither variable", "GRUB_TIMEOUT=1\r\n", &[], false),
    ("a byte order mark", "\u{feff}# c\nGRUB_CMDLINE_LINUX_DEFAULT=\"iommu=pt\"\n", &[], true),
    ("a list with the member", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt,strict intel_iommu=sm_on,off\"\n", &[], true),
    ("the argument in both variables, and quoted for GRUB", "GRUB_CMDLINE_LINUX=\"iommu=pt a\"\nGRUB_CMDLINE_LINUX_DEFAULT='b \"iommu=pt\"'\n", &[], true),
    ("two dashes for init", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt -- single\"\n", &[], true),
];

fn hosts() -> Vec<Defaults> {
    let bytes = |drop_ins: &[(&'static str, &'static str)]| -> Vec<(&'static str, &'static [u8])> {
        drop_ins.iter().map(|(name, text)| (*name, text.as_bytes())).collect()
    };
    ROWS.iter()
        .map(|(_, main, drop_ins, reads)| host(main.as_bytes(), &bytes(drop_ins), *reads))
        .collect()
}

fn changes() -> [(&'static str, ArgumentChange); 3] {
    [
        ("add", change(&[ADD], &[])),
        ("remove", change(&[], &[REMOVE])),
        ("both", change(&[ADD], &[REMOVE])),
    ]
}

#[test]
fn every_difficulty_is_edited_rightly_or_refused_with_a_reason() {
    let hosts = hosts();
    let mut shown = String::new();
    let mut results = Vec::new();
    let (mut edits, mut same, mut refusals) = (0, 0, 0);
    for (host, (about, ..)) in hosts.iter().zip(ROWS) {
        writeln!(shown, "{about}").unwrap();
        for (name, change) in &changes() {
            match edited(host, change) {
                Ok((changed, after)) => {
                    let count = if changed.is_empty() { &mut same } else { &mut edits };
                    *count += 1;
                    writeln!(shown, "  {name}:{}", lines(&changed)).unwrap();
                    results.push((about, host, after, change.clone()));
                }
                Err(why) => {
                    refusals += 1;
                    writeln!(shown, "  {name}: refused: {why}").unwrap();
                }
            }
        }
    }
    writeln!(shown, "{edits} edited, {same} were so already, {refusals} refused").unwrap();
    print!("{shown}");
    let (before, after): (Vec<&Defaults>, Vec<&Defaults>) =
        results.iter().map(|(_, before, after, _)| (*before, after)).unzip();
    if let (Some(before), Some(after)) = (dash(&before), dash(&after)) {
        for ((about, _, host, change), (before, after)) in
            results.iter().zip(before.iter().zip(&after))
        {
            let wrong = contradiction(before, after, change);
            assert_eq!(wrong, None, "{about}: {change:?} {host:?}");
        }
    }
    let expected = include_str!("excerpts.txt");
    for (shown, expected) in shown.lines().zip(expected.lines()) {
        assert_eq!(shown, expected);
    }
    assert_eq!(shown.lines().count(), expected.lines().count());
}

/// The lines that differ, each as it is written in the file, with its end where that is no mere newline.
fn lines(changes: &[FileChange]) -> String {
    let mut shown = String::new();
    if changes.is_empty() {
        return " nothing to do".to_owned();
    }
    for change in changes {
        let split = |text: &Option<Vec<u8>>| -> Vec<String> {
            let text = String::from_utf8(text.clone().unwrap_or_default()).unwrap();
            text.split_inclusive('\n')
                .map(|line| {
                    line.strip_suffix('\n').map_or(format!("{line}<no newline>"), str::to_owned)
                })
                .collect()
        };
        let (before, after) = (split(&change.before), split(&change.after));
        let head = before.iter().zip(&after).take_while(|(one, two)| one == two).count();
        let rest = (&before[head..], &after[head..]);
        let tail = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(a, b)| a == b).count();
        let name = change.path.strip_prefix("/etc/default/").unwrap();
        for line in after[head..after.len() - tail].iter().filter(|line| !line.starts_with("# ")) {
            write!(shown, "\n    {name}: {}", line.replace('\r', "<CR>")).unwrap();
        }
    }
    shown
}
