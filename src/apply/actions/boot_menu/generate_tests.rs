//! The real generator over a `/boot` of the test, and generators that fail, hang, lie and leave things.

use std::time::Instant;

use super::super::testing::Stubs;
use super::*;
use crate::plan::ArgumentChange;

const SETTINGS: &str = "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_DISTRIBUTOR=Debian\n\
    GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"console=ttyS0\"\n";

/// `/boot` and `/etc/default` of the test stand in the place of the machine's while the real one runs.
const REAL: &str = r#"exec unshare --mount sh -c '
mount --bind "$0/boot" /boot && mount --bind "$0/default" /etc/default && exec /usr/sbin/grub-mkconfig "$@"
' HERE "$@""#;

/// A host with two kernels and the menu that the real generator makes of them, or `None` where there is no
/// generator or no right to use it.
fn host() -> Option<Stubs> {
    let stubs = Stubs::new();
    for version in ["6.1.0-1-amd64", "6.1.0-2-amd64"] {
        stubs.write(&format!("boot/vmlinuz-{version}"), "kernel");
        stubs.write(&format!("boot/initrd.img-{version}"), "initrd");
    }
    stubs.write("default/grub", SETTINGS);
    stubs.write("boot/grub/.keep", "");
    stubs.write("menu/other", "");
    stubs.program("grub-mkconfig", &REAL.replace("HERE", &stubs.path("")));
    let target = stubs.path("menu/grub.cfg");
    let generator = stubs.programs().program("grub-mkconfig", GENERATOR_DEADLINE);
    match succeeded("grub-mkconfig", &generator.args(["-o", &target])) {
        Ok(_) => Some(stubs),
        Err(error) => {
            let why = error.to_string();
            assert!(why.contains("code 127") || why.contains("unshare: "), "{why}");
            println!("left out: {why}");
            None
        }
    }
}

fn menu(stubs: &Stubs, add: &[&str], remove: &[&str]) -> BootMenu {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    BootMenu {
        generator: "grub-mkconfig",
        target: stubs.path("menu/grub.cfg"),
        change: ArgumentChange { add: owned(add), remove: owned(remove) },
    }
}

fn generate(stubs: &Stubs, add: &[&str], remove: &[&str]) -> Result<Vec<u8>, String> {
    let deadline = Duration::from_secs(60);
    let before = stubs.read("menu/grub.cfg");
    let result = generate_with(&stubs.programs(), &menu(stubs, add, remove), deadline);
    // Whatever came of it.
    assert_eq!(stubs.read("menu/grub.cfg"), before, "the menu that boots is not touched");
    assert_eq!(stubs.names("menu"), ["grub.cfg", "other"], "nothing is left behind");
    result.map_err(|error| error.to_string())
}

fn set(stubs: &Stubs, from: &str, to: &str) {
    assert!(SETTINGS.contains(from));
    stubs.write("default/grub", SETTINGS.replace(from, to));
}

#[test]
fn the_real_generator_makes_the_menu_with_the_arguments() {
    let Some(stubs) = host() else { return };
    set(&stubs, "quiet", "intel_iommu=on");
    let new = generate(&stubs, &["intel_iommu=on"], &["quiet"]).unwrap();
    let new = String::from_utf8(new).unwrap();
    assert_eq!(new.matches("console=ttyS0 intel_iommu=on").count(), 3, "{new}");
    assert_eq!(stubs.read("menu/grub.cfg").replace("quiet", "intel_iommu=on"), new);
}

#[test]
fn a_menu_in_another_language_is_generated_in_it() {
    let Some(stubs) = host() else { return };
    let target = stubs.path("menu/grub.cfg");
    let generator = stubs.programs().program("grub-mkconfig", GENERATOR_DEADLINE);
    let generator = generator.without_env("LC_ALL").env("LANG", "de_DE.UTF-8");
    succeeded("grub-mkconfig", &generator.args(["-o", &target])).unwrap();
    assert!(stubs.read("menu/grub.cfg").contains("set lang=de_DE"));
    set(&stubs, "quiet", "intel_iommu=on");
    generate(&stubs, &["intel_iommu=on"], &["quiet"]).unwrap();
}

