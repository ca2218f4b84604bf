//! The words that the formats for people have in common.

use super::{Complex, Group, Kind, Link, Node, Topology};
use crate::facts::pci::Isolation;
use crate::facts::{Cause, Reading};

/// How a word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Faint,
    Good,
    /// Worth a look.
    Odd,
}

pub(super) type Word = (Tone, String);

/// How many members of a group are named.
const NAMED: usize = 6;

impl Topology {
    /// `gpu-07: 8 GPUs, 4 NVSwitches`.
    pub(super) fn heading(&self) -> String {
        let count = |kind, one: &str, more: &str| match self.count(kind) {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {more}")),
        };
        let counts =
            [count(Kind::Gpu, "GPU", "GPUs"), count(Kind::NvSwitch, "NVSwitch", "NVSwitches")];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        let counts =
            if counts.is_empty() { "no GPU and no NVSwitch".to_owned() } else { counts.join(", ") };
        match &self.host {
            Some(host) => format!("{host}: {counts}"),
            None => counts,
        }
    }

    pub(super) fn doubt_in_words(&self) -> Option<String> {
        self.doubt.as_ref().map(|why| format!("there may be more devices: {why}"))
    }
}

impl Complex {
    /// `0000:20`.
    pub(super) fn name(&self) -> String {
        format!("{:04x}:{:02x}", self.domain, self.bus)
    }

    pub(super) fn words(&self) -> Vec<Word> {
        let mut words = vec![(Tone::Plain, "root complex".to_owned())];
        words.extend(self.host_bridge.iter().map(|name| (Tone::Faint, name.clone())));
        words
    }
}

impl Node {
    /// What it is: `GPU H100 SXM5 80GB`, `root port`.
    pub(super) fn what(&self) -> String {
        match (&self.name, self.kind) {
            (Some(name), Kind::Gpu) => format!("GPU {name}"),
            // The name of an NVSwitch says that it is one.
            (Some(name), Kind::NvSwitch | Kind::Companion) => name.clone(),
            _ => self.role.to_owned(),
        }
    }

    /// What is to be said of it besides, but for its group.
    pub(super) fn words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        if self.answers == Some(false) {
            words.push((Tone::Odd, "does not answer".to_owned()));
        }
        words.extend(self.isolation.as_ref().and_then(isolation));
        if self.kind != Kind::Bridge {
            words.push(match &self.driver {
                Reading::Known(driver) => (Tone::Plain, driver.clone()),
                Reading::Absent => (Tone::Faint, "no driver".to_owned()),
                Reading::Unreadable(_) => (Tone::Odd, "driver unknown".to_owned()),
            });
        }
        words.extend(self.link.word(self.kind));
        match self.numa_node {
            Reading::Known(-1) if self.kind == Kind::Gpu => {
                words.push((Tone::Faint, "NUMA node unknown".to_owned()));
            }
            Reading::Known(node) if node >= 0 && self.kind != Kind::Bridge => {
                words.push((Tone::Faint, format!("NUMA node {node}")));
            }
            _ => {}
        }
        if let Some((vendor, device)) = self.id.filter(|_| self.kind == Kind::Bridge) {
            words.push((Tone::Faint, format!("{vendor:04x}:{device:04x}")));
        }
        words
    }

    /// Its group, for a device.
    pub(super) fn group_word(&self, topology: &Topology) -> Option<Word> {
        if self.kind == Kind::Bridge {
            return None;
        }
        Some(match self.group {
            Reading::Known(number) => {
                let shared = topology.group(number).is_some_and(|group| group.is_shared);
                let tone = if shared { Tone::Odd } else { Tone::Plain };
                let end = if shared { ", shared" } else { "" };
                (tone, format!("group {number}{end}"))
            }
            Reading::Absent => (Tone::Odd, "in no IOMMU group".to_owned()),
            Reading::Unreadable(_) => (Tone::Odd, "group unknown".to_owned()),
        })
    }
}

fn isolation(isolation: &Isolation) -> Option<Word> {
    Some(match isolation {
        Isolation::On => (Tone::Good, "ACS on".to_owned()),
        Isolation::Off(bits) => (Tone::Odd, format!("ACS off: {}", bits.join(", "))),
        Isolation::NoCapability => (Tone::Odd, "no ACS".to_owned()),
        Isolation::Never => (Tone::Odd, "cannot isolate".to_owned()),
        Isolation::NotItsTask => return None,
        Isolation::Unknown(Cause::Permission) => (Tone::Faint, "ACS shows to root only".to_owned()),
        Isolation::Unknown(_) => (Tone::Faint, "ACS unknown".to_owned()),
    })
}

impl Link {
    /// `x8 of x16 at 2.5 of 32.0 GT/s`. A link is slow while its device sleeps, and a port may be wider than
    /// what is in it, so only lanes that a device lacks are odd.
    fn word(&self, kind: Kind) -> Option<Word> {
        let lanes = |width: &Reading<i64>| {
            // What the kernel writes where the device does not tell, or the link is down.
            width.known().copied().filter(|lanes| (1..=32).contains(lanes))
        };
        let (now, most) = (lanes(&self.width), lanes(&self.max_width));
        let width = match (now, most) {
            (Some(now), Some(most)) if now < most => format!("x{now} of x{most}"),
            (Some(now), _) => format!("x{now}"),
            (None, Some(most)) => format!("- of x{most}"),
            (None, None) => return None,
        };
        let lacks_lanes = kind != Kind::Bridge && now.is_some() && now < most;
        let tone = if lacks_lanes { Tone::Odd } else { Tone::Plain };
        let speed = |speed: &Reading<String>| {
            let speed = speed.known()?;
            let number = speed.strip_suffix(" PCIe").unwrap_or(speed).strip_suffix(" GT/s")?;
            Some(number.to_owned())
        };
        let speed = match (speed(&self.speed), speed(&self.max_speed)) {
            (Some(now), Some(most)) if now != most => format!(" at {now} of {most} GT/s"),
            (Some(now), _) => format!(" at {now} GT/s"),
            (None, _) => String::new(),
        };
        Some((tone, width + &speed))
    }
}

impl Group {
    /// The members of a group of several, in its words.
    pub(super) fn sharers(&self) -> Vec<String> {
        let members = self.members.known().map_or(&[][..], Vec::as_slice);
        Self::named(members)
    }

    /// Those that are not in the picture.
    pub(super) fn strangers(&self) -> Vec<String> {
        Self::named(&self.others)
    }

    fn named(members: &[String]) -> Vec<String> {
        let mut named: Vec<String> = members.iter().take(NAMED).cloned().collect();
        if members.len() > NAMED {
            named.push(format!("and {} more", members.len() - NAMED));
        }
        named
    }
}
