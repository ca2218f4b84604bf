//! One fault a run, at every call that a program makes: an error, a kill, a request to end. Whatever
//! happens, the files must be as they were or as they were planned, and `recover` must make them all the
//! one or all the other.
//!
//! Calls of the program itself are counted in a clean run under `strace`, and each is injected with each
//! fault; of those that only read `/sys` and `/proc`, one in `FACTS` is. Programs that it starts are made
//! to fail where they begin. `CCGPU_FAULT_SAMPLE=N` takes every N-th of these; see `tests/faults`.
//! `CCGPU_FAULT_ONLY='EIO at fsync 4'` injects that one and shows what was said; a comma goes between more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::checker::{Oracle, Snapshot, State};
use crate::world::{TOO_LONG, World};

/// Calls that can leave something half done, or that tell what is there.
const CALLS: &str = "open,openat,openat2,read,pread64,write,pwrite64,writev,fsync,fdatasync,syncfs,\
    rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,\
    fchmod,fchmodat,chown,fchown,fchownat,lchown,setxattr,lsetxattr,fsetxattr,ftruncate,truncate,flock,\
    ioctl,sendfile,copy_file_range,clone,clone3,fork,vfork,utimensat,fstatfs";
const KINDS: [&str; 7] = ["EIO", "ENOSPC", "EROFS", "EACCES", "EINTR", "KILL", "TERM"];
/// Of the calls that read a fact from `/sys` or `/proc`, one in this many; there are thousands, all from
/// one place in the program.
const FACTS: usize = 50;
/// A kubelet that never comes up is waited for twice: with the new files, and with the old ones.
const PATIENCE: Duration = Duration::from_secs(200);
/// Most of a run is waiting for the kubelet to prove itself, so that more than the machine has processors
/// are worth while.
const WORKERS: usize = 12;

/// What is run, in a world's own words.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) fix: Vec<&'static str>,
    pub(crate) recover: Vec<&'static str>,
    /// Calls before the first that mentions this are none of its own.
    pub(crate) begins: &'static str,
    pub(crate) ends: Ends,
}

/// In which state `recover` may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Either,
    /// The host was between two states before the subject ran, and may not stay there.
    After,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    kind: &'static str,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// The program's own call of this name with this number, from 1.
    Call(String, u32),
    /// Where a program of this name would begin.
    Program(String),
}

impl Fault {
    /// Whether a run with it takes minutes, all of which are waiting: a sample leaves it out.
    fn lasts(&self) -> bool {
        self.place == Place::Program("kubelet".to_owned())
    }

    /// The options of `strace` for it.
    fn options(&self) -> Vec<String> {
        let what = match self.kind {
            signal @ ("KILL" | "TERM") => format!("signal={signal}"),
            error => format!("error={error}"),
        };
        let mut options = match &self.place {
            Place::Call(call, number) => {
                vec![format!("--trace={call}"), format!("--inject={call}:{what}:when={number}")]
            }
            Place::Program(name) => {
                let everywhere = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
                let paths = everywhere.map(|directory| format!("--trace-path={directory}/{name}"));
                // A tracer that is no parent: the kubelet that was started lives on, and its tracer with it.
                let more = ["-D", "-f", "--trace=execve"].map(str::to_owned);
                paths.into_iter().chain(more).chain([format!("--inject=execve:{what}")]).collect()
            }
        };
        options.extend(["-qq", "-o", "/run/calls"].map(str::to_owned));
        options
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Call(call, number) => write!(f, "{} at {call} {number}", self.kind),
            Place::Program(name) => write!(f, "{} at the start of {name}", self.kind),
        }
    }
}

/// What came of one run.
#[derive(Debug)]
pub(crate) struct Verdict {
    kind: &'static str,
    code: i32,
    /// After the run and before `recover`; `None` where a file was neither.
    pub(crate) state: Option<State>,
    recovered: Option<State>,
    /// How long `recover` took.
    recovery: Duration,
    violations: Vec<String>,
}

/// All runs of a subject.
#[derive(Debug)]
pub(crate) struct Campaign {
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) possible: usize,
    took: Duration,
}

impl Campaign {
    pub(crate) fn violations(&self) -> Vec<&String> {
        self.verdicts.iter().flat_map(|verdict| &verdict.violations).collect()
    }

    /// Kinds of faults that were not injected.
    pub(crate) fn kinds_left_out(&self) -> Vec<&str> {
        let was = |kind: &&str| self.verdicts.iter().any(|verdict| verdict.kind == *kind);
        KINDS.into_iter().filter(|kind| !was(kind)).collect()
    }