#[test]
fn what_else_changed_on_the_host_is_refused() {
    let Some(stubs) = host() else { return };
    // Not set at all.
    let refusal = "what grub-mkconfig made is refused: ";
    assert_eq!(
        generate(&stubs, &["iommu=on"], &[]).unwrap_err(),
        format!("{refusal}no entry of the new menu has what was asked for: with iommu=on")
    );
    // The timeout too.
    set(&stubs, "=5\n", "=7\nGRUB_CMDLINE_LINUX_DEFAULT=on\n");
    let error = generate(&stubs, &["console=ttyS0"], &[]).unwrap_err();
    assert!(error.starts_with(&format!("{refusal}line ")), "{error}");
    assert!(error.contains("timeout=7") && error.contains("timeout=5"), "{error}");
    // A kernel came.
    set(&stubs, "quiet", "intel_iommu=on");
    stubs.write("boot/vmlinuz-6.1.0-3-amd64", "kernel");
    let error = generate(&stubs, &["intel_iommu=on"], &["quiet"]).unwrap_err();
    assert!(error.contains("vmlinuz-6.1.0-3-amd64 is in it"), "{error}");
}

/// Generators that do not do what they should: script, and the error.
#[test]
fn a_generator_that_fails_or_lies_changes_nothing() {
    let stubs = Stubs::new();
    let menu = "menuentry Linux {\n\tlinux /vmlinuz root=/dev/vda1 quiet\n}\n";
    stubs.write("menu/grub.cfg", menu);
    stubs.write("menu/other", "");
    let good = menu.replace("quiet", "quiet iommu=on");
    stubs.write("good", &good);
    stubs.write("no-kernel", "menuentry Linux {\n\tlinux /vmlinuz2 root=/dev/vda1 iommu=on\n}\n");
    stubs.write("no-root", good.replace("vda1", "vdb1"));
    let copy = |name: &str| format!("cat {} > \"$2\"", stubs.path(name));
    let refused = |why: &str| format!("what grub-mkconfig made is refused: {why}");
    let work = stubs.path("menu/.ccgpu-node.cfg");
    for (script, error) in [
        (
            "echo 'no space' >&2; exit 1".to_owned(),
            "grub-mkconfig ended with code 1: no space".to_owned(),
        ),
        (format!("{}; kill -9 $$", copy("good")), "grub-mkconfig was ended by signal 9".to_owned()),
        ("echo done >&2".to_owned(), refused("it wrote no file")),
        (": > \"$2\"".to_owned(), refused("it is empty")),
        (
            format!("{}; : > \"$2.new\"; echo done >&2", copy("good")),
            refused(&format!("it left {work}.new behind: done")),
        ),
        (copy("no-kernel"), refused("the kernel /vmlinuz is no longer in it")),
        (copy("no-root"), refused("in the entry \"Linux\", root=/dev/vda1 became root=/dev/vdb1")),
        ("truncate -s 9G \"$2\"".to_owned(), format!("{work}: larger than {CAP} bytes")),
        ("mkfifo \"$2\"".to_owned(), format!("{work}: a FIFO where a regular file is expected")),
        (
            "ln -s /dev/zero \"$2\"".to_owned(),
            format!("{work}: a character device where a regular file is expected"),
        ),
    ] {
        stubs.program("grub-mkconfig", &script);
        stubs.program("grub-script-check", "exit 0");
        assert_eq!(generate(&stubs, &["iommu=on"], &[]), Err(error), "{script}");
    }
    stubs.program("grub-mkconfig", &copy("good"));
    assert_eq!(generate(&stubs, &["iommu=on"], &[]), Ok(good.clone().into_bytes()));
    // What stands in the way is removed, and so is what an earlier run left.
    stubs.write("menu/.ccgpu-node.cfg.new", "left");
    stubs.write("menu/.ccgpu-node.cfg", "left");
    assert_eq!(generate(&stubs, &["iommu=on"], &[]), Ok(good.into_bytes()));
    stubs.program("grub-script-check", "echo 'error: line 3' >&2; exit 1");
    assert_eq!(
        generate(&stubs, &["iommu=on"], &[]).unwrap_err(),
        "grub-script-check ended with code 1: error: line 3"
    );
}

