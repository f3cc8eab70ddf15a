//! Values that must not be printed, logged, serialised or exported by accident.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize;

/// Anything about a person: a name, an identity, an address, a chat text (45 CFR 160.103,
/// "individually identifiable health information").
///
/// What it is not, it cannot leak by: it has no `Display`, no `Deref`, no `Serialize` and no order;
/// its `Debug` says only that it is there. [`expose`](Self::expose) marks each place that reads
/// it, and [`exposed`] each field that is written to a place where it may stand:
/// ```
/// # use bedside_protocol::{Phi, exposed};
/// #[derive(serde::Serialize)]
/// struct Row {
///     #[serde(serialize_with = "exposed")]
///     name: Phi<String>,
/// }
/// let row = Row { name: Phi::new("Ada".to_owned()) };
/// assert_eq!(serde_json::to_string(&row).unwrap(), r#"{"name":"Ada"}"#);
/// assert_eq!(format!("{:?}", row.name), "Phi(..)");
/// tracing::info!(name = ?row.name, "joined"); // Says `name=Phi(..)`.
/// ```
/// A field that does not say so does not compile:
/// ```compile_fail,E0277
/// # use bedside_protocol::Phi;
/// #[derive(serde::Serialize)]
/// struct Row {
///     name: Phi<String>,
/// }
/// ```
/// Nor does a value in a JSON text, in a text, in an order, or in a log line:
/// ```compile_fail,E0277
/// serde_json::json!({ "name": bedside_protocol::Phi::new("Ada") });
/// ```
/// ```compile_fail,E0277
/// format!("{}", bedside_protocol::Phi::new("Ada"));
/// ```
/// ```compile_fail,E0599
/// bedside_protocol::Phi::new("Ada").to_string();
/// ```
/// ```compile_fail,E0369
/// bedside_protocol::Phi::new("Ada") < bedside_protocol::Phi::new("Bob");
/// ```
/// ```compile_fail,E0277
/// tracing::info!(name = bedside_protocol::Phi::new("Ada"), "joined");
/// ```
/// ```compile_fail,E0277
/// tracing::info!(name = %bedside_protocol::Phi::new("Ada"), "joined");
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
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

/// Reading is no leak; an error that quotes what it could not read would be one.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Phi<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unquoted(deserializer).map(Self)
    }
}

/// Anything that opens media or a door: a key, a password, a token. It is as closed as [`Phi`],
/// is compared in constant time, and is wiped when dropped.
/// ```compile_fail,E0277
/// # use bedside_protocol::Secret;
/// #[derive(serde::Serialize)]
/// struct Row {
///     key: Secret<String>,
/// }
/// ```
/// ```compile_fail,E0277
/// format!("{}", bedside_protocol::Secret::new("key".to_owned()));
/// ```
/// ```compile_fail,E0277
/// tracing::info!(key = %bedside_protocol::Secret::new("key".to_owned()), "made");
/// ```
/// ```compile_fail,E0369
/// # use bedside_protocol::Secret;
/// Secret::new("a".to_owned()) < Secret::new("b".to_owned());
/// ```
#[derive(Clone)]
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

/// How long it takes tells the length at most.
impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().ct_eq(other.0.as_ref()).into()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unquoted(deserializer).map(Self)
    }
}

/// For `#[serde(serialize_with = "bedside_protocol::exposed")]`: says that this field may be written
/// in the clear, because what it is written to stays where it belongs. `docs/compliance/phi.md`
/// lists each place.
///
/// # Errors
/// The serialiser's.
pub fn exposed<V: Redacted<Value: Serialize>, S: Serializer>(
    value: &V,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.value().serialize(serializer)
}

/// [`Phi`] or [`Secret`], for [`exposed`]; nothing else can be one.
pub trait Redacted: sealed::Sealed {
    /// What is in it.
    type Value;
    #[doc(hidden)]
    fn value(&self) -> &Self::Value;
}

impl<T> Redacted for Phi<T> {
    type Value = T;
    fn value(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Redacted for Secret<T> {
    type Value = T;
    fn value(&self) -> &T {
        &self.0
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "so that nothing else implements it")]
    pub trait Sealed {}
    impl<T> Sealed for super::Phi<T> {}
    impl<T: zeroize::Zeroize> Sealed for super::Secret<T> {}
}

fn unquoted<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::deserialize(deserializer)
        .map_err(|_| D::Error::custom("a value is not of the expected form"))
}

#[cfg(test)]
mod tests;
