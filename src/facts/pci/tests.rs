use super::super::catalogue::{self, Evidence, Selection};
use super::super::testing::{facts, tree, value};
use super::super::{Assumptions, Facts, Value, gather as gather_all};
use super::*;
use crate::host::Run;

/// A function as sysfs has it, in a group with a driver.
struct Made {
    files: Vec<(String, String)>,
}

impl Made {
    fn new() -> Self {
        Self { files: vec![("sys/bus/platform/uevent".to_owned(), String::new())] }
    }

    fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// `ids` as `10DE:2335`, `class` as `30200`.
    fn function(self, address: &str, ids: &str, class: &str, driver: Option<&str>) -> Self {
        let base = format!("sys/devices/pci0000:00/0000:00:01.0/{address}");
        let bound = driver.map_or(String::new(), |driver| format!("DRIVER={driver}\n"));
        let uevent = format!("{bound}PCI_CLASS={class}\nPCI_ID={ids}\nPCI_SUBSYS_ID=10DE:18BE\n");
        let made = self.file(&format!("{base}/uevent"), &uevent).file(
            &format!("sys/bus/pci/devices/{address}"),
            &format!("-> ../../../devices/pci0000:00/0000:00:01.0/{address}"),
        );
        match driver {
            Some(driver) => made.file(
                &format!("{base}/driver"),
                &format!("-> ../../../../bus/pci/drivers/{driver}"),
            ),
            None => made,
        }
    }

    fn in_group(self, address: &str, group: u32) -> Self {
        let base = format!("sys/devices/pci0000:00/0000:00:01.0/{address}");
        self.file(
            &format!("{base}/iommu_group"),
            &format!("-> ../../../../kernel/iommu_groups/{group}"),
        )
        .file(
            &format!("sys/kernel/iommu_groups/{group}/devices/{address}"),
            &format!("-> ../../../../devices/pci0000:00/0000:00:01.0/{address}"),
        )
    }

    fn facts(self) -> Facts {
        let files: Vec<(&str, &str)> =
            self.files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let host = tree(&files);
        let root = Root::directory(host.path()).unwrap();
        gather_all(&root, &Run::on(&root), Needs::ALL, Assumptions::new())
    }
}

const GPU: &str = "0000:18:00.0";

/// One H200 with vfio-pci, alone in its group.
fn ready() -> Made {
    Made::new().function(GPU, "10DE:2335", "30200", Some("vfio-pci")).in_group(GPU, 42)
}

fn select(facts: &Facts, name: &str) -> Selection {
    (catalogue::collection(name).unwrap().select)(facts)
}

fn labels(facts: &Facts, name: &str) -> Vec<String> {
    select(facts, name).subjects.into_iter().map(|subject| subject.label).collect()
}

/// A fact of the first member of a collection.
fn item(facts: &Facts, collection: &str, name: &str) -> Evidence {
    let subject = select(facts, collection).subjects.remove(0);
    let items = catalogue::collection(collection).unwrap().facts;
    (items.iter().find(|item| item.name == name).unwrap().read)(facts, subject.index)
}

fn text(text: &str) -> Reading<Value> {
    Reading::Known(Value::Text(text.to_owned()))
}

fn integer(number: i64) -> Reading<Value> {
    Reading::Known(Value::Integer(number))
}

fn flag(flag: bool) -> Reading<Value> {
    Reading::Known(Value::Bool(flag))
}

fn set(members: &[&str]) -> Reading<Value> {
    Reading::Known(Value::Set(members.iter().map(|member| (*member).to_owned()).collect()))
}

