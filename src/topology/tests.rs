use std::path::Path;

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use super::layout::{Layout, PADDING, Placed, layout};
use super::*;
use crate::facts::{Assumptions, Cause, gather};
use crate::host::{Root, Run};

fn fixture(name: &str) -> Topology {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.host"));
    let root = Root::captured(&path).unwrap();
    Topology::of(&gather(&root, &Run::on(&root), NEEDS, Assumptions::default()))
}

fn drawn(topology: &Topology, unicode: bool) -> String {
    let mut out = Vec::new();
    text(topology, Look { colour: false, width: 100, unicode }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn overlap(one: &Placed, other: &Placed) -> bool {
    one.x < other.right()
        && other.x < one.right()
        && one.y < other.y + other.height
        && other.y < one.y + one.height
}

/// Whether no card stands on another, all text fits its card, and all cards fit the picture.
fn is_tidy(topology: &Topology) -> Result<(), String> {
    let Layout { cards, width, height, .. } = layout(topology);
    for (place, card) in cards.iter().enumerate() {
        let text = card.card.width() * 72 / 10;
        if text + 2 * PADDING > card.width {
            return Err(format!("{:?} is wider than its card", card.card));
        }
        if card.right() > width || card.y + card.height > height {
            return Err(format!("{:?} is not in the picture", card.card));
        }
        for other in cards.iter().skip(place + 1) {
            if overlap(card, other) {
                return Err(format!("{:?} stands on {:?}", card.card, other.card));
            }
        }
    }
    Ok(())
}

#[test]
fn a_shared_group_and_the_ports_that_let_it_be_are_seen() {
    let topology = fixture("acs-off-on-switch");
    assert_eq!(
        drawn(&topology, true),
        "\
gpu-snp-07: 2 GPUs

0000:20  root complex
└─ 0000:20:01.1  root port  ACS on  x16 at 32.0 GT/s  1022:14ab
   └─ 0000:21:00.0  switch upstream port  x16 at 32.0 GT/s  1000:c030
      ├─ 0000:22:00.0  switch downstream port  ACS off: SrcValid, ReqRedir, CmpltRedir, UpstreamFwd
      │  │    x16 at 32.0 GT/s  1000:c030
      │  └─ 0000:23:00.0  GPU H200 SXM 141GB  group 12, shared  vfio-pci  x16 at 32.0 GT/s
      │          NUMA node 0
      └─ 0000:22:01.0  switch downstream port  ACS off: SrcValid, ReqRedir, CmpltRedir, UpstreamFwd
         │    x16 at 32.0 GT/s  1000:c030
         └─ 0000:24:00.0  GPU H200 SXM 141GB  group 12, shared  vfio-pci  x16 at 32.0 GT/s
                 NUMA node 0

IOMMU group 12 is shared:
  0000:23:00.0 vfio-pci
  0000:24:00.0 vfio-pci
"
    );
}

#[test]
fn without_unicode_all_is_ascii() {
    let shown = drawn(&fixture("acs-on-at-every-port"), false);
    assert!(shown.is_ascii());
    assert_eq!(shown.lines().filter(|line| line.contains("GPU H100")).count(), 8);
    assert_eq!(shown.lines().filter(|line| line.contains("NVSwitch  ")).count(), 4);
}

#[test]
fn a_function_beside_a_gpu_stands_beside_it() {
    let topology = fixture("rtx-pro-6000-audio-snp");
    let mut kinds = Vec::new();
    topology.visit(&mut |node| {
        kinds.extend(node.children.iter().map(|child| (child.kind, child.address.function)));
    });
    let devices: Vec<_> = kinds.into_iter().filter(|(kind, _)| *kind != Kind::Bridge).collect();
    assert_eq!(devices.len(), 8);
    assert!(devices.chunks(2).all(|pair| pair == [(Kind::Gpu, 0), (Kind::Companion, 1)]));
    assert!(topology.groups.iter().all(|group| !group.is_shared && group.devices.len() == 2));
}

#[test]
fn only_the_paths_through_a_function_are_kept() {
    let topology = fixture("acs-on-at-every-port");
    let at = |text: &str| topology.clone().only(Address::parse(text).unwrap());
    let gpu = at("0000:23:00.0").unwrap();
    assert_eq!((gpu.count(Kind::Gpu), gpu.count(Kind::Bridge), gpu.groups.len()), (1, 3, 1));
    let switch = at("0000:a1:00.0").unwrap();
    assert_eq!((switch.count(Kind::NvSwitch), switch.groups.len()), (4, 4));
    assert_eq!(at("0000:01:00.0"), None);
}

#[test]
fn a_host_that_cannot_be_read_says_so() {
    let topology = Topology::of(&Facts::default());
    assert!(drawn(&topology, true).contains("there may be more devices"));
    assert!(svg(&topology).contains("there may be more devices"));
    let doubtful = fixture("unidentified-function");
    assert!(drawn(&doubtful, true).contains("there may be more devices"));
}

#[test]
fn the_pictures_of_all_fixtures_are_tidy() {
    for name in [
        "acs-on-at-every-port",
        "acs-off-on-switch",
        "switch-without-acs",
        "rtx-pro-6000-audio-snp",
        "hgx-b200x8-tdx",
        "iommu-off-in-firmware",
        "gpu-without-group",
        "no-gpus",
        "hidden-escape-sequences",
        "virtual-machine-guest",
    ] {
        is_tidy(&fixture(name)).unwrap();
    }
}

#[test]
fn a_cut_text_keeps_its_width() {
    assert_eq!(card::fit("0000:23:00.0", 12), "0000:23:00.0");
    assert_eq!(card::fit("0000:23:00.0", 8), "0000:23…");
    assert_eq!(card::fit("日本日本", 5).width(), 5);
    assert_eq!(card::fit("", 0), "");
}

fn reading<T: Clone + std::fmt::Debug + 'static>(
    known: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Reading<T>> {
    prop_oneof![
        4 => known.prop_map(Reading::Known),
        1 => Just(Reading::Absent),
        1 => Just(Reading::Unreadable(Cause::Permission)),
    ]
    .boxed()
}

fn isolation() -> impl Strategy<Value = Isolation> {
    prop_oneof![
        Just(Isolation::On),
        Just(Isolation::Off(Acs { capability: 0x1f, control: 0 }.off().collect())),
        Just(Isolation::NoCapability),
        Just(Isolation::Never),
        Just(Isolation::NotItsTask),
        Just(Isolation::Unknown(Cause::Permission)),
    ]
}

prop_compose! {
    fn any_function()(
        numbers: (u8, u8, u8),
        kind in prop::sample::select(vec![Kind::Gpu, Kind::NvSwitch, Kind::Companion]),
        name in prop::option::of(".{0,60}"),
        driver in reading(".{0,60}"),
        group in reading(0_u32..5),
        numbers_of_link in (reading(-1_i64..70), reading(-1_i64..70), reading(-1_i64..4)),
        speeds in (reading("[0-9.]{1,5} GT/s( PCIe)?|.{0,9}"), reading("32.0 GT/s PCIe")),
        isolation in prop::option::of(isolation()),
        answers: Option<bool>,
    ) -> Node {
        let (width, max_width, numa_node) = numbers_of_link;
        let (speed, max_speed) = speeds;
        let (bus, device, function) = numbers;
        Node {
            address: Address { domain: 0, bus, device: device % 32, function: function % 8 },
            kind,
            role: "GPU",
            name,
            id: Some((0x10de, 0x2335)),
            driver,
            numa_node,
            group,
            link: Link { width, max_width, speed, max_speed },
            isolation,
            acs: None,
            answers,
            children: Vec::new(),
        }
    }
}

fn any_tree() -> impl Strategy<Value = Node> {
    any_function().prop_recursive(5, 24, 4, |below| {
        (any_function(), prop::collection::vec(below, 1..4)).prop_map(|(node, children)| Node {
            kind: Kind::Bridge,
            role: "switch downstream port",
            children,
            ..node
        })
    })
}

prop_compose! {
    fn any_topology()(
        host in prop::option::of(".{0,200}"),
        doubt in prop::option::of(".{0,200}"),
        trees in prop::collection::vec(prop::collection::vec(any_tree(), 1..3), 0..4),
        others in prop::collection::vec(".{0,60}", 0..12),
    ) -> Topology {
        let complexes = trees.into_iter().zip(0..).map(|(nodes, bus)| Complex {
            domain: 0,
            bus,
            host_bridge: others.first().cloned(),
            nodes,
        });
        let mut topology =
            Topology { host, complexes: complexes.collect(), groups: Vec::new(), doubt };
        let mut groups = Vec::new();
        for number in 0..5 {
            let mut devices = Vec::new();
            topology.visit(&mut |node| {
                if node.group == Reading::Known(number) && node.kind != Kind::Bridge {
                    devices.push(node.address);
                }
            });
            groups.push(Group {
                number,
                kind: Reading::Known("DMA-FQ".to_owned()),
                is_shared: devices.len() > 1,
                devices,
                members: Reading::Known(others.clone()),
                others: others.clone(),
            });
        }
        topology.groups = groups;
        topology
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_picture_is_tidy(topology in any_topology()) {
        prop_assert_eq!(is_tidy(&topology), Ok(()));
    }

    #[test]
    fn no_format_lets_a_control_character_through(topology in any_topology()) {
        let mut document = Vec::new();
        json(&topology, &mut document).unwrap();
        let document = String::from_utf8(document).unwrap();
        for shown in [drawn(&topology, true), dot(&topology), svg(&topology), document] {
            let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            prop_assert!(!shown.contains(raw), "{shown:?}");
        }
    }
}
