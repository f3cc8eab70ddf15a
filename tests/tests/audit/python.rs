//! Running Python, and files for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) struct Python(PathBuf);

impl Python {
    /// Any Python 3, for what needs the standard library alone.
    pub(crate) fn any() -> Option<Self> {
        slow_tests().then(|| Self("python3".into()))
    }

    /// The one with the packages of `tests/evidence/requirements.txt`.
    pub(crate) fn with_packages() -> Option<Self> {
        if !slow_tests() {
            return None;
        }
        let python = variable("BEDSIDE_TEST_AUDIT_PYTHON")
            .expect("`cargo xtask test --only rust` installs the packages and sets BEDSIDE_TEST_AUDIT_PYTHON");
        Some(Self(python.into()))
    }

    /// What it prints, trimmed; else what it says is wrong.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.0)
            .args(arguments)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("python3 is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr) + &text(&output.stdout))
        }
    }

    /// Runs a package's command line.
    pub(crate) fn run_module(&self, module: &str, arguments: &[&str]) -> Result<String, String> {
        self.run(&[&["-m", module], arguments].concat())
    }
}

fn slow_tests() -> bool {
    let slow = variable("BEDSIDE_SLOW_TESTS").is_some();
    if !slow {
        eprintln!("skipped: BEDSIDE_SLOW_TESTS is not set");
    }
    slow
}

#[expect(
    clippy::disallowed_methods,
    reason = "which tests run is said by the environment"
)]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// A folder that goes with the test.
pub(crate) struct TestFolder(PathBuf);

impl TestFolder {
    pub(crate) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("bedside-audit-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file; returns its path.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.path(name), content).unwrap();
        self.text(name)
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        // What a failing removal leaves is in the system's folder for such.
        drop(fs::remove_dir_all(&self.0));
    }
}
