//! `bedside-loadgen scenarios`, `show` and `check`.

use crate::cli::Failure;
use anyhow::anyhow;
use bedside_loadgen::report::number;
use bedside_loadgen::scenario::shipped::{self, SHIPPED};
use bedside_loadgen::scenario::{Scenario, write_duration};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Show {
    /// Which; `scenarios` lists them
    name: String,
}

#[derive(Args)]
pub(crate) struct Check {
    /// TOML files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn list() -> Result<(), Failure> {
    let width = SHIPPED.iter().map(|shipped| shipped.name.len()).max();
    for shipped in SHIPPED {
        let scenario = shipped.scenario().map_err(Failure::arguments)?;
        let width = width.unwrap_or_default();
        println!("{:width$}  {}", shipped.name, scenario.description);
        println!("{:width$}  {}", "", essence(&scenario));
    }
    Ok(())
}

impl Show {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let found = SHIPPED.iter().find(|shipped| shipped.name == self.name);
        match found {
            Some(shipped) => {
                print!("{}", shipped.text);
                Ok(())
            }
            None => Err(Failure::arguments(shipped::unknown(&self.name))),
        }
    }
}

impl Check {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut wrong = 0;
        for file in &self.files {
            match Scenario::load(file) {
                Ok(scenario) => println!("{}: {}", file.display(), essence(&scenario)),
                Err(error) => {
                    eprintln!("{:#}", anyhow::Error::from(error));
                    wrong += 1;
                }
            }
        }
        match wrong {
            0 => Ok(()),
            1 => Err(Failure::Arguments(anyhow!("1 file is no scenario"))),
            _ => Err(Failure::Arguments(anyhow!(
                "{wrong} files are no scenarios"
            ))),
        }
    }
}

fn essence(scenario: &Scenario) -> String {
    format!(
        "{} in {}, {} after {} of warm-up",
        number::counted(scenario.participant_count(), "participant"),
        number::counted(scenario.room_count(), "room"),
        write_duration(scenario.duration),
        write_duration(scenario.warm_up)
    )
}
