//! From material to an archive.

use crate::material::{Material, Scope};
use crate::{archive, controls, page, sbom, sha256};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bedside_audit::{Entry, Hash};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A bundle that lacks its seal.
#[derive(Debug)]
pub struct Draft {
    files: Vec<(&'static str, Vec<u8>)>,
    sha256: String,
}

/// The record of a bundle, which makes it one.
#[derive(Clone, Debug)]
pub struct Seal {
    /// The record's bytes, as they are in the log.
    pub entry: Vec<u8>,
    /// Its place in the log.
    pub index: u64,
    /// Its inclusion proof in the tree of `checkpoint`.
    pub hashes: Vec<Hash>,
    /// A signed checkpoint that covers it.
    pub checkpoint: String,
    /// That the tree of `checkpoint` begins with that of the material's checkpoint.
    pub consistency: Vec<Hash>,
}

impl Draft {
    /// Lays `material` out.
    #[must_use]
    pub fn new(material: &Material) -> Self {
        let mut files = vec![
            (README, include_bytes!("bundle/README.txt").to_vec()),
            (PAGE, page::render(material).into_bytes()),
            (ENTRIES, entries(material)),
            (PROOFS, proofs(material)),
        ];
        if let Some(clear) = &material.clear {
            let lines = clear.iter().map(|clear| {
                let detail: BTreeMap<&str, &str> = clear
                    .detail
                    .iter()
                    .map(|(name, text)| (name.as_str(), text.expose().as_str()))
                    .collect();
                serde_json::json!({ "index": clear.index, "detail": detail })
            });
            files.push((CLEAR, json_lines(lines)));
        }
        files.extend([
            (CHECKPOINT, material.checkpoint.clone().into_bytes()),
            (KEYS, keys(material)),
            (CONFIGURATION, pretty(&material.configuration)),
            (AGREEMENTS, pretty(&material.agreements)),
            (INVENTORY, pretty(&material.inventory)),
            (CONTROLS, pretty(&controls::report())),
            (SBOM, sbom::TEXT.as_bytes().to_vec()),
        ]);
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            scope: material.scope.clone(),
            made: material.made.to_string(),
            release: material.release.to_owned(),
            entries: material.entries.len() as u64,
            clear_text: material.clear.is_some(),
            files: files
                .iter()
                .map(|(path, bytes)| File {
                    path: (*path).to_owned(),
                    bytes: bytes.len() as u64,
                    sha256: sha256(bytes),
                })
                .collect(),
        };
        let manifest = pretty(&manifest);
        let sha256 = sha256(&manifest);
        files.insert(0, (MANIFEST, manifest));
        Self { files, sha256 }
    }

    /// SHA-256 of the manifest, hexadecimal: to be recorded as the fact `manifest_sha256` of an
    /// [`Action::Evidence`](bedside_audit::Action::Evidence).
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The archive.
    #[must_use]
    pub fn seal(self, seal: &Seal) -> Vec<u8> {
        let seal = pretty(&WrittenSeal {
            entry: String::from_utf8_lossy(&seal.entry).into_owned(),
            index: seal.index,
            hashes: seal.hashes.iter().map(text_of).collect(),
            checkpoint: seal.checkpoint.clone(),
            consistency: seal.consistency.iter().map(text_of).collect(),
        });
        let files = self
            .files
            .iter()
            .map(|(path, bytes)| (*path, bytes.as_slice()));
        archive::write(files.chain([(SEAL, seal.as_slice())]))
    }
}

/// What is in a bundle.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: String,
    pub(crate) scope: Scope,
    pub(crate) made: String,
    pub(crate) release: String,
    pub(crate) entries: u64,
    pub(crate) clear_text: bool,
    pub(crate) files: Vec<File>,
}

/// A file of a bundle.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// A line of the proofs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenProof {
    pub(crate) index: u64,
    pub(crate) hashes: Vec<String>,
}

/// The seal, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenSeal {
    pub(crate) entry: String,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<String>,
    pub(crate) checkpoint: String,
    pub(crate) consistency: Vec<String>,
}

/// A hash as it is written.
pub(crate) fn text_of(hash: &Hash) -> String {
    BASE64_STANDARD.encode(hash.0)
}

/// A hash as it was written.
pub(crate) fn hash_of(text: &str) -> Option<Hash> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok().map(Hash)
}

fn entries(material: &Material) -> Vec<u8> {
    let mut lines = Vec::new();
    for entry in &material.entries {
        lines.extend_from_slice(&entry.bytes);
        lines.push(b'\n');
    }
    lines
}

fn proofs(material: &Material) -> Vec<u8> {
    json_lines(material.entries.iter().map(|entry| WrittenProof {
        index: entry.index,
        hashes: entry.hashes.iter().map(text_of).collect(),
    }))
}

fn keys(material: &Material) -> Vec<u8> {
    let mut text = String::new();
    for (kind, keys) in [
        ("log", &material.log_keys),
        ("witness", &material.witness_keys),
    ] {
        for key in keys {
            writeln!(text, "{kind} {key}").expect("a string can be written");
        }
    }
    text.into_bytes()
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("texts, numbers and maps by text");
    text.push(b'\n');
    text
}

fn json_lines<T: Serialize>(values: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut text = Vec::new();
    for value in values {
        serde_json::to_writer(&mut text, &value).expect("texts, numbers and maps by text");
        text.push(b'\n');
    }
    text
}

/// The entry of those bytes, with whatever it says of the seal.
pub(crate) fn sealed_manifest(entry: &Entry) -> Option<String> {
    match serde_json::to_value(entry.facts.get(FACT)?).ok()? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The fact of a seal's record.
pub(crate) const FACT: &str = "manifest_sha256";
pub(crate) const FORMAT: &str = "bedside-evidence/1";
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const README: &str = "README.txt";
pub(crate) const PAGE: &str = "index.html";
pub(crate) const ENTRIES: &str = "log/entries.jsonl";
pub(crate) const PROOFS: &str = "log/proofs.jsonl";
pub(crate) const CLEAR: &str = "log/clear.jsonl";
pub(crate) const CHECKPOINT: &str = "log/checkpoint.txt";
pub(crate) const KEYS: &str = "log/keys.txt";
pub(crate) const CONFIGURATION: &str = "configuration.json";
pub(crate) const AGREEMENTS: &str = "agreements.json";
pub(crate) const INVENTORY: &str = "inventory.json";
pub(crate) const CONTROLS: &str = "controls.json";
pub(crate) const SBOM: &str = "sbom.cdx.json";
pub(crate) const SEAL: &str = "seal.json";
