//! Single rules of the editor, each with the text that it is about.

use super::drop_in::PATHS;
use super::table::{ADD, REMOVE, applied, change, edited, host};
use super::{ADDED_BY_GRUB, DEFAULTS, Defaults, edit, length};
use crate::format::cmdline::X86_LIMIT;
use crate::plan::ArgumentChange;

fn main_after(main: &str, change: &ArgumentChange) -> String {
    let host = host(main.as_bytes(), &[], false);
    let (_, after) = edited(&host, change).unwrap();
    String::from_utf8(after.files[0].1.clone()).unwrap()
}

fn why(host: &Defaults, change: &ArgumentChange) -> String {
    edit(host, change).unwrap_err().to_string()
}

fn paths(host: &Defaults) -> Vec<&str> {
    host.files.iter().map(|(path, _)| path.as_str()).collect()
}

#[test]
fn only_plain_words_are_taken_for_arguments() {
    let host = host(b"GRUB_CMDLINE_LINUX=\"\"\n", &[], false);
    for text in ["", "a b", "a\"b", "a'", "$x", "a\\b", "a;b", "=a", "-a", "--", "\u{1b}[1m", "é"]
    {
        for change in [change(&[text], &[]), change(&[], &[text])] {
            let expected = format!("{DEFAULTS}: `{}` is no plain word", text.escape_default());
            assert_eq!(why(&host, &change), expected);
        }
    }
    assert_eq!(
        why(&host, &change(&["iommu=pt,strict"], &["iommu=pt"])),
        "/etc/default/grub: `iommu=pt,strict` cannot come while `iommu=pt` goes"
    );
    assert_eq!(
        why(&host, &change(&["a=1", "a=2"], &[])),
        "/etc/default/grub: `a=1` and `a=2` cannot both be the last word"
    );
    assert_eq!(edit(&host, &change(&["console=tty0", "console=ttyS0"], &[])).unwrap().len(), 1);
}

#[test]
fn without_the_file_nothing_is_done() {
    let host = Defaults { files: Vec::new(), ..host(b"", &[], true) };
    assert_eq!(why(&host, &change(&[ADD], &[])), "/etc/default/grub: it does not exist");
    let twice = self::host(b"", &[CLOUD, CLOUD], true);
    let expected = "/etc/default/grub.d/50-cloud.cfg: it is read twice";
    assert_eq!(why(&twice, &change(&[ADD], &[])), expected);
}

#[test]
fn an_argument_is_compared_as_the_kernel_does() {
    let remove = change(&[], &["kvm_amd.sev=0"]);
    assert_eq!(
        main_after("GRUB_CMDLINE_LINUX='a kvm-amd.sev=0 b'", &remove),
        "GRUB_CMDLINE_LINUX='a b'"
    );
    assert_eq!(
        main_after("GRUB_CMDLINE_LINUX='\"kvm-amd.sev=0\" b'", &remove),
        "GRUB_CMDLINE_LINUX='b'"
    );
    let same = "GRUB_CMDLINE_LINUX='kvm_amd.sev=01 xkvm_amd.sev=0 kvm_amd.sev kvm_amd.sev=0,1 s=\"kvm_amd.sev=0 x\"'";
    assert_eq!(main_after(same, &remove), same);
    let flag = change(&[], &["nohibernate"]);
    assert_eq!(
        main_after("GRUB_CMDLINE_LINUX='nohibernate=1 nohibernate hibernate=no'", &flag),
        "GRUB_CMDLINE_LINUX='nohibernate=1 hibernate=no'"
    );
}

#[test]
fn the_blanks_of_an_argument_go_with_it() {
    let remove = change(&[], &[REMOVE]);
    for (before, after) in [
        ("'a iommu=pt b'", "'a b'"),
        ("'a  iommu=pt  b'", "'a  b'"),
        ("'iommu=pt  b'", "'b'"),
        ("'a\tiommu=pt'", "'a'"),
        ("' iommu=pt b'", "' b'"),
        ("' iommu=pt '", "'  '"),
        ("'a iommu=pt '", "'a '"),
        ("a\\ iommu=pt\\ b", "a\\ b"),
        ("iommu=pt\\ b", "b"),
        ("'a '\"iommu=pt\"' b'", "'a '\"\"' b'"),
        ("\"$GRUB_CMDLINE_LINUX iommu=pt\"", "\"$GRUB_CMDLINE_LINUX\""),
        ("\"a \\\niommu=pt b\"", "\"a \\\nb\""),
    ] {
        let text = |value| format!("GRUB_CMDLINE_LINUX={value} # c\n");
        assert_eq!(main_after(&text(before), &remove), text(after));
    }
}

