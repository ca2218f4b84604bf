//! What a daemon publishes about real hosts, read by the programs that it is for, and by `status`.

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ccgpu_node::config::{Mode, Nfd, Publish, Textfile};
use ccgpu_node::facts::{Assumptions, Facts, Needs, gather};
use ccgpu_node::host::{Root, Run, now, uptime};
use ccgpu_node::publish::{Author, Judged, Output, Outputs, PublishError, Snapshot};
use ccgpu_node::remediate::{Outcomes, Standing};
use ccgpu_node::report::{Header, HostOrigin, Report};
use ccgpu_node::rules::{Catalogue, Filter, Platform, RuleSet, Stage, Tee, judge};

use crate::formats::{Exporter, checked_by_promtool, scrape_until};
use crate::program::{Outcome, command, fixture, fixtures, has, outcome, run};

/// The number that stands in the lock and in the report.
const PID: u32 = 4711;

const VALID_FOR: Duration = Duration::from_secs(1_260);

/// A host as a daemon on it would judge it.
fn judged(name: &str, platform: Platform) -> (Facts, Report) {
    let root = Root::captured(&fixture(name)).unwrap();
    let facts = gather(&root, &Run::on(&root), Needs::ALL, Assumptions::default());
    let rules = RuleSet::built_in(&Catalogue::built_in()).unwrap();
    let chosen = rules.choose(&Filter::default(), platform).unwrap();
    let results = judge(&chosen, &facts);
    let header = Header {
        host: name.to_owned(),
        os: Some("\"quoted\" \\ and broken\nin two".to_owned()),
        kernel: None,
        cpu: None,
        virtualization: None,
        gpus: Some("8 x H200 SXM 141GB".to_owned()),
        platform,
        stage_why: "devices are bound to vfio-pci".to_owned(),
        tee_why: "AMD CPU".to_owned(),
        assumed: Vec::new(),
        origin: HostOrigin::Live,
    };
    (facts, Report::new(header, chosen.scope, results))
}

const OPERATOR_SNP: Platform = Platform { stage: Stage::Operator, tee: Some(Tee::Snp) };
const READY: &str = "h200x8-snp";

