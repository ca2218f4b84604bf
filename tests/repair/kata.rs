//! The time that a Kata shim gives a pull, raised by a drop-in; what the shim reads afterwards is said by
//! Python's reader of TOML.

use std::process::Command;

use crate::checker::{Oracle, Snapshot, State};
use crate::scenes::{ends, host, is_there};
use crate::world::World;

const SHIM: &str = "/opt/kata/share/defaults/kata-containers/runtimes/qemu-nvidia-gpu-tdx";
const OWN: &str = "/opt/kata/share/defaults/kata-containers/runtimes/qemu-nvidia-gpu-tdx/config.d/90-ccgpu-node.toml";

/// The shim's file with all of `config.d` laid over it in the order of their names, as JSON.
fn as_the_shim_reads_it(world: &World) -> String {
    let program = "import json, pathlib, sys, tomllib
def merge(base, over):
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict): merge(base[key], value)
        else: base[key] = value
top = pathlib.Path(sys.argv[1])
base = tomllib.loads(next(top.glob('configuration-*.toml')).read_text())
for path in sorted((top / 'config.d').glob('*'), key=lambda it: bytes(it)): merge(base, tomllib.loads(path.read_text()))
print(json.dumps(base, sort_keys=True))";
    let output =
        Command::new("python3").args(["-c", program]).arg(world.path(SHIM)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_shim_is_given_more_time_by_a_drop_in_and_has_its_old_one_back() {
    let Some(world) = host("shim-timeout-binds") else { return };
    let before = Snapshot::of(&world.root());
    let read = as_the_shim_reads_it(&world);
    let shown = ends(&world, &["fix", "--dry-run"], 1);
    assert!(shown.contains("90-ccgpu-node.toml") && !shown.contains("restart"), "{shown}");
    let done = ends(&world, &["fix", "--yes"], 0);
    assert!(done.contains("DONE") && done.contains("READY"), "{done}");
    assert!(!is_there(&world, "/run/reboot-required"));
    let now = as_the_shim_reads_it(&world);
    assert_eq!(
        now,
        read.replace("\"create_container_timeout\": 600", "\"create_container_timeout\": 1200")
    );
    let after = Snapshot::of(&world.root());
    assert!(ends(&world, &["fix", "--yes"], 0).contains("Nothing to change"));

    // kata-deploy writes the shim's own file anew, and leaves what is not of its names.
    let base = format!("{SHIM}/configuration-qemu-nvidia-gpu-tdx.toml");
    let text = world.read(&base);
    world.write(&base, &format!("# installed again\n{text}"));
    ends(&world, &["check"], 0);
    world.write(&base, &text);

    ends(&world, &["rollback", "--yes"], 0);
    assert!(!is_there(&world, OWN));
    let state = Oracle { before, after }.judge(&Snapshot::of(&world.root()));
    assert_eq!(state, Ok(State::Before));
}

#[test]
fn a_time_that_something_else_decides_is_left_to_it() {
    let Some(world) = host("shim-timeout-binds") else { return };
    let later = format!("{SHIM}/config.d/95-site.toml");
    world.must(&["mkdir", "-p", &format!("{SHIM}/config.d")]);
    world.write(&later, "[runtime]\ncreate_container_timeout = 300\n");
    let said = ends(&world, &["fix", "--yes"], 1);
    assert!(said.contains("95-site.toml:2") && said.contains("change it there"), "{said}");
    assert!(!is_there(&world, OWN));
}