#[test]
fn a_ready_gpu_says_so_in_every_fact() {
    let facts = ready().facts();
    assert_eq!(labels(&facts, "pci.gpus"), [GPU]);
    assert_eq!(select(&facts, "pci.gpus").doubt, None);
    let gpu = |name: &str| item(&facts, "pci.gpus", name).reading;
    assert_eq!(gpu("id"), text("10de:2335"));
    assert_eq!(gpu("name"), text("H200 SXM 141GB"));
    assert_eq!(gpu("supported-family"), text("H200"));
    assert_eq!(gpu("architecture"), text("Hopper"));
    assert_eq!(gpu("driver"), text("vfio-pci"));
    assert_eq!(gpu("bound-to-vfio"), flag(true));
    assert_eq!(gpu("iommu-group"), integer(42));
    assert_eq!(gpu("iommu-group-viable"), flag(true));
    assert_eq!(gpu("iommu-group-foreign"), set(&[]));
    assert_eq!(value(&facts, "pci.gpu-count").reading, integer(1));
    assert_eq!(value(&facts, "pci.gpus-bound-to-vfio").reading, integer(1));
    assert_eq!(value(&facts, "pci.passthrough-binding").reading, text("all"));
    let pci = facts.pci.unwrap();
    let chain = pci.placement(0).unwrap().upstream.known().unwrap();
    assert_eq!(chain.iter().map(Address::to_string).collect::<Vec<_>>(), ["0000:00:01.0"]);
}

#[test]
fn evidence_names_the_attribute_it_is_from() {
    let facts = ready().facts();
    for (name, path) in [
        ("driver", "/sys/bus/pci/devices/0000:18:00.0/driver"),
        ("iommu-group-viable", "/sys/kernel/iommu_groups/42/devices"),
        ("link-width", "/sys/bus/pci/devices/0000:18:00.0/current_link_width"),
    ] {
        assert_eq!(item(&facts, "pci.gpus", name).source, Some(Source::file(path)));
    }
}

#[test]
fn every_item_fact_answers_with_the_kind_it_promises() {
    let facts = ready().facts();
    for collection in COLLECTIONS {
        for subject in (collection.select)(&facts).subjects {
            for item in collection.facts {
                let evidence = (item.read)(&facts, subject.index);
                if let Reading::Known(value) = &evidence.reading {
                    assert_eq!(value.kind(), item.kind, "{}", item.name);
                }
                // What nobody allowed to be asked was read nowhere.
                let asked = evidence.reading.cause() != Some(&Cause::NotGathered);
                assert_eq!(evidence.source.is_some(), asked, "{}", item.name);
            }
        }
    }
}

#[test]
fn a_foreign_driver_in_the_group_is_named() {
    let facts = ready()
        .function("0000:18:00.1", "10DE:22BD", "40300", Some("snd_hda_intel"))
        .in_group("0000:18:00.1", 42)
        .function("0000:65:00.0", "15B3:1021", "20700", Some("mlx5_core"))
        .in_group("0000:65:00.0", 42)
        .function("0000:17:00.0", "1000:C030", "60400", Some("pcieport"))
        .in_group("0000:17:00.0", 42)
        .facts();
    let viable = item(&facts, "pci.gpus", "iommu-group-viable");
    assert_eq!(viable.reading, flag(false));
    assert_eq!(
        viable.note.as_deref(),
        Some("0000:18:00.1 (snd_hda_intel), 0000:65:00.0 (mlx5_core)")
    );
    let foreign = item(&facts, "pci.gpus", "iommu-group-foreign").reading;
    assert_eq!(foreign, set(&["0000:65:00.0 mlx5_core"]));
    assert_eq!(labels(&facts, "pci.companions"), ["0000:18:00.1"]);
}

#[test]
fn a_member_that_is_no_pci_function_counts_by_its_driver() {
    let member = "sys/kernel/iommu_groups/42/devices/AMDI0095:00";
    let device = "sys/devices/platform/AMDI0095:00";
    let link = "-> ../../../../devices/platform/AMDI0095:00";
    let unbound = ready().file(member, link).file(&format!("{device}/uevent"), "").facts();
    assert_eq!(item(&unbound, "pci.gpus", "iommu-group-viable").reading, flag(true));
    let bound = ready()
        .file(member, link)
        .file(&format!("{device}/driver"), "-> ../../../bus/platform/drivers/sdhci")
        .facts();
    assert_eq!(item(&bound, "pci.gpus", "iommu-group-viable").reading, flag(false));
    let dangling = ready().file(member, link).facts();
    assert!(item(&dangling, "pci.gpus", "iommu-group-viable").reading.cause().is_some());
}

