//! Whether a bundle is what was made: offline, to the last byte.

use crate::bundle::{
    CHECKPOINT, CLEAR, ENTRIES, FORMAT, KEYS, MANIFEST, Manifest, PROOFS, SEAL, WrittenProof,
    WrittenSeal, hash_of, sealed_manifest,
};
use crate::material::Scope;
use crate::{archive, sha256};
use bedside_audit::{
    Action, Checkpoint, ConsistencyProof, Cosigned, Entry, InclusionProof, SignedCheckpoint,
    Timestamp, VerifyingKey,
};
use serde::Serialize;

/// What a bundle is, after every check.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// Which records it is about.
    pub scope: Scope,
    /// When it was made.
    pub made: String,
    /// The release that made it.
    pub release: String,
    /// Records that it is about.
    pub entries: u64,
    /// Records that say how the service was set up before them.
    pub context: u64,
    /// Size of the log that they are proven in.
    pub tree_size: u64,
    /// Place of the record that the bundle was made.
    pub seal_index: u64,
    /// When that was recorded.
    pub sealed: Timestamp,
    /// Which witnesses cosigned either checkpoint, and when: seconds since the Unix epoch.
    pub witnesses: Vec<(String, u64)>,
    /// Whether names and addresses are in it. They are not part of the log's leaves: only whoever
    /// holds the keys of the details can check them.
    pub clear_text: bool,
    /// Whether the keys were given, or are those of the bundle itself.
    pub keys_given: bool,
    /// Files and bytes that were checked.
    pub files: usize,
    /// Bytes of the archive.
    pub bytes: usize,
}

/// What is wrong with a bundle: where, and what.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A byte outside the files was changed, or bytes were cut off or appended.
    #[error("byte {offset}: {what}")]
    Archive {
        /// Offset in the archive, from 0.
        offset: usize,
        /// What stands there.
        what: String,
    },
    /// A file is not what the manifest says.
    #[error("{path}: {what}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A record is not in the log.
    #[error("{path}, line {line}: {what}")]
    Line {
        /// The file.
        path: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// Checks every byte of `archive`. `trusted` are the keys of the log and of its witnesses that the
/// caller knows from elsewhere; if there are none, the bundle's own are used, which shows that it
/// was not damaged, not whose it is.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(archive: &[u8], trusted: &[VerifyingKey]) -> Result<Report, VerifyError> {
    let files = archive::read(archive).map_err(|error| VerifyError::Archive {
        offset: error.offset,
        what: error.what,
    })?;
    let bundle = Bundle { files: &files };
    let manifest_bytes = bundle.file(MANIFEST)?;
    let manifest: Manifest =
        serde_json::from_slice(manifest_bytes).map_err(|_| file(MANIFEST, "does not read"))?;
    if manifest.format != FORMAT {
        return Err(file(
            MANIFEST,
            "of a format that this release does not know",
        ));
    }
    // The lines are looked at before the hashes of their files, to name the line.
    let own = bundle.keys();
    let keys = if trusted.is_empty() {
        own.as_deref().unwrap_or(&[])
    } else {
        trusted
    };
    let checkpoint = bundle.file(CHECKPOINT)?;
    let signed = signed(CHECKPOINT, checkpoint, keys);
    let counted = match &signed {
        Ok((_, checkpoint, _)) => Some(bundle.entries(&manifest.scope, checkpoint)?),
        Err(_) => None,
    };
    bundle.files(&manifest)?;
    let (note, log, mut witnesses) = signed?;
    let (entries, context) = counted.unwrap_or_default();
    if entries + context != manifest.entries {
        return Err(file(
            ENTRIES,
            "has another number of records than the manifest says",
        ));
    }
    let seal: WrittenSeal =
        serde_json::from_slice(bundle.file(SEAL)?).map_err(|_| file(SEAL, "does not read"))?;
    let sealed = check_seal(&seal, manifest_bytes, &note, &log, keys, &mut witnesses)?;
    bundle.canonical_seal(&seal)?;
    witnesses.sort();
    witnesses.dedup();
    Ok(Report {
        origin: log.origin,
        scope: manifest.scope,
        made: manifest.made,
        release: manifest.release,
        entries,
        context,
        tree_size: log.size,
        seal_index: seal.index,
        sealed,
        witnesses,
        clear_text: manifest.clear_text,
        keys_given: !trusted.is_empty(),
        files: files.len(),
        bytes: archive.len(),
    })
}

