//! Turns data into constants, so that nothing has to be made of it at each start.
//!
//! Rule files: parsing TOML would take longer than reading the host. Only the syntax is checked here; what
//! the rules mean is checked by the loader.
//!
//! Names of devices: the public list has tens of thousands, with a pointer to each. A static executable
//! that may be loaded anywhere would have to adjust every pointer before its first line runs; a text has
//! none.
//!
//! Platforms: one list of what was tested, with its source and date.
#![expect(clippy::disallowed_methods, reason = "a build script reads the source tree, not a host")]

#[path = "src/rules/document.rs"]
mod document;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use document::{Entry, Item, Node, Position};

/// From cause to effect: rules are judged and shown in this order.
const FILES: [&str; 17] = [
    "rules/platform.toml",
    "rules/kvm.toml",
    "rules/cmdline.toml",
    "rules/iommu.toml",
    "rules/tee.toml",
    "rules/pci.toml",
    "rules/drivers.toml",
    "rules/vfio.toml",
    "rules/arguments.toml",
    "rules/kubelet.toml",
    "rules/kata.toml",
    "rules/containerd.toml",
    "rules/operator.toml",
    "rules/workload.toml",
    "rules/system.toml",
    "rules/cc-mode.toml",
    "rules/probes.toml",
];

const PLATFORMS: &str = "data/platforms.toml";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("builtin_rules.rs"), rules()?)?;
    fs::write(out.join("pci_names.txt"), names())?;
    fs::write(out.join("platforms.rs"), platforms()?)?;
    println!("cargo::rerun-if-changed=src/rules/document.rs");
    Ok(())
}

/// The table of platforms, as constants of the module that includes them.
fn platforms() -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PLATFORMS}");
    let table: toml::Table = fs::read_to_string(PLATFORMS)?.parse()?;
    let mut code = String::new();
    for (name, constant, is_used) in [
        ("version", "VERSION", true),
        ("date", "DATE", true),
        ("source", "SOURCE", false),
        ("kernel", "KERNEL", false),
    ] {
        let only_in_tests = if is_used { "" } else { "#[cfg(test)] " };
        let text = table.get(name).and_then(toml::Value::as_str).ok_or(format!("no {name}"))?;
        writeln!(code, "{only_in_tests}const {constant}: &str = {text:?};")?;
    }
    let rows =
        |name: &str| table.get(name).and_then(toml::Value::as_array).cloned().unwrap_or_default();
    code.push_str("#[cfg(test)] const GPUS: &[&str] = &[");
    for gpu in rows("gpus") {
        write!(code, "{:?}, ", gpu.as_str().ok_or("a GPU is no text")?)?;
    }
    code.push_str("];\nconst CPUS: &[Processors] = &[\n");
    for cpu in rows("cpu") {
        let text = |key: &str| {
            cpu.get(key).and_then(toml::Value::as_str).ok_or(format!("a CPU has no {key}"))
        };
        let models = cpu.get("models").and_then(toml::Value::as_array);
        let number = |value: Option<&toml::Value>| {
            value.and_then(toml::Value::as_integer).ok_or("a CPU lacks a number")
        };
        let (name, vendor, family) = (text("name")?, text("vendor")?, number(cpu.get("family"))?);
        let first = number(models.and_then(|models| models.first()))?;
        let last = number(models.and_then(|models| models.last()))?;
        writeln!(
            code,
            "Processors {{ name: {name:?}, vendor: {vendor:?}, family: {family}, first: {first}, last: {last} }},"
        )?;
    }
    code.push_str("];\nconst SYSTEMS: &[(&str, &str)] = &[\n");
    for os in rows("os") {
        let text = |key: &str| {
            os.get(key).and_then(toml::Value::as_str).ok_or(format!("a system has no {key}"))
        };
        writeln!(code, "({:?}, {:?}),", text("id")?, text("version")?)?;
    }
    code.push_str("];\n");
    Ok(code)
}

/// A line for each vendor, device and board: its ids in hexadecimal without blanks, a blank, its name.
fn names() -> String {
    let mut lines = Vec::new();
    for vendor in pci_ids::Vendors::iter() {
        lines.push(format!("{:04x} {}\n", vendor.id(), vendor.name().trim_end()));
        for device in vendor.devices() {
            let key = format!("{:04x}{:04x}", vendor.id(), device.id());
            lines.push(format!("{key} {}\n", device.name().trim_end()));
            for board in device.subsystems() {
                let ids = (board.subvendor(), board.subdevice());
                lines.push(format!(
                    "{key}{:04x}{:04x} {}\n",
                    ids.0,
                    ids.1,
                    board.name().trim_end()
                ));
            }
        }
    }
    // A blank sorts before every digit, so the order of the lines is that of the keys. Of two names for
    // one key the list's first is kept, as a reader of the list would.
    lines.sort_by(|one, other| one.split(' ').next().cmp(&other.split(' ').next()));
    lines.dedup_by(|later, first| later.split(' ').next() == first.split(' ').next());
    lines.concat()
}

fn rules() -> Result<String, Box<dyn Error>> {
    let mut code = String::from("pub(super) const FILES: &[(&str, Item)] = &[\n");
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
        let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let (root, errors) = document::parse(&text);
        if let Some(error) = errors.first() {
            let Position { line, column } = error.at;
            return Err(format!("{file}:{line}:{column}: {}", error.message).into());
        }
        write!(code, "({file:?}, ")?;
        write_item(&mut code, &root)?;
        code.push_str("),\n");
    }
    code.push_str("];\n");
    Ok(code)
}

fn write_item(code: &mut String, item: &Item) -> std::fmt::Result {
    code.push_str("Item { at: ");
    write_position(code, item.at)?;
    code.push_str(", node: ");
    match &item.node {
        Node::Text(text) => write!(code, "Node::Text(Cow::Borrowed({text:?}))")?,
        Node::Integer(value) => write!(code, "Node::Integer({value})")?,
        Node::Bool(value) => write!(code, "Node::Bool({value})")?,
        Node::Other(_) => write!(code, "Node::Other({:?})", item.node.kind())?,
        // Each list is a constant of its own: so its borrow lives for ever with every compiler.
        Node::Array(items) => {
            code.push_str("Node::Array(Cow::Borrowed({ const LIST: &[Item] = &[");
            for item in items.iter() {
                write_item(code, item)?;
                code.push_str(", ");
            }
            code.push_str("]; LIST }))");
        }
        Node::Table(entries) => {
            code.push_str("Node::Table(Cow::Borrowed({ const LIST: &[Entry] = &[");
            for Entry { key, at, value } in entries.iter() {
                write!(code, "Entry {{ key: Cow::Borrowed({key:?}), at: ")?;
                write_position(code, *at)?;
                code.push_str(", value: ");
                write_item(code, value)?;
                code.push_str(" }, ");
            }
            code.push_str("]; LIST }))");
        }
    }
    code.push_str(" }");
    Ok(())
}

fn write_position(code: &mut String, Position { line, column }: Position) -> std::fmt::Result {
    write!(code, "Position {{ line: {line}, column: {column} }}")
}
