//! `bedside baa`: the register of business-associate agreements (45 CFR 164.308(b)).
//!
//! Works on the register's file, so that an agreement can be recorded before the first start; a
//! running server takes the change within seconds and writes it into its audit log.

use crate::{
    commands::configuration,
    exit::NotFound,
    print::{Format, line, table},
};
use anyhow::Result;
use bedside_server::Config;
use bedside_server::baa::{Agreement, Day, Register, WARNING_DAYS, today};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Baa {
    /// List all agreements, with what they cover and when they end
    List(List),
    /// Record an agreement, or renew the one with the same id
    Add(Add),
    /// Remove an agreement
    Remove(Remove),
}

#[derive(Args)]
struct Place {
    /// Configuration that names the register
    #[arg(long, value_name = "FILE", default_value = configuration::DEFAULT_PATH)]
    config: PathBuf,
}

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(crate) struct Add {
    /// Legal entity
    #[arg(long, value_name = "NAME")]
    entity: String,
    /// The agreement's id in your files
    #[arg(long, value_name = "ID")]
    agreement: String,
    /// The last day on which it holds
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires: Day,
    /// A host that it covers; may be repeated
    #[arg(long = "host", value_name = "HOST", required = true)]
    hosts: Vec<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct Remove {
    /// The agreement's id
    #[arg(value_name = "ID")]
    agreement: String,
    #[command(flatten)]
    place: Place,
}

/// An agreement as `bedside baa list --json` prints it.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    agreement: Agreement,
    /// Days until it ends, negative afterwards.
    days_left: i64,
    /// Settings of the configuration whose hosts it covers.
    covers: Vec<&'static str>,
}

impl Baa {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::List(command) => command.run(),
            Self::Add(command) => command.run(),
            Self::Remove(command) => command.run(),
        }
    }
}

impl List {
    fn run(self) -> Result<()> {
        let config = configuration::read(&self.place.config)?;
        let register = Register::read(&config.baa_file())?;
        let today = today();
        let rows: Vec<_> = register
            .iter()
            .map(|agreement| Row {
                agreement: agreement.clone(),
                days_left: agreement.days_left(today),
                covers: covers(&config, agreement),
            })
            .collect();
        self.format.print(&rows, |rows| people(rows))
    }
}

fn covers(config: &Config, agreement: &Agreement) -> Vec<&'static str> {
    let mut settings: Vec<_> = config
        .endpoints()
        .into_iter()
        .filter(|endpoint| agreement.covers(&endpoint.host))
        .map(|endpoint| endpoint.setting)
        .collect();
    settings.dedup();
    settings
}

fn people(rows: &[Row]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let agreement = &row.agreement;
            let left = match row.days_left {
                ..0 => "ENDED".to_owned(),
                days if days <= WARNING_DAYS => format!("{days} days: renew it"),
                days => format!("{days} days"),
            };
            [
                agreement.agreement.clone(),
                agreement.entity.clone(),
                agreement.expires.to_string(),
                left,
                agreement.hosts.join(", "),
                row.covers.join(", "),
            ]
        })
        .collect();
    let head = ["AGREEMENT", "ENTITY", "EXPIRES", "LEFT", "HOSTS", "COVERS"];
    table(head, &cells, "No agreement is recorded.")
}

impl Add {
    fn run(self) -> Result<()> {
        let config = configuration::read(&self.place.config)?;
        let agreement = Agreement {
            entity: self.entity,
            agreement: self.agreement,
            expires: self.expires,
            hosts: self.hosts,
        };
        let words = format!(
            "{} is recorded until {}.",
            agreement.agreement, agreement.expires
        );
        Register::change(&config.baa_file(), |register| {
            register.add(agreement, today())
        })?;
        line(&words)
    }
}

impl Remove {
    fn run(self) -> Result<()> {
        let config = configuration::read(&self.place.config)?;
        let removed = Register::change(&config.baa_file(), |register| {
            Ok(register.remove(&self.agreement))
        })?;
        match removed {
            Some(agreement) => line(&format!("{} is removed.", agreement.agreement)),
            None => Err(NotFound(format!("no agreement {} is recorded", self.agreement)).into()),
        }
    }
}
