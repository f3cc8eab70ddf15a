//! The machine that a run was made on: without it a figure says nothing.

use procfs::Current;
use serde::{Deserialize, Serialize};

/// The machine that a run was made on. What the kernel does not tell is empty or zero.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu_model: String,
    /// Logical processors that are online.
    pub cores: u64,
    /// Whether it is a virtual machine.
    pub is_virtual: bool,
    /// The kernel's release.
    pub kernel: String,
    /// Main memory, bytes.
    pub memory_bytes: u64,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        let processors = procfs::CpuInfo::current().ok();
        let first = |name: &str| -> Option<String> {
            let fields = processors.as_ref()?.get_info(0)?;
            fields.get(name).map(|value| (*value).to_owned())
        };
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu_model: first("model name").unwrap_or_default(),
            cores: processors
                .as_ref()
                .map_or(0, |info| info.num_cores() as u64),
            is_virtual: first("flags")
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            kernel: kernel.trim().to_owned(),
            memory_bytes: procfs::Meminfo::current().map_or(0, |info| info.mem_total),
        }
    }

    /// In one line.
    #[must_use]
    pub fn in_words(&self) -> String {
        let virtual_machine = if self.is_virtual {
            ", virtual machine"
        } else {
            ""
        };
        format!(
            "{}, {} cores{virtual_machine}, Linux {}",
            self.cpu_model, self.cores, self.kernel
        )
    }
}