struct Bundle<'a> {
    files: &'a [(&'a str, &'a [u8])],
}

impl<'a> Bundle<'a> {
    fn file(&self, path: &'static str) -> Result<&'a [u8], VerifyError> {
        let found = self.files.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, bytes)| *bytes)
            .ok_or_else(|| file(path, "is not there"))
    }

    /// Every file is what the manifest says, and nothing else is there.
    fn files(&self, manifest: &Manifest) -> Result<(), VerifyError> {
        let names: Vec<&str> = self.files.iter().map(|(path, _)| *path).collect();
        let listed = manifest.files.iter().map(|file| file.path.as_str());
        let expected: Vec<&str> = [MANIFEST].into_iter().chain(listed).chain([SEAL]).collect();
        if let Some(extra) = names.iter().find(|name| !expected.contains(name)) {
            return Err(file(extra, "the manifest does not list it"));
        }
        if let Some(missing) = expected.iter().find(|name| !names.contains(name)) {
            return Err(file(missing, "the manifest lists it, and it is not there"));
        }
        if names != expected {
            return Err(file(MANIFEST, "lists the files in another order, or twice"));
        }
        if names.contains(&CLEAR) != manifest.clear_text {
            return Err(file(MANIFEST, "says otherwise whether there is clear text"));
        }
        for listed in &manifest.files {
            let found = self.files.iter().find(|(path, _)| *path == listed.path);
            let bytes = found.map_or(&[][..], |(_, bytes)| bytes);
            if bytes.len() as u64 != listed.bytes {
                return Err(file(&listed.path, "was made longer or shorter"));
            }
            if sha256(bytes) != listed.sha256 {
                return Err(file(
                    &listed.path,
                    "was changed: its SHA-256 is not that of the manifest",
                ));
            }
        }
        Ok(())
    }

    /// The bundle's own keys, if they read.
    fn keys(&self) -> Option<Vec<VerifyingKey>> {
        let text = std::str::from_utf8(self.file(KEYS).ok()?).ok()?;
        let keys = text
            .lines()
            .map(|line| line.split_once(' ')?.1.parse().ok());
        keys.collect()
    }

    /// Counts records and those of context, after proving each.
    fn entries(&self, scope: &Scope, checkpoint: &Checkpoint) -> Result<(u64, u64), VerifyError> {
        let wrong = |path, line, what: &str| VerifyError::Line {
            path,
            line,
            what: what.to_owned(),
        };
        let lines = |path| -> Result<Vec<&[u8]>, VerifyError> {
            let bytes = self.file(path)?;
            Ok(bytes.split_inclusive(|&byte| byte == b'\n').collect())
        };
        let (entries, proofs) = (lines(ENTRIES)?, lines(PROOFS)?);
        if entries.len() != proofs.len() {
            return Err(file(
                PROOFS,
                "has another number of lines than there are records",
            ));
        }
        let (mut held, mut context) = (0, 0);
        let mut last = None;
        for (number, (entry, proof)) in entries.into_iter().zip(proofs).enumerate() {
            let line = number + 1;
            let bytes = entry.strip_suffix(b"\n").unwrap_or(entry);
            let entry = Entry::parse(bytes)
                .map_err(|error| wrong(ENTRIES, line, &format!("was changed: {error}")))?;
            let proof: WrittenProof = serde_json::from_slice(proof)
                .map_err(|_| wrong(PROOFS, line, "was changed: does not read"))?;
            let index = proof.index;
            if last.is_some_and(|last| index <= last) {
                return Err(wrong(PROOFS, line, "out of order, or there twice"));
            }
            last = Some(index);
            let hashes = proof.hashes.iter().map(|text| hash_of(text));
            let hashes = hashes
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| wrong(PROOFS, line, "was changed: not hashes"))?;
            let proof = InclusionProof { index, hashes };
            proof
                .verify(Entry::leaf_hash(bytes), checkpoint)
                .map_err(|_| {
                    let what =
                        format!("record {index} or its proof was changed: it is not in the log");
                    wrong(ENTRIES, line, &what)
                })?;
            if scope.holds(&entry) {
                held += 1;
            } else {
                context += 1;
            }
        }
        Ok((held, context))
    }

    /// The seal is written in one way only.
    fn canonical_seal(&self, seal: &WrittenSeal) -> Result<(), VerifyError> {
        let mut written =
            serde_json::to_vec_pretty(seal).map_err(|_| file(SEAL, "does not read"))?;
        written.push(b'\n');
        if self.file(SEAL)? == written {
            Ok(())
        } else {
            Err(file(SEAL, "was changed: it says the same in other bytes"))
        }
    }
}

