//! Real files, real events. That nothing is told is seen by waiting a while in vain; nothing else here
//! depends on how fast this machine is.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::host::Reading;

const SETTLE: Duration = Duration::from_millis(20);
/// How long nothing must be told.
const QUIET: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(60);

/// Two sources that stand for all.
const ONE: Needs = Needs::KUBELET;
const TWO: Needs = Needs::OS;

/// What it is called, and what it does to the files below a directory.
type Change = (&'static str, fn(&Path));

/// A host of a few files, gathered by a function and watched.
struct Scene<G> {
    directory: TempDir,
    root: Root,
    watch: Watch,
    gather: G,
}

impl<G: Fn(&Root)> Scene<G> {
    /// Makes the files, gathers, follows, and waits until there is nothing more to tell.
    async fn start(make: impl FnOnce(&Path), gather: G) -> Self {
        let directory = TempDir::new().unwrap();
        make(directory.path());
        let root = Root::directory(directory.path()).unwrap().tracing();
        let mut scene = Self { directory, root, watch: Watch::open(SETTLE), gather };
        // What the rest of this machine does is not what is looked at here.
        scene.watch.channels.uevents = Err(Gap::Uevents(std::io::Error::other("left out")));
        scene.settle().await;
        scene
    }

    fn gather_and_follow(&mut self) {
        (self.gather)(&self.root);
        self.watch.follow(&self.root, &Facts::default());
    }

    async fn settle(&mut self) {
        self.gather_and_follow();
        while timeout(QUIET, self.watch.changed()).await.is_ok() {
            self.gather_and_follow();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What is told after a change; then all is settled again.
    async fn told_after(&mut self, change: impl FnOnce(&Path)) -> Needs {
        change(self.directory.path());
        let told = timeout(PATIENCE, self.watch.changed()).await.unwrap();
        self.settle().await;
        told
    }

    async fn quiet_after(&mut self, change: impl FnOnce(&Path)) {
        change(self.directory.path());
        let told = timeout(QUIET, self.watch.changed()).await;
        assert!(told.is_err(), "{told:?}");
    }
}

fn write(path: impl AsRef<Path>, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "the test makes the host")]
    fs::write(path, text).unwrap();
}

/// So many events about the two files of a directory, by turns, so that the kernel does not fold them.
fn storm(directory: &Path, events: u32) {
    let files = [directory.join("file"), directory.join("neighbour")];
    write(&files[1], "");
    for number in 0..events / 2 {
        for file in &files {
            let mode = fs::Permissions::from_mode(0o600 + (number % 2));
            fs::set_permissions(file, mode).unwrap();
        }
    }
}

fn runs(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn read(root: &Root, source: Needs, paths: &[&str]) {
    root.ask_for(source.bits());
    for path in paths {
        let _ = root.read(path, 1000);
    }
}

#[test]
fn whatever_an_editor_does_to_a_file_wakes_its_reader_alone() {
    runs(async {
        let make = |top: &Path| {
            fs::create_dir_all(top.join("etc/one")).unwrap();
            fs::create_dir_all(top.join("etc/two")).unwrap();
            write(top.join("etc/one/file"), "1");
            write(top.join("etc/two/file"), "2");
        };
        let mut scene = Scene::start(make, |root| {
            read(root, ONE, &["/etc/one/file"]);
            read(root, TWO, &["/etc/two/file"]);
        })
        .await;
        let changes: [Change; 7] = [
            ("written anew", |top| write(top.join("etc/one/file"), "11")),
            ("replaced", |top| {
                write(top.join("etc/one/new"), "12");
                fs::rename(top.join("etc/one/new"), top.join("etc/one/file")).unwrap();
            }),
            ("truncated", |top| {
                nix::unistd::truncate(&top.join("etc/one/file"), 0).unwrap();
            }),
            ("made unreadable", |top| {
                let mode = fs::Permissions::from_mode(0o000);
                fs::set_permissions(top.join("etc/one/file"), mode).unwrap();
            }),
            ("removed", |top| fs::remove_file(top.join("etc/one/file")).unwrap()),
            ("made", |top| write(top.join("etc/one/file"), "13")),
            ("moved away", |top| {
                fs::rename(top.join("etc/one/file"), top.join("elsewhere")).unwrap();
            }),
        ];
        for (what, change) in changes {
            assert_eq!(scene.told_after(change).await, ONE, "{what}");
        }
        assert_eq!(scene.told_after(|top| write(top.join("etc/two/file"), "22")).await, TWO);
        scene.quiet_after(|top| write(top.join("etc/one/other"), "x")).await;
    });
}

#[test]
fn a_directory_that_is_replaced_or_comes_later_is_watched_again() {
    runs(async {
        let mut scene =
            Scene::start(|_| {}, |root| read(root, ONE, &["/etc/default/grub.d/file"])).await;
        let changes: [Change; 8] = [
            ("the first directory", |top| fs::create_dir(top.join("etc")).unwrap()),
            ("two at once", |top| fs::create_dir_all(top.join("etc/default/grub.d")).unwrap()),
            ("the file", |top| write(top.join("etc/default/grub.d/file"), "1")),
            ("all gone", |top| fs::remove_dir_all(top.join("etc")).unwrap()),
            ("all at once", |top| {
                fs::create_dir_all(top.join("etc/default/grub.d")).unwrap();
                write(top.join("etc/default/grub.d/file"), "2");
            }),
            ("another directory in its place", |top| {
                fs::create_dir(top.join("new")).unwrap();
                write(top.join("new/file"), "3");
                fs::rename(top.join("etc/default/grub.d"), top.join("old")).unwrap();
                fs::rename(top.join("new"), top.join("etc/default/grub.d")).unwrap();
            }),
            ("the file in it", |top| write(top.join("etc/default/grub.d/file"), "4")),
            ("one above it moved", |top| {
                fs::rename(top.join("etc/default"), top.join("etc/moved")).unwrap();
            }),
        ];
        for (what, change) in changes {
            assert_eq!(scene.told_after(change).await, ONE, "{what}");
        }
        // It is another path now.
        scene.quiet_after(|top| write(top.join("etc/moved/grub.d/file"), "5")).await;
    });
}

#[test]
fn every_link_on_the_way_is_watched_inside_the_root() {
    runs(async {
        let make = |top: &Path| {
            fs::create_dir_all(top.join("volume/..first")).unwrap();
            fs::create_dir_all(top.join("volume/..second")).unwrap();
            write(top.join("volume/..first/config"), "1");
            write(top.join("volume/..second/config"), "2");
            symlink("..first", top.join("volume/..data")).unwrap();
            symlink("..data/config", top.join("volume/config")).unwrap();
            fs::create_dir(top.join("etc")).unwrap();
            // Absolute: inside the root.
            symlink("/volume/config", top.join("etc/config")).unwrap();
            symlink("loop", top.join("etc/loop")).unwrap();
            symlink("../../../../etc/passwd", top.join("etc/outside")).unwrap();
        };
        let mut scene = Scene::start(make, |root| {
            read(root, ONE, &["/etc/config"]);
            read(root, TWO, &["/etc/loop", "/etc/outside", "/etc/../etc/./none/../x"]);
        })
        .await;
        let changes: [Change; 4] = [
            ("the file", |top| write(top.join("volume/..first/config"), "11")),
            ("the volume, as a kubelet does it", |top| {
                symlink("..second", top.join("volume/..new")).unwrap();
                fs::rename(top.join("volume/..new"), top.join("volume/..data")).unwrap();
            }),
            ("the new file", |top| write(top.join("volume/..second/config"), "22")),
            ("the first link", |top| fs::remove_file(top.join("etc/config")).unwrap()),
        ];
        for (what, change) in changes {
            assert_eq!(scene.told_after(change).await, ONE, "{what}");
        }
        scene.quiet_after(|top| write(top.join("volume/..first/config"), "111")).await;
        assert_eq!(scene.told_after(|top| write(top.join("etc/passwd"), "x")).await, TWO);
    });
}

#[test]
fn only_what_was_looked_at_wakes() {
    runs(async {
        let make = |top: &Path| {
            fs::create_dir_all(top.join("dev")).unwrap();
            write(top.join("dev/null"), "");
        };
        let mut scene = Scene::start(make, |root| {
            root.ask_for(ONE.bits());
            let _ = (root.list("/dev"), root.stat("/dev/null"));
        })
        .await;
        scene.quiet_after(|top| write(top.join("dev/null"), "as every program does")).await;
        assert_eq!(scene.told_after(|top| write(top.join("dev/any"), "")).await, ONE);
        scene
            .quiet_after(|top| {
                let mode = fs::Permissions::from_mode(0o600);
                fs::set_permissions(top.join("dev/any"), mode).unwrap();
            })
            .await;
        assert_eq!(
            scene.told_after(|top| fs::remove_file(top.join("dev/any")).unwrap()).await,
            ONE
        );
    });
}

/// The change falls between the reading and the watching, where nothing is watched yet.
#[test]
fn a_change_before_the_first_watch_is_not_lost() {
    runs(async {
        let make = |top: &Path| write(top.join("file"), "1");
        let directory = TempDir::new().unwrap();
        make(directory.path());
        let root = Root::directory(directory.path()).unwrap().tracing();
        let mut watch = Watch::open(SETTLE);
        let look = || {
            root.ask_for(ONE.bits());
            root.read("/file", 10).into_known()
        };
        assert_eq!(look().unwrap(), b"1");
        write(directory.path().join("file"), "2");
        watch.follow(&root, &Facts::default());
        assert!(timeout(PATIENCE, watch.changed()).await.unwrap().has(ONE));
        assert_eq!(look().unwrap(), b"2");
    });
}

#[test]
fn a_burst_of_a_hundred_thousand_events_is_few_changes() {
    runs(async {
        let make = |top: &Path| {
            fs::create_dir(top.join("etc")).unwrap();
            write(top.join("etc/file"), "");
        };
        let mut scene =
            Scene::start(make, |root| read(root, ONE, &["/etc/file", "/etc/neighbour"])).await;
        let top = scene.path("etc");
        let writer = std::thread::spawn(move || {
            storm(&top, 100_000);
            write(top.join("file"), "last");
        });
        let mut changes = 0;
        while let Ok(told) = timeout(Duration::from_secs(3), scene.watch.changed()).await {
            assert!(told.has(ONE));
            scene.gather_and_follow();
            changes += 1;
        }
        writer.join().unwrap();
        assert_eq!(scene.root.read("/etc/file", 10), Reading::Known(b"last".to_vec()));
        assert!((1..40).contains(&changes), "{changes}");
    });
}

#[test]
fn more_events_than_the_kernel_keeps_are_told_as_everything() {
    runs(async {
        let make = |top: &Path| write(top.join("file"), "");
        let mut scene = Scene::start(make, |root| read(root, ONE, &["/file", "/neighbour"])).await;
        // Nobody takes them away meanwhile.
        storm(&scene.path(""), 20_000);
        assert_eq!(timeout(PATIENCE, scene.watch.changed()).await.unwrap(), Needs::ALL);
        scene.settle().await;
        assert_eq!(scene.told_after(|top| write(top.join("file"), "y")).await, ONE);
    });
}

#[test]
fn what_is_mounted_over_a_directory_or_a_file_wakes() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    runs(async {
        let make = |top: &Path| {
            fs::create_dir_all(top.join("etc/over")).unwrap();
            write(top.join("etc/over/file"), "1");
            write(top.join("etc/other"), "2");
        };
        let mut scene = Scene::start(make, |root| {
            read(root, ONE, &["/etc/over/file"]);
            read(root, TWO, &["/etc/other"]);
        })
        .await;
        let (over, none) = (scene.path("etc/over"), None::<&str>);
        if mount(none, &over, Some("tmpfs"), MsFlags::empty(), none).is_err() {
            println!("left out: nothing can be mounted here");
            return;
        }
        let told = scene.told_after(|_| {}).await;
        assert_eq!(scene.told_after(|top| write(top.join("etc/over/file"), "3")).await, ONE);
        umount2(&over, MntFlags::MNT_DETACH).unwrap();
        assert_eq!((told, scene.told_after(|_| {}).await), (ONE, ONE));
        let (file, other) = (scene.path("etc/over/file"), scene.path("etc/other"));
        mount(Some(&file), &other, none, MsFlags::MS_BIND, none).unwrap();
        let told = scene.told_after(|_| {}).await;
        umount2(&other, MntFlags::MNT_DETACH).unwrap();
        assert_eq!((told, scene.told_after(|_| {}).await), (TWO, TWO));
    });
}

/// Where this machine lets a test have the kernel send an event.
#[test]
fn an_event_of_the_kernel_wakes() {
    runs(async {
        let mut watch = Watch::open(SETTLE);
        assert!(!watch.gaps().any(|gap| matches!(gap, Gap::Uevents(_))));
        let tell = |path: &str| {
            #[expect(clippy::disallowed_methods, reason = "the test makes the event")]
            fs::write(path, "change").is_ok()
        };
        if !tell("/sys/class/misc/kvm/uevent") {
            println!("left out: no event can be asked for here");
            return;
        }
        let told = timeout(PATIENCE, watch.changed()).await.unwrap();
        assert!(told.has(Needs::MODULES.and(Needs::VFIO)), "{told:?}");
    });
}

/// Whoever may administer the network can write to the kernel's group, but only under a number of its own.
#[test]
fn a_message_of_another_process_is_not_the_kernels() {
    use nix::sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, sendto,
        socket,
    };
    use std::os::fd::AsRawFd as _;
    runs(async {
        let mut watch = Watch::open(SETTLE);
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        let forger =
            socket(AddressFamily::Netlink, SockType::Datagram, SockFlag::empty(), protocol)
                .unwrap();
        bind(forger.as_raw_fd(), &NetlinkAddr::new(0, 0)).unwrap();
        let message = b"add@/module/vfio\0ACTION=add\0SUBSYSTEM=module\0";
        let to = NetlinkAddr::new(0, 1);
        if sendto(forger.as_raw_fd(), message, &to, MsgFlags::empty()).is_err() {
            println!("left out: this user may not send to the group");
            return;
        }
        let told = timeout(QUIET, watch.changed()).await;
        assert!(told.is_err() || !told.unwrap().has(Needs::MODULES));
    });
}