#[test]
fn what_is_handed_to_init_is_no_argument_of_the_kernel() {
    let host = host(b"GRUB_CMDLINE_LINUX=\"quiet -- intel_iommu=on\"\n", &[], false);
    assert!(why(&host, &change(&[ADD], &[])).contains("`--` hands what follows it to init"));
}

#[test]
fn of_a_list_only_the_member_goes() {
    let remove = change(&[], &[REMOVE]);
    for (before, after) in [
        ("iommu=pt,strict", "iommu=strict"),
        ("iommu=strict,pt", "iommu=strict"),
        ("iommu=a,pt,b", "iommu=a,b"),
        ("iommu=pt,pt a", "a"),
        ("iommu=nopt,ptx", "iommu=nopt,ptx"),
        ("iommu=pt, a", "a"),
    ] {
        let text = |value| format!("GRUB_CMDLINE_LINUX=\"{value}\"\n");
        assert_eq!(main_after(&text(before), &remove), text(after));
    }
}

#[test]
fn an_argument_that_is_taken_back_is_put_last() {
    let add = change(&[ADD], &[]);
    for (before, after) in [
        ("intel_iommu=on intel_iommu=off", "intel_iommu=off intel_iommu=on"),
        ("intel-iommu=off a", "intel-iommu=off a intel_iommu=on"),
        ("intel_iommu=on,off", "intel_iommu=off intel_iommu=on"),
        ("intel_iommu=on,sm_on a", "intel_iommu=on,sm_on a"),
        ("intel_iommu=on intel_iommu=igfx_off", "intel_iommu=on intel_iommu=igfx_off"),
        ("intel_iommu=on intel_iommu=on", "intel_iommu=on intel_iommu=on"),
    ] {
        let text = |value| format!("GRUB_CMDLINE_LINUX=\"{value}\"\n");
        assert_eq!(main_after(&text(before), &add), text(after));
    }
    // The other variable stands first in the line, so what is there can be taken back from here.
    let both =
        "GRUB_CMDLINE_LINUX=\"intel_iommu=on\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=off\"\n";
    assert_eq!(
        main_after(both, &add),
        "GRUB_CMDLINE_LINUX=\"\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=off intel_iommu=on\"\n"
    );
    let several = change(&["modprobe.blacklist=nouveau"], &[]);
    let kept = "GRUB_CMDLINE_LINUX=\"modprobe.blacklist=nouveau modprobe.blacklist=x\"\n";
    assert_eq!(main_after(kept, &several), kept);
}

#[test]
fn without_either_variable_a_line_is_added_that_goes_again() {
    for main in ["", "A=1\n", "A=1", "A=1\r\n", "# a \\", "\n\n"] {
        let host = host(main.as_bytes(), &[], true);
        let (changes, after) = edited(&host, &change(&[ADD, "nohibernate"], &[])).unwrap();
        assert_eq!(changes.len(), 1);
        let text = String::from_utf8(after.files[0].1.clone()).unwrap();
        let line =
            "GRUB_CMDLINE_LINUX_DEFAULT=\"intel_iommu=on nohibernate\" # added by ccgpu-node";
        assert_eq!(text.trim_end().lines().last(), Some(line), "{text:?}");
        assert!(text.starts_with(main), "{text:?}");
    }
}

const CLOUD: (&str, &[u8]) = ("50-cloud.cfg", b"GRUB_CMDLINE_LINUX_DEFAULT=\"console=ttyS0\"\n");

#[test]
fn where_a_drop_in_decides_one_of_our_own_is_written_and_taken_away() {
    let host = host(b"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n", &[CLOUD], true);
    let (changes, after) = edited(&host, &change(&[ADD], &[])).unwrap();
    let [own] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((own.path.as_str(), &own.before, own.new_mode), (PATHS[0], &None, 0o644));
    let text = String::from_utf8(own.after.clone().unwrap()).unwrap();
    assert!(text.lines().take(2).all(|line| line.starts_with("# ")), "{text}");
    let line = "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT intel_iommu=on\"\n";
    assert!(text.ends_with(line), "{text}");
    // A second argument joins the first, and each goes by itself.
    let (_, two) = edited(&after, &change(&["a=1"], &[])).unwrap();
    assert_eq!(paths(&two), paths(&after));
    assert!(two.files[2].1.ends_with(b" intel_iommu=on a=1\"\n"));
    let (_, one) = edited(&two, &change(&[], &[ADD])).unwrap();
    assert!(one.files[2].1.ends_with(b"DEFAULT a=1\"\n"));
    let (changes, none) = edited(&one, &change(&[], &["a=1"])).unwrap();
    assert_eq!(changes[0].after, None);
    assert_eq!(none, host);
    // One for the other: the file is rewritten, not removed.
    let (_, swapped) = edited(&after, &change(&["a=1"], &[ADD])).unwrap();
    assert!(swapped.files[2].1.ends_with(b"DEFAULT a=1\"\n"));
}

