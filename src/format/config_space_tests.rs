use proptest::prelude::*;

use super::*;

/// A root port by Intel with these capabilities: of the first 256 bytes as (place, id, next), of the rest
/// as (place, id, next).
fn space(standard: &[(usize, u8, u8)], extended: &[(usize, u32, usize)]) -> Vec<u8> {
    let mut space = vec![0; WHOLE];
    space[..4].copy_from_slice(&[0x86, 0x80, 0x2a, 0x35]);
    space[0x0e] = 1;
    if let Some((first, ..)) = standard.first() {
        space[0x06] = HAS_CAPABILITIES;
        space[0x34] = u8::try_from(*first).unwrap();
    }
    for (at, id, next) in standard {
        space[*at..at + 2].copy_from_slice(&[*id, *next]);
    }
    for (at, id, next) in extended {
        let header = id | 1 << 16 | u32::try_from(*next).unwrap() << 20;
        space[*at..at + 4].copy_from_slice(&header.to_le_bytes());
    }
    space
}

fn root_port_with_acs(capability: u16, control: u16) -> Vec<u8> {
    let mut space =
        space(&[(0x40, 1, 0x50), (0x50, 0x10, 0)], &[(0x100, 1, 0x150), (0x150, 13, 0)]);
    space[0x52] = 0x42;
    space[0x154..0x156].copy_from_slice(&capability.to_le_bytes());
    space[0x156..0x158].copy_from_slice(&control.to_le_bytes());
    space
}

fn acs(bytes: &[u8]) -> Result<Option<Acs>, SpaceError> {
    ConfigSpace::new(bytes).unwrap().acs()
}

fn port_type(bytes: &[u8]) -> Result<Option<PortType>, SpaceError> {
    ConfigSpace::new(bytes).unwrap().port_type()
}

#[test]
fn a_port_says_what_it_is_and_what_it_isolates() {
    let bytes = root_port_with_acs(0x1f, 0x1d);
    assert_eq!(port_type(&bytes), Ok(Some(PortType::RootPort)));
    let acs = acs(&bytes).unwrap().unwrap();
    assert_eq!(acs, Acs { capability: 0x1f, control: 0x1d });
    assert_eq!(acs.off().count(), 0);
    assert_eq!(
        acs.to_string(),
        "SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-"
    );
}

#[test]
fn only_what_is_demanded_and_possible_can_be_off() {
    let off = |capability, control| Acs { capability, control }.off().collect::<Vec<_>>();
    assert_eq!(off(0x1f, 0), ["SrcValid", "ReqRedir", "CmpltRedir", "UpstreamFwd"]);
    assert_eq!(off(0x0f, 0), ["SrcValid", "ReqRedir", "CmpltRedir"]);
    assert_eq!(off(0x1f, 0x1b), ["ReqRedir"]);
    assert!(off(0, 0).is_empty());
    assert!(off(0x62, 0).is_empty());
}

/// Sunrise Point has both registers in 32 bits, so that the usual place of the control is a part of the
/// capability and always zero.
#[test]
fn chipsets_with_wide_registers_are_read_at_their_place() {
    let mut bytes = root_port_with_acs(0x0f, 0);
    bytes[2..4].copy_from_slice(&[0x10, 0x9d]);
    bytes[0x158] = 0x0f;
    assert_eq!(acs(&bytes), Ok(Some(Acs { capability: 0x0f, control: 0x0f })));
}

#[test]
fn what_is_not_shown_is_hidden_and_not_absent() {
    let bytes = root_port_with_acs(0x1f, 0x1d);
    for shown in [64, 128] {
        assert_eq!(acs(&bytes[..shown]), Err(SpaceError::Hidden(shown)));
    }
    // The list of the first 256 bytes lies behind byte 64 here.
    let late = space(&[(0xc0, 0x10, 0)], &[]);
    assert_eq!(port_type(&late[..64]), Err(SpaceError::Hidden(64)));
    assert_eq!(acs(&bytes[..256]), Ok(None), "a function without extended capabilities");
    assert!(matches!(acs(&bytes[..0x140]), Err(SpaceError::Broken { at: 0x150, .. })));
    assert!(matches!(acs(&bytes[..0x155]), Err(SpaceError::Broken { .. })));
}

#[test]
fn a_function_that_does_not_answer_is_not_read() {
    assert_eq!(ConfigSpace::new(&[0xff; WHOLE]), Err(SpaceError::Inaccessible));
    for length in [0, 1, 63] {
        assert_eq!(ConfigSpace::new(&vec![0; length]), Err(SpaceError::Short(length)));
    }
}

#[test]
fn a_conventional_function_is_no_port() {
    let bytes = space(&[], &[]);
    assert_eq!(port_type(&bytes), Ok(None));
    assert_eq!(acs(&bytes), Ok(None));
}

