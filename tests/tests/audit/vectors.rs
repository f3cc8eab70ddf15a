//! Test vectors for whoever writes another implementation: `docs/compliance/audit-log-vectors.json`.

use crate::{
    log::{Log, ORIGIN, join, sealed},
    python::{Python, TestFolder},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bedside_audit::{
    ConsistencyProof, Detail, Entry, InclusionProof, MasterKey, PseudonymKey, PseudonymKind,
};
use bedside_protocol::{Phi, Secret};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Everything that `docs/compliance/audit-log.md` describes, made from keys that are written beside
/// it.
fn vectors() -> Value {
    let log = Log::of(7);
    let (entry, key) = sealed(&join(0, "practice"));
    let key = key.unwrap();
    let Ok(Detail::Open(detail)) = entry.detail(Some(&key)) else {
        panic!("the key is the right one");
    };
    let detail: serde_json::Map<String, Value> = detail
        .into_iter()
        .map(|(name, value)| (name, value.expose().as_str().into()))
        .collect();
    let master = MasterKey::new(Secret::new([0x44; 32]));
    let pseudonyms = PseudonymKey::new(1, &Secret::new([0x11; 32]));
    let pseudonym = |kind, name: &str| {
        pseudonyms
            .pseudonym(kind, &Phi::new(name.to_owned()))
            .to_string()
    };
    let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    let texts = |bytes: &[Vec<u8>]| -> Vec<String> {
        bytes
            .iter()
            .map(|bytes| String::from_utf8(bytes.clone()).unwrap())
            .collect()
    };
    let hashes = |hashes: &[bedside_audit::Hash]| -> Vec<String> {
        hashes.iter().map(ToString::to_string).collect()
    };
    json!({
        "pseudonyms": {
            "key": base64(&[0x11; 32]),
            "version": 1,
            "person patient-0": pseudonym(PseudonymKind::Person, "patient-0"),
            "room practice": pseudonym(PseudonymKind::Room, "practice"),
            "person é": pseudonym(PseudonymKind::Person, "é"),
        },
        "entries": texts(&log.entries),
        "leaves": log.entries.iter().map(|bytes| Entry::leaf_hash(bytes).to_string()).collect::<Vec<_>>(),
        "stored_hashes": hashes(&log.hashes),
        "roots": log.checkpoints.values().map(|checkpoint| checkpoint.root.to_string()).collect::<Vec<_>>(),
        "detail": {
            "entry": 0,
            "key_name": key.id().to_string(),
            "key": base64(&[0x22; 32]),
            "plain": detail,
            "master_key": base64(&[0x44; 32]),
            "wrapped_key": base64(&master.wrap(&key, [0x55; 12]).unwrap()),
        },
        "origin": ORIGIN,
        "log_key_seed": base64(&[1; 32]),
        "vkey": log.vkey(),
        "witness_vkey": log.witness_vkey(),
        "checkpoint_7": log.cosigned().to_text(),
        "inclusion_of_3_in_7": hashes(&InclusionProof::new(3, 7, &log.hashes).unwrap().hashes),
        "consistency_of_3_with_7": hashes(&ConsistencyProof::new(3, 7, &log.hashes).unwrap().hashes),
        "tlog_proof_of_3": log.bundle(3).to_text(),
        "json_line_0": texts(&log.lines().take(1).collect::<Vec<_>>()),
    })
}

/// To accept a change of the format: `BEDSIDE_ACCEPT_VECTORS=1 cargo test -p bedside-tests --test
/// audit vectors`, and a line in the change log, since old logs must stay readable.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "accepting is asked for by the environment"
)]
fn the_test_vectors_in_the_documentation_are_those_of_the_code() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compliance/audit-log-vectors.json");
    let made = vectors();
    if std::env::var_os("BEDSIDE_ACCEPT_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        fs::write(&path, text).unwrap();
    }
    // The order of an object's members is the reader's affair.
    let written: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(written, made, "the format of the log changed");
}

/// Python's own HMAC and AES-GCM find what ours made.
#[test]
fn pseudonyms_details_and_wrapped_keys_are_what_the_documentation_says() {
    let Some(python) = Python::with_packages() else {
        return;
    };
    let folder = TestFolder::new("vectors");
    let script = folder.write(
        "check.py",
        br#"
import base64, hashlib, hmac, json, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

vectors = json.load(open(sys.argv[1]))
decode = base64.b64decode
pseudonyms = vectors["pseudonyms"]
for named, expected in pseudonyms.items():
    if " " in named:
        kind, name = named.split(" ", 1)
        mac = hmac.digest(decode(pseudonyms["key"]), f"{kind}\0{name}".encode(), "sha256")
        assert expected == "p1_" + base64.b32encode(mac).decode().lower()[:26], named
detail = vectors["detail"]
entry = json.loads(vectors["entries"][detail["entry"]])
sealed = entry["detail_enc"]
bound = f"bedside audit detail v1\n{entry['id']}\n{sealed['kid']}\n".encode()
plain = AESGCM(decode(detail["key"])).decrypt(decode(sealed["nonce"]), decode(sealed["ct"]), bound)
assert json.loads(plain) == detail["plain"]
master, wrapped = decode(detail["master_key"]), decode(detail["wrapped_key"])
assert wrapped[0] == 1
assert wrapped[1:5] == hashlib.sha256(b"bedside audit master key v1\n" + master).digest()[:4]
bound = f"bedside audit detail key v1\n{detail['key_name']}\n".encode()
assert AESGCM(master).decrypt(wrapped[5:17], wrapped[17:], bound) == decode(detail["key"])
print("right")
"#,
    );
    let answer = python.run(&[&script, "docs/compliance/audit-log-vectors.json"]);
    assert_eq!(answer, Ok("right".to_owned()));
}
