//! Scenarios that are compiled in.

use crate::scenario::{Error, Scenario};
use std::path::Path;

/// A scenario that is compiled in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shipped {
    /// What to call it on the command line.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Shipped {
    /// The scenario.
    ///
    /// # Errors
    /// None, since a test parses each; the type is [`Scenario::parse`]'s.
    pub fn scenario(&self) -> Result<Scenario, Error> {
        Scenario::parse(self.text, Path::new(self.name))
    }
}

/// The shipped scenario of that name, or the file.
///
/// # Errors
/// Neither exists, or the file is no scenario.
pub fn find(name: &str) -> Result<Scenario, Error> {
    if let Some(shipped) = SHIPPED.iter().find(|shipped| shipped.name == name) {
        return shipped.scenario();
    }
    let file = Path::new(name);
    // A bare word that is no file was meant to be a name.
    if !file.exists() && !name.contains(['/', '.']) {
        return Err(unknown(name));
    }
    Scenario::load(file)
}

/// What to say of a name that is none: those that there are.
#[must_use]
pub fn unknown(name: &str) -> Error {
    Error::Unknown {
        name: name.to_owned(),
        shipped: SHIPPED.iter().map(|shipped| shipped.name).collect(),
    }
}

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// In the order in which they are listed.
        pub const SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $name, ".toml")),
        }),+];
    };
}

shipped!(
    "consult",
    "group",
    "teaching",
    "join-storm",
    "churn",
    "layers",
    "bad-line",
    "saturate",
    "idle",
);