/// The directories of a machine that has all of the engines.
struct Machine {
    base: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        for name in ["run", "features.d", "textfile"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        Self { base }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn outputs(&self, metrics: Option<std::net::SocketAddr>) -> Outputs {
        let config = Publish {
            nfd: Some(Nfd { directory: self.path("features.d"), workload_config: true }),
            textfile: Some(Textfile { directory: self.path("textfile") }),
            metrics,
        };
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let author = Author { boot_id: boot_id.trim().to_owned(), pid: PID };
        Outputs::new(&config, &self.path("run"), author)
    }

    fn publish(&self, name: &str) {
        let (facts, report) = judged(name, OPERATOR_SNP);
        all_good(&publish(&mut self.outputs(None), &facts, &report, uptime()));
    }

    fn status(&self, more: &[&str]) -> Outcome {
        let run_directory = self.path("run").display().to_string();
        let arguments = ["status", "--runtime-directory", &run_directory];
        run(&[&arguments[..], more].concat())
    }
}

fn publish(
    outputs: &mut Outputs,
    facts: &Facts,
    report: &Report,
    uptime: Duration,
) -> Vec<(Output, Result<(), PublishError>)> {
    let standing = Standing {
        mode: Mode::Auto,
        paused: false,
        breaker_open_since: None,
        outcomes: Outcomes::default(),
        pending_reboot: true,
    };
    let took = Duration::from_millis(31);
    let judged = Judged { wall: now(), uptime, took, valid_for: VALID_FOR };
    outputs.publish(&Snapshot { report, facts, judged, transitions: 3, standing: &standing })
}

fn all_good(outcomes: &[(Output, Result<(), PublishError>)]) {
    for (output, outcome) in outcomes {
        assert!(outcome.is_ok(), "{output}: {outcome:?}");
    }
}

/// The lock of a daemon, held as long as the file is open.
fn daemon(directory: &Path) -> nix::fcntl::Flock<fs::File> {
    let path = directory.join("daemon.lock");
    fs::write(&path, format!("{PID}\n")).unwrap();
    let file = fs::File::open(path).unwrap();
    assert!(file.as_raw_fd() > 2);
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap()
}

#[test]
fn the_feature_file_of_a_real_host_says_what_its_gpus_are() {
    let machine = Machine::new();
    machine.publish(READY);
    let text = fs::read_to_string(machine.path("features.d/ccgpu-node")).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(first.starts_with("# +expiry-time=20") && first.ends_with('Z'), "{first}");
    assert_eq!(
        rest,
        "feature.node.kubernetes.io/ccgpu-node.verdict=ready\n\
         feature.node.kubernetes.io/ccgpu-node.stage=operator\n\
         feature.node.kubernetes.io/ccgpu-node.tee=snp\n\
         feature.node.kubernetes.io/ccgpu-node.gpu.count=8\n\
         feature.node.kubernetes.io/ccgpu-node.gpu.model=H200-SXM-141GB\n\
         nvidia.com/gpu.workload.config=vm-passthrough\n"
    );
}

/// On no host does the operator's label come with a required rule of the host stage that did not pass.
#[test]
fn the_operators_label_is_never_given_to_a_host_that_is_not_fit() {
    let mut given = 0;
    for name in fixtures() {
        let machine = Machine::new();
        machine.publish(&name);
        let text = fs::read_to_string(machine.path("features.d/ccgpu-node")).unwrap();
        let report: serde_json::Value =
            serde_json::from_slice(&fs::read(machine.path("run/report.json")).unwrap()).unwrap();
        let good = report["rules"].as_array().unwrap().iter().all(|rule| {
            rule["severity"] != "required"
                || rule["stage"] != "host"
                || rule["status"] == "pass"
                || rule["status"] == "not-applicable"
        });
        assert_eq!(text.contains("vm-passthrough"), good, "{name}: {text}");
        given += usize::from(good);
    }
    assert!(given > 0, "no host is fit: nothing was tried");
}

#[test]
fn promtool_and_node_exporter_take_the_textfile_of_every_host() {
    let machine = Machine::new();
    for name in fixtures() {
        machine.publish(&name);
        let text = fs::read_to_string(machine.path("textfile/ccgpu-node.prom")).unwrap();
        checked_by_promtool(&name, &text);
    }
    if !has("prometheus-node-exporter") {
        return;
    }
    machine.publish(READY);
    let exporter = Exporter::start(&machine.path("textfile"));
    let answer = scrape_until(exporter.port, "node_textfile_mtime_seconds");
    for line in [
        "node_textfile_scrape_error 0",
        "ccgpu_node_verdict{verdict=\"ready\"} 1",
        "ccgpu_node_rule_transitions_total 3",
        "ccgpu_node_reboot_pending 1",
        "ccgpu_node_remediation_mode{mode=\"auto\"} 1",
    ] {
        assert!(answer.contains(&format!("\n{line}\n")), "{line}: {answer}");
    }
}

#[test]
fn promtool_takes_what_the_listener_serves_and_it_ends_with_the_verdict() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let machine = Machine::new();
    let (facts, report) = judged(READY, OPERATOR_SNP);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut outputs = machine.outputs(Some(address));
    let ask = || tokio::task::spawn_blocking(move || scrape_until(address.port(), ""));
    runtime.block_on(async {
        all_good(&publish(&mut outputs, &facts, &report, uptime()));
        let answer = ask().await.unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
        assert_eq!(text, fs::read_to_string(machine.path("textfile/ccgpu-node.prom")).unwrap());
        checked_by_promtool("served", text);
        // Judged so long ago that it says nothing any more.
        if let Some(long_ago) = uptime().checked_sub(VALID_FOR + Duration::from_secs(5)) {
            all_good(&publish(&mut outputs, &facts, &report, long_ago));
            let answer = ask().await.unwrap();
            assert!(answer.starts_with("HTTP/1.0 503 "), "{answer}");
        }
        outputs.withdraw();
    });
    assert!(fs::read_dir(machine.path("run")).unwrap().next().is_none());
}