#[test]
fn lost_links_do_not_make_a_bound_gpu_unbound() {
    let mut made =
        Made::new().function(GPU, "10DE:2335", "30200", Some("nvidia")).in_group(GPU, 42);
    made.files.retain(|(path, _)| !path.ends_with("/driver"));
    let facts = made.facts();
    for name in ["driver", "bound", "bound-to-vfio", "iommu-group-viable"] {
        assert!(item(&facts, "pci.gpus", name).reading.cause().is_some(), "{name}");
    }
    assert!(value(&facts, "pci.passthrough-binding").reading.cause().is_some());
}

#[test]
fn an_unbound_gpu_without_a_group_is_known_to_be_so() {
    let facts = Made::new().function(GPU, "10DE:2335", "30200", None).facts();
    let driver = item(&facts, "pci.gpus", "driver");
    assert_eq!((driver.reading, driver.note.as_deref()), (Reading::Absent, Some("no driver")));
    assert_eq!(item(&facts, "pci.gpus", "bound").reading, flag(false));
    assert_eq!(item(&facts, "pci.gpus", "iommu-group").reading, Reading::Absent);
    assert_eq!(item(&facts, "pci.gpus", "iommu-group-viable").reading, Reading::Absent);
    assert_eq!(value(&facts, "pci.passthrough-binding").reading, text("none"));
}

#[test]
fn classes_decide_what_a_function_is() {
    let facts = Made::new()
        .function("0000:01:00.0", "10DE:1DB6", "30200", None)
        .function("0000:02:00.0", "10DE:2BB5", "30000", None)
        .function("0000:03:00.0", "10DE:22A3", "68000", Some("vfio-pci"))
        .function("0000:04:00.0", "10DE:22B1", "60400", Some("pcieport"))
        .function("0000:05:00.0", "10DE:22E8", "40300", None)
        .function("0000:06:00.0", "10DE:0001", "68000", None)
        .function("10000:02:00.0", "10DE:2335", "30200", None)
        .function("0000:07:00.0", "1002:2335", "30200", None)
        .facts();
    assert_eq!(labels(&facts, "pci.gpus"), ["0000:01:00.0", "0000:02:00.0", "10000:02:00.0"]);
    assert_eq!(labels(&facts, "pci.nvswitches"), ["0000:03:00.0", "0000:06:00.0"]);
    assert!(labels(&facts, "pci.companions").is_empty(), "not in a GPU's slot");
    assert_eq!(
        labels(&facts, "pci.passthrough"),
        ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:06:00.0", "10000:02:00.0"]
    );
    assert_eq!(value(&facts, "pci.passthrough-binding").reading, text("some"));
    let unlisted = item(&facts, "pci.gpus", "family");
    assert_eq!(
        (unlisted.reading, unlisted.note.as_deref()),
        (Reading::Absent, Some("not on the list"))
    );
}

#[test]
fn a_virtual_function_is_no_gpu_to_pass_through() {
    let base = "sys/devices/pci0000:00/0000:00:01.0/0000:18:00.4";
    let facts = ready()
        .function("0000:18:00.4", "10DE:2335", "30200", None)
        .file(&format!("{base}/physfn"), "-> ../0000:18:00.0")
        .facts();
    assert_eq!(labels(&facts, "pci.gpus"), [GPU]);
    assert_eq!(value(&facts, "pci.gpu-virtual-function-count").reading, integer(1));
}

#[test]
fn a_function_of_unknown_identity_leaves_every_selection_in_doubt() {
    let facts = ready().file("sys/bus/pci/devices/0000:99:00.0/config", "").facts();
    assert_eq!(value(&facts, "pci.unidentified-count").reading, integer(1));
    assert_eq!(value(&facts, "pci.unidentified-count").note.as_deref(), Some("0000:99:00.0"));
    assert_eq!(value(&facts, "pci.function-count").reading, integer(2));
    let selection = select(&facts, "pci.gpus");
    assert_eq!(selection.subjects.len(), 1);
    assert!(selection.doubt.is_some());
    for name in ["pci.gpu-count", "pci.gpus-bound-to-vfio", "pci.passthrough-binding"] {
        assert!(value(&facts, name).reading.cause().is_some(), "{name}");
    }
}