#[test]
fn what_is_read_behind_our_drop_in_must_not_undo_it() {
    let main = b"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n";
    let add = change(&[ADD], &[]);
    let append: (&str, &[u8]) =
        ("kdump.cfg", b"GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT c=1\"\n");
    let (_, after) = edited(&host(main, &[append], true), &add).unwrap();
    assert_eq!(after.files[1].0, PATHS[0]);
    let later: (&str, &[u8]) = ("99-last.cfg", CLOUD.1);
    let (_, after) = edited(&host(main, &[later], true), &add).unwrap();
    assert_eq!(after.files[2].0, PATHS[1]);
    // The name that a host has, it keeps.
    let (_, after) = edited(&after, &change(&["a=1"], &[])).unwrap();
    assert_eq!(paths(&after)[2..], [PATHS[1]]);
    let last: (&str, &[u8]) = ("zzz.cfg", b"\nGRUB_CMDLINE_LINUX_DEFAULT=\"x\"\n");
    assert_eq!(
        why(&host(main, &[last], true), &add),
        "/etc/default/grub.d/zzz.cfg:2: nothing can be added here: what stands here undoes our own drop-in, \
         which is read before it"
    );
}

#[test]
fn a_drop_in_that_somebody_changed_is_not_written_over() {
    let own = host(b"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n", &[CLOUD], true);
    let mut after = edited(&own, &change(&[ADD], &[])).unwrap().1;
    after.files[2].1.extend_from_slice(b"# a note\n");
    assert_eq!(
        why(&after, &change(&["a=1"], &[])),
        "/etc/default/grub.d/99-ccgpu-node.cfg: it is not as it was written, so it is not written again"
    );
    let (changes, _) = edited(&after, &change(&[], &[ADD])).unwrap();
    assert!(
        changes[0]
            .after
            .as_ref()
            .unwrap()
            .ends_with(b"\"$GRUB_CMDLINE_LINUX_DEFAULT\"\n# a note\n")
    );
}

#[test]
fn no_other_variable_changes_with_the_edit() {
    let main = b"GRUB_CMDLINE_LINUX=\"iommu=pt a\"\nGRUB_CMDLINE_LINUX_RECOVERY=\"$GRUB_CMDLINE_LINUX single\"\n";
    let expected = "/etc/default/grub: `GRUB_CMDLINE_LINUX_RECOVERY` takes its value from there, and would change too";
    assert_eq!(why(&host(main, &[], false), &change(&[], &[REMOVE])), expected);
    assert_eq!(why(&host(main, &[], false), &change(&[ADD], &[])), expected);
}

#[test]
fn the_line_stays_within_what_the_kernel_takes() {
    let limit = X86_LIMIT - ADDED_BY_GRUB;
    let text = |count: usize| format!("GRUB_CMDLINE_LINUX=\"{}\"\n", "a".repeat(count));
    let fits = limit - ADD.len() - 2;
    let host_of = |count| host(text(count).as_bytes(), &[], false);
    let (_, after) = edited(&host_of(fits), &change(&[ADD], &[])).unwrap();
    assert_eq!(length(&after), Ok(limit));
    assert_eq!(
        why(&host_of(fits + 1), &change(&[ADD], &[])),
        "/etc/default/grub: with this the two variables hold 1792 bytes of kernel arguments, and only 1791 \
         are sure to reach the kernel"
    );
    // What is too long already may become shorter.
    let long = format!("GRUB_CMDLINE_LINUX=\"iommu=pt {}\"\n", "a".repeat(4000));
    assert!(edited(&host(long.as_bytes(), &[], false), &change(&[], &[REMOVE])).is_ok());
    // Quotes are counted as GRUB hands them over.
    let quoted = host(b"GRUB_CMDLINE_LINUX='a=\"b c\" d\\\"e'\n", &[], false);
    assert_eq!(length(&quoted), Ok(" \"a=b c\" d\\\"e".len()));
}

#[test]
fn many_of_one_argument_are_soon_gone() {
    let main = format!("GRUB_CMDLINE_LINUX=\"{}end\"\n", "iommu=pt ".repeat(10_000));
    let host = host(main.as_bytes(), &[], false);
    let changes = edit(&host, &change(&[], &[REMOVE])).unwrap();
    assert_eq!(applied(&host, &changes).files[0].1, b"GRUB_CMDLINE_LINUX=\"end\"\n");
}