#[test]
fn status_ends_as_check_does_while_the_daemon_lives_and_in_3_after() {
    let machine = Machine::new();
    let nothing = machine.status(&[]);
    assert_eq!(nothing.code, 3, "{}", nothing.stdout);
    for (name, code, word) in [
        (READY, 0, "READY for stage operator"),
        ("no-iommufd", 1, "NOT READY"),
        ("no-permission", 3, "CANNOT TELL"),
    ] {
        machine.publish(name);
        let lock = daemon(&machine.path("run"));
        let alive = machine.status(&[]);
        assert_eq!(alive.code, code, "{name}: {}{}", alive.stdout, alive.stderr);
        assert!(alive.stdout.starts_with(&format!("{name}: {word}")), "{}", alive.stdout);
        let json = machine.status(&["--format", "json"]);
        assert_eq!(json.code, code);
        let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["exit_code"], code);
        let npd = machine.status(&["--format", "npd"]);
        assert_eq!(npd.code, [0, 1, 2, 2][usize::try_from(code).unwrap()], "{}", npd.stdout);
        drop(lock);
        for (arguments, code) in
            [(&[][..], 3), (&["--format", "json"], 3), (&["--format", "npd"], 2)]
        {
            let dead = machine.status(arguments);
            assert_eq!(dead.code, code, "{name}: {}", dead.stdout);
            assert!(dead.stdout.contains("the daemon is not running"), "{}", dead.stdout);
        }
    }
}

#[test]
fn status_hangs_on_nothing_that_stands_in_the_place_of_the_report() {
    for name in ["report.json", "daemon.lock"] {
        let machine = Machine::new();
        machine.publish(READY);
        let lock = daemon(&machine.path("run"));
        let path = machine.path("run").join(name);
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let outcome = machine.status(&[]);
        assert_eq!(outcome.code, 3, "{name}: {}", outcome.stdout);
        drop(lock);
    }
}

fn check_beside_daemon(report: &Path, lock: bool, more: &[&str]) -> Option<Outcome> {
    check_on_site(Path::new("/nowhere"), report, lock, more)
}