#[test]
fn a_strange_name_in_the_list_of_devices_leaves_doubt_too() {
    let facts = ready().file("sys/bus/pci/devices/0000:1G:00.0/uevent", "").facts();
    assert_eq!(value(&facts, "pci.unidentified-count").reading, integer(1));
    assert!(select(&facts, "pci.gpus").doubt.is_some());
}

#[test]
fn an_unknown_class_matters_only_where_it_could_be_a_gpus() {
    let base = "sys/bus/pci/devices";
    let other = ready()
        .file(&format!("{base}/0000:01:00.0/vendor"), "0x8086\n")
        .file(&format!("{base}/0000:01:00.0/device"), "0x1563\n")
        .facts();
    assert_eq!(value(&other, "pci.unidentified-count").reading, integer(0));
    let listed = Made::new()
        .file(&format!("{base}/0000:01:00.0/vendor"), "0x10de\n")
        .file(&format!("{base}/0000:01:00.0/device"), "0x2335\n")
        .facts();
    assert_eq!(labels(&listed, "pci.gpus"), ["0000:01:00.0"]);
    let unlisted = Made::new()
        .file(&format!("{base}/0000:01:00.0/vendor"), "0x10de\n")
        .file(&format!("{base}/0000:01:00.0/device"), "0x0001\n")
        .facts();
    assert_eq!(value(&unlisted, "pci.unidentified-count").reading, integer(1));
}

#[test]
fn without_uevent_the_files_tell() {
    let base = "sys/bus/pci/devices/0000:18:00.0";
    let facts = Made::new()
        .file(&format!("{base}/uevent"), "")
        .file(&format!("{base}/vendor"), "0x10de\n")
        .file(&format!("{base}/device"), "0x2335\n")
        .file(&format!("{base}/class"), "0x030200\n")
        .file(&format!("{base}/subsystem_vendor"), "0x10de\n")
        .file(&format!("{base}/subsystem_device"), "0x18be\n")
        .file(&format!("{base}/driver"), "-> ../../../../bus/pci/drivers/vfio-pci")
        .facts();
    assert_eq!(item(&facts, "pci.gpus", "driver").reading, text("vfio-pci"));
    assert_eq!(facts.pci.unwrap().all()[0].subsystem, Some((0x10de, 0x18be)));
}

#[test]
fn no_pci_is_known_only_from_a_full_list_of_buses() {
    let none = Made::new().facts();
    assert_eq!(value(&none, "pci.gpu-count").reading, integer(0));
    assert_eq!(select(&none, "pci.gpus").doubt, None);
    assert_eq!(value(&none, "pci.passthrough-binding").reading, Reading::Absent);

    for excerpt in [&[("sys/bus/cpu/uevent", "")][..], &[("sys/devices/system/", "")]] {
        let host = tree(excerpt);
        let facts = facts(host.path(), Needs::PCI);
        assert_eq!(value(&facts, "pci.gpu-count").reading, Reading::Absent);
        assert!(select(&facts, "pci.gpus").doubt.is_some());
    }
    for unmounted in [&[("sys/", "")][..], &[("etc/hostname", "")]] {
        let host = tree(unmounted);
        let facts = facts(host.path(), Needs::PCI);
        assert!(value(&facts, "pci.gpu-count").reading.cause().is_some());
        assert!(select(&facts, "pci.gpus").doubt.is_some());
    }
}

#[test]
fn details_keep_absent_and_malformed_apart() {
    let base = "sys/devices/pci0000:00/0000:00:01.0/0000:18:00.0";
    let facts = ready()
        .file(&format!("{base}/numa_node"), "-1\n")
        .file(&format!("{base}/current_link_width"), "wide\n")
        .file(&format!("{base}/reset_method"), "flr bus\n")
        .file(&format!("{base}/resource"), "garbage\n")
        .file(&format!("{base}/driver_override"), "(null)\n")
        .facts();
    let gpu = |name: &str| item(&facts, "pci.gpus", name);
    assert_eq!(gpu("numa-node").reading, integer(-1));
    assert_eq!(gpu("numa-node").note.as_deref(), Some("unknown to the firmware"));
    assert!(gpu("link-width").reading.cause().is_some());
    assert_eq!(gpu("max-link-width").reading, Reading::Absent);
    assert_eq!(gpu("reset-methods").reading, set(&["bus", "flr"]));
    assert!(gpu("bars-assigned").reading.cause().is_some());
    assert_eq!(gpu("bars-assigned").source.unwrap().line, Some(1));
    assert_eq!(gpu("driver-override").reading, Reading::Absent);
}