type Signed = (SignedCheckpoint, Checkpoint, Vec<(String, u64)>);

/// What `text` says, if the log signed it.
fn signed(path: &str, text: &[u8], keys: &[VerifyingKey]) -> Result<Signed, VerifyError> {
    let text = std::str::from_utf8(text).map_err(|_| file(path, "was changed: is not text"))?;
    let note = SignedCheckpoint::parse(text)
        .map_err(|error| file(path, &format!("was changed: {error}")))?;
    if note.to_text() != text {
        return Err(file(path, "was changed: it says the same in other bytes"));
    }
    let checkpoint = note
        .verify(keys)
        .map_err(|error| file(path, &error.to_string()))?
        .clone();
    let witnesses = note
        .cosigned_by(keys)
        .map_err(|error| file(path, &error.to_string()))?;
    let witnesses = witnesses
        .into_iter()
        .map(|Cosigned { witness, at_s }| (witness, at_s));
    let witnesses = witnesses.collect();
    Ok((note, checkpoint, witnesses))
}

/// The record that the bundle was made is in the log, names its manifest, and came after what the
/// bundle holds.
fn check_seal(
    seal: &WrittenSeal,
    manifest: &[u8],
    note: &SignedCheckpoint,
    log: &Checkpoint,
    keys: &[VerifyingKey],
    witnesses: &mut Vec<(String, u64)>,
) -> Result<Timestamp, VerifyError> {
    let (_, after, cosigned) = signed(SEAL, seal.checkpoint.as_bytes(), keys)?;
    witnesses.extend(cosigned);
    let bytes = seal.entry.as_bytes();
    let entry =
        Entry::parse(bytes).map_err(|error| file(SEAL, &format!("was changed: {error}")))?;
    if entry.action != Action::Evidence {
        return Err(file(SEAL, "its record is not that of a bundle"));
    }
    let hashes = |texts: &[String]| {
        let hashes: Option<Vec<_>> = texts.iter().map(|text| hash_of(text)).collect();
        hashes.ok_or_else(|| file(SEAL, "was changed: not hashes"))
    };
    InclusionProof {
        index: seal.index,
        hashes: hashes(&seal.hashes)?,
    }
    .verify(Entry::leaf_hash(bytes), &after)
    .map_err(|_| {
        file(
            SEAL,
            "its record or the proof was changed: it is not in the log",
        )
    })?;
    ConsistencyProof {
        hashes: hashes(&seal.consistency)?,
    }
    .verify(note.unverified(), &after)
    .map_err(|_| file(SEAL, "its log does not begin with that of the records"))?;
    if log.origin != after.origin || seal.index < log.size {
        return Err(file(
            SEAL,
            "its record does not come after those of the bundle",
        ));
    }
    if sealed_manifest(&entry).as_deref() != Some(&sha256(manifest)) {
        return Err(file(
            MANIFEST,
            "was changed: its SHA-256 is not the one that was recorded",
        ));
    }
    Ok(entry.ts)
}

fn file(path: &str, what: &str) -> VerifyError {
    VerifyError::File {
        path: path.to_owned(),
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests;
