use super::*;

fn parse(text: &str) -> Archive {
    Archive::parse(format!("ccgpu-host 1\n{text}").as_bytes()).unwrap()
}

#[test]
fn a_path_of_which_nothing_is_said_is_not_captured() {
    let archive = parse("-- file /proc/cmdline\nquiet\n");
    assert_eq!(archive.read("/proc/modules", 10), Reading::Unreadable(Cause::NotCaptured));
    assert_eq!(archive.list("/proc"), Reading::Unreadable(Cause::NotCaptured));
    assert_eq!(archive.read("/proc/cmdline", 10), Reading::Known(b"quiet\n".to_vec()));
}

#[test]
fn a_listed_directory_proves_absence_of_its_own_names_only() {
    let archive = parse("-- dir /sys/class/iommu\n-- exists /sys/class/iommu/dmar0\n");
    assert_eq!(archive.read("/sys/class/iommu/dmar1", 10), Reading::Absent);
    assert_eq!(archive.read("/sys/class/iommu/dmar0", 10), Reading::Unreadable(Cause::NotCaptured));
    assert_eq!(archive.read("/sys/class/other", 10), Reading::Unreadable(Cause::NotCaptured));
    assert_eq!(archive.list("/sys/class/iommu").into_known().unwrap().len(), 1);
}

#[test]
fn below_an_absent_directory_all_is_absent() {
    let archive = parse("-- absent /etc/default\n");
    assert_eq!(archive.read("/etc/default/grub", 10), Reading::Absent);
    assert_eq!(archive.read("/etc/other", 10), Reading::Unreadable(Cause::NotCaptured));
}

#[test]
fn a_name_whose_content_was_not_captured_hides_what_is_below_it() {
    let archive = parse("-- dir /sys\n-- exists /sys/module\n");
    assert_eq!(archive.read("/sys/module/kvm/x", 10), Reading::Unreadable(Cause::NotCaptured));
    assert_eq!(archive.read("/sys/kernel/x", 10), Reading::Absent);
}

#[test]
fn links_resolve_inside_and_loops_end() {
    let archive = parse(
        "-- complete /\n-- link /a -> /b/../c\n-- dir /b\n-- file /c/f\nx\n-- link /l -> m\n-- link /m -> l\n-- link /up -> ../../../../c\n",
    );
    assert_eq!(archive.read("/a/f", 10), Reading::Known(b"x\n".to_vec()));
    assert_eq!(archive.read("/up/f", 10), Reading::Known(b"x\n".to_vec()));
    assert_eq!(archive.resolve("/a/f"), Reading::Known("/c/f".to_owned()));
    assert_eq!(archive.read("/l", 10), Reading::Unreadable(Cause::SymlinkLoop));
    assert_eq!(archive.link("/a"), Reading::Known("/b/../c".to_owned()));
    assert_eq!(archive.read("/nothing/here", 10), Reading::Absent);
    assert_eq!(archive.read("/c/f/g", 10), Reading::Unreadable(Cause::NotADirectory));
}

#[test]
fn what_is_written_reads_the_same() {
    let mut archive = Archive::default();
    archive.notes.push("made by a test".to_owned());
    archive.declare_complete("/sys");
    let file = |bytes: &[u8]| Entry {
        node: Node::File(bytes.to_vec()),
        mode: Some(0o400),
        modified: Some(17),
    };
    archive.insert("/sys", Node::Directory { listed: true }.into());
    for (name, bytes) in [
        ("/p/plain", b"one\ntwo\n".as_slice()),
        ("/p/empty", b""),
        ("/p/noeol", b"one"),
        ("/p/newlines", b"\n\n"),
        ("/p/dashes", b"-- file /x\n\\--\n--\n"),
        ("/p/nul", b"kubelet\0--config=/x\0"),
        ("/p/bin", &[0, 255, 10, 13]),
        ("/p/crlf", b"a\r\nb\r\n"),
        ("/p/odd name\\", b"\n"),
    ] {
        archive.insert(name, file(bytes));
    }
    archive.insert("/l", Node::Link("a b\n".to_owned()).into());
    archive.insert("/d", Node::Special(FileKind::CharDevice, (10, 125)).into());
    archive.insert("/f", Node::Special(FileKind::Fifo, (0, 0)).into());
    for (name, cause) in [
        ("/c/1", Cause::Permission),
        ("/c/2", Cause::SymlinkLoop),
        ("/c/3", Cause::NotAFile("a directory")),
        ("/c/4", Cause::TooLarge(9)),
        ("/c/5", Cause::Os(5)),
        ("/c/6", Cause::DeviceGone),
    ] {
        archive.insert(name, Node::Unreadable(cause).into());
    }
    archive.insert("/gone", Node::Absent.into());
    archive.insert("/program", Entry { node: Node::Unread, mode: Some(0o755), modified: None });
    archive.insert("/unlisted", Node::Directory { listed: false }.into());
    archive.record_answer(
        "kubelet --version".to_owned(),
        Output { code: Some(0), stdout: b"Kubernetes v1.34.2\n".to_vec() },
    );
    let text = archive.to_text();
    let again = Archive::parse(text.as_bytes()).unwrap();
    assert_eq!(again.to_text(), text);
    assert_eq!(again, archive);
}

#[test]
fn a_file_without_its_content_is_still_a_file() {
    let archive = parse("-- unread /sbin/init mode=0755\n-- dir /run/x unlisted\n");
    let stat = archive.stat("/sbin/init").into_known().unwrap();
    assert_eq!((stat.kind, stat.mode), (FileKind::Regular, 0o755));
    assert_eq!(archive.read("/sbin/init", 10), Reading::Unreadable(Cause::NotCaptured));
    assert_eq!(archive.stat("/run/x").into_known().unwrap().kind, FileKind::Directory);
    assert_eq!(archive.list("/run/x"), Reading::Unreadable(Cause::NotCaptured));
}

#[test]
fn errors_name_the_line() {
    for (text, wanted) in [
        ("hello\n", "line 2: expected"),
        ("-- file relative\n", "line 2: \"relative\" is no absolute path"),
        ("-- dir /x/\n", "line 2: \"/x/\" is no absolute path"),
        ("-- dir /x//y\n", "line 2: \"/x//y\" is no absolute path"),
        ("-- absent /x/../y\n", "line 2: \"/x/../y\" is no absolute path"),
        ("-- what /x\n", "line 2: unknown entry"),
        ("-- hex /x\n00: zz\n", "line 2: \"zz\" is no byte in hex"),
        ("\n-- char /x 1\n", "line 3: a device reads"),
        ("-- dir /x\nstray\n", "line 2: text below"),
        ("-- file /x mode=9\n", "line 2: \"9\" is no octal mode"),
        ("-- link /x -> a b\n", "line 2: a link reads"),
    ] {
        let error = Archive::parse(format!("ccgpu-host 1\n{text}").as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(wanted), "{text:?}: {error}");
    }
    assert!(matches!(Archive::parse(b"\xff"), Err(ArchiveError::NotACapture)));
    assert!(matches!(Archive::parse(b""), Err(ArchiveError::NotACapture)));
}
