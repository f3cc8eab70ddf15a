//! `bedside-loadgen report`.

use crate::cli::Failure;
use anyhow::Context as _;
use bedside_loadgen::report::pages;
use bedside_loadgen::report::summary::Summary;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Arguments {
    /// JSON of runs; of several, the page sets them beside each other
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// Where to write the page
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut runs = Vec::new();
        for file in &self.results {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let summary = Summary::load(file).map_err(Failure::arguments)?;
            runs.push((name.into_owned(), summary));
        }
        let page = match &runs[..] {
            [(_, only)] => pages::page(only),
            _ => pages::compare(&runs),
        };
        let page = page.render().context("the page cannot be drawn")?;
        std::fs::write(&self.html, page).with_context(|| self.html.display().to_string())?;
        Ok(())
    }
}
