//! A change as a unified difference, for people and for programs.

use similar::TextDiff;

use super::FileChange;

impl FileChange {
    /// The lines that change with three around them, in the form of `diff -u`. Bytes that are no text are
    /// replaced, so it is to be read and not to be applied.
    pub fn difference(&self) -> String {
        let text = |bytes: &Option<Vec<u8>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let name = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or("/dev/null", |_| &self.path);
        let (before, after) = (text(&self.before), text(&self.after));
        TextDiff::from_lines(&before, &after)
            .unified_diff()
            .header(name(&self.before), name(&self.after))
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_what_diff_prints() {
        let change = |before: Option<&str>, after: Option<&str>| FileChange {
            path: "/etc/x".to_owned(),
            before: before.map(|text| text.as_bytes().to_vec()),
            after: after.map(|text| text.as_bytes().to_vec()),
            new_mode: 0o644,
        };
        assert_eq!(
            change(Some("a\nb\nc"), Some("a\nB\nc")).difference(),
            "--- /etc/x\n+++ /etc/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n\\ No newline at end of file\n"
        );
        assert_eq!(
            change(None, Some("a\n")).difference(),
            "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+a\n"
        );
        assert_eq!(
            change(Some("a\n"), None).difference(),
            "--- /etc/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
        );
    }
}