#[test]
fn garbage_is_refused_by_the_real_checker() {
    let stubs = Stubs::new();
    stubs.write("menu/grub.cfg", "menuentry Linux {\n\tlinux /vmlinuz root=/dev/vda1 quiet\n}\n");
    stubs.write("menu/other", "");
    stubs.program("grub-mkconfig", "printf 'menuentry {{ \\0\\377 ' > \"$2\"");
    let error = generate(&stubs, &[], &[]).unwrap_err();
    let missing = "grub-script-check is not installed";
    assert!(
        error.starts_with("grub-script-check ended with code 1: ") || error == missing,
        "{error}"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test looks at the clock")]
fn a_generator_that_hangs_is_killed() {
    let stubs = Stubs::new();
    stubs.write("menu/grub.cfg", "menuentry Linux {\n\tlinux /vmlinuz root=/dev/vda1 quiet\n}\n");
    stubs.write("menu/other", "");
    stubs.program("grub-mkconfig", ": > \"$2.new\"; echo 'probing /dev/sdz' >&2; sleep 1000");
    let started = Instant::now();
    let deadline = Duration::from_secs(1);
    let result = generate_with(&stubs.programs(), &menu(&stubs, &[], &[]), deadline);
    let error = "grub-mkconfig did not end within 1 s: probing /dev/sdz";
    assert_eq!(result.unwrap_err().to_string(), error);
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(stubs.names("menu"), ["grub.cfg", "other"]);
}

#[test]
fn no_menu_to_compare_with_and_no_generator_are_errors() {
    let stubs = Stubs::new();
    stubs.write("menu/other", "");
    let result = generate_with(&stubs.programs(), &menu(&stubs, &[], &[]), GENERATOR_DEADLINE);
    let target = stubs.path("menu/grub.cfg");
    assert_eq!(result.unwrap_err().to_string(), format!("{target}: cannot be compared with"));
    stubs.write("menu/grub.cfg", "menuentry Linux {\n\tlinux /vmlinuz quiet\n}\n");
    let menu = BootMenu { generator: "no-mkconfig", ..menu(&stubs, &[], &[]) };
    let result = generate_with(&stubs.programs(), &menu, GENERATOR_DEADLINE);
    assert_eq!(result.unwrap_err().to_string(), "no-mkconfig is not installed");
}

#[test]
fn the_generator_gets_the_surroundings_of_the_last_time() {
    let stubs = Stubs::new();
    stubs.program("env-of", "env");
    let environment = |menu: &str| {
        let program = stubs.programs().program("env-of", CHECKER_DEADLINE);
        let said = succeeded("env-of", &like_the_last_time(program, menu.as_bytes())).unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        let mut lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("PATH=") && !line.starts_with("PWD="))
            .collect();
        lines.sort_unstable();
        lines.join(" ")
    };
    assert_eq!(environment(""), "GRUB_DISABLE_OS_PROBER=true LC_ALL=C");
    assert_eq!(environment("  set lang=de_DE\n"), "GRUB_DISABLE_OS_PROBER=true LANG=de_DE.UTF-8");
    assert_eq!(environment("set lang=$x\n"), "GRUB_DISABLE_OS_PROBER=true LC_ALL=C");
    let probed = "### BEGIN /etc/grub.d/30_os-prober ###\nmenuentry 'Other' {\n}\n### END x ###\n";
    assert_eq!(environment(probed), "LC_ALL=C");
    let before = "menuentry 'Own' {\n}\n### BEGIN /etc/grub.d/30_os-prober ###\n### END x ###\n";
    assert_eq!(environment(before), "GRUB_DISABLE_OS_PROBER=true LC_ALL=C");
}
