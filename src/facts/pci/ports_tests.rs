use super::*;

fn port(kind: PortType, multifunction: bool, acs: Option<(u16, u16)>) -> Port {
    let acs = acs.map_or(Reading::Absent, |(capability, control)| {
        Reading::Known(Acs { capability, control })
    });
    Port { kind: Reading::Known(kind), multifunction: Reading::Known(multifunction), acs }
}

#[test]
fn ports_isolate_by_the_bits_that_they_have() {
    for kind in [PortType::RootPort, PortType::SwitchDownstream] {
        assert_eq!(port(kind, false, Some((0x1f, 0x1d))).isolation(), Isolation::On);
        assert_eq!(port(kind, false, Some((0, 0))).isolation(), Isolation::On);
        assert_eq!(port(kind, false, None).isolation(), Isolation::NoCapability);
        let off = Isolation::Off(vec!["ReqRedir", "CmpltRedir"]);
        assert_eq!(port(kind, false, Some((0x1f, 0x11))).isolation(), off);
    }
}

#[test]
fn an_upstream_port_matters_only_beside_other_functions() {
    let upstream = |multifunction| port(PortType::SwitchUpstream, multifunction, None);
    assert_eq!(upstream(false).isolation(), Isolation::NotItsTask);
    assert_eq!(upstream(true).isolation(), Isolation::NoCapability);
}

#[test]
fn what_leads_to_conventional_pci_never_isolates() {
    let bridge = port(PortType::BridgeToPci, false, Some((0x1f, 0x1f)));
    assert_eq!(bridge.isolation(), Isolation::Never);
    let conventional = Port { kind: Reading::Absent, ..bridge };
    assert_eq!(conventional.isolation(), Isolation::Never);
}

#[test]
fn a_header_alone_leaves_the_answer_to_root() {
    let mut header = vec![0; 64];
    header[0x06] = 0x10;
    header[0x34] = 0x80;
    let port = Port::of(&Reading::Known(header));
    assert_eq!(port.isolation(), Isolation::Unknown(Cause::Permission));
    assert_eq!(port.multifunction, Reading::Known(false));
}

#[test]
fn a_port_that_does_not_answer_is_unknown() {
    for space in [vec![0xff; 64], vec![0xff; 4096]] {
        let port = Port::of(&Reading::Known(space));
        assert_eq!(port.isolation(), Isolation::Unknown(Cause::DeviceGone));
    }
}
