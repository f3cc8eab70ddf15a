//! Why a host refuses io_uring, and what its operator can type.

use std::fmt;
use std::fs;

/// The likely cause of a refusal and its remedy, in words for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// Linux before 6.1: no deferred task work, or before 6.0 no multishot receive.
    OldKernel,
    /// `kernel.io_uring_disabled` is 1 or 2.
    Sysctl {
        /// The sysctl's value.
        value: u8,
    },
    /// A seccomp filter, as container engines install by default.
    Seccomp,
    /// The locked-memory limit is too low for a kernel that counts rings against it.
    LockedMemory,
    /// Nothing on this host explains the refusal.
    Unexplained,
}

impl Obstacle {
    /// The cause in a few words, without the remedy.
    pub fn brief(self) -> &'static str {
        match self {
            Self::OldKernel => "not in this kernel",
            Self::Sysctl { .. } => "disabled by sysctl kernel.io_uring_disabled",
            Self::Seccomp => "denied by a seccomp filter",
            Self::LockedMemory => "locked-memory limit too low",
            Self::Unexplained => "does not work here",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldKernel => f.write_str(
                "Linux 6.1 or newer is needed; `uname -r` prints the running one. \
                 Install a newer kernel and reboot",
            ),
            Self::Sysctl { value } => write!(
                f,
                "The sysctl kernel.io_uring_disabled is {value}. Type: \
                 sysctl -w kernel.io_uring_disabled=0 (and write \
                 kernel.io_uring_disabled=0 to a file in /etc/sysctl.d to keep it)"
            ),
            Self::Seccomp => f.write_str(
                "A seccomp filter denies it, as container engines do by default. Allow \
                 io_uring_setup, io_uring_enter and io_uring_register in the profile: \
                 docker run --security-opt seccomp=PROFILE.json, or SystemCallFilter=@aio in a \
                 systemd unit",
            ),
            Self::LockedMemory => f.write_str(
                "The locked-memory limit is too low. Type: ulimit -l unlimited, or set \
                 LimitMEMLOCK=infinity in the systemd unit",
            ),
            Self::Unexplained => {
                f.write_str("Nothing on this host explains it; `bedside doctor` prints each step")
            }
        }
    }
}

/// What the host says about itself. A field is `None` where the host does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Kernel release, such as `6.18.0`.
    pub(crate) kernel: String,
    /// `kernel.io_uring_disabled`: 0 everyone, 1 privileged or in the group, 2 nobody.
    pub(crate) io_uring_disabled: Option<u8>,
    /// Whether a seccomp filter applies to this process.
    pub(crate) seccomp_filtered: Option<bool>,
    /// Soft limit of locked memory, in bytes; `None` means unlimited.
    pub(crate) locked_memory_bytes_max: Option<u64>,
}

impl Host {
    /// Asks the running kernel.
    pub(crate) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            io_uring_disabled: fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
                .ok()
                .and_then(|text| text.trim().parse().ok()),
            seccomp_filtered: seccomp_filtered(&status),
            locked_memory_bytes_max: rustix::process::getrlimit(rustix::process::Resource::Memlock)
                .current,
        }
    }

    /// The likely cause when setting up a ring failed with `errno`.
    pub(crate) fn explain(&self, errno: i32) -> Obstacle {
        match (errno, self.io_uring_disabled) {
            (libc::EPERM, Some(value @ 1..)) => Obstacle::Sysctl { value },
            // Container engines answer EPERM, some of them ENOSYS, for a call outside the profile.
            (libc::EPERM | libc::EACCES, _) => Obstacle::Seccomp,
            (libc::ENOSYS, _) if self.seccomp_filtered == Some(true) && self.is_recent() => {
                Obstacle::Seccomp
            }
            (libc::ENOSYS | libc::EINVAL, _) if !self.is_recent() => Obstacle::OldKernel,
            (libc::ENOSYS, _) => Obstacle::OldKernel,
            (libc::ENOMEM, _) => Obstacle::LockedMemory,
            _ => Obstacle::Unexplained,
        }
    }

    /// The likely cause when the kernel knows io_uring and lacks an operation.
    pub(crate) fn explain_missing(&self) -> Obstacle {
        if self.is_recent() {
            Obstacle::Unexplained
        } else {
            Obstacle::OldKernel
        }
    }

    /// Whether the kernel is at least 6.1, the first with all that the ring needs.
    pub(crate) fn is_recent(&self) -> bool {
        let mut parts = self
            .kernel
            .split(|c: char| !c.is_ascii_digit())
            .map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (6, 1),
            _ => false,
        }
    }
}

fn seccomp_filtered(status: &str) -> Option<bool> {
    let mode = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"))?;
    Some(mode.trim() != "0")
}

#[cfg(test)]
mod tests;
