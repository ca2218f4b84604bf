//! Which names a text may be given, as Kubernetes checks them.

/// Whether a text is a name of an object: words of small letters, digits and dashes, with dots between them.
pub fn is_object_name(text: &str) -> bool {
    let is_word = |word: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !word.is_empty()
            && word.bytes().all(plain)
            && !word.starts_with('-')
            && !word.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_word)
}

/// Whether a text can be the name of an image: printable, without blanks, and no longer than a registry takes.
pub fn is_image(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a text can be the value of a node's label.
pub(super) fn is_label_value(text: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && end(bytes.first()) && end(bytes.last()) && text.bytes().all(plain)
}

/// Whether a text can be the name of a resource that a device plugin offers.
pub(super) fn is_resource(text: &str) -> bool {
    let Some((domain, name)) = text.split_once('/') else { return false };
    is_object_name(domain) && is_label_value(name)
}
