//! API keys: who may sign access tokens.

use crate::Error;
use crate::files;
use crate::limits::{API_KEYS_MAX, SECRET_BYTES_MIN};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bedside_protocol::Secret;
use std::path::Path;

/// API keys and their secrets, in the file's order. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct ApiKeys {
    entries: Vec<(String, Secret<String>)>,
}

impl ApiKeys {
    /// Reads `path`: one `key: secret` a line, `#` starts a comment. LiveKit's key files have
    /// the same form.
    ///
    /// # Errors
    /// [`Error::File`]: unreadable, readable by others, not of that form, a secret that is too
    /// short for HS256. The text never repeats a secret.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = files::read_secret(path)?;
        Self::parse(text.expose()).map_err(|cause| Error::file(path, cause))
    }

    /// Writes a file with one random key, unless there is one.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Random`].
    pub(crate) fn make(path: &Path) -> Result<(), Error> {
        if path.exists() {
            return Ok(());
        }
        let mut bytes = [0; 41];
        getrandom::fill(&mut bytes).map_err(Error::Random)?;
        let (key, secret) = bytes.split_at(9);
        let line = Secret::new(format!(
            "API{}: {}\n",
            URL_SAFE_NO_PAD.encode(key).replace(['-', '_'], "x"),
            URL_SAFE_NO_PAD.encode(secret)
        ));
        files::write_secret(path, line.expose())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut entries: Vec<(String, Secret<String>)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, secret) = line
                .split_once(':')
                .map(|(key, secret)| (key.trim(), secret.trim()))
                .filter(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic()))
                .ok_or_else(|| format!("line {number} is not of the form `key: secret`"))?;
            if secret.len() < SECRET_BYTES_MIN {
                return Err(format!(
                    "line {number}: the secret has fewer than {SECRET_BYTES_MIN} bytes; make one \
                     with `openssl rand -base64 32`"
                ));
            }
            if entries.iter().any(|(known, _)| known == key) {
                return Err(format!("line {number} repeats an earlier key"));
            }
            entries.push((key.to_owned(), Secret::new(secret.to_owned())));
        }
        match entries.len() {
            0 => Err("no API key in it; add a line `key: secret`".to_owned()),
            1..=API_KEYS_MAX => Ok(Self { entries }),
            _ => Err(format!("more than {API_KEYS_MAX} API keys")),
        }
    }

    /// The file's first key.
    pub(crate) fn first(&self) -> &(String, Secret<String>) {
        self.entries
            .first()
            .expect("a key file without a key is refused")
    }

    /// The secret of `key`.
    pub(crate) fn secret(&self, key: &str) -> Option<&Secret<String>> {
        self.entries
            .iter()
            .find_map(|(known, secret)| (known == key).then_some(secret))
    }

    /// The keys' names, in the file's order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| key.as_str())
    }
}

#[cfg(test)]
mod tests;
