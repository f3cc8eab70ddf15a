//! `cargo xtask demo`.

use crate::{
    build::{Build, program},
    run::root,
};
use anyhow::{Context, Result};
use clap::Args;
use std::{os::unix::process::CommandExt, process::Command};

#[derive(Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    build: Build,
    /// Passed on to `bedside demo` (see `bedside demo --help`): --json, --listen, --data, ...
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Demo {
    /// Becomes `bedside demo`, so that signals reach it and its exit code is ours.
    pub(crate) fn run(&self) -> Result<()> {
        let programs = self.build.run()?;
        let bedside = program(&programs, "bedside");
        let error = Command::new(&bedside)
            .arg("demo")
            .args(&self.arguments)
            .current_dir(root())
            .exec();
        Err(error).with_context(|| format!("cannot start {}", bedside.display()))
    }
}
