//! A stand-in for systemd whose kubelet is a process that runs, dies, loops or never answers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::super::testing::Stubs;
use super::*;

const WATCH: Watch = Watch {
    start: Duration::from_secs(15),
    pause: Duration::from_millis(50),
    ..Watch::OF_A_KUBELET
};

/// `restart` starts the kubelet, `show` tells of it. A kubelet goes with the test's directory.
const SYSTEMCTL: &str = r#"
cd HERE || exit 1
echo "$*" >> log
case "$1" in
restart)
    echo 0 > restarts
    sh HERE/bin/kubelet --config=HERE/config.yaml > /dev/null 2>&1 &
    echo $! > pid
    ;;
show)
    pid=$(cat pid)
    state='active running'
    # One that nobody has waited for is gone all the same.
    if ! grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$pid/status"; then pid=0; state='activating auto-restart'; fi
    SHOW
    printf 'ActiveState=%s\nSubState=%s\n' $state
    printf 'MainPID=%s\nNRestarts=%s\nRestartUSec=200ms\n' "$pid" "$(cat restarts)"
    ;;
esac
"#;

const STAYS: &str = "while [ -e HERE/log ]; do sleep 0.1; done";

struct Host {
    stubs: Stubs,
    asked: Arc<AtomicUsize>,
}

impl Host {
    /// `show` may change what systemd tells; `answer` gives the status of each answer from 0 on.
    fn new(kubelet: &str, show: &str, answer: fn(usize) -> u16) -> Self {
        let stubs = Stubs::new();
        let here = stubs.path("").trim_end_matches('/').to_owned();
        stubs.program("kubelet", &kubelet.replace("HERE", &here));
        stubs.program("systemctl", &SYSTEMCTL.replace("SHOW", show).replace("HERE", &here));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        stubs.write("config.yaml", format!("healthzPort: {port}\n"));
        stubs.write("pid", "0");
        stubs.write("restarts", "0");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 200]);
                let status = answer(count.fetch_add(1, Ordering::SeqCst));
                let _ = stream.write_all(format!("HTTP/1.0 {status} X\r\n\r\n").as_bytes());
            }
        });
        Self { stubs, asked }
    }

    fn restart(&self) -> Result<(), String> {
        self.restart_within(&WATCH)
    }

    fn restart_within(&self, watch: &Watch) -> Result<(), String> {
        restart_with(&self.stubs.programs(), watch, "kubelet.service")
            .map_err(|error| error.to_string())
    }
}

fn why(result: Result<(), String>) -> String {
    let error = result.unwrap_err();
    error.strip_prefix("kubelet.service did not come up: ").unwrap_or(&error).to_owned()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test looks at the clock")]
fn a_kubelet_that_stays_is_up_after_the_whole_window() {
    let host = Host::new(STAYS, "", |_| 200);
    let started = Instant::now();
    assert_eq!(host.restart(), Ok(()));
    assert!(started.elapsed() >= Duration::from_secs(2));
    assert!(host.asked.load(Ordering::SeqCst) > 3);
    let log = host.stubs.read("log");
    let mut lines = log.lines();
    let show =
        "show --property=ActiveState,SubState,MainPID,NRestarts,RestartUSec -- kubelet.service";
    assert_eq!(lines.next(), Some(show));
    assert_eq!(lines.next(), Some("restart -- kubelet.service"));
    assert!(lines.all(|line| line == show), "{log}");
}

#[test]
fn a_kubelet_may_take_some_time_to_answer() {
    let host = Host::new(STAYS, "", |asked| if asked < 5 { 500 } else { 200 });
    assert_eq!(host.restart(), Ok(()));
}

#[test]
fn without_healthz_the_process_alone_counts() {
    let host = Host::new(STAYS, "", |_| 500);
    host.stubs.write("config.yaml", "healthzPort: 0\n");
    assert_eq!(host.restart(), Ok(()));
    assert_eq!(host.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_kubelet_that_never_answers_well_is_not_up() {
    let host = Host::new(STAYS, "", |_| 500);
    let watch = Watch { start: Duration::from_millis(500), ..WATCH };
    let error = why(host.restart_within(&watch));
    assert!(error.starts_with("http://127.0.0.1:") && error.ends_with("says 500"), "{error}");
}

#[test]
fn a_kubelet_that_answers_well_once_is_not_up() {
    let host = Host::new(STAYS, "", |asked| if asked < 3 { 200 } else { 500 });
    let error = why(host.restart());
    assert!(error.ends_with("says 500, after it was well"), "{error}");
}

#[test]
fn a_kubelet_that_dies_in_the_window_is_not_up() {
    let host = Host::new("sleep 1", "", |_| 200);
    let error = why(host.restart());
    assert!(error.starts_with("process "), "{error}");
    assert!(error.ends_with("is gone; it is activating (auto-restart)"), "{error}");
}

#[test]
fn a_kubelet_that_died_before_the_first_look_is_not_waited_for() {
    let host = Host::new("exit 1", "", |_| 200);
    // It is gone by the time that `restart` ends.
    let systemctl =
        host.stubs.read("bin/systemctl").replace("echo $! > pid", "echo $! > pid; wait");
    host.stubs.program("systemctl", systemctl.trim_start_matches("#!/bin/sh\n"));
    assert_eq!(why(host.restart()), "it is activating (auto-restart)");
}

#[test]
fn a_kubelet_that_is_restarted_is_not_up_whatever_it_answers() {
    // Systemd counts it; the process may even have the same number.
    let counts = "[ \"$(wc -l < log)\" -lt 8 ] || echo 3 > restarts";
    let host = Host::new(STAYS, counts, |_| 200);
    assert_eq!(why(host.restart()), "systemd had to restart it 3 times since");
    // Or the count was begun anew, and only the process is another.
    let another = "[ \"$(wc -l < log)\" -lt 8 ] || pid=1";
    let host = Host::new(STAYS, another, |_| 200);
    let error = why(host.restart());
    assert!(error.ends_with(" is gone, and 1 runs in its place"), "{error}");
}

#[test]
fn a_unit_that_gives_up_is_not_waited_for() {
    let host = Host::new(STAYS, "pid=0; state='failed failed'", |_| 200);
    assert_eq!(why(host.restart()), "it is failed (failed)");
}

#[test]
fn a_systemctl_that_fails_or_lies_is_an_error() {
    let host = Host::new(STAYS, "", |_| 200);
    host.stubs.program("systemctl", "echo 'Unit kubelet.service not found.' >&2; exit 5");
    assert_eq!(why(host.restart()), "systemctl ended with code 5: Unit kubelet.service not found.");
    host.stubs.program("systemctl", "[ \"$1\" = restart ] || printf '\\033[2Jgarbage'");
    assert_eq!(
        why(host.restart()),
        "what systemctl made is refused: it does not say how kubelet.service is: \"\\x1b[2Jgarbage\""
    );
}

#[test]
fn a_restart_that_did_not_take_place_is_an_error() {
    let host = Host::new(STAYS, "", |_| 200);
    assert_eq!(host.restart(), Ok(()));
    let pid = host.stubs.read("pid").trim().to_owned();
    let lies = SYSTEMCTL.replace("restart)", "never)").replace("SHOW", "");
    host.stubs
        .program("systemctl", &lies.replace("HERE", host.stubs.path("").trim_end_matches('/')));
    assert_eq!(
        why(host.restart()),
        format!("systemctl claims to have restarted it, and process {pid} runs on")
    );
}
