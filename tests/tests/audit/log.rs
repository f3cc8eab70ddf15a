//! A log that is made from fixed keys and random bytes, so that it is the same each time.

use base64::{Engine, prelude::BASE64_STANDARD};
use bedside_audit::{
    Action, Actor, ActorKind, Authentication, Checkpoint, DetailKey, Entry, Event, Hash,
    InclusionProof, Keyring, LogKey, Object, PolicyDecision, ProofBundle, PseudonymKey, Role,
    Sealer, SealingRandom, SignedCheckpoint, Tree, VerifyingKey, export, tiles,
};
use bedside_protocol::{Phi, Secret};
use std::{collections::BTreeMap, fs, path::Path};

pub(crate) const ORIGIN: &str = "clinic.example/audit";

/// 2026-11-24T12:44:34.123456Z.
const START_US: u64 = 1_795_524_274_123_456;

pub(crate) struct Log {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) hashes: Vec<Hash>,
    pub(crate) checkpoints: BTreeMap<u64, Checkpoint>,
    /// Signed checkpoints, by size; where there is none one is made.
    signed: BTreeMap<u64, String>,
    tree: Tree,
}

impl Log {
    /// Joins of patients.
    pub(crate) fn of(size: u64) -> Self {
        Self::with(size, "practice")
    }

    /// The same in another room.
    pub(crate) fn with(size: u64, room: &str) -> Self {
        let mut log = Self::new();
        for index in 0..size {
            log.append(&sealed(&join(index, room)).0);
        }
        log
    }

    /// One entry of each action.
    pub(crate) fn of_every_action() -> Self {
        let mut log = Self::new();
        for (index, &action) in Action::ALL.iter().enumerate() {
            let mut event = join(index as u64, "practice");
            event.action = action;
            log.append(&sealed(&event).0);
            let mut event = Event::new(START_US, action, Actor::SYSTEM);
            event.reason = Some("none");
            event.facts.insert("empty", "".into());
            log.append(&sealed(&event).0);
        }
        log
    }

    /// Twelve entries of which the ninth announces the log's second key.
    pub(crate) fn with_rotation() -> Self {
        let mut log = Self::of(8);
        let mut event = Event::new(START_US, Action::KeyRotate, Actor::SYSTEM);
        event.object = Some(Object {
            kind: Keyring::LOG_KEY,
            id: "2".to_owned(),
        });
        event
            .facts
            .insert("vkey", key(2).verifying_key().to_string().into());
        log.append(&sealed(&event).0);
        log.sign(&[&key(1), &key(2)]);
        for index in 9..12 {
            log.append(&sealed(&join(index, "practice")).0);
        }
        log.sign(&[&key(2)]);
        log
    }

    fn new() -> Self {
        Self {
            entries: Vec::new(),
            hashes: Vec::new(),
            checkpoints: BTreeMap::new(),
            signed: BTreeMap::new(),
            tree: Tree::new(),
        }
    }

    fn append(&mut self, entry: &Entry) {
        let bytes = entry.to_bytes();
        let hashes = &mut self.hashes;
        self.tree
            .append(Entry::leaf_hash(&bytes), |hash| hashes.push(hash));
        self.entries.push(bytes);
        let size = self.tree.size();
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root: self.tree.root(),
        };
        self.checkpoints.insert(size, checkpoint);
    }

    fn sign(&mut self, keys: &[&LogKey]) {
        let size = self.tree.size();
        let text = self.checkpoints[&size].sign(keys).unwrap().to_text();
        self.signed.insert(size, text);
    }

    /// The signed checkpoint of that size.
    pub(crate) fn checkpoint(&self, size: u64) -> String {
        let made = || self.checkpoints[&size].sign(&[&key(1)]).unwrap().to_text();
        self.signed.get(&size).cloned().unwrap_or_else(made)
    }

    pub(crate) fn vkey(&self) -> String {
        key(1).verifying_key().to_string()
    }

    pub(crate) fn witness_vkey(&self) -> String {
        witness().1.to_string()
    }

    /// The last checkpoint, with a witness's cosignature.
    pub(crate) fn cosigned(&self) -> SignedCheckpoint {
        let text = self.checkpoint(self.tree.size());
        let mut signed = SignedCheckpoint::parse(&text).unwrap();
        let body = text.split_once("\n\n").unwrap().0;
        signed
            .add_cosignatures(&cosignature(body), &[witness().1])
            .unwrap();
        signed
    }

    pub(crate) fn bundle(&self, index: u64) -> ProofBundle {
        ProofBundle {
            entry: self.entries[usize::try_from(index).unwrap()].clone(),
            proof: InclusionProof::new(index, self.tree.size(), &self.hashes).unwrap(),
            checkpoint: self.cosigned(),
        }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        (0..)
            .zip(&self.entries)
            .map(|(index, bytes)| export::json_line(index, bytes))
    }

    /// Writes the log as tiles.
    pub(crate) fn export(&self, folder: &Path) {
        let checkpoint = self.checkpoint(self.tree.size());
        write_tiles(folder, &self.entries, &self.hashes, &checkpoint);
    }
}

