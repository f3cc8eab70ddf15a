//! Framing: a big-endian u32 length, then that many bytes of JSON.
//!
//! JSON because control traffic is small and an operator can read it with `socat`.

use crate::limits::FRAME_BYTES_MAX;
use serde::{Serialize, de::DeserializeOwned};

/// Length of the prefix, bytes.
pub const PREFIX_BYTES: usize = 4;

/// A frame could not be written or read; the connection is of no further use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as frame::Error")]
pub enum Error {
    /// The frame is, or claims to be, longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {bytes} bytes is over the bound of {FRAME_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON of the expected type. The text is not repeated: it may hold anything.
    #[error("a frame is not of the expected form (line {line}, column {column})")]
    Malformed {
        /// Where in the JSON, from 1.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

/// Appends `message` as one frame to `out`.
///
/// # Errors
/// [`Error::TooLong`]; `out` is then as before.
pub fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    let written = serde_json::to_writer(&mut *out, message).map_err(|error| malformed(&error));
    let bytes = out.len() - start - PREFIX_BYTES;
    let result = written.and_then(|()| match u32::try_from(bytes) {
        Ok(length) if bytes <= FRAME_BYTES_MAX => Ok(length),
        _ => Err(Error::TooLong { bytes }),
    });
    match result {
        Ok(length) => {
            out[start..start + PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Takes frames out of a byte stream that arrives in pieces. Holds at most one frame.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    consumed: usize,
}

impl Decoder {
    /// An empty decoder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds received bytes. Call [`next`](Self::next) until it returns `None` before adding more.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, or `None` until more bytes have arrived.
    ///
    /// # Errors
    /// [`Error::TooLong`] as soon as the prefix is seen, [`Error::Malformed`]; the stream cannot
    /// be read on after either.
    #[expect(
        clippy::should_implement_trait,
        reason = "each call names the type it wants"
    )]
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        let waiting = &self.buffer[self.consumed..];
        let Some((prefix, rest)) = waiting.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let bytes = u32::from_be_bytes(*prefix) as usize;
        if bytes > FRAME_BYTES_MAX {
            return Err(Error::TooLong { bytes });
        }
        let Some(body) = rest.get(..bytes) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        self.consumed += PREFIX_BYTES + bytes;
        Ok(Some(message))
    }
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::Malformed {
        line: error.line(),
        column: error.column(),
    }
}

/// Bytes as base64 text, a third longer than the bytes; a JSON array of numbers would be four
/// times as long.
pub mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// # Errors
    /// The serialiser's.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    /// # Errors
    /// Not a string, or not base64.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        STANDARD
            .decode(text.as_bytes())
            .map_err(|_| D::Error::custom("not base64"))
    }
}

#[cfg(test)]
mod tests;
