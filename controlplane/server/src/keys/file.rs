//! Changes the API-key file under a running server: keys are added, rotated with an overlap, and
//! removed, and are in force at once.

use super::{ApiKeys, generate, key_line};
use crate::clock::since_epoch;
use crate::token::Tokens;
use crate::{Error, files};
use bedside_protocol::Secret;
use std::path::PathBuf;
use tokio::sync::Mutex;

/// The file, and what verifies with its keys. One change at a time.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    tokens: Tokens,
    changing: Mutex<()>,
}

/// A key that was made; its secret is told once.
#[derive(Debug)]
pub(crate) struct MadeKey {
    pub(crate) name: String,
    pub(crate) secret: Secret<String>,
}

impl KeyFile {
    pub(crate) fn new(path: PathBuf, tokens: Tokens) -> Self {
        Self {
            path,
            tokens,
            changing: Mutex::new(()),
        }
    }

    /// Adds a key with a random name and secret.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Random`].
    pub(crate) async fn add(&self) -> Result<MadeKey, Error> {
        let _one = self.changing.lock().await;
        let (name, secret) = generate()?;
        let line = Secret::new(format!("{name}: {}", secret.expose()));
        self.edit(|lines| {
            lines.push(line.expose().clone());
            Ok(())
        })?;
        Ok(MadeKey { name, secret })
    }

    /// Makes a successor in a key's place; the key itself counts for `overlap_s` more.
    ///
    /// # Errors
    /// [`Error::Request`]: no such key, or one that was rotated already; [`Error::File`],
    /// [`Error::Random`].
    pub(crate) async fn rotate(&self, old: &str, overlap_s: u64) -> Result<MadeKey, Error> {
        let _one = self.changing.lock().await;
        let (name, secret) = generate()?;
        let line = Secret::new(format!("{name}: {}", secret.expose()));
        let until_s = since_epoch().as_secs().saturating_add(overlap_s);
        self.edit(|lines| {
            let place = place_of(lines, old)?;
            let Some((_, _, None)) = key_line(&lines[place]) else {
                return refuse("this key was rotated already; its successor can be");
            };
            let retired = format!("{} until={until_s}", lines[place].trim_end());
            lines[place] = retired;
            lines.insert(place, line.expose().clone());
            Ok(())
        })?;
        Ok(MadeKey { name, secret })
    }

    /// Removes a key: its tokens count no more, at once.
    ///
    /// # Errors
    /// [`Error::Request`]: no such key, or the last one that signs; [`Error::File`].
    pub(crate) async fn remove(&self, name: &str) -> Result<(), Error> {
        let _one = self.changing.lock().await;
        self.edit(|lines| {
            let place = place_of(lines, name)?;
            lines.remove(place);
            let lasts = |line: &String| matches!(parsed(line), Some((_, _, None)));
            if lines.iter().any(lasts) {
                return Ok(());
            }
            refuse("this is the last key, and the server signs with it; rotate it instead")
        })
    }

    /// Writes the file anew, whole or not at all, and takes it into force.
    fn edit(
        &self,
        change: impl FnOnce(&mut Vec<String>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let text = files::read_secret(&self.path)?;
        let mut lines: Vec<String> = text.expose().lines().map(str::to_owned).collect();
        change(&mut lines)?;
        let text = Secret::new(lines.join("\n") + "\n");
        // Never a file that the next start would refuse.
        let keys = ApiKeys::parse(text.expose()).map_err(|cause| Error::file(&self.path, cause))?;
        files::write_secret(&self.path, text.expose())?;
        self.tokens.replace(keys);
        Ok(())
    }
}

fn place_of(lines: &[String], name: &str) -> Result<usize, Error> {
    let named = |line: &String| parsed(line).is_some_and(|(known, ..)| known == name);
    match lines.iter().position(named) {
        Some(place) => Ok(place),
        None => Err(Error::Request("there is no such API key".to_owned())),
    }
}

fn parsed(line: &str) -> Option<(&str, &str, Option<u64>)> {
    let line = line.trim();
    (!line.starts_with('#')).then(|| key_line(line)).flatten()
}

fn refuse<T>(words: &str) -> Result<T, Error> {
    Err(Error::Request(words.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Scratch, scratch};
    use bedside_rooms::Claims;
    use std::time::Duration;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn key_file(text: &str) -> (Scratch, Tokens, KeyFile) {
        let scratch = scratch();
        let path = scratch.path().join("keys");
        files::write_secret(&path, text).expect("written");
        let tokens = Tokens::new(ApiKeys::read(&path).expect("well-formed"));
        let file = KeyFile::new(path, tokens.clone());
        (scratch, tokens, file)
    }

    fn signed(tokens: &Tokens, key: &str) -> Option<String> {
        let claims = Claims {
            iss: key.to_owned(),
            ..Claims::default()
        };
        tokens.sign(&claims, Duration::from_secs(60))
    }

    #[tokio::test]
    async fn a_rotated_key_counts_until_its_overlap_is_over() {
        let (_scratch, tokens, file) = key_file(&format!("# ours\nk1: {SECRET}\n"));
        let before = signed(&tokens, "k1").expect("in force");
        let made = file.rotate("k1", 60).await.expect("written");
        assert_eq!(tokens.first_key(), made.name, "the successor signs");
        assert!(tokens.verify(&before).is_ok());
        assert!(
            tokens
                .verify(&signed(&tokens, &made.name).expect("in force"))
                .is_ok()
        );
        assert!(matches!(
            file.rotate("k1", 60).await,
            Err(Error::Request(_))
        ));
        let text = files::read_secret(&file.path).expect("there");
        assert!(
            text.expose().starts_with("# ours\nAPI"),
            "comments and places stay"
        );

        let made_again = file.rotate(&made.name, 0).await.expect("written");
        assert!(
            signed(&tokens, &made.name).is_none(),
            "without an overlap it is over at once"
        );
        assert_eq!(tokens.first_key(), made_again.name);
    }

    #[tokio::test]
    async fn keys_come_and_go_without_a_restart_and_one_stays() {
        let (_scratch, tokens, file) = key_file(&format!("k1: {SECRET}\n"));
        assert!(matches!(file.remove("k1").await, Err(Error::Request(_))));
        let made = file.add().await.expect("written");
        let token = signed(&tokens, "k1").expect("in force");
        file.remove("k1").await.expect("written");
        assert!(tokens.verify(&token).is_err());
        assert_eq!(tokens.first_key(), made.name);
        for result in [
            file.remove("k1").await,
            file.rotate("k9", 1).await.map(drop),
        ] {
            assert!(matches!(result, Err(Error::Request(_))));
        }
    }
}
