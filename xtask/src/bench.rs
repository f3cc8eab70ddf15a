//! `cargo xtask bench`.

use crate::{
    build::{program, programs},
    prerequisites,
    run::{answers, command, output, root, run},
};
use anyhow::Result;
use clap::Args;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Bench {
    /// Only these runs, by name: `evidence`, or what `bedside-bench run --help` lists
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Short runs: to see that everything works, not to compare
    #[arg(long)]
    quick: bool,
    /// Ten minutes for the run that counts lost packets
    #[arg(long, conflicts_with = "quick")]
    long: bool,
    /// Measure Janus beside it, installing Debian's package where it is missing
    #[arg(long)]
    peers: bool,
}

impl Bench {
    /// Builds what is measured, measures, prints the table and writes `target/bench/report.html`
    /// and `report.json`.
    pub(crate) fn run(&self) -> Result<()> {
        prerequisites::check_for_building()?;
        if self.only.iter().any(|name| name == "evidence") {
            return self.evidence();
        }
        let build = [
            "build",
            "--locked",
            "--release",
            "--package",
            "bedside-bench",
            "--package",
            "bedside-dataplane",
        ];
        run(&mut command("cargo", &build))?;
        if self.peers {
            install_janus();
        }
        let programs = programs(true);
        let reports = programs.with_file_name("bench");
        let mut bench = command(&program(&programs, "bedside-bench").to_string_lossy(), &[]);
        bench.arg("run").args(&self.only);
        for (chosen, flag) in [
            (self.quick, "--quick"),
            (self.long, "--long"),
            (self.peers, "--peers"),
        ] {
            if chosen {
                bench.arg(flag);
            }
        }
        bench.arg("--html").arg(reports.join("report.html"));
        bench.arg("--json").arg(reports.join("report.json"));
        if let Some(commit) = output("git", &["rev-parse", "--short", "HEAD"]) {
            bench.args(["--commit", &commit]);
        }
        run(&mut bench)
    }
}

impl Bench {
    /// The figures of the audit log, alone: they measure the disk.
    fn evidence(&self) -> Result<()> {
        let entries = if self.quick { "100000" } else { "10000000" };
        let example = [
            "run",
            "--locked",
            "--release",
            "--package",
            "bedside-ledger",
        ];
        let directory = root().join("target");
        std::fs::create_dir_all(&directory)?;
        run(command("cargo", &example)
            .args(["--example", "evidence", "--", "--entries", entries])
            .arg("--directory")
            .arg(directory))?;
        let killed = [
            "test",
            "--locked",
            "--release",
            "--package",
            "bedside-ledger",
            "--",
            "--ignored",
            "--nocapture",
            "--exact",
            "tests::kill::killed_two_hundred_times_nothing_acknowledged_is_missing",
        ];
        run(&mut command("cargo", &killed))
    }
}

/// A failure is not ours to end with: the report then says that there is no Janus.
fn install_janus() {
    if answers(&["janus", "--version"]) || !Path::new("/etc/debian_version").exists() {
        return;
    }
    let install = ["install", "-y", "-qq", "--no-install-recommends", "janus"];
    for arguments in [&["update", "-qq"][..], &install[..]] {
        let result = run(command("apt-get", arguments)
            .current_dir(root())
            .env("DEBIAN_FRONTEND", "noninteractive"));
        if let Err(error) = result {
            eprintln!("Janus cannot be installed: {error:#}");
            return;
        }
    }
}
