//! `cargo xtask quality`.

use crate::{
    build::{Build, npm_install, program},
    namespace::namespace,
    prerequisites::install_packages,
    run::{command, output, root, run},
};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Quality {
    #[command(flatten)]
    build: Build,
    /// Only this row: clean, loss-2, bursts-5, loss-10, drop-400 or voice-60; may be given several
    /// times
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// What each run measures, 5 to 600
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    /// Decides which packets are lost
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Where the report with its plots goes [default: quality/report.html in cargo's target folder]
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Where everything that was recorded goes [default: the report's name, ending in json]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Quality {
    /// Builds, runs Chromium to itself, then two people in Chromium through the server and a bad
    /// network of each leg's own; prints what was measured against the goals.
    pub(crate) fn run(&self) -> Result<()> {
        install_packages(&PACKAGES)?;
        let programs = self.build.run()?;
        let mut relay = vec!["build", "--locked", "--package", "bedside-relay"];
        if !self.build.dev {
            relay.push("--release");
        }
        run(&mut command("cargo", &relay))?;
        let clients = root().join("tests/clients");
        npm_install(&clients)?;
        let report = programs.with_file_name("quality").join("report.html");
        let html = self.html.clone().unwrap_or(report);
        let json = self.json.clone();
        let json = json.unwrap_or_else(|| html.with_extension("json"));
        for file in [&html, &json] {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
        }
        let mut quality = namespace();
        quality.arg("node").arg(clients.join("quality/run.mjs"));
        for row in &self.only {
            quality.args(["--only", row]);
        }
        quality.args(["--seconds", &self.seconds.to_string()]);
        quality.args(["--seed", &self.seed.to_string()]);
        quality.arg("--html").arg(&html).arg("--json").arg(&json);
        if let Some(commit) = output("git", &["rev-parse", "--short", "HEAD"]) {
            quality.args(["--commit", &commit]);
        }
        run(quality
            .env("BEDSIDE", program(&programs, "bedside"))
            .env("BEDSIDE_DATAPLANE", program(&programs, "bedside-dataplane"))
            .env("BEDSIDE_RELAY", program(&programs, "bedside-relay")))?;
        eprintln!("the report is in {}", html.display());
        Ok(())
    }
}

/// What shows that a program is there, and the Debian package that brings it.
const PACKAGES: [(&[&str], &str); 3] = [
    (&["chromium", "--version"], "chromium"),
    (&["ip", "-V"], "iproute2"),
    (&["unshare", "--version"], "util-linux"),
];
