//! Which keys a log's checkpoints may be signed with, as they change.

use crate::{Action, AuditError, Entry, Fact, SignedCheckpoint, VerifyingKey};

/// The keys that are trusted, and those that the log has announced.
///
/// A log hands over from one key to the next in two steps: an entry `key.rotate` whose object has
/// the kind [`LOG_KEY`](Keyring::LOG_KEY) and whose fact `vkey` is the new verifier key; then one
/// checkpoint, over a tree with that entry, signed by both keys. From the next checkpoint on the
/// old key signs nothing, and what it signs is not believed.
#[derive(Clone, Debug)]
pub struct Keyring {
    trusted: Vec<VerifyingKey>,
    announced: Vec<VerifyingKey>,
}

impl Keyring {
    /// The kind of object of the entry that announces a key.
    pub const LOG_KEY: &'static str = "log_key";

    /// Trusts `keys`: what the auditor has been given, by another way than the log.
    #[must_use]
    pub const fn new(keys: Vec<VerifyingKey>) -> Self {
        Self {
            trusted: keys,
            announced: Vec::new(),
        }
    }

    /// The keys that are trusted now.
    #[must_use]
    pub fn trusted(&self) -> &[VerifyingKey] {
        &self.trusted
    }

    /// Looks whether the entry of these bytes announces a key.
    pub fn entry(&mut self, bytes: &[u8]) {
        // The action stands first: entries of all others cost a comparison.
        if !bytes.starts_with(br#"{"action":"key.rotate""#) {
            return;
        }
        if let Some(key) = Entry::parse(bytes).ok().and_then(|entry| announced(&entry)) {
            self.announced.push(key);
        }
    }

    /// Verifies the next checkpoint; the entries that it covers have been shown before. At a
    /// hand-over the new key takes the place of those trusted so far.
    ///
    /// # Errors
    /// As [`SignedCheckpoint::verify`].
    pub fn checkpoint(&mut self, checkpoint: &SignedCheckpoint) -> Result<(), AuditError> {
        checkpoint.verify(&self.trusted)?;
        let mut next = None;
        for (index, key) in self.announced.iter().enumerate() {
            if checkpoint.is_signed_by(key)? {
                next = Some(index);
            }
        }
        if let Some(index) = next {
            self.trusted = vec![self.announced.remove(index)];
        }
        Ok(())
    }
}

/// The key that an entry announces.
fn announced(entry: &Entry) -> Option<VerifyingKey> {
    let object = entry.object.as_ref()?;
    let Some(Fact::Text(key)) = entry.facts.get("vkey") else {
        return None;
    };
    let ours = entry.action == Action::KeyRotate && object.kind == Keyring::LOG_KEY;
    key.parse().ok().filter(|_| ours)
}

#[cfg(test)]
mod tests;
