//! Tells a captured host from a report by how a file begins, never by its name.

/// What a file is taken for; whether it is a good one, its reader tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    Capture,
    /// A JSON text.
    Json,
    Neither,
}

/// The first word of every capture, of whichever version.
const CAPTURE: &[u8] = b"ccgpu-host ";

pub fn kind(bytes: &[u8]) -> InputKind {
    if bytes.starts_with(CAPTURE) {
        return InputKind::Capture;
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => InputKind::Json,
        _ => InputKind::Neither,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_begins_like() {
        for (bytes, expected) in [
            (&b"ccgpu-host 1\n"[..], InputKind::Capture),
            (b"ccgpu-host 2\n", InputKind::Capture),
            (b" \n{\"format\"", InputKind::Json),
            (b"{", InputKind::Json),
            (b"[]", InputKind::Neither),
            (b"", InputKind::Neither),
            (b"\0\0{", InputKind::Neither),
            (b"\x1f\x8b\x08", InputKind::Neither),
            (b" ccgpu-host 1", InputKind::Neither),
        ] {
            assert_eq!(kind(bytes), expected, "{bytes:?}");
        }
    }
}