    /// A row for each kind of fault.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} of {} faults in {:.1} s\n{:8}{:>6}{:>8}{:>7}{:>9}{:>11}{:>11}  exit codes\n",
            self.verdicts.len(),
            self.possible,
            self.took.as_secs_f64(),
            "fault",
            "runs",
            "before",
            "after",
            "between",
            "error but",
            "violations",
        );
        for kind in KINDS {
            let of: Vec<&Verdict> = self.verdicts.iter().filter(|v| v.kind == kind).collect();
            let count = |test: &dyn Fn(&Verdict) -> bool| of.iter().filter(|v| test(v)).count();
            let mut codes: BTreeMap<i32, usize> = BTreeMap::new();
            for verdict in &of {
                *codes.entry(verdict.code).or_default() += 1;
            }
            let codes: Vec<String> =
                codes.into_iter().map(|(code, count)| format!("{code}: {count}")).collect();
            let _ = writeln!(
                text,
                "{kind:8}{:>6}{:>8}{:>7}{:>9}{:>11}{:>11}  {}",
                of.len(),
                count(&|v| v.state == Some(State::Before)),
                count(&|v| v.state == Some(State::After)),
                count(&|v| v.state == Some(State::Between)),
                count(&|v| v.state == Some(State::After) && !is_success(v.code)),
                count(&|v| !v.violations.is_empty()),
                codes.join(", "),
            );
        }
        let mut recoveries: Vec<Duration> = self.verdicts.iter().map(|v| v.recovery).collect();
        recoveries.sort_unstable();
        let after = |state| self.verdicts.iter().filter(|v| v.recovered == Some(state)).count();
        let _ = writeln!(
            text,
            "recover: {} before, {} after, median {} ms (\"error but\" done: the exit code says failed)",
            after(State::Before),
            after(State::After),
            recoveries.get(recoveries.len() / 2).map_or(0, Duration::as_millis),
        );
        text
    }
}

/// Done, or done but for a reboot.
fn is_success(code: i32) -> bool {
    matches!(code, 0 | 4)
}

/// What a clean run does: the calls of the program itself, and the programs that it starts.
fn faults(world: &World, subject: &Subject) -> Vec<Fault> {
    let mut strace = vec!["strace", "-qq", "-s", "128", "-o", "/run/calls", "-e"];
    let trace = format!("trace={}", CALLS.replace(' ', ""));
    strace.push(&trace);
    strace.extend(&subject.fix);
    world.run(&strace);
    let places = calls(&world.read("/run/calls"), subject.begins);
    world.reset();

    let mut strace = vec!["strace", "-D", "-f", "-qq", "-o", "/run/calls"];
    strace.extend(["-e", "trace=execve,process"]);
    strace.extend(&subject.fix);
    world.run(&strace);
    world.settle();
    let programs = programs(&world.read("/run/calls"));
    world.reset();

    let places = places.into_iter().chain(programs.into_iter().map(Place::Program));
    let places: Vec<Place> = places.collect();
    // Kind by kind, so that every N-th of these are of all kinds and in all places.
    KINDS
        .iter()
        .flat_map(|kind| places.iter().map(|place| Fault { kind, place: place.clone() }))
        .collect()
}

/// Numbers the calls in a log of `strace`, without most of those that read facts.
fn calls(log: &str, begins: &str) -> Vec<Place> {
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut begun = false;
    let mut of_facts = false;
    let mut facts = 0;
    let mut places = Vec::new();
    for line in log.lines() {
        let Some((call, rest)) = line.split_once('(') else { continue };
        if call.contains(' ') {
            continue;
        }
        let number = numbers.entry(call).or_default();
        *number += 1;
        begun |= rest.contains(begins);
        if !begun {
            continue;
        }
        if call.starts_with("open") {
            let path = rest.split('"').nth(1).unwrap_or("").trim_start_matches('/');
            of_facts = path.starts_with("sys/") || path.starts_with("proc/");
        }
        if of_facts && (call.starts_with("open") || call.contains("read")) {
            facts += 1;
            if facts % FACTS != 1 {
                continue;
            }
        }
        places.push(Place::Call(call.to_owned(), *number));
    }
    places
}

/// Names of the programs that the first process in a log of `strace -f` starts; what these start in turn
/// is theirs.
fn programs(log: &str) -> BTreeSet<String> {
    let mut lines = log.lines().filter_map(|line| line.trim_start().split_once(' '));
    let Some((own, _)) = lines.next() else { return BTreeSet::new() };
    let lines: Vec<(&str, &str)> = lines.map(|(who, what)| (who, what.trim_start())).collect();
    let is_birth = |what: &str| ["clone", "fork", "vfork"].iter().any(|call| what.contains(call));
    let children: BTreeSet<&str> = lines
        .iter()
        .filter(|(who, what)| *who == own && is_birth(what))
        .filter_map(|(_, what)| what.rsplit_once("= ").map(|(_, child)| child.trim()))
        .collect();
    lines
        .iter()
        .filter(|(who, what)| children.contains(who) && what.starts_with("execve("))
        .filter_map(|(_, what)| what.split('"').nth(1)?.rsplit('/').next().map(str::to_owned))
        .collect()
}

