//! What is told of containerd's and CRI-O's files, on small trees.

use std::collections::BTreeMap;

use super::super::testing::tree;
use super::*;
use crate::facts::Value;

fn read(files: &[(&str, &str)], version: Option<&str>) -> ContainerRuntime {
    let host = tree(files);
    let root = Root::directory(host.path()).unwrap();
    let assumed = version
        .map(|version| (super::version::FACT, Value::Version(Version::parse(version).unwrap())));
    let needs = Needs::CONTAINER_RUNTIME.and(Needs::CONTAINER_RUNTIME_VERSION);
    let assumed: BTreeMap<_, _> = assumed.into_iter().collect();
    gather(&root, &Run::on(&root), needs, &assumed)
}

fn names(runtime: &ContainerRuntime) -> Vec<String> {
    let handlers = runtime.handlers.reading.known();
    handlers.into_iter().flatten().map(|handler| handler.name.clone()).collect()
}

const MAIN: &str = "etc/containerd/config.toml";
const V2: &str = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.";
const V3: &str = "[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.";

#[test]
fn a_missing_import_stops_containerd_and_is_told_where_it_is_asked_for() {
    let runtime = read(&[(MAIN, "version = 3\nimports = [\n\"/etc/x.toml\"]\n")], Some("2.3.0"));
    assert_eq!(runtime.loads.reading, Reading::Known(false));
    assert_eq!(runtime.loads.source, Source::line("/etc/containerd/config.toml", 3));
    assert!(runtime.handlers.reading.cause().is_some());
    // A pattern that matches nothing is no error.
    let runtime = read(&[(MAIN, "imports = [\"/etc/conf.d/*.toml\"]\n")], Some("2.3.0"));
    assert_eq!(runtime.loads.reading, Reading::Known(true));
}

#[test]
fn imports_are_relative_to_their_file_and_a_circle_ends() {
    let runtime = read(
        &[
            (MAIN, &format!("version = 3\nimports = [\"d/*.toml\"]\n{V3}runc]\n")),
            (
                "etc/containerd/d/a.toml",
                &format!("imports = [\"../config.toml\", \"b\"]\n{V3}a]\n"),
            ),
            ("etc/containerd/d/b", &format!("{V3}b]\n")),
            ("etc/containerd/d/c.txt", "not read"),
        ],
        Some("2.3.0"),
    );
    assert_eq!(names(&runtime), ["a", "b", "runc"]);
}

#[test]
fn before_2_0_an_import_replaces_the_whole_plugin() {
    let files = [
        (MAIN, format!("version = 2\nimports = [\"/etc/kata.toml\"]\n{V2}runc]\n")),
        ("etc/kata.toml", format!("version = 2\n{V2}kata]\n")),
    ];
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    assert_eq!(names(&read(&files, Some("1.7.27"))), ["kata"]);
    assert_eq!(names(&read(&files, Some("2.0.0"))), ["kata", "runc"]);
    // Which of the two it is cannot be told without the version.
    assert!(read(&files, None).handlers.reading.cause().is_some());
}

#[test]
fn a_plugin_counts_by_the_version_of_its_file_and_of_containerd() {
    for (version, text, found, misplaced) in [
        ("2.3.0", format!("version = 3\n{V3}a]\n"), 1, 0),
        ("2.3.0", format!("version = 3\n{V2}a]\n"), 0, 1),
        ("2.3.0", format!("version = 2\n{V2}a]\n"), 1, 0),
        ("2.3.0", format!("version = 2\n{V3}a]\n"), 1, 0),
        ("1.7.0", format!("version = 2\n{V3}a]\n"), 0, 1),
        ("1.7.0", "[plugins.cri.containerd.runtimes.a]\n".to_owned(), 1, 0),
    ] {
        let runtime = read(&[(MAIN, &text)], Some(version));
        assert_eq!(names(&runtime).len(), found, "{version} {text}");
        let wrong = runtime.misplaced.reading.into_known().unwrap();
        assert_eq!(wrong.len(), misplaced, "{version} {text}");
    }
}

#[test]
fn versions_that_containerd_refuses_stop_it() {
    let import = |inner: &str| {
        read(
            &[(MAIN, "version = 2\nimports = [\"/etc/a.toml\"]\n"), ("etc/a.toml", inner)],
            Some("2.3.0"),
        )
    };
    assert_eq!(import("version = 3\n").loads.reading, Reading::Known(false));
    assert_eq!(import("version = 2\n").loads.reading, Reading::Known(true));
    let old = read(&[(MAIN, "version = 3\n")], Some("1.7.27"));
    assert_eq!(old.loads.reading, Reading::Known(false));
    for text in ["version = \"3\"\n", "imports = \"a\"\n", "disabled_plugins = \"cri\"\n", "x\n"] {
        let runtime = read(&[(MAIN, text)], Some("2.3.0"));
        assert_eq!(runtime.loads.reading, Reading::Known(false), "{text}");
    }
}

#[test]
fn any_name_of_the_kubelets_plugin_disables_it_in_any_file() {
    for name in ["cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"] {
        let import = format!("disabled_plugins = [\"{name}\"]\n");
        let files = [(MAIN, "imports = [\"/etc/a.toml\"]\n"), ("etc/a.toml", import.as_str())];
        let runtime = read(&files, Some("2.3.0"));
        assert_eq!(runtime.cri_enabled.reading, Reading::Known(false), "{name}");
        assert_eq!(runtime.cri_enabled.source, Source::line("/etc/a.toml", 1));
    }
    let text = "disabled_plugins = [\"io.containerd.internal.v1.opt\"]\n";
    let runtime = read(&[(MAIN, text)], Some("2.3.0"));
    assert_eq!(runtime.cri_enabled.reading, Reading::Known(true));
}

#[test]
fn two_runtimes_without_a_socket_are_not_told_apart() {
    let both = [(MAIN, ""), ("etc/crio/crio.conf", "")];
    assert!(read(&both, None).name.reading.cause().is_some());
    let nothing = read(&[("etc/hostname", "")], None);
    assert!(nothing.name.reading.is_absent() && nothing.handlers.reading.is_absent());
}

#[test]
fn a_later_file_of_crio_replaces_a_handler_and_its_ending_does_not_matter() {
    let handler =
        |path: &str| format!("[crio.runtime.runtimes.kata-x]\nruntime_config_path = \"{path}\"\n");
    let runtime = read(
        &[
            ("etc/crio/crio.conf.d/10-a.conf", &(handler("/a") + "runtime_pull_image = true\n")),
            ("etc/crio/crio.conf.d/99-kata-deploy", &handler("/b")),
        ],
        None,
    );
    let handlers = runtime.handlers.reading.into_known().unwrap();
    let found: Vec<_> = handlers.iter().map(|it| (it.name.as_str(), it.guest_pull)).collect();
    assert_eq!(found, [("kata-x", false)]);
    assert_eq!(handlers[0].config.as_ref().unwrap().path, "/b");
}
