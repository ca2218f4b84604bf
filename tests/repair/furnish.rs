//! What a recorded host is given before it is a machine: what its programs need, and what the stand-ins
//! know of it.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{BOOT_ID, Recipe};

/// Makes real files of a recorded host.
pub(crate) fn unpack(fixture: &str, into: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::create_dir_all(into).unwrap();
    let status = Command::new("python3")
        .arg(fixtures.join("generate.py"))
        .arg("--unpack")
        .args([&fixtures.join(format!("{fixture}.host")), into])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cannot unpack {fixture}");
}

/// Puts into a recorded host what its programs need.
pub(crate) fn furnish(root: &Path, over: &Path, recipe: &Recipe<'_>) {
    for name in ["run/stub", "tmp", "var/tmp", "usr", "dev/disk/by-uuid", "proc/kernel", "root"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["bin", "lib", "lib64", "sbin"] {
        if root.join(name).symlink_metadata().is_err() {
            symlink(format!("usr/{name}"), root.join(name)).unwrap();
        }
    }
    for name in ["full", "null", "random", "tty", "urandom", "zero"] {
        write(&root.join("dev").join(name), "", 0o666);
    }
    // Of a recorded program only the name is known, and this machine has the real one.
    for name in ["bin", "sbin"] {
        for entry in std::fs::read_dir(over.join(name)).into_iter().flatten().flatten() {
            if Path::new("/usr").join(name).join(entry.file_name()).exists() {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    let stubs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repair/stubs");
    for name in recipe.stubs {
        let is_in_sbin = Path::new("/usr/sbin").join(name).symlink_metadata().is_ok();
        let directory = over.join(if is_in_sbin { "sbin" } else { "bin" });
        std::fs::create_dir_all(&directory).unwrap();
        for other in ["bin", "sbin"] {
            let _ = std::fs::remove_file(over.join(other).join(name));
        }
        std::fs::create_dir_all(&directory).unwrap();
        copy(&[stubs.join(name)], &directory);
    }
    // Many names, none of which a test is about.
    std::fs::create_dir_all(over.join("lib")).unwrap();
    copy(&[PathBuf::from("/etc/alternatives")], &over.join("lib"));
    symlink("/usr/lib/alternatives", root.join("etc/alternatives")).unwrap();
    for name in [
        "group",
        "grub.d",
        "initramfs-tools",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "nsswitch.conf",
        "passwd",
        "udev",
    ] {
        let (real, here) = (Path::new("/etc").join(name), root.join("etc").join(name));
        if real.symlink_metadata().is_ok() && here.symlink_metadata().is_err() {
            copy(&[real], &root.join("etc"));
        }
    }
    let _ = std::fs::remove_dir_all(root.join("proc/self"));
    for name in ["self", "thread-self", "filesystems", "mounts", "uptime", "meminfo", "version"] {
        if root.join("proc").join(name).symlink_metadata().is_err() {
            symlink(format!("kernel/{name}"), root.join("proc").join(name)).unwrap();
        }
    }
    write(&root.join(&BOOT_ID[1..]), "00000001-5a1d-4c8e-9b57-6f0d3c1e2a44\n", 0o444);
    tell_stubs(root, recipe.fixture);
    for version in recipe.kernels {
        write(&root.join(format!("boot/vmlinuz-{version}")), "a kernel\n", 0o600);
        write(&root.join(format!("boot/initrd.img-{version}")), "an initramfs\n", 0o600);
        let config = "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_RD_ZSTD=y\n";
        write(&root.join(format!("boot/config-{version}")), config, 0o600);
        for name in ["modules.builtin", "modules.builtin.modinfo", "modules.dep", "modules.order"] {
            write(&over.join("lib/modules").join(version).join(name), "", 0o644);
        }
    }
}

/// What the stand-ins know of the recorded host.
fn tell_stubs(root: &Path, fixture: &str) {
    let tell = |name: &str, text: &str| write(&root.join("run/stub").join(name), text, 0o644);
    let cmdline = std::fs::read_to_string(root.join("proc/cmdline")).unwrap_or_default();
    let uuid = cmdline.split(' ').find_map(|word| word.strip_prefix("root=UUID=")).unwrap_or("0");
    tell("root-uuid", uuid);
    write(&root.join("dev/disk/by-uuid").join(uuid.trim()), "", 0o600);

    let host =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{fixture}.host"));
    let host = std::fs::read_to_string(host).unwrap();
    let version =
        host.lines().find_map(|line| line.strip_prefix("Kubernetes ")).unwrap_or("v1.34.0");
    tell("kubelet.version", version);
    let minor: u32 = version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap();
    let gates = [
        ("KubeletPodResourcesGet", 27),
        ("GracefulNodeShutdown", 20),
        ("RuntimeClassInImageCriApi", 29),
    ];
    let known = gates.iter().filter(|(_, since)| minor >= *since).map(|(name, _)| *name);
    tell("kubelet.gates", &known.collect::<Vec<_>>().join("\n"));

    let running =
        std::fs::read_dir(root.join("proc")).into_iter().flatten().flatten().find(|entry| {
            std::fs::read(entry.path().join("comm")).is_ok_and(|name| name == b"kubelet\n")
        });
    if let Some(process) = running {
        tell("unit/main_pid", &process.file_name().to_string_lossy());
        copy(&[process.path()], &root.join("run/stub"));
        std::fs::rename(
            root.join("run/stub").join(process.file_name()),
            root.join("run/stub/process"),
        )
        .unwrap();
    }
}

pub(crate) fn write(path: &Path, text: &str, mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Copies whole trees with all their metadata.
pub(crate) fn copy(from: &[PathBuf], into: &Path) {
    let status = Command::new("cp").arg("-a").args(from).arg(into).status();
    assert!(status.is_ok_and(|status| status.success()), "cannot copy {from:?}");
}