/// One run with a fault, and what the files say about it.
fn inject(world: &World, subject: &Subject, oracle: &Oracle, fault: &Fault) -> Verdict {
    let mut violations = Vec::new();
    let mut complain = |what: String| violations.push(format!("{fault}: {what}"));

    let options = fault.options();
    let mut words = vec!["strace"];
    words.extend(options.iter().map(String::as_str));
    words.extend(&subject.fix);
    let outcome = world.run_within(PATIENCE, &words);
    world.settle();
    let now = Snapshot::of(&world.root());
    let state = oracle.judge(&now);
    match (&state, outcome.code) {
        (Err(files), _) => complain(format!("neither before nor after: {}", files.join("; "))),
        (_, TOO_LONG) => complain("it hangs".to_owned()),
        (Ok(State::Before | State::Between), code) if is_success(code) => {
            complain(format!("it claims success and left {state:?}"));
        }
        (Ok(State::After | State::Between), code @ (5 | 6)) => {
            complain(format!("exit code {code} says all is as it was, but it is {state:?}"));
        }
        (_, 101 | 134 | 139) => complain(format!("it crashed: {}", outcome.stderr)),
        _ => {}
    }

    if std::env::var_os("CCGPU_FAULT_ONLY").is_some() {
        println!("{fault}: {outcome:#?}\n{state:?}");
        println!("{}", world.run(&["cat", "/run/calls"]).stdout);
    }

    let start = Instant::now();
    let first = world.run_within(PATIENCE, &subject.recover);
    let recovery = start.elapsed();
    if std::env::var_os("CCGPU_FAULT_ONLY").is_some() {
        println!("{}: {first:#?}", subject.recover.join(" "));
    }
    world.settle();
    let once = Snapshot::of(&world.root());
    let recovered = oracle.judge(&once);
    match &recovered {
        Err(files) => complain(format!("recover left neither: {}", files.join("; "))),
        Ok(State::Between) => complain(format!("recover left it between: exit {}", first.code)),
        Ok(State::Before) if is_success(outcome.code) => {
            complain("recover undid what had succeeded".to_owned());
        }
        Ok(State::Before) if subject.ends == Ends::After => {
            complain(format!("recover left it as it was interrupted: exit {}", first.code));
        }
        Ok(State::Before | State::After) => {}
    }
    if !once.temporary().is_empty() {
        complain(format!("recover left temporary files: {:?}", once.temporary()));
    }
    if first.code != 0 && first.code != 4 {
        complain(format!("recover failed with {}: {}", first.code, first.stderr));
    }
    world.run_within(PATIENCE, &subject.recover);
    let touched = once.touched(&Snapshot::of(&world.root()));
    if !touched.is_empty() {
        complain(format!("a second recover touched {touched:?}"));
    }
    Verdict {
        kind: fault.kind,
        code: outcome.code,
        state: state.ok(),
        recovered: recovered.ok(),
        recovery,
        violations,
    }
}

/// What a clean run makes of a world, which is put back afterwards.
fn oracle(world: &World, subject: &Subject) -> Oracle {
    let before = Snapshot::of(&world.root());
    let outcome = world.run_within(PATIENCE, &subject.fix);
    assert!(is_success(outcome.code), "a clean run failed: {outcome:?}");
    world.settle();
    let after = Snapshot::of(&world.root());
    assert!(!before.differences(&after).is_empty(), "a clean run changed nothing");
    assert!(after.temporary().is_empty(), "a clean run left {:?}", after.temporary());
    world.reset();
    let again = Snapshot::of(&world.root());
    assert!(before.differences(&again).is_empty(), "{:?}", before.differences(&again));
    Oracle { before, after }
}

fn workers() -> usize {
    std::env::var("CCGPU_FAULT_WORKERS").map_or(WORKERS, |text| text.parse().expect("a number"))
}

/// Injects every `sample`-th fault.
pub(crate) fn campaign(
    start: &(dyn Fn() -> World + Sync),
    subject: &Subject,
    sample: usize,
) -> Campaign {
    let begun = Instant::now();
    let planner = start();
    let all = faults(&planner, subject);
    let only = std::env::var("CCGPU_FAULT_ONLY").unwrap_or_default();
    let named =
        |fault: &&Fault| only.is_empty() || only.split(',').any(|it| it == fault.to_string());
    let sample = if only.is_empty() { sample.max(1) } else { 1 };
    let in_time = |fault: &&Fault| sample == 1 || !fault.lasts();
    let chosen: Vec<&Fault> = all.iter().filter(named).filter(in_time).step_by(sample).collect();
    drop(planner);
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| {
                let world = start();
                let oracle = oracle(&world, subject);
                while let Some(fault) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = inject(&world, subject, &oracle, fault);
                    // A campaign can last for hours: what it finds is said when it is found.
                    for violation in &verdict.violations {
                        println!("{violation}");
                    }
                    verdicts.lock().unwrap().push(verdict);
                    world.reset();
                }
            });
        }
    });
    Campaign {
        verdicts: verdicts.into_inner().unwrap(),
        possible: all.len(),
        took: begun.elapsed(),
    }
}
