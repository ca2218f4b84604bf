//! Boot loader entries of type 1: the files of `/boot/loader/entries`.
//!
//! One key and value a line. How a loader treats the value (GRUB expands variables in it, systemd-boot
//! does not) is not known here, nor in which order loaders sort entries.

/// One entry file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub title: Option<String>,
    pub version: Option<String>,
    pub linux: Option<String>,
    /// A unified kernel image, which carries its own command line.
    pub efi: Option<String>,
    /// All `options` lines, joined with a blank as loaders do.
    pub options: Vec<u8>,
    /// The line of the first `options`, from 1.
    pub options_line: Option<u32>,
}

impl Entry {
    /// Reads an entry. Keys that facts do not need are passed over, and so are lines without a value.
    pub fn parse(text: &[u8]) -> Self {
        let mut entry = Self::default();
        for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
            let line = line.trim_ascii();
            let Some(end) = line.iter().position(u8::is_ascii_whitespace) else { continue };
            let (key, value) = line.split_at(end);
            let value = value.trim_ascii();
            let text = || Some(String::from_utf8_lossy(value).into_owned());
            match key {
                b"title" => entry.title = text(),
                b"version" => entry.version = text(),
                b"linux" => entry.linux = text(),
                b"efi" => entry.efi = text(),
                b"options" => {
                    if entry.options_line.is_some() {
                        entry.options.push(b' ');
                    }
                    entry.options.extend_from_slice(value);
                    entry.options_line.get_or_insert(number);
                }
                _ => {}
            }
        }
        entry
    }

    /// Whether it is there for repair and not for work.
    pub fn is_rescue(&self) -> bool {
        self.version.as_deref().is_some_and(|version| version.starts_with("0-rescue"))
            || self.linux.as_deref().is_some_and(|path| path.contains("-0-rescue"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEDORA: &str = "title Fedora Linux (6.17.4-300.fc43.x86_64) 43 (Server Edition)\n\
        version 6.17.4-300.fc43.x86_64\n\
        linux /vmlinuz-6.17.4-300.fc43.x86_64\n\
        initrd /initramfs-6.17.4-300.fc43.x86_64.img $tuned_initrd\n\
        options root=UUID=5c1f ro rd.luks.uuid=luks-77 intel_iommu=on $tuned_params\n\
        grub_users $grub_users\n\
        grub_arg --unrestricted\n\
        grub_class fedora\n";

    #[test]
    fn an_entry_gives_what_facts_need() {
        let entry = Entry::parse(FEDORA.as_bytes());
        assert_eq!(entry.version.as_deref(), Some("6.17.4-300.fc43.x86_64"));
        assert_eq!(entry.linux.as_deref(), Some("/vmlinuz-6.17.4-300.fc43.x86_64"));
        assert_eq!(entry.options_line, Some(5));
        let options = "root=UUID=5c1f ro rd.luks.uuid=luks-77 intel_iommu=on $tuned_params";
        assert_eq!(entry.options, options.as_bytes());
        assert!(!entry.is_rescue());
        assert_eq!(entry.efi, None);
    }

    #[test]
    fn repeated_options_are_joined() {
        let entry =
            Entry::parse(b"# made by hand\r\noptions  a=1\r\n\tOptions x\n options\tb=2  c \n");
        assert_eq!(entry.options, b"a=1 b=2  c");
        assert_eq!(entry.options_line, Some(2));
    }

    #[test]
    fn a_rescue_entry_is_known_by_its_version_or_kernel() {
        assert!(Entry::parse(b"version 0-rescue-ab12\n").is_rescue());
        assert!(Entry::parse(b"linux /vmlinuz-0-rescue-ab12\n").is_rescue());
        assert!(!Entry::parse(b"title the rescue of Fedora\n").is_rescue());
    }

    #[test]
    fn no_options_are_not_empty_options() {
        assert_eq!(Entry::parse(b"title x\noptions\n").options_line, None);
        assert_eq!(Entry::parse(b""), Entry::default());
        assert_eq!(
            Entry::parse(b"\xff\xfe \x00\nlinux /\xff\n").linux.as_deref(),
            Some("/\u{fffd}")
        );
    }
}
