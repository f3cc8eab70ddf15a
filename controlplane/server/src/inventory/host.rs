//! The machine.

use serde::{Deserialize, Serialize};

/// The machine, as its kernel names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Kernel.
    pub kernel: String,
    /// Instruction set.
    pub architecture: String,
    /// `PRETTY_NAME` of `/etc/os-release`, where there is one.
    pub system: Option<String>,
}

impl Host {
    pub(super) fn look() -> Self {
        let kernel = |file: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/kernel/{file}"));
            text.unwrap_or_default().trim().to_owned()
        };
        Self {
            name: kernel("hostname"),
            kernel: kernel("osrelease"),
            architecture: std::env::consts::ARCH.to_owned(),
            system: std::fs::read_to_string("/etc/os-release")
                .ok()
                .as_deref()
                .and_then(pretty_name),
        }
    }
}

fn pretty_name(text: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_owned())
}