/// Writes a log as a folder of tiles.
pub(crate) fn write_tiles(folder: &Path, entries: &[Vec<u8>], hashes: &[Hash], checkpoint: &str) {
    let write = |path: &str, content: &[u8]| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for tile in tiles::Tile::added(0, entries.len() as u64).unwrap() {
        let mut content = tile.hashes(&hashes).unwrap();
        for index in tile.entries().into_iter().flatten() {
            let entry = &entries[usize::try_from(index).unwrap()];
            tiles::push_entry(&mut content, entry).unwrap();
        }
        write(&tile.path(), &content);
    }
    write("checkpoint", checkpoint.as_bytes());
}

/// `content` with another character at `at`.
pub(crate) fn changed(content: &[u8], at: usize) -> Vec<u8> {
    let mut content = content.to_vec();
    content[at] ^= 1;
    content
}

fn key(byte: u8) -> LogKey {
    LogKey::new(ORIGIN, Secret::new([byte; 32])).unwrap()
}

/// A patient's join with every member that an event can have.
pub(crate) fn join(index: u64, room: &str) -> Event {
    let person = format!("patient-{}", index % 7);
    let actor = Actor {
        kind: ActorKind::Patient,
        id: Some(Phi::new(person.clone())),
        role: Some(Role::Patient),
        authentication: Some(Authentication {
            method: "link".to_owned(),
            credential: Some("0123456789abcdef".to_owned()),
            ..Authentication::default()
        }),
        address: Some("203.0.113.9".parse().unwrap()),
    };
    let mut event = Event::new(START_US + index * 1_000_000, Action::Join, actor);
    event.patient = Some(Phi::new(person));
    event.room = Some(Phi::new(room.to_owned()));
    event.encounter = Some("RM_7hGk2x".to_owned());
    event.object = Some(Object {
        kind: "link",
        id: format!("LK_{index}"),
    });
    event.policy = Some(PolicyDecision {
        policies: vec!["patient-joins-own-consult".to_owned()],
        hash: "5f".repeat(32),
    });
    event.facts.insert("protocol", 17.into());
    event.facts.insert("hidden", false.into());
    event
        .facts
        .insert("text", "\u{1}\"\\ \u{e9} \u{1d11e} \u{2028} \u{7f}".into());
    event
        .detail
        .insert("display_name", Phi::new("Jane Roe".to_owned()));
    event
}

/// The entry of an event, and the key of its detail.
pub(crate) fn sealed(event: &Event) -> (Entry, Option<DetailKey>) {
    let sealer = Sealer::new(PseudonymKey::new(1, &Secret::new([0x11; 32])));
    let scope = sealer.detail_scope(event);
    let key = scope.map(|scope| DetailKey::new(scope, &Secret::new([0x22; 36])));
    let mut random = [0x33; SealingRandom::BYTES];
    random[..8].copy_from_slice(&event.at_us.to_be_bytes());
    let random = SealingRandom::new(random);
    let entry = sealer
        .seal(event, key.as_ref(), event.at_us + 2_000, random)
        .unwrap();
    (entry, key)
}

/// A witness, as its protocol describes it.
fn witness() -> (aws_lc_rs::signature::Ed25519KeyPair, VerifyingKey) {
    use aws_lc_rs::{
        digest::{SHA256, digest},
        signature::{Ed25519KeyPair, KeyPair as _},
    };
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let public = [&[4], pair.public_key().as_ref()].concat();
    let id = digest(&SHA256, &[b"witness.example\n", &public[..]].concat());
    let id: String = id.as_ref()[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let vkey = format!("witness.example+{id}+{}", BASE64_STANDARD.encode(&public));
    (pair, vkey.parse().unwrap())
}

/// The witness's line for a checkpoint's text (without its last line feed).
fn cosignature(body: &str) -> String {
    let (pair, vkey) = witness();
    let at_s = START_US / 1_000_000;
    let signature = pair.sign(format!("cosignature/v1\ntime {at_s}\n{body}\n").as_bytes());
    let vkey = vkey.to_string();
    let id = u32::from_str_radix(vkey.split('+').nth(1).unwrap(), 16).unwrap();
    let line = [
        &id.to_be_bytes()[..],
        &at_s.to_be_bytes(),
        signature.as_ref(),
    ]
    .concat();
    format!(
        "\u{2014} witness.example {}\n",
        BASE64_STANDARD.encode(line)
    )
}
