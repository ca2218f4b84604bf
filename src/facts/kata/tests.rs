//! What is told of installations of Kata, on small trees.

use std::path::Path;

use super::super::testing::tree;
use super::*;
use crate::facts::{Cause, Source, Value, catalogue};
use crate::format::duration::GoDuration;

const TOP: &str = "opt/kata/share/defaults/kata-containers";

fn read(directory: &Path) -> (Places, Kata) {
    let root = Root::directory(directory).unwrap();
    let places = find(&root);
    let kata = gather(&root, &Run::on(&root), &places);
    (places, kata)
}

/// The configuration of the one shim with GPUs, with these files in `config.d`.
fn configured(shim: &str, text: &str, drop_ins: &[(&str, &str)]) -> Configuration {
    let runtimes = if shim.ends_with("-rs") { "runtime-rs/runtimes" } else { "runtimes" };
    let top = format!("{TOP}/{runtimes}/{shim}");
    let base = format!("{top}/configuration-{shim}.toml");
    let paths: Vec<String> =
        drop_ins.iter().map(|(name, _)| format!("{top}/config.d/{name}")).collect();
    let files: Vec<(&str, &str)> = std::iter::once((base.as_str(), text))
        .chain(paths.iter().map(String::as_str).zip(drop_ins.iter().map(|(_, text)| *text)))
        .collect();
    let host = tree(&files);
    let (_, kata) = read(host.path());
    kata.configurations.into_known().unwrap().remove(0)
}

const GO: &str = "qemu-nvidia-gpu-snp";
const RUST: &str = "qemu-nvidia-gpu-snp-runtime-rs";

#[test]
fn an_empty_directory_that_an_uninstallation_left_is_no_kata() {
    for files in [&[("opt/kata/", "")][..], &[("opt/kata", "a file")], &[("etc/hostname", "x")]] {
        let host = tree(files);
        let (places, kata) = read(host.path());
        assert_eq!(places.found.reading, Reading::Known(false), "{files:?}");
        assert!(kata.version.reading.is_absent() && kata.configurations.is_absent());
    }
}

#[test]
fn each_layout_is_found() {
    for (path, layout) in [
        ("opt/kata/bin/containerd-shim-kata-v2", Layout::KataDeploy),
        ("opt/kata-blue/runtime-rs/bin/containerd-shim-kata-v2", Layout::KataDeploy),
        ("opt/nvidia-gpu-operator/artifacts/runtimeclasses/a/x", Layout::KataManager),
        ("usr/bin/containerd-shim-kata-v2", Layout::Package),
    ] {
        let host = tree(&[(path, "")]);
        let (places, _) = read(host.path());
        assert_eq!(places.found.reading, Reading::Known(true), "{path}");
        assert_eq!(places.all.iter().map(|it| it.layout).collect::<Vec<_>>(), [layout]);
    }
}

#[test]
fn the_oldest_of_two_installations_is_the_version() {
    let host = tree(&[
        ("opt/kata/bin/containerd-shim-kata-v2", ""),
        ("opt/kata/VERSION", "3.31.0\n"),
        ("opt/kata-old/bin/containerd-shim-kata-v2", ""),
        ("opt/kata-old/VERSION", "3.9.0\n"),
    ]);
    let version = read(host.path()).1.version;
    assert_eq!(version.reading.known().map(ToString::to_string).as_deref(), Some("3.9.0"));
    assert_eq!(version.source, Source::line("/opt/kata-old/VERSION", 1));
}

#[test]
fn a_version_that_cannot_be_told_is_no_version() {
    for files in [
        &[("opt/kata/bin/containerd-shim-kata-v2", "")][..],
        &[("opt/kata/bin/containerd-shim-kata-v2", ""), ("opt/kata/VERSION", "main\n")],
        &[("opt/kata/share/defaults/kata-containers/", "")],
    ] {
        let host = tree(files);
        assert!(read(host.path()).1.version.reading.cause().is_some(), "{files:?}");
    }
}

#[test]
fn a_configuration_known_by_two_paths_is_one() {
    let host = tree(&[
        (&format!("{TOP}/runtimes/{GO}/configuration-{GO}.toml"), "[hypervisor.qemu]\n"),
        (
            &format!("{TOP}/configuration-{GO}.toml"),
            &format!("-> runtimes/{GO}/configuration-{GO}.toml"),
        ),
        (&format!("{TOP}/custom-runtimes/my-gpu/configuration-{GO}.toml"), "[hypervisor.qemu]\n"),
        (&format!("{TOP}/configuration-fc.toml"), ""),
    ]);
    let (_, kata) = read(host.path());
    assert_eq!(kata.shims.reading.into_known().unwrap(), ["fc", "my-gpu", GO]);
    let configurations = kata.configurations.into_known().unwrap();
    let names: Vec<(&str, &str)> =
        configurations.iter().map(|it| (it.shim.name.as_str(), it.shim.tee())).collect();
    assert_eq!(names, [("my-gpu", "snp"), (GO, "snp")]);
}

#[test]
fn drop_ins_count_in_the_order_of_names_whatever_they_end_in() {
    let text = "[hypervisor.qemu]\nconfidential_guest = true\ncold_plug_vfio = \"root-port\"\n";
    let drop_ins = [
        ("10-a.toml", "[hypervisor.qemu]\ncold_plug_vfio = \"no-port\"\n"),
        ("10-a.toml.bak", "\n[hypervisor.qemu]\ncold_plug_vfio = \"switch-port\"\n"),
    ];
    let configuration = configured(GO, text, &drop_ins);
    assert_eq!(configuration.loads.reading, Reading::Known(true));
    assert_eq!(configuration.confidential_guest.reading, Reading::Known(true));
    let cold_plug = &configuration.cold_plug_vfio;
    assert_eq!(cold_plug.reading, Reading::Known("switch-port".to_owned()));
    assert!(cold_plug.source.path.ends_with("10-a.toml.bak") && cold_plug.source.line == Some(3));
    let stray = configuration.stray_drop_ins.reading.into_known().unwrap();
    assert_eq!(stray.into_iter().collect::<Vec<_>>(), ["10-a.toml.bak"]);
}