#[test]
fn the_end_of_a_process_wakes() {
    runs(async {
        let mut watch = Watch::open(SETTLE);
        watch.channels.uevents = Err(Gap::Uevents(std::io::Error::other("left out")));
        #[expect(clippy::disallowed_methods, reason = "a stand-in for a kubelet")]
        let mut kubelet = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        watch.follow_kubelet(Some(kubelet.id()));
        assert_eq!(timeout(PATIENCE, watch.changed()).await.unwrap(), Needs::KUBELET);
        watch.follow_kubelet(Some(kubelet.id()));
        assert!(timeout(QUIET, watch.changed()).await.is_err());
        kubelet.kill().unwrap();
        assert_eq!(timeout(PATIENCE, watch.changed()).await.unwrap(), Needs::KUBELET);
        // And once more, when systemd has had time to start the next.
        assert_eq!(timeout(PATIENCE, watch.changed()).await.unwrap(), Needs::KUBELET);
        assert!(timeout(ECHO + QUIET, watch.changed()).await.is_err());
        kubelet.wait().unwrap();
        // One that is gone already is found out by looking.
        watch.follow_kubelet(Some(kubelet.id()));
        assert_eq!(timeout(PATIENCE, watch.changed()).await.unwrap(), Needs::KUBELET);
    });
}

