//! What must be on the machine, each missing thing in one line.

use crate::run::{answers, command, is_root, output, run};
use anyhow::{Result, bail};
use std::path::Path;

/// Oldest Node.js that the page's tools run on.
const NODE_MAJOR_MIN: u32 = 20;

/// What building needs beyond Rust: a C compiler and Node.js.
///
/// # Errors
/// Names everything that is missing and what to type.
pub(crate) fn check_for_building() -> Result<()> {
    let mut missing = Vec::new();
    if !cfg!(target_os = "linux") {
        missing.push("Linux 6.1 or newer (the data plane is built on io_uring)".to_owned());
    }
    if !answers(&["cc", "--version"]) {
        missing.push("a C compiler: apt-get install build-essential".to_owned());
    }
    let node_major: Option<u32> = output("node", &["--version"]).and_then(|version| {
        version
            .trim_start_matches('v')
            .split('.')
            .next()?
            .parse()
            .ok()
    });
    match node_major {
        Some(major) if major >= NODE_MAJOR_MIN => {}
        Some(major) => missing.push(format!("Node.js {NODE_MAJOR_MIN} or newer (found {major})")),
        None => missing.push(format!("Node.js {NODE_MAJOR_MIN} or newer, with npm")),
    }
    if node_major.is_some() && !answers(&["npm", "--version"]) {
        missing.push("npm, which comes with Node.js".to_owned());
    }
    if !missing.is_empty() {
        bail!("this machine lacks:\n  - {}", missing.join("\n  - "));
    }
    Ok(())
}

/// Installs missing system packages where this is root on Debian; otherwise says which. `wanted` is
/// what shows that a program is there, and the Debian package that brings it.
///
/// # Errors
/// A package is missing and cannot be installed here.
pub(crate) fn install_packages(wanted: &[(&[&str], &str)]) -> Result<()> {
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(probe, _)| !answers(probe))
        .map(|&(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !is_root() || !Path::new("/etc/debian_version").exists() {
        bail!("this needs programs that are not here: sudo apt-get install {packages}");
    }
    eprintln!("installing {packages}");
    run(&mut command("apt-get", &["update", "-qq"]))?;
    run(command(
        "apt-get",
        &["install", "-y", "-qq", "--no-install-recommends"],
    )
    .args(missing)
    .env("DEBIAN_FRONTEND", "noninteractive"))
}
