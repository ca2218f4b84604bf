//! What a hostile tree may not do to a root, and that a recording answers like the root it was made of.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use nix::sys::stat::Mode;

use super::*;

#[expect(clippy::disallowed_methods, reason = "the test makes the host")]
fn tree(make: impl FnOnce(&Path)) -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("plain"), "one\ntwo\n").unwrap();
    make(directory.path());
    let root = Root::directory(directory.path()).unwrap();
    (directory, root)
}

#[test]
fn a_fifo_is_refused_at_once() {
    let (_keep, root) = tree(|dir| nix::unistd::mkfifo(&dir.join("f"), Mode::S_IRWXU).unwrap());
    assert_eq!(root.read("/f", 10), Reading::Unreadable(Cause::NotAFile("a FIFO")));
    assert_eq!(root.read("/", 10), Reading::Unreadable(Cause::NotAFile("a directory")));
    assert_eq!(root.list("/plain"), Reading::Unreadable(Cause::NotADirectory));
}

#[test]
fn only_the_wanted_lines_of_a_long_text_are_kept() {
    let (_keep, root) = tree(|dir| {
        let lines: Vec<String> = (0..20_000).map(|number| format!("line {number}")).collect();
        #[expect(clippy::disallowed_methods, reason = "the test makes the host")]
        std::fs::write(dir.join("long"), lines.join("\n") + "\nlast 9").unwrap();
    });
    let nines = |line: &[u8]| line.ends_with(b"99");
    let kept = root.read_lines("/long", 1 << 20, nines).into_known().unwrap();
    assert_eq!(kept.split(|byte| *byte == b'\n').count(), 201);
    assert!(kept.starts_with(b"line 99\nline 199\n"));
    let last = root.read_lines("/long", 1 << 20, |line| line.starts_with(b"last"));
    assert_eq!(last, Reading::Known(b"last 9\n".to_vec()));
    let large = root.read_lines("/long", 1000, nines);
    assert_eq!(large, Reading::Unreadable(Cause::TooLarge(1000)));
    assert!(root.read_lines("/nothing", 10, nines).is_absent());
}

/// A capture holds these lines alone, and answers the same.
#[test]
fn a_recording_of_wanted_lines_gives_them_again() {
    let (_keep, root) = tree(|_| ());
    let root = root.recording();
    let two = |line: &[u8]| line == b"two";
    assert_eq!(root.read_lines("/plain", 100, two), Reading::Known(b"two\n".to_vec()));
    let again = Root::archive(root.recorded());
    assert_eq!(again.read_lines("/plain", 100, two), Reading::Known(b"two\n".to_vec()));
    assert_eq!(again.read("/plain", 100), Reading::Known(b"two\n".to_vec()));
}

#[test]
fn a_sparse_giant_costs_no_more_than_its_cap() {
    let (_keep, root) = tree(|dir| {
        #[expect(clippy::disallowed_methods, reason = "the test makes the host")]
        std::fs::File::create(dir.join("giant")).unwrap().set_len(10 << 30).unwrap();
    });
    assert_eq!(root.read("/giant", 1 << 20), Reading::Unreadable(Cause::TooLarge(1 << 20)));
    assert_eq!(root.read_at("/giant", 0, 4).into_known().unwrap(), [0; 4]);
}

#[test]
fn links_never_leave_the_root() {
    let (_keep, root) = tree(|dir| {
        symlink("/plain", dir.join("absolute")).unwrap();
        symlink("../../../../../../plain", dir.join("upwards")).unwrap();
        symlink("/etc/passwd", dir.join("outside")).unwrap();
        symlink("b", dir.join("a")).unwrap();
        symlink("a", dir.join("b")).unwrap();
        symlink("nowhere", dir.join("dangling")).unwrap();
    });
    for path in ["/absolute", "/upwards", "/../plain"] {
        assert_eq!(root.read(path, 10), Reading::Known(b"one\ntwo\n".to_vec()), "{path}");
    }
    assert_eq!(root.read("/outside", 10), Reading::Absent);
    assert_eq!(root.read("/a", 10), Reading::Unreadable(Cause::SymlinkLoop));
    assert_eq!(root.read("/dangling", 10), Reading::Absent);
    assert_eq!(root.link("/absolute"), Reading::Known("/plain".to_owned()));
    assert_eq!(root.link("/plain"), Reading::Unreadable(Cause::NotAFile("no symbolic link")));
    assert_eq!(root.link("/none"), Reading::Absent);
    assert_eq!(root.resolve("/absolute"), Reading::Known("/plain".to_owned()));
    assert_eq!(root.resolve("/"), Reading::Known("/".to_owned()));
}