#[test]
fn what_a_shim_refuses_makes_every_value_unknown() {
    let good = "[hypervisor.qemu]\nconfidential_guest = true\n";
    for (shim, text, drop_ins) in [
        (GO, "[hypervisor.qemu\n", &[][..]),
        (GO, good, &[("10-a.toml", "x = \n")]),
        (GO, good, &[("dir/x.toml", "")]),
        (GO, good, &[("10-a.toml", "-> nowhere")]),
        (GO, good, &[("10-a.toml", "[hypervisor.qemu]\nconfidential_guest = \"yes\"\n")]),
        (GO, good, &[("10-a.toml", "[runtime]\ncreate_container_timeout = -1\n")]),
        // Go follows the link, Rust does not.
        (RUST, good, &[("10-a.toml", "-> /etc/hostname")]),
    ] {
        let configuration = configured(shim, text, drop_ins);
        assert_eq!(configuration.loads.reading, Reading::Known(false), "{text} {drop_ins:?}");
        assert!(configuration.confidential_guest.reading.cause().is_some());
        assert!(configuration.image_pull_timeout.reading.cause().is_some());
    }
}

#[test]
fn each_shim_has_its_own_place_for_the_timeout_and_its_own_default() {
    let seconds = |seconds: i64| Reading::Known(GoDuration(seconds * 1_000_000_000));
    let runtime = "[runtime]\ncreate_container_timeout = 1200\n";
    let agent = "[agent.kata]\ncreate_container_timeout = 1200\n";
    for (shim, text, expected, misplaced) in [
        (GO, runtime, 1200, false),
        (GO, agent, 60, true),
        (GO, "", 60, false),
        (RUST, agent, 1200, false),
        (RUST, runtime, 30, true),
    ] {
        let told = configured(shim, text, &[]).create_container_timeout;
        assert_eq!(told.reading, seconds(expected), "{shim} {text}");
        let note = told.note.unwrap_or_default();
        assert_eq!(note.contains("ignores it"), misplaced, "{note}");
    }
}

/// Facts with a kubelet's timeout and one configuration.
fn chain(kubelet: Reading<i32>, configuration: Configuration) -> crate::facts::Facts {
    let host = tree(&[("etc/hostname", "")]);
    let root = Root::directory(host.path()).unwrap();
    let run = Run::on(&root);
    let mut facts = crate::facts::gather(
        &root,
        &run,
        crate::facts::Needs::KUBELET,
        crate::facts::Assumptions::default(),
    );
    let timeout = Told::new(kubelet.map(GoDuration::from_minutes), Source::line("/k", 7));
    facts.kubelet.as_mut().unwrap().runtime_request_timeout = timeout;
    facts.kata = Some(Kata {
        version: Told::new(Reading::Absent, Source::file("/opt/kata")),
        shims: Told::known(Vec::new(), Source::file("/opt/kata")),
        configurations: Reading::Known(vec![configuration]),
    });
    facts
}

fn item(facts: &crate::facts::Facts, name: &str) -> crate::facts::catalogue::Evidence {
    let collection = catalogue::collection("kata.configurations").unwrap();
    let fact = collection.facts.iter().find(|fact| fact.name == name).unwrap();
    (fact.read)(facts, 0)
}

#[test]
fn each_clock_binds_in_turn() {
    let shim = |shim: u32, agent: u32| {
        let text = format!(
            "[hypervisor.qemu]\nkernel_params = \"agent.image_pull_timeout={agent}\"\n\
             [runtime]\ncreate_container_timeout = {shim}\n"
        );
        configured(GO, &text, &[])
    };
    for (kubelet, configuration, minutes, name) in [
        (10, shim(1200, 1200), 10, "the kubelet's runtimeRequestTimeout"),
        (20, shim(600, 1200), 10, "create_container_timeout"),
        (20, shim(1200, 300), 5, "agent.image_pull_timeout"),
    ] {
        let facts = chain(Reading::Known(kubelet), configuration);
        let limit = item(&facts, "image-pull-limit");
        let expected = Value::Duration(GoDuration::from_minutes(minutes));
        assert_eq!(limit.reading, Reading::Known(expected));
        assert!(limit.note.unwrap().starts_with(&format!("{name} ends it")));
        let by = item(&facts, "image-pull-limited-by").reading.into_known().unwrap();
        assert_eq!(by.to_string(), name);
        let Value::Set(vain) =
            item(&facts, "timeouts-without-effect").reading.into_known().unwrap()
        else {
            panic!()
        };
        assert_eq!(vain.len(), 2, "{vain:?}");
    }
}

#[test]
fn a_clock_that_cannot_be_read_makes_the_chain_unknown_and_one_that_is_not_there_does_not() {
    let configuration = || configured(GO, "[runtime]\ncreate_container_timeout = 1200\n", &[]);
    let unknown = Reading::Unreadable(Cause::Permission);
    let facts = chain(unknown, configuration());
    for name in ["image-pull-limit", "image-pull-limited-by", "timeouts-without-effect"] {
        assert!(item(&facts, name).reading.cause().is_some(), "{name}");
    }
    let facts = chain(Reading::Absent, configuration());
    let limit = item(&facts, "image-pull-limit").reading;
    assert_eq!(limit, Reading::Known(Value::Duration(GoDuration::from_minutes(20))));
}
