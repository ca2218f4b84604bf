//! How the kubelet is started on this host: by what runs, else by its unit, else by a file at a known
//! path.

use super::flags::Flags;
use super::process::{self, Search};
use super::{Told, layout, unit};
use crate::host::{Cause, Reading, Root, Source};

/// What is known of the kubelet's start.
#[derive(Debug)]
pub(super) struct Discovery {
    pub(super) found: Told<bool>,
    pub(super) running: Told<bool>,
    pub(super) layout: Told<&'static str>,
    pub(super) start: Start,
}

#[derive(Debug)]
pub(super) enum Start {
    /// Started with these flags, their paths absolute.
    Flags { flags: Flags, source: Source, pid: Option<u32>, program: Reading<String> },
    /// There is no kubelet.
    Nothing,
    /// There is or may be one, but how it is started cannot be told.
    Hidden(Cause, Source),
}

const PROC: &str = "/proc";

pub(super) fn discover(root: &Root) -> Discovery {
    match process::search(root) {
        Search::Running(process) => running(root, &process),
        Search::Inside(pid, program) => inside(pid, program),
        Search::Unknown { running, cause, source } => hidden(running, cause, source),
        Search::None => {
            let note = "no kubelet process";
            let running = Told::known(false, Source::file(PROC)).with_note(note);
            not_running(root, running)
        }
        Search::NoProcesses => {
            let cause = Cause::NoAnswer("this tree holds no processes".to_owned());
            not_running(root, Told::new(Reading::Unreadable(cause), Source::file(PROC)))
        }
    }
}

fn running(root: &Root, process: &process::Process) -> Discovery {
    let source = Source::file(format!("{PROC}/{}/cmdline", process.pid));
    let note = format!("process {}", process.pid);
    let here = Told::known(true, source.clone()).with_note(note);
    let mut flags = Flags::parse(process.arguments.iter().map(String::as_str));
    let program = process::program(root, process.pid);
    let start = match make_absolute(&mut flags, &process.directory) {
        Ok(()) => Start::Flags { flags, source, pid: Some(process.pid), program },
        Err(cause) => Start::Hidden(cause, Source::file(format!("{PROC}/{}/cwd", process.pid))),
    };
    let layout = match &start {
        Start::Flags { flags, source, program, .. } => {
            layout_of(flags, program.known().map(String::as_str), &[], source)
        }
        _ => Told::known(layout::UNKNOWN, Source::file(PROC)),
    };
    Discovery { found: here.clone(), running: here, layout, start }
}

fn inside(pid: u32, program: &'static str) -> Discovery {
    let source = Source::file(format!("{PROC}/{pid}/comm"));
    let layout = if program == "k3s" { "k3s" } else { "microk8s" };
    let told =
        Told::known(true, source.clone()).with_note(format!("inside {program}, process {pid}"));
    let cause = Cause::NoAnswer(format!("{program} has the kubelet inside; its flags do not show"));
    Discovery {
        found: told.clone(),
        running: told,
        layout: Told::known(layout, source.clone()),
        start: Start::Hidden(cause, source),
    }
}

fn hidden(running: bool, cause: Cause, source: Source) -> Discovery {
    let told = if running {
        Told::known(true, source.clone())
    } else {
        Told::new(Reading::Unreadable(cause.clone()), source.clone())
    };
    Discovery {
        found: told.clone(),
        running: told,
        layout: Told::new(Reading::Unreadable(cause.clone()), source.clone()),
        start: Start::Hidden(cause, source),
    }
}

fn not_running(root: &Root, running: Told<bool>) -> Discovery {
    match unit::read(root) {
        Ok(Reading::Known(start)) => {
            let source = start.source;
            let mut flags = Flags::parse(start.arguments.iter().map(String::as_str));
            let files: Vec<&str> = start.files.iter().map(String::as_str).collect();
            let layout = layout_of(&flags, Some(&start.program), &files, &source);
            let found = Told::known(true, source.clone()).with_note("a unit that does not run");
            let start = match make_absolute(&mut flags, &Reading::Known(start.directory)) {
                Ok(()) => {
                    let program = Reading::Known(start.program);
                    Start::Flags { flags, source, pid: None, program }
                }
                Err(cause) => Start::Hidden(cause, source),
            };
            Discovery { found, running, layout, start }
        }
        Ok(Reading::Absent) => without_unit(root, running),
        Ok(Reading::Unreadable(cause)) => {
            Discovery { running, ..hidden(false, cause, Source::file("/etc/systemd/system")) }
        }
        Err((cause, source)) => {
            let found = Told::known(true, source.clone()).with_note("a unit that does not run");
            let layout = Told::known(layout::UNKNOWN, source.clone());
            Discovery { found, running, layout, start: Start::Hidden(cause, source) }
        }
    }
}

fn without_unit(root: &Root, running: Told<bool>) -> Discovery {
    if let Some((name, source)) = layout::without_unit(root) {
        let cause = Cause::NoAnswer(format!("{name} starts the kubelet; its flags do not show"));
        return Discovery {
            found: Told::known(true, source.clone()),
            running,
            layout: Told::known(name, source.clone()),
            start: Start::Hidden(cause, source),
        };
    }
    match layout::known_file(root) {
        Ok(Some(path)) => {
            let source = Source::file(path);
            let flags = Flags { config: Some(path.to_owned()), ..Flags::default() };
            let note = "only a configuration file; nothing here starts a kubelet";
            Discovery {
                found: Told::known(true, source.clone()).with_note(note),
                running,
                layout: Told::known(layout::of([path]), source.clone()),
                start: Start::Flags { flags, source, pid: None, program: Reading::Absent },
            }
        }
        Ok(None) => {
            let source = Source::file("/etc/systemd/system/kubelet.service");
            let note = "no process, no unit and no configuration file of a kubelet";
            Discovery {
                found: Told::known(false, source.clone()).with_note(note),
                running,
                layout: Told::new(Reading::Absent, source),
                start: Start::Nothing,
            }
        }
        Err((cause, source)) => Discovery { running, ..hidden(false, cause, source) },
    }
}

/// Go resolves the path of `--config` against the working directory.
fn make_absolute(flags: &mut Flags, directory: &Reading<String>) -> Result<(), Cause> {
    for path in [&mut flags.config, &mut flags.config_dir].into_iter().flatten() {
        if path.starts_with('/') {
            continue;
        }
        match directory {
            Reading::Known(directory) => {
                *path = format!("{}/{path}", directory.trim_end_matches('/'));
            }
            Reading::Absent => {
                return Err(Cause::NoAnswer("the working directory is gone".to_owned()));
            }
            Reading::Unreadable(cause) => return Err(cause.clone()),
        }
    }
    Ok(())
}

fn layout_of(
    flags: &Flags,
    program: Option<&str>,
    files: &[&str],
    source: &Source,
) -> Told<&'static str> {
    let paths = [flags.config.as_deref(), flags.config_dir.as_deref(), program];
    let name = layout::of(paths.into_iter().flatten().chain(files.iter().copied()));
    Told::known(name, source.clone())
}
