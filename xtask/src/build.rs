//! `cargo xtask build`.

use crate::{
    prerequisites,
    run::{command, output, root, run},
};
use anyhow::Result;
use clap::Args;
use std::{env::consts::EXE_SUFFIX, path::PathBuf};

#[derive(Args)]
pub(crate) struct Build {
    /// Build without optimisation for speed (much quicker to build)
    #[arg(long)]
    pub(crate) dev: bool,
}

impl Build {
    /// Builds the page, then both processes; returns where the programs are.
    pub(crate) fn run(&self) -> Result<PathBuf> {
        prerequisites::check_for_building()?;
        consult_page()?;
        let mut arguments = vec![
            "build",
            "--locked",
            "--package",
            "bedside-cli",
            "--package",
            "bedside-dataplane",
        ];
        if !self.dev {
            arguments.push("--release");
        }
        run(&mut command("cargo", &arguments))?;
        Ok(programs(!self.dev))
    }
}

/// Bundles the consult page, which the server embeds.
pub(crate) fn consult_page() -> Result<()> {
    let web = root().join("controlplane/web");
    npm_install(&web)?;
    run(command("npm", &["run", "--silent", "build"]).current_dir(&web))
}

/// Installs a folder's npm packages as its lock file says, unless that was done already.
pub(crate) fn npm_install(folder: &std::path::Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.package-lock.json");
    let modified = |path: &std::path::Path| path.metadata().and_then(|data| data.modified()).ok();
    if modified(&installed) >= modified(&lock) && installed.exists() {
        return Ok(());
    }
    let arguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
    run(command("npm", &arguments).current_dir(folder))
}

/// Where cargo leaves our programs.
pub(crate) fn programs(release: bool) -> PathBuf {
    let target = output("cargo", &["metadata", "--format-version=1", "--no-deps"])
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|metadata| metadata["target_directory"].as_str().map(PathBuf::from))
        .unwrap_or_else(|| root().join("target"));
    target.join(if release { "release" } else { "debug" })
}

/// The path of one of our programs.
pub(crate) fn program(programs: &std::path::Path, name: &str) -> PathBuf {
    programs.join(format!("{name}{EXE_SUFFIX}"))
}
