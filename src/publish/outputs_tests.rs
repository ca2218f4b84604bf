#![expect(clippy::disallowed_methods, reason = "tests look at the files themselves")]

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::config::{Nfd, Publish, Textfile};
use crate::publish::testing::{author, with_snapshot};
use crate::report::Report;
use crate::rules::testing::{judged, report, rule};

struct Places {
    base: tempfile::TempDir,
}

impl Places {
    fn new(names: &[&str]) -> Self {
        let base = tempfile::tempdir().unwrap();
        for name in names {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        Self { base }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn config(&self) -> Publish {
        Publish {
            nfd: Some(Nfd { directory: self.path("nfd"), workload_config: false }),
            textfile: Some(Textfile { directory: self.path("textfile") }),
            metrics: None,
        }
    }

    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for directory in fs::read_dir(self.base.path()).unwrap() {
            let directory = directory.unwrap();
            for file in fs::read_dir(directory.path()).unwrap() {
                let name = directory.file_name().into_string().unwrap();
                let file = file.unwrap().file_name().into_string().unwrap();
                files.push(format!("{name}/{file}"));
            }
        }
        files.sort();
        files
    }
}

fn sample() -> Report {
    report(judged(&rule("good", "expect = [{ fact = \"bool.true\", equals = true }]")))
}

fn good(outcomes: &Outcomes) -> Vec<Output> {
    outcomes.iter().filter(|(_, done)| done.is_ok()).map(|(output, _)| *output).collect()
}

#[test]
fn all_outputs_are_written_and_all_are_withdrawn() {
    let places = Places::new(&["run", "nfd", "textfile"]);
    let mut outputs = Outputs::new(&places.config(), &places.path("run"), author());
    assert!(places.files().is_empty());
    for _ in 0..2 {
        let outcomes = with_snapshot(&sample(), |snapshot| outputs.publish(&snapshot));
        assert_eq!(good(&outcomes), [Output::Report, Output::Features, Output::Textfile]);
        let files = ["nfd/ccgpu-node", "run/report.json", "textfile/ccgpu-node.prom"];
        assert_eq!(places.files(), files);
    }
    let outcomes = outputs.withdraw();
    assert_eq!(good(&outcomes).len(), 3);
    assert!(places.files().is_empty());
}

/// A restart is a stop and a start, and must not look like a host that ceased to be fit.
#[test]
fn a_stop_leaves_the_labels_to_end_by_themselves() {
    let places = Places::new(&["run", "nfd", "textfile"]);
    let mut outputs = Outputs::new(&places.config(), &places.path("run"), author());
    with_snapshot(&sample(), |snapshot| outputs.publish(&snapshot));
    assert_eq!(good(&outputs.stop()), [Output::Report, Output::Textfile]);
    assert_eq!(places.files(), ["nfd/ccgpu-node"]);
    let text = fs::read_to_string(places.path("nfd/ccgpu-node")).unwrap();
    assert!(text.starts_with("# +expiry-time="), "{text}");
}

#[test]
fn an_output_that_fails_stops_no_other_and_is_tried_again() {
    let places = Places::new(&["run", "textfile"]);
    let mut outputs = Outputs::new(&places.config(), &places.path("run"), author());
    let mut publish = || with_snapshot(&sample(), |snapshot| outputs.publish(&snapshot));
    let outcomes = publish();
    assert_eq!(good(&outcomes), [Output::Report, Output::Textfile]);
    assert!(matches!(outcomes[1], (Output::Features, Err(PublishError::NoDirectory { .. }))));
    fs::create_dir(places.path("nfd")).unwrap();
    fs::remove_dir_all(places.path("run")).unwrap();
    assert_eq!(good(&publish()), [Output::Features, Output::Textfile]);
}

#[test]
fn what_the_configuration_no_longer_wants_is_removed() {
    let places = Places::new(&["run", "nfd", "textfile", "other"]);
    let mut outputs = Outputs::new(&places.config(), &places.path("run"), author());
    with_snapshot(&sample(), |snapshot| outputs.publish(&snapshot));
    let other = Some(Textfile { directory: places.path("other") });
    let outcomes = outputs.configure(&Publish { textfile: other, ..places.config() });
    assert_eq!(good(&outcomes), [Output::Textfile]);
    with_snapshot(&sample(), |snapshot| outputs.publish(&snapshot));
    let files = ["nfd/ccgpu-node", "other/ccgpu-node.prom", "run/report.json"];
    assert_eq!(places.files(), files);
    let none = Publish { nfd: None, textfile: None, metrics: None };
    assert_eq!(good(&outputs.configure(&none)), [Output::Features, Output::Textfile]);
    assert_eq!(places.files(), ["run/report.json"]);
}

/// A switch of the label that drives the GPU Operator must not take the other labels away.
#[test]
fn a_change_of_one_setting_removes_no_file() {
    let places = Places::new(&["run", "nfd", "textfile"]);
    let mut outputs = Outputs::new(&places.config(), &places.path("run"), author());
    with_snapshot(&sample(), |snapshot| outputs.publish(&snapshot));
    let nfd = Some(Nfd { directory: places.path("nfd"), workload_config: true });
    assert!(outputs.configure(&Publish { nfd, ..places.config() }).is_empty());
    assert_eq!(places.files().len(), 3);
    with_snapshot(&sample(), |snapshot| outputs.publish(&snapshot));
    let text = fs::read_to_string(places.path("nfd/ccgpu-node")).unwrap();
    assert!(text.contains("\nnvidia.com/gpu.workload.config=vm-passthrough\n"), "{text}");
}
