//! `bedside man`.

use crate::print::line;
use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use std::{fs, path::PathBuf};

#[derive(Args)]
pub(crate) struct Man {
    /// Folder to write bedside.1, bedside-serve.1, ... to
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self) -> Result<()> {
        let folder = self.folder.display();
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {folder}"))?;
        clap_mangen::generate_to(crate::Arguments::command(), &self.folder)
            .with_context(|| format!("cannot write to {folder}"))?;
        line(&format!(
            "Manual pages are in {folder}; read one with `man {folder}/bedside.1`."
        ))
    }
}
