//! Our processes, as `/proc` shows them (proc(5)).

use crate::Error;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A process of ours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Process {
    /// `control plane` or `data plane`.
    pub name: String,
    /// Release, where it is known.
    pub version: Option<String>,
    /// Its id.
    pub pid: u32,
    /// Effective user.
    pub uid: u32,
    /// Effective capabilities, hexadecimal; 0 means none.
    pub capabilities: String,
    /// It and its children can gain no privileges.
    pub no_new_privileges: bool,
    /// Its system calls are filtered.
    pub seccomp: bool,
    /// Largest core dump, bytes; none for no limit.
    pub core_bytes_max: Option<u64>,
    /// The kernel lets nobody but root dump or trace it; none where it does not say so.
    pub memory_is_private: Option<bool>,
}

impl Process {
    /// This one.
    ///
    /// # Errors
    /// [`Error::File`]: `/proc` is not there.
    pub(super) fn control_plane() -> Result<Self, Error> {
        let pid = std::process::id();
        let mut process = Self::look(pid, "control plane")
            .ok_or_else(|| Error::file(Path::new("/proc"), "does not show this process"))?;
        process.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        let behavior = rustix::process::dumpable_behavior().ok();
        process.memory_is_private =
            behavior.map(|behavior| behavior == rustix::process::DumpableBehavior::NotDumpable);
        Ok(process)
    }

    /// The other one, where the kernel shows it to us.
    pub(super) fn data_plane(pid: u32) -> Option<Self> {
        Self::look(pid, "data plane")
    }

    fn look(pid: u32, name: &str) -> Option<Self> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let status = read("status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_start_matches(':').trim())
        };
        let effective = |field: &str| field.split_whitespace().nth(1)?.parse().ok();
        Some(Self {
            name: name.to_owned(),
            version: None,
            pid,
            uid: field("Uid").and_then(effective)?,
            capabilities: field("CapEff")?.to_owned(),
            no_new_privileges: field("NoNewPrivs") == Some("1"),
            seccomp: field("Seccomp").is_some_and(|mode| mode != "0"),
            core_bytes_max: read("limits").as_deref().and_then(core_limit),
            memory_is_private: None,
        })
    }
}

/// The soft limit in `/proc/PID/limits`.
fn core_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let text = |limit: &str| {
            format!(
                "Limit  Soft Limit  Hard Limit  Units\nMax core file size        {limit}                    0                    bytes\n"
            )
        };
        assert_eq!(core_limit(&text("0")), Some(0));
        assert_eq!(core_limit(&text("unlimited")), None);
        let ours = Process::control_plane().expect("there is a /proc");
        assert_eq!(ours.pid, std::process::id());
        assert_eq!(ours.uid, rustix::process::geteuid().as_raw());
        assert!(Process::data_plane(u32::MAX).is_none());
    }
}