#[test]
fn a_start_of_the_unit_wakes_twice() {
    runs(async {
        let directory = TempDir::new().unwrap();
        let units = directory.path().join("run/systemd/units");
        fs::create_dir_all(&units).unwrap();
        let root = Root::directory(directory.path()).unwrap().tracing();
        let facts = crate::facts::gather(
            &root,
            &crate::host::Run::on(&root),
            Needs::KUBELET,
            crate::facts::Assumptions::default(),
        );
        let mut watch = Watch::open(SETTLE);
        watch.channels.uevents = Err(Gap::Uevents(std::io::Error::other("left out")));
        watch.follow(&root, &facts);
        assert_eq!(timeout(PATIENCE, watch.changed()).await.unwrap(), Needs::KUBELET);
        // The first look at what was not watched before is followed by one more.
        while timeout(ECHO + QUIET, watch.changed()).await.is_ok() {}
        symlink("0123", units.join("invocation:other.service")).unwrap();
        assert!(timeout(QUIET, watch.changed()).await.is_err());
        symlink("4567", units.join("invocation:kubelet.service")).unwrap();
        assert_eq!(timeout(PATIENCE, watch.changed()).await.unwrap(), Needs::KUBELET);
        assert_eq!(timeout(PATIENCE, watch.changed()).await.unwrap(), Needs::KUBELET);
        assert!(timeout(ECHO + QUIET, watch.changed()).await.is_err());
    });
}
