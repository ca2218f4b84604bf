//! Machines that lack something, for whole repairs; and the words to run them with.

use crate::world::{Outcome, Recipe, SERVICES, World};

pub(crate) const KERNELS: &[&str] = &["6.1.0-49-amd64", "6.1.0-50-amd64"];
pub(crate) const KUBELET: &str = "/var/lib/kubelet/config.yaml";
pub(crate) const DEFAULTS: &str = "/etc/default/grub";
pub(crate) const MENU: &str = "/boot/grub/grub.cfg";

/// A recorded host with the real generator's menu in place of the recorded one, and a kubelet whose unit
/// asks for so short a pause that it is watched for two seconds only.
pub(crate) fn host(fixture: &str) -> Option<World> {
    let world =
        World::start(&Recipe { fixture, programs: Vec::new(), stubs: SERVICES, kernels: KERNELS })?;
    world.must(&["grub-mkconfig", "-o", MENU]);
    world.write("/run/stub/unit/restart_usec", "200ms\n");
    world.keep();
    Some(world)
}

/// Runs the program under test.
pub(crate) fn run(world: &World, words: &[&str]) -> Outcome {
    let mut all = vec!["ccgpu-node"];
    all.extend(words);
    let outcome = world.run_within(std::time::Duration::from_secs(240), &all);
    if std::env::var_os("CCGPU_SHOW").is_some() {
        println!("$ {}\n{}{}[{}]\n", all.join(" "), outcome.stdout, outcome.stderr, outcome.code);
    }
    outcome
}

/// Runs it and insists on its exit code; all that it said.
pub(crate) fn ends(world: &World, words: &[&str], code: i32) -> String {
    let outcome = run(world, words);
    let said = outcome.stdout + &outcome.stderr;
    assert_eq!(outcome.code, code, "{words:?}: {said}");
    said
}

/// The hash that a dry run shows.
pub(crate) fn hash(said: &str) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix("plan "));
    line.unwrap_or_else(|| panic!("no plan: {said}")).to_owned()
}

pub(crate) fn is_there(world: &World, path: &str) -> bool {
    world.path(path).symlink_metadata().is_ok()
}
