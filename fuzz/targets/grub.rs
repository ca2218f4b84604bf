//! GRUB's files: `grub.cfg`, `grubenv` and boot loader entries. The input holds all three, with lines
//! `%%` between them.
#![no_main]

use ccgpu_node::format::bls::Entry;
use ccgpu_node::format::cmdline::Cmdline;
use ccgpu_node::format::grub_cfg::{Arguments, GrubCfg, GrubEnv};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts(Some(input));
    let (text, block, entry) = (parts.part(), parts.part(), parts.part());
    let env = GrubEnv::parse(block).ok();
    let entry = bls(entry);
    let lines = text.split(|byte| *byte == b'\n').count();
    let config = match GrubCfg::parse(text) {
        Ok(config) => config,
        Err(error) => {
            assert!(error.line() >= 1 && error.line() as usize <= lines, "{error:?}");
            GrubCfg::unread()
        }
    };
    for (index, item) in config.items.iter().enumerate() {
        assert!(item.line as usize <= lines);
        let holder = item.parent.map(|parent| &config.items[parent]);
        assert!(item.parent.is_none_or(|parent| parent < index));
        assert!(holder.is_none_or(|holder| holder.is_submenu));
        for kernel in &item.kernels {
            assert!(kernel.line >= item.line && kernel.line as usize <= lines);
            let own = config.arguments(kernel, env.as_ref());
            certain(&own, text, input.len());
            // What is not known of the environment block makes nothing more certain.
            let without = config.arguments(kernel, None);
            assert!(
                without.undecided.is_superset(&own.undecided)
                    || without.line.len() <= own.line.len()
            );
        }
        let _ = item.is_recovery();
    }
    if let Some(chosen) = config.default_entry(env.as_ref()) {
        assert!(config.entries().any(|item| item == chosen));
    }
    if let Ok(arguments) = config.bls_arguments(&entry.options, env.as_ref()) {
        certain(&arguments, &entry.options, input.len());
    }
});

fn certain(arguments: &Arguments, text: &[u8], length: usize) {
    if !text.contains(&b'$') {
        assert!(arguments.maybe.is_empty() && arguments.undecided.is_empty(), "{arguments:?}");
    }
    let kept: usize = arguments.maybe.iter().map(Vec::len).sum::<usize>() + arguments.line.len();
    assert!(kept <= 4 * length + (1 << 20), "{kept} bytes of {length}");
    let _ = Cmdline::parse(&arguments.line);
}

fn bls(text: &[u8]) -> Entry {
    let entry = Entry::parse(text);
    assert!(entry.options.len() <= text.len());
    let lines = text.split(|byte| *byte == b'\n').count();
    assert!(entry.options_line.is_none_or(|line| line >= 1 && line as usize <= lines));
    assert!(entry.options_line.is_some() || entry.options.is_empty());
    let _ = entry.is_rescue();
    entry
}

struct Parts<'a>(Option<&'a [u8]>);

impl<'a> Parts<'a> {
    fn part(&mut self) -> &'a [u8] {
        const BETWEEN: &[u8] = b"\n%%\n";
        let Some(rest) = self.0.take() else { return b"" };
        match rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
            Some(end) => {
                self.0 = Some(&rest[end + BETWEEN.len()..]);
                // With its newline.
                &rest[..=end]
            }
            None => rest,
        }
    }
}
