//! Business-associate agreements: who outside may be told about people (45 CFR 164.308(b)).
//!
//! The register is a TOML file that people can read, keep under version control and change with
//! `bedside baa`. A server of the `hipaa` profile does not start while one of its outside hosts
//! is not covered.

pub use bedside_policy::rules::Day;

use crate::clock::since_epoch;
use crate::{Error, files};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// An agreement with somebody who may be told about people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// The legal entity: 1 to 200 characters.
    pub entity: String,
    /// The agreement's id in the operator's own files, unique: 1 to 200 characters.
    pub agreement: String,
    /// The last day on which it holds.
    pub expires: Day,
    /// The hosts that it covers, by the names that the configuration uses: 1 to 64.
    pub hosts: Vec<String>,
}

impl Agreement {
    /// Whether it covers `host`, on whatever day.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.hosts
            .iter()
            .any(|covered| covered.eq_ignore_ascii_case(host))
    }

    /// Days until it ends: 0 on its last day, negative afterwards.
    #[must_use]
    pub fn days_left(&self, today: Day) -> i64 {
        let days = |day: Day| i64::try_from(day.unix_us() / DAY_US).unwrap_or(i64::MAX);
        days(self.expires) - days(today)
    }

    fn check(&self) -> Result<(), String> {
        let text = |name: &str, text: &str| {
            let length = text.chars().count();
            if text.trim() != text || !(1..=TEXT_CHARS_MAX).contains(&length) {
                return Err(format!("`{name}` needs 1 to {TEXT_CHARS_MAX} characters"));
            }
            Ok(())
        };
        text("entity", &self.entity)?;
        text("agreement", &self.agreement)?;
        if !(1..=HOSTS_MAX).contains(&self.hosts.len()) {
            return Err(format!("`hosts` needs 1 to {HOSTS_MAX} names"));
        }
        match self.hosts.iter().find(|host| !is_host(host)) {
            Some(host) => Err(format!(
                "`hosts`: {host} is not a host's name or address; leave out https:// and the port"
            )),
            None => Ok(()),
        }
    }
}

/// All agreements, in the order in which they were added.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// One table each: `[[baa]]`.
    #[serde(default, rename = "baa")]
    agreements: Vec<Agreement>,
}

/// Today, in UTC.
#[must_use]
pub fn today() -> Day {
    let now_us = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
    Day::of_unix_us(now_us).expect("no machine's clock is past the year 2400")
}

/// How well a host is covered on a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cover<'a> {
    /// No agreement names it.
    None,
    /// The agreement that names it and ended last has ended.
    Expired(&'a Agreement),
    /// An agreement in force.
    InForce(&'a Agreement),
}

impl Register {
    /// Reads the register; an absent file is an empty one.
    ///
    /// # Errors
    /// [`Error::File`]: unreadable, others can change it, not of its form.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(Error::file(path, error)),
        };
        if metadata.permissions().mode() & 0o022 != 0 {
            let path_text = path.display();
            return Err(Error::file(
                path,
                format!("others can change it; type: chmod 644 {path_text}"),
            ));
        }
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        Self::from_toml(&text).map_err(|cause| Error::file(path, cause))
    }

    fn from_toml(text: &str) -> Result<Self, String> {
        let register: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        register.check()?;
        Ok(register)
    }

    /// Reads, changes and writes the register, while nobody else does. Its directory is made as a
    /// data directory is where there is none.
    ///
    /// # Errors
    /// Those of [`read`](Self::read) and of `change`; [`Error::File`].
    pub fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or_else(|| Path::new("."));
        if !directory.exists() {
            // Before the first start.
            files::data_directory(directory)?;
        }
        let lock = File::open(directory).map_err(|error| Error::file(directory, error))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| Error::file(directory, error))?;
        let mut register = Self::read(path)?;
        let outcome = change(&mut register)?;
        register.write(path)?;
        Ok(outcome)
    }

    /// Writes the register, whole or not at all.
    fn write(&self, path: &Path) -> Result<(), Error> {
        let tables = toml::to_string(self).map_err(|error| Error::file(path, error))?;
        files::write_public(path, &format!("{HEAD}\n{tables}"))
    }

    fn check(&self) -> Result<(), String> {
        if self.agreements.len() > AGREEMENTS_MAX {
            return Err(format!("more than {AGREEMENTS_MAX} agreements"));
        }
        let mut ids = BTreeSet::new();
        for agreement in &self.agreements {
            agreement
                .check()
                .map_err(|cause| format!("agreement {}: {cause}", agreement.agreement))?;
            if !ids.insert(&agreement.agreement) {
                let id = &agreement.agreement;
                return Err(format!("agreement {id} is there twice"));
            }
        }
        Ok(())
    }

    /// Adds an agreement, or puts it in the place of the one with its id: a renewal.
    ///
    /// # Errors
    /// [`Error::Request`]: a field that cannot be, or an end that has passed.
    pub fn add(&mut self, agreement: Agreement, today: Day) -> Result<(), Error> {
        if agreement.days_left(today) < 0 {
            return Err(Error::Request(format!(
                "{} has passed: an agreement that has ended covers nothing",
                agreement.expires
            )));
        }
        let mut next = self.clone();
        next.agreements
            .retain(|known| known.agreement != agreement.agreement);
        next.agreements.push(agreement);
        next.check().map_err(Error::Request)?;
        *self = next;
        Ok(())
    }

    /// Removes the agreement of that id and hands it back.
    pub fn remove(&mut self, agreement: &str) -> Option<Agreement> {
        let index = self
            .agreements
            .iter()
            .position(|known| known.agreement == agreement)?;
        Some(self.agreements.remove(index))
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Agreement> {
        self.agreements.iter()
    }

    /// How well `host` is covered on `today`.
    #[must_use]
    pub fn cover(&self, host: &str, today: Day) -> Cover<'_> {
        let latest = self
            .iter()
            .filter(|agreement| agreement.covers(host))
            .max_by_key(|agreement| agreement.expires);
        match latest {
            None => Cover::None,
            Some(agreement) if agreement.days_left(today) < 0 => Cover::Expired(agreement),
            Some(agreement) => Cover::InForce(agreement),
        }
    }
}

/// A name or an address, without scheme, port and brackets.
fn is_host(host: &str) -> bool {
    let name = |host: &str| {
        host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
    };
    (host.len() <= 253 && name(host)) || host.parse::<std::net::IpAddr>().is_ok()
}

/// Days before its end from which an agreement is worth a warning: lawyers take weeks.
pub const WARNING_DAYS: i64 = 60;

const DAY_US: u64 = 86_400_000_000;

const TEXT_CHARS_MAX: usize = 200;
const HOSTS_MAX: usize = 64;
const AGREEMENTS_MAX: usize = 1_000;

const HEAD: &str =
    "# Business-associate agreements (45 CFR 164.308(b)); `bedside baa` changes it.\n";

#[cfg(test)]
mod tests;