/// Runs `check --format npd` where `/run` holds the report and a lock that is held, and `/etc` the site's
/// directory alone; `None` where this user may not have such places of its own.
fn check_on_site(site: &Path, report: &Path, lock: bool, more: &[&str]) -> Option<Outcome> {
    let script = "mount -t tmpfs none /run && mkdir /run/ccgpu-node || exit 99
        mount -t tmpfs none /etc || exit 99
        [ ! -e \"$SITE\" ] || cp -r \"$SITE\" /etc/ccgpu-node || exit 99
        cp \"$1\" /run/ccgpu-node/report.json && echo \"$2\" >/run/ccgpu-node/daemon.lock || exit 99
        program=$3 held=$4; shift 4
        [ $held = no ] && exec \"$program\" check --format npd \"$@\"
        flock -x /run/ccgpu-node/daemon.lock \"$program\" check --format npd \"$@\"";
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .env("SITE", site)
        .arg(report)
        .arg(PID.to_string())
        .arg(command().get_program())
        .arg(if lock { "yes" } else { "no" })
        .args(more)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let outcome = outcome(output);
    if outcome.code == 99 || outcome.stderr.starts_with("unshare") {
        println!("left out: no /run of its own: {}", outcome.stderr);
        return None;
    }
    Some(outcome)
}

/// The report is about a host that this machine is not, so that it shows who answered.
#[test]
fn check_for_npd_answers_from_the_daemon_only_where_that_is_what_was_asked() {
    let machine = Machine::new();
    machine.publish(READY);
    let path = machine.path("run/report.json");
    let Some(told) = check_beside_daemon(&path, true, &[]) else { return };
    assert_eq!((told.code, &*told.stdout), (0, "ready for stage operator\n"), "{}", told.stderr);
    let itself = |outcome: Option<Outcome>, about: &str| {
        let outcome = outcome.unwrap();
        assert_ne!(outcome.stdout, told.stdout, "{about}");
        assert!(!outcome.stdout.starts_with("cannot tell: "), "{about}: {}", outcome.stdout);
    };
    itself(check_beside_daemon(&path, false, &[]), "a dead daemon");
    for option in [
        &["--only", "gpu-present"][..],
        &["--skip", "kubelet"],
        &["--stage", "workload"],
        &["--tee", "tdx"],
        &["--root", "/"],
        &["--assume", "kubelet.version=1.34.2"],
    ] {
        itself(check_beside_daemon(&path, true, option), &option.join(" "));
    }
    // What the site wrote since the daemon read it.
    for (name, text) in [
        ("rules.d/a.toml", "schema = 1\n"),
        ("config.toml", "[check]\nstage = \"host\"\n"),
        ("config.d/a.toml", "[check]\nskip = [\"kubelet\"]\n"),
    ] {
        let site = tempfile::tempdir().unwrap();
        let file = site.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        itself(check_on_site(site.path(), &path, true, &[]), name);
    }
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let changed = machine.path("changed.json");
    for (pointer, value) in [
        ("/left_out", 1.into()),
        ("/disabled", serde_json::json!([{ "id": "a", "reason": "b" }])),
        ("/stage/why", "asked for".into()),
        ("/tee/why", "asked for".into()),
        ("/host/origin", "directory".into()),
        ("/host/assumed", serde_json::json!([{ "fact": "a", "value": "b" }])),
        ("/judged/program", "0.0.1".into()),
        ("/judged/boot_id", "another".into()),
        ("/judged/pid", 1.into()),
        ("/rules/0/override_reason", "ours".into()),
    ] {
        let mut report = report.clone();
        *report.pointer_mut(pointer).unwrap() = value;
        fs::write(&changed, report.to_string()).unwrap();
        itself(check_beside_daemon(&changed, true, &[]), pointer);
    }
}

/// The part that needs a disk of its own: `$CCGPU_DISK` is a small filesystem that may be filled.
#[test]
#[ignore = "run by the test below, on a filesystem that is small"]
fn on_a_small_disk() {
    let disk = PathBuf::from(std::env::var_os("CCGPU_DISK").unwrap());
    let machine = Machine::new();
    let (facts, report) = judged(READY, OPERATOR_SNP);
    let textfile = Some(Textfile { directory: disk.clone() });
    let mut outputs = machine.outputs(None);
    outputs.configure(&Publish { nfd: None, textfile, metrics: None });
    let mut textfile = || {
        let outcomes = publish(&mut outputs, &facts, &report, uptime());
        let [(Output::Report, Ok(())), (Output::Textfile, textfile)] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        textfile.as_ref().map_err(ToString::to_string).copied()
    };
    let names = || fs::read_dir(&disk).unwrap().count();
    textfile().unwrap();
    let text = fs::read_to_string(disk.join("ccgpu-node.prom")).unwrap();
    let mut filler = fs::File::create(disk.join("filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[0; 512]).is_ok() {}
    let why = textfile().unwrap_err();
    assert!(why.contains("ccgpu-node.prom"), "{why}");
    assert_eq!(fs::read_to_string(disk.join("ccgpu-node.prom")).unwrap(), text);
    assert_eq!(names(), 2, "the half file was left");
    drop(filler);
    fs::remove_file(disk.join("filler")).unwrap();
    textfile().unwrap();
    let remount = |mode: &str| {
        let option = format!("remount,{mode}");
        let status = Command::new("mount").args(["-o", &option]).arg(&disk).status().unwrap();
        assert!(status.success());
    };
    remount("ro");
    textfile().unwrap_err();
    remount("rw");
    textfile().unwrap();
    assert_eq!(names(), 1);
}

#[test]
fn a_disk_that_is_full_or_read_only_leaves_the_old_file_whole_and_stops_no_other_output() {
    let disk = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=192k none \"$CCGPU_DISK\" || exit 99; exec \"$0\" \"$@\"";
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "published::on_a_small_disk", "--ignored"])
        .env("CCGPU_DISK", disk.path())
        .output();
    let Ok(output) = output else { return println!("left out: no unshare") };
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(99) || output.stderr.starts_with(b"unshare") {
        return println!("left out: no filesystem of its own");
    }
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
