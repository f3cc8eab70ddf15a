//! Values that must not be printed by accident.

use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroize;

/// Anything about a person: a name, an identity, an address, a chat text (45 CFR 160.103,
/// "individually identifiable health information"). It has no `Display`, its `Debug` says only
/// that it is there; [`expose`](Self::expose) marks each place that reads it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phi<T>(T);

impl<T> Phi<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value, unwrapped.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phi(..)")
    }
}

/// Anything that opens media or a door: a key, a password, a token. It has no `Display`, its
/// `Debug` says only that it is there, and it is wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_text_never_holds_the_value() {
        let text = format!(
            "{:?} {:?}",
            Phi::new("canary"),
            Secret::new("canary".to_owned())
        );
        assert_eq!(text, "Phi(..) Secret(..)");
    }
}
