//! Every ending of a kubelet that is asked, and stand-ins that end in them.

use super::super::super::testing::Stubs;
use super::*;

const ACCEPTED: &str = "I1125 14:00:00.1 7 server.go:1] \"Kubelet version\" kubeletVersion=\"v1.36.3\"\n\
    E1125 14:00:00.2 7 run.go:72] \"command failed\" err=\"failed to run Kubelet: no client provided, \
    cannot use webhook authentication\"\n";
const LENIENTLY: &str = "W1125 14:00:00.1 7 helper.go:9] \"Using lenient decoding as strict decoding \
    failed\" err=\"strict decoding error: unknown field \\\"x\\\"\"\n";

fn log(error: &str) -> String {
    format!(
        "I1125 start\nE1125 14:00:00.2 7 run.go:72] \"command failed\" err=\"{error}\"\nusage\n"
    )
}

#[test]
fn each_ending_means_one_thing() {
    assert_eq!(verdict(Some(1), ACCEPTED), DryRun::Accepted { lenient: false });
    let lenient = format!("{LENIENTLY}{ACCEPTED}");
    assert_eq!(verdict(Some(1), &lenient), DryRun::Accepted { lenient: true });
    for error in [
        "failed to load kubelet config file, path: /x, error: yaml: line 3",
        "failed to validate kubelet configuration, error: invalid configuration: conflict",
        "failed to merge kubelet configs: duplicate field",
        "failed to set feature gates from initial flags-based config: unrecognized feature gate: X",
    ] {
        assert_eq!(verdict(Some(1), &log(error)), DryRun::Rejected(format!("err=\"{error}\"")));
    }
    let panic = "panic: failed to merge global and in-flight KubeletConfiguration while adding gate: \
        unrecognized feature gate: X\n\ngoroutine 1 [running]:\n";
    let DryRun::Rejected(why) = verdict(Some(2), panic) else { panic!() };
    assert!(why.ends_with("unrecognized feature gate: X"), "{why}");
}

#[test]
fn every_other_ending_is_no_verdict() {
    for (code, output) in [
        (Some(1), log("unknown flag: --config-dir")),
        (Some(1), log("kubelet is configured to not run on a host using cgroup v1")),
        (Some(1), LENIENTLY.to_owned()),
        (Some(1), String::new()),
        (Some(0), ACCEPTED.to_owned()),
        (Some(2), ACCEPTED.to_owned()),
        (None, ACCEPTED.to_owned()),
        (Some(137), ACCEPTED.to_owned()),
        (Some(2), "panic: runtime error: index out of range\n".to_owned()),
        (Some(1), "panic: failed to merge global and in-flight".replace("merge", "join")),
        (Some(0), log("failed to load kubelet config file")),
        // It cannot have said both.
        (Some(1), format!("{ACCEPTED}{}", log("failed to load kubelet config file"))),
        (Some(127), "unshare: failed to execute /usr/bin/kubelet: No such file\n".to_owned()),
    ] {
        let verdict = verdict(code, &output);
        assert!(matches!(verdict, DryRun::NoVerdict(_)), "{code:?} {output}: {verdict:?}");
    }
    let DryRun::NoVerdict(why) = verdict(Some(1), "\x1b]0;title\x07") else { panic!() };
    assert_eq!(why, "it ended with code 1: \\x1b]0;title\\x07");
}

/// What the stand-in's script comes to. `unshare` is one too: a test may not have the right to use it.
fn asked(kubelet: &str, deadline: Duration) -> (Stubs, DryRun) {
    let stubs = Stubs::new();
    let here = stubs.path("");
    stubs.program(
        "unshare",
        "[ \"$1 $2 $3\" = '--net --mount --' ] || exit 9\nshift 3\nexec \"$@\"",
    );
    stubs.program("kubelet", &kubelet.replace("HERE", &here));
    stubs.write("run/.keep", "");
    let candidate = Candidate {
        binary: stubs.path("bin/kubelet"),
        config: Some("/etc/config.yaml".to_owned()),
        config_dir: Some("/etc/drop-ins".to_owned()),
        gates: vec!["A=true,B=false".to_owned()],
    };
    let run = stubs.directory().join("run");
    let came = dry_run_with(&stubs.programs(), &run, &candidate, deadline);
    assert_eq!(stubs.names("run"), [".keep"], "its directory is gone");
    (stubs, came)
}

#[test]
fn the_kubelet_gets_its_own_directories_and_no_kubeconfig() {
    let script = format!(
        "echo \"$*\" > HERE/said; echo x > \"$TMPDIR/file\"; mkdir \"$TMPDIR/pki\"\n\
         cat >&2 <<'END'\n{ACCEPTED}END\nexit 1"
    );
    let (stubs, came) = asked(&script, DEADLINE);
    assert_eq!(came, DryRun::Accepted { lenient: false });
    let said = stubs.read("said");
    let words: Vec<&str> = said.split_whitespace().collect();
    let [root, certs, webhook, config, config_dir, gates] = words.as_slice() else {
        panic!("{said}")
    };
    let own = root.strip_prefix("--root-dir=").unwrap();
    assert!(own.starts_with(&stubs.path("run/ccgpu-node-dry-run.")), "{own}");
    assert_eq!(*certs, format!("--cert-dir={own}/pki"));
    assert_eq!(
        [*webhook, *config, *config_dir, *gates],
        [
            "--authentication-token-webhook=true",
            "--config=/etc/config.yaml",
            "--config-dir=/etc/drop-ins",
            "--feature-gates=A=true,B=false"
        ]
    );
}

#[test]
fn a_kubelet_that_hangs_lies_or_is_not_there_gives_no_verdict() {
    let second = Duration::from_secs(1);
    let (_, came) = asked("echo starting >&2; sleep 1000", second);
    let hangs = "unshare did not end within 1 s: starting";
    assert_eq!(came, DryRun::NoVerdict(hangs.to_owned()));
    assert!(matches!(asked("exit 0", DEADLINE).1, DryRun::NoVerdict(_)));
    assert!(matches!(asked("kill -9 $$", DEADLINE).1, DryRun::NoVerdict(_)));
    assert!(matches!(
        asked("head -c 100000 /dev/urandom; exit 1", DEADLINE).1,
        DryRun::NoVerdict(_)
    ));
    let stubs = Stubs::new();
    let nowhere = Path::new("/nonexistent");
    let came = dry_run_with(&stubs.programs(), nowhere, &Candidate::default(), DEADLINE);
    assert!(matches!(came, DryRun::NoVerdict(_)));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test looks at its own namespace")]
fn the_real_unshare_takes_the_network_away() {
    let stubs = Stubs::new();
    let script = format!("readlink /proc/self/ns/net > {}; exit 1", stubs.path("net"));
    stubs.program("kubelet", &script);
    let candidate = Candidate { binary: stubs.path("bin/kubelet"), ..Candidate::default() };
    let came = dry_run_with(&stubs.programs(), stubs.directory(), &candidate, DEADLINE);
    let theirs = stubs.read("net");
    if theirs.is_empty() {
        println!("left out: {came:?}");
        return;
    }
    let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(theirs.trim(), ours.to_str().unwrap());
}