#[test]
fn windows_show_their_kind_without_an_address() {
    let mut bytes = space(&[], &[]);
    bytes[0x0e] = 0x80;
    // 64-bit and prefetchable, then 64-bit with an address, then ports.
    bytes[0x10] = 0x0c;
    bytes[0x18..0x20].copy_from_slice(&[0x04, 0, 0, 0x10, 0x0f, 0, 0, 0]);
    bytes[0x20] = 0x01;
    assert_eq!(ConfigSpace::new(&bytes).unwrap().windows(), [0, 2, 4]);
    bytes[0x0e] = 1;
    assert!(ConfigSpace::new(&bytes).unwrap().windows().is_empty(), "a bridge");
}

#[test]
fn hostile_lists_end_with_a_reason() {
    let broken = |what: &str, answer: Result<bool, SpaceError>| match answer {
        Err(SpaceError::Broken { what: told, .. }) => assert_eq!(told, what),
        other => panic!("{what}: {other:?}"),
    };
    let standard = |list: &[(usize, u8, u8)]| port_type(&space(list, &[])).map(|it| it.is_some());
    broken("runs in a circle", standard(&[(0x40, 1, 0x40)]));
    broken("runs in a circle", standard(&[(0x40, 1, 0x50), (0x50, 5, 0x40)]));
    broken("leads astray", standard(&[(0x40, 1, 0x20)]));
    broken("reads as ones", standard(&[(0x40, 1, 0x50), (0x50, 0xff, 0xff)]));
    let extended = |list: &[(usize, u32, usize)]| acs(&space(&[], list)).map(|it| it.is_some());
    broken("runs in a circle", extended(&[(0x100, 1, 0x100)]));
    broken("runs in a circle", extended(&[(0x100, 1, 0x200), (0x200, 2, 0x100)]));
    broken("leads astray", extended(&[(0x100, 1, 0x40)]));
    broken("is cut off", acs(&space(&[], &[(0x100, 13, 0)])[..0x104]).map(|it| it.is_some()));
    let mut gone = space(&[], &[(0x100, 1, 0x200)]);
    gone[0x200..].fill(0xff);
    broken("reads as ones", acs(&gone).map(|it| it.is_some()));
}

#[test]
fn a_capability_before_the_fault_counts() {
    let looped = space(&[(0x40, 0x10, 0x40)], &[(0x100, 13, 0x100)]);
    assert_eq!(port_type(&looped), Ok(Some(PortType::Endpoint)));
    assert_eq!(acs(&looped), Ok(Some(Acs { capability: 0, control: 0 })));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..WHOLE + 16)) {
        if let Ok(space) = ConfigSpace::new(&bytes) {
            let _ = (space.port_type(), space.acs(), space.is_multifunction());
        }
    }

    /// Any list of places, whether in a circle, astray or behind the end.
    #[test]
    fn any_lists_end(
        places in prop::collection::vec((0_usize..0x3ff, 0_u32..16, 0_usize..0x3ff), 1..40),
        length in 0..=WHOLE,
    ) {
        let mut bytes = space(&[(0x40, 1, 0x48)], &[(0x100, 1, 0x200)]);
        for (at, id, next) in places {
            let header = id | u32::try_from(next).unwrap() << 22;
            bytes[at * 4..at * 4 + 4].copy_from_slice(&header.to_le_bytes());
        }
        if let Ok(space) = ConfigSpace::new(&bytes[..length]) {
            let _ = (space.port_type(), space.acs());
            prop_assert!(extended_capabilities(&bytes).count() < WHOLE);
        }
    }

    /// A list in any order is followed to its end, whatever stands between.
    #[test]
    fn acs_is_found_wherever_it_stands(
        places in prop::collection::hash_set(0x11_usize..0x100, 0..30),
        capability: u16,
        control: u16,
    ) {
        let places: Vec<usize> = places.into_iter().map(|row| row * 16).collect();
        let list: Vec<(usize, u32, usize)> = std::iter::once(0x100)
            .chain(places.iter().copied())
            .enumerate()
            .map(|(number, at)| {
                let next = places.get(number).copied();
                (at, if next.is_some() { 2 } else { 13 }, next.unwrap_or(0))
            })
            .collect();
        let mut bytes = space(&[], &list);
        let (at, ..) = *list.last().unwrap();
        bytes[at + 4..at + 6].copy_from_slice(&capability.to_le_bytes());
        bytes[at + 6..at + 8].copy_from_slice(&control.to_le_bytes());
        prop_assert_eq!(acs(&bytes), Ok(Some(Acs { capability, control })));
    }

    /// Bytes that are missing at the end are never taken for an answer.
    #[test]
    fn a_part_says_the_same_or_nothing(capability: u16, control: u16, length in HEADER..WHOLE) {
        prop_assume!(length != EXTENDED);
        let bytes = root_port_with_acs(capability, control);
        let whole = acs(&bytes).unwrap();
        prop_assert!(acs(&bytes[..length]).map_or(true, |part| part == whole));
    }
}
