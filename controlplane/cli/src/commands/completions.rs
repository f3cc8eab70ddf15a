//! `bedside completions`.

use anyhow::Result;
use clap::{Args, CommandFactory};
use std::io;

#[derive(Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "every subcommand's run is of one form"
    )]
    pub(crate) fn run(self) -> Result<()> {
        let mut command = crate::Arguments::command();
        clap_complete::generate(self.shell, &mut command, "bedside", &mut io::stdout());
        Ok(())
    }
}