#[test]
fn fewer_lanes_than_there_are_is_said_so_and_nonsense_is_not_compared() {
    let base = "sys/devices/pci0000:00/0000:00:01.0/0000:18:00.0";
    for (now, max, expected) in [
        ("16", "16", Some(true)),
        ("8", "16", Some(false)),
        ("0", "16", None),
        ("16", "255", None),
        ("63", "63", None),
    ] {
        let facts = ready()
            .file(&format!("{base}/current_link_width"), &format!("{now}\n"))
            .file(&format!("{base}/max_link_width"), &format!("{max}\n"))
            .facts();
        let evidence = item(&facts, "pci.gpus", "link-at-full-width");
        let found = evidence.reading.into_known();
        assert_eq!(found, expected.map(Value::Bool), "{now} of {max}");
    }
}

#[test]
fn details_that_no_rule_asked_for_are_not_gathered() {
    let made = ready();
    let files: Vec<(&str, &str)> =
        made.files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let host = tree(&files);
    let facts = facts(host.path(), Needs::PCI);
    for name in ["link-width", "vfio-device", "vfio-cdev"] {
        let reading = item(&facts, "pci.gpus", name).reading;
        assert_eq!(reading.cause(), Some(&Cause::NotGathered), "{name}");
    }
}

#[test]
fn a_vfio_device_leads_to_its_node() {
    let base = "sys/devices/pci0000:00/0000:00:01.0/0000:18:00.0";
    let facts = ready()
        .file(&format!("{base}/vfio-dev/vfio3/dev"), "511:3\n")
        .file("dev/vfio/devices/vfio3", "")
        .facts();
    assert_eq!(item(&facts, "pci.gpus", "vfio-device").reading, text("vfio3"));
    let cdev = item(&facts, "pci.gpus", "vfio-cdev");
    assert_eq!(cdev.reading, flag(false), "a regular file is no device");
    assert_eq!(cdev.source, Some(Source::file("/dev/vfio/devices/vfio3")));
    let none = ready().file("dev/null", "").facts();
    assert_eq!(item(&none, "pci.gpus", "vfio-cdev").reading, flag(false));
    assert_eq!(item(&none, "pci.gpus", "vfio-group-node").reading, flag(false));
}

#[test]
fn a_window_that_only_the_header_shows_has_no_address() {
    const UNUSED: &str = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
    let first =
        format!("0x0000000090000000 0x0000000090ffffff 0x000000000014220c\n{}", UNUSED.repeat(5));
    let none = UNUSED.repeat(6);
    // A function with a header for devices, and two prefetchable windows of 64 bits.
    let header: String = (0..64)
        .map(|at| match at {
            0 => '\u{4e}',
            0x10 | 0x18 => '\u{0c}',
            _ => '\0',
        })
        .collect();
    for (resource, expected) in [(first, Some(false)), (none, None)] {
        let base = "sys/devices/pci0000:00/0000:00:01.0/0000:18:00.0";
        let made = ready()
            .file(&format!("{base}/config"), &header)
            .file(&format!("{base}/resource"), &resource);
        let files: Vec<(&str, &str)> =
            made.files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let host = tree(&files);
        let needs = Needs::PCI.and(Needs::PCI_HEALTH).and(Needs::PCI_CONFIG);
        let facts = facts(host.path(), needs);
        let evidence = item(&facts, "pci.gpus", "bars-assigned");
        assert_eq!(evidence.reading.into_known(), expected.map(Value::Bool));
        assert_eq!(evidence.note.as_deref(), expected.map(|_| "no address for BAR 2"));
    }
}
