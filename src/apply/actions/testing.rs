//! Stand-ins for other people's programs: shell scripts in a directory of the test.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::programs::Programs;
use crate::host::process::Process;

/// A directory of programs, and room for what they leave.
pub(super) struct Stubs(TempDir);

impl Stubs {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("bin")).unwrap();
        Self(directory)
    }

    /// Makes `script` the program of that name. Another process writes it: a file that this one has open
    /// for writing while a test beside starts a program could not be run.
    pub(super) fn program(&self, name: &str, script: &str) {
        let path = self.0.path().join("bin").join(name);
        let text = format!("#!/bin/sh\n{script}\n");
        let write = r#"rm -f "$1"; printf %s "$2" > "$1" && chmod 755 "$1""#;
        let said = Process::new("sh", Duration::from_secs(20))
            .args(["-c", write, "sh"])
            .arg(path)
            .arg(text)
            .run()
            .unwrap();
        assert!(said.end.is_success());
    }

    pub(super) fn programs(&self) -> Programs {
        Programs::first_in(&self.0.path().join("bin"))
    }

    pub(super) fn directory(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    #[expect(clippy::disallowed_methods, reason = "the test looks at what a stand-in did")]
    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    #[expect(clippy::disallowed_methods, reason = "the test makes what a stand-in finds")]
    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The names in a directory of the test.
    #[expect(clippy::disallowed_methods, reason = "the test looks at what is left")]
    pub(super) fn names(&self, name: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}
