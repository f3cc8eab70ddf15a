//! API keys: who may sign access tokens.

mod file;

pub(crate) use file::{KeyFile, MadeKey};

use crate::Error;
use crate::clock::since_epoch;
use crate::files;
use crate::limits::{API_KEYS_MAX, SECRET_BYTES_MIN};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bedside_protocol::Secret;
use std::path::Path;

/// API keys and their secrets, in the file's order. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct ApiKeys {
    entries: Vec<Entry>,
}

/// One key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    secret: Secret<String>,
    /// Rotated: Unix seconds from which it counts no more.
    pub(crate) until_s: Option<u64>,
}

impl Entry {
    /// Whether it counts.
    fn is_in_force(&self) -> bool {
        self.until_s
            .is_none_or(|until_s| since_epoch().as_secs() < until_s)
    }
}

impl ApiKeys {
    /// Reads `path`: one `key: secret` a line, `#` starts a comment. LiveKit's key files have
    /// the same form; a key that was rotated has `until=` and Unix seconds behind its secret.
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
        let (name, secret) = generate()?;
        let line = Secret::new(format!("{name}: {}\n", secret.expose()));
        files::write_secret(path, line.expose())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut entries: Vec<Entry> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, secret, until_s) = key_line(line)
                .ok_or_else(|| format!("line {number} is not of the form `key: secret`"))?;
            if secret.len() < SECRET_BYTES_MIN {
                return Err(format!(
                    "line {number}: the secret has fewer than {SECRET_BYTES_MIN} bytes; make one \
                     with `openssl rand -base64 32`"
                ));
            }
            if entries.iter().any(|known| known.name == key) {
                return Err(format!("line {number} repeats an earlier key"));
            }
            entries.push(Entry {
                name: key.to_owned(),
                secret: Secret::new(secret.to_owned()),
                until_s,
            });
        }
        match entries.len() {
            0 => Err("no API key in it; add a line `key: secret`".to_owned()),
            1..=API_KEYS_MAX => Ok(Self { entries }),
            _ => Err(format!("more than {API_KEYS_MAX} API keys")),
        }
    }

    /// The first key that was not rotated, or else the file's first: it signs.
    pub(crate) fn first(&self) -> (&str, &Secret<String>) {
        let lasting = self.entries.iter().find(|entry| entry.until_s.is_none());
        let entry = lasting
            .or_else(|| self.entries.first())
            .expect("a key file without a key is refused");
        (&entry.name, &entry.secret)
    }

    /// The secret of `key`, while it counts.
    pub(crate) fn secret(&self, key: &str) -> Option<&Secret<String>> {
        let entry = self.entries.iter().find(|entry| entry.name == key)?;
        entry.is_in_force().then_some(&entry.secret)
    }

    /// The keys' names, in the file's order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The keys, in the file's order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// A name and a secret, both random: 72 and 256 bits.
fn generate() -> Result<(String, Secret<String>), Error> {
    let mut bytes = [0; 41];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    let (name, secret) = bytes.split_at(9);
    let name = URL_SAFE_NO_PAD.encode(name).replace(['-', '_'], "x");
    Ok((
        format!("API{name}"),
        Secret::new(URL_SAFE_NO_PAD.encode(secret)),
    ))
}

/// Name, secret and end of one line that is no comment.
fn key_line(line: &str) -> Option<(&str, &str, Option<u64>)> {
    let (key, rest) = line.split_once(':')?;
    let key = key.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let rest = rest.trim();
    let Some((secret, until)) = rest.rsplit_once(" until=") else {
        return Some((key, rest, None));
    };
    Some((key, secret.trim(), Some(until.parse().ok()?)))
}

#[cfg(test)]
mod tests;
