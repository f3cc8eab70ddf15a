//! Bytes that stand in a JSON text as base64.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that are written as base64 with padding (RFC 4648 §4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Base64<T>(pub(crate) T);

impl<T: AsRef<[u8]>> Serialize for Base64<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de, T: TryFrom<Vec<u8>>> Deserialize<'de> for Base64<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD
            .decode(text)
            .map_err(|_| de::Error::custom("not base64"))?;
        let bytes = T::try_from(bytes).map_err(|_| de::Error::custom("of another length"))?;
        Ok(Self(bytes))
    }
}
