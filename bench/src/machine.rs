//! The machine that figures come from: without it they say nothing.

use serde::Serialize;
use std::{fs, process::Command};

/// What a reader needs to know to compare.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of them this process may use.
    pub processors: usize,
    /// The hypervisor, if the processor says that there is one.
    pub virtual_machine: bool,
    /// Name and release of the kernel.
    pub kernel: String,
    /// The distribution.
    pub distribution: String,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// How many tasks wanted to run, averaged over the minute before the runs: above a few tenths,
    /// others were at work.
    pub load_before: f64,
    /// Whether the programs were built to be fast.
    pub release: bool,
    /// Commit of the source.
    pub commit: String,
    /// When the runs began, UTC.
    pub at: String,
}

impl Machine {
    /// Describes this one. What cannot be read is said to be unknown.
    #[must_use]
    pub fn describe(commit: Option<String>) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let field = |text: &str, name: &str, separator: char| {
            text.lines()
                .filter_map(|line| line.split_once(separator))
                .find(|(key, _)| key.trim() == name)
                .map_or_else(
                    || "unknown".to_owned(),
                    |(_, value)| value.trim().trim_matches('"').to_owned(),
                )
        };
        let memory_kib = field(&read("/proc/meminfo"), "MemTotal", ':');
        let memory_kib: u64 = memory_kib
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or_default();
        let load = read("/proc/loadavg");
        Self {
            processor: field(&cpu, "model name", ':'),
            processors: std::thread::available_parallelism().map_or(1, Into::into),
            virtual_machine: cpu.contains(" hypervisor"),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            distribution: field(&read("/etc/os-release"), "PRETTY_NAME", '='),
            memory_bytes: memory_kib * 1024,
            load_before: load
                .split(' ')
                .next()
                .and_then(|first| first.parse().ok())
                .unwrap_or_default(),
            release: !cfg!(debug_assertions),
            commit: commit.unwrap_or_else(|| "unknown".to_owned()),
            at: output("date", &["-u", "+%Y-%m-%d %H:%M"]),
        }
    }

    /// Facts for a table.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let kind = if self.virtual_machine {
            "virtual"
        } else {
            "bare metal"
        };
        vec![
            (
                "Processor",
                format!("{} x {} ({kind})", self.processors, self.processor),
            ),
            ("Memory", format!("{} MiB", self.memory_bytes >> 20)),
            ("Kernel", self.kernel.clone()),
            ("Distribution", self.distribution.clone()),
            ("Load before", format!("{:.2}", self.load_before)),
            (
                "Build",
                if self.release { "release" } else { "debug" }.to_owned(),
            ),
            ("Commit", self.commit.clone()),
            ("At (UTC)", self.at.clone()),
        ]
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