#[test]
fn a_cap_is_exact() {
    let (_keep, root) = tree(|_| {});
    assert_eq!(root.read("/plain", 8), Reading::Known(b"one\ntwo\n".to_vec()));
    assert_eq!(root.read("/plain", 7), Reading::Unreadable(Cause::TooLarge(7)));
    assert_eq!(root.read_at("/plain", 4, 99), Reading::Known(b"two\n".to_vec()));
}

#[test]
fn a_recording_answers_like_its_root() {
    let (_keep, root) = tree(|dir| {
        #[expect(clippy::disallowed_methods, reason = "the test makes the host")]
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.join(name), bytes).unwrap();
        std::fs::create_dir_all(dir.join("d/sub")).unwrap();
        write("d/one", b"1");
        write("d/binary", &[0, 1, 255]);
        write("secret", b"x");
        write("program", b"only looked at");
        std::fs::set_permissions(dir.join("secret"), std::fs::Permissions::from_mode(0o000))
            .unwrap();
        symlink("/d", dir.join("link")).unwrap();
        symlink("loop", dir.join("loop")).unwrap();
    });
    let root = root.recording();
    let ask = |root: &Root| {
        let reads = ["/link/one", "/d/binary", "/secret", "/d", "/loop", "/none/x", "/link/none"]
            .map(|path| format!("{path} {:?}", root.read(path, 100)));
        let others = [
            format!("{:?}", root.list("/link")),
            format!("{:?}", root.list("/none")),
            format!("{:?}", root.link("/link")),
            format!("{:?}", root.link("/d/one")),
            format!("{:?}", root.link("/d/sub")),
            format!("{:?}", root.resolve("/link/one")),
            format!("{:?}", root.stat("/link/one").map(|stat| (stat.kind, stat.mode))),
            format!("{:?}", root.stat("/program").map(|stat| (stat.kind, stat.mode))),
            format!("{:?}", root.stat("/d/sub").map(|stat| (stat.kind, stat.mode))),
            format!("{:?}", root.read_at("/plain", 0, 4)),
        ];
        (reads, others)
    };
    let before = ask(&root);
    let text = root.recorded().to_text();
    let replayed = Root::archive(Archive::parse(text.as_bytes()).unwrap());
    assert_eq!(ask(&replayed), before, "{text}");
}

#[test]
fn a_capture_of_a_capture_holds_no_more_and_no_less() {
    let text = "ccgpu-host 1\n-- dir /d\n-- exists /d/name\n-- unreadable /d/gone gone\n";
    let ask = |root: &Root| {
        ["/d", "/d/name", "/d/name/x", "/d/gone", "/d/none", "/other", "/other/x"]
            .map(|path| (root.read(path, 9), root.list(path), root.stat(path).cause().cloned()))
    };
    let root = Root::archive(Archive::parse(text.as_bytes()).unwrap()).recording();
    let before = ask(&root);
    let text = root.recorded().to_text();
    assert_eq!(ask(&Root::archive(Archive::parse(text.as_bytes()).unwrap())), before, "{text}");
}

#[test]
fn a_program_that_does_not_start_gives_no_answer() {
    let root = Root::live().unwrap();
    let run = Run::on(&root);
    let missing = Program::KubeletVersion { binary: "/nowhere/kubelet".to_owned() };
    assert!(matches!(run.ask(&missing), Reading::Unreadable(Cause::NoAnswer(_))));
    let echo = Program::KubeletVersion { binary: "/bin/echo".to_owned() };
    assert!(run.ask(&echo).into_known().unwrap().stdout.starts_with(b"echo"));
}

/// A short read may end a file only where it proves the end; another reader, which asks until nothing
/// follows, is the judge.
#[test]
#[expect(clippy::disallowed_methods, reason = "the oracle reads by itself")]
fn a_file_of_any_length_is_read_to_its_end() {
    let lengths = [0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 70_000];
    let (_keep, root) = tree(|dir| {
        std::fs::create_dir(dir.join("sys")).unwrap();
        for length in lengths {
            let bytes: Vec<u8> =
                (0..length).map(|at: usize| u8::try_from(at % 251).unwrap()).collect();
            for name in [format!("{length}"), format!("sys/{length}")] {
                std::fs::write(dir.join(name), &bytes).unwrap();
            }
        }
    });
    for length in lengths.into_iter().chain(lengths.into_iter().rev()) {
        for path in [format!("/{length}"), format!("/sys/{length}")] {
            let bytes = root.read(&path, DEFAULT_CAP).into_known().unwrap();
            assert_eq!(bytes.len(), length, "{path}");
            assert!(bytes.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at % 251));
        }
    }
    let live = Root::live().unwrap();
    for path in [
        "/proc/filesystems",
        "/proc/crypto",
        "/proc/devices",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        if let Ok(bytes) = std::fs::read(path) {
            assert_eq!(live.read(path, DEFAULT_CAP), Reading::Known(bytes), "{path}");
        }
    }
}
