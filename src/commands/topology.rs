//! `topology`: gather what is above the GPUs, and draw it.

use super::{CommandError, host, output};
use crate::cli::{self, TopologyFormat};
use crate::exit::Exit;
use crate::facts::pci::Address;
use crate::facts::{Assumptions, gather};
use crate::host::Terminal;
use crate::topology::{self, Look, Topology};

pub(super) fn run(arguments: &cli::Topology, terminal: Terminal) -> Result<Exit, CommandError> {
    let device = arguments.device.as_deref().map(address).transpose()?;
    let opened = host::open(arguments.root.as_deref(), arguments.host.as_deref())?;
    let facts = gather(&opened.root, &opened.run, topology::NEEDS, Assumptions::default());
    let mut topology = Topology::of(&facts);
    if let Some(address) = device {
        topology = topology.only(address).ok_or_else(|| {
            CommandError::Usage(format!("no GPU, NVSwitch or bridge above one is at {address}"))
        })?;
    }
    output::write(|out| match arguments.format {
        TopologyFormat::Text => {
            let look = Look {
                colour: terminal.colour,
                width: terminal.width.into(),
                unicode: Terminal::shows_unicode(),
            };
            topology::text(&topology, look, out)
        }
        TopologyFormat::Dot => out.write_all(topology::dot(&topology).as_bytes()),
        TopologyFormat::Svg => out.write_all(topology::svg(&topology).as_bytes()),
        TopologyFormat::Json => topology::json(&topology, out),
    })
}

/// An address as sysfs or `lspci` writes it: the latter leaves out the domain where it is 0.
fn address(text: &str) -> Result<Address, CommandError> {
    let lower = text.to_ascii_lowercase();
    Address::parse(&lower).or_else(|| Address::parse(&format!("0000:{lower}"))).ok_or_else(|| {
        CommandError::Usage(format!("{text:?} is no PCI address such as 0000:18:00.0"))
    })
}
