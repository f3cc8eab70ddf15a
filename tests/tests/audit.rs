//! The audit log in the hands of others: a verifier that shares no code with ours
//! (`docs/compliance/verify_audit_log.py`), one that somebody else wrote (PyPI `aics-tlog`), and
//! FHIR models that somebody else wrote (PyPI `fhir.resources`).
//!
//! Like all tests that need other programs they run with `BEDSIDE_SLOW_TESTS=1`; `cargo xtask test`
//! installs what they need and names it in `BEDSIDE_TEST_AUDIT_PYTHON`.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests are tests"
)]

#[path = "audit/kept.rs"]
mod kept;
#[path = "audit/log.rs"]
mod log;
#[path = "audit/python.rs"]
mod python;
#[path = "audit/vectors.rs"]
mod vectors;

use bedside_audit::{ConsistencyProof, Entry, InclusionProof, export};
use log::{Log, changed};
use python::{Python, TestFolder};
use std::fs;

/// Entries of the exported log: three tiles of entries, the last of them not full.
const ENTRIES: u64 = 600;

#[test]
fn our_independent_verifier_confirms_an_export_and_names_what_is_wrong() {
    let Some(python) = Python::any() else { return };
    let log = Log::of(ENTRIES);
    let folder = TestFolder::new("independent");
    let vkey = log.vkey();
    let verify = |arguments: &[&str]| {
        let mut all = vec!["docs/compliance/verify_audit_log.py"];
        all.extend(arguments);
        all.extend(["--vkey", &vkey]);
        python.run(&all)
    };
    log.export(&folder.path("log"));
    let exported = folder.text("log");
    let intact = verify(&["log", &exported]);
    assert_eq!(
        intact,
        Ok("intact: 600 entries of clinic.example/audit".to_owned())
    );

    // A checkpoint that the auditor kept, and one of a log with another history.
    let kept = folder.write("kept", log.checkpoint(513).as_bytes());
    assert!(verify(&["log", &exported, "--older", &kept]).is_ok());
    let other = folder.write(
        "other",
        Log::with(ENTRIES, "another").checkpoint(513).as_bytes(),
    );
    let forked = verify(&["log", &exported, "--older", &other]).unwrap_err();
    assert!(
        forked.contains("that the checkpoint of size 513 was signed for"),
        "{forked}"
    );
    let later = folder.write("later", Log::of(700).checkpoint(700).as_bytes());
    let rolled_back = verify(&["log", &exported, "--older", &later]).unwrap_err();
    assert!(rolled_back.contains("rolled back or cut"), "{rolled_back}");

    // One changed byte, in each kind of file.
    for (file, at) in [
        ("tile/entries/001", 5_000),
        ("tile/entries/002.p/88", 100),
        ("tile/0/000", 31),
        ("tile/1/000.p/2", 63),
        ("checkpoint", 40),
        ("checkpoint", 120),
    ] {
        let path = folder.path("log").join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, changed(&before, at)).unwrap();
        let refused = verify(&["log", &exported]).unwrap_err();
        assert!(refused.starts_with("not intact: "), "{file}: {refused}");
        fs::write(&path, before).unwrap();
    }
    assert!(verify(&["log", &exported]).is_ok());

    // JSON Lines.
    let checkpoint = folder.write("checkpoint", log.checkpoint(ENTRIES).as_bytes());
    let lines: Vec<Vec<u8>> = log.lines().collect();
    let file = folder.write("entries.jsonl", &lines.concat());
    assert_eq!(
        verify(&["lines", &file, "--checkpoint", &checkpoint]),
        intact
    );
    let mut fewer = lines.clone();
    fewer.remove(300);
    let file = folder.write("fewer.jsonl", &fewer.concat());
    let refused = verify(&["lines", &file, "--checkpoint", &checkpoint]).unwrap_err();
    assert!(
        refused.contains("line 301 is not that of entry 300"),
        "{refused}"
    );

    // Proofs of one entry, with a witness.
    let bundle = log.bundle(77);
    let file = folder.write("77.tlog-proof", bundle.to_text().as_bytes());
    let entry = String::from_utf8(bundle.entry.clone()).unwrap();
    let witness = log.witness_vkey();
    assert_eq!(
        verify(&["proof", &file, "--witness", &witness]),
        Ok(format!(
            "seen by witness.example at 2026-11-24T12:44:34+00:00\n\
             proven: entry 77 of clinic.example/audit\n{entry}"
        ))
    );
    let text = bundle.to_text();
    for (at, _) in text.char_indices().step_by(331) {
        let file = folder.write("changed.tlog-proof", &changed(text.as_bytes(), at));
        let refused = verify(&["proof", &file, "--witness", &witness]).unwrap_err();
        assert!(refused.starts_with("not intact: "), "{at}: {refused}");
    }

    // That one log begins with another.
    let new = folder.write("new", log.checkpoint(ENTRIES).as_bytes());
    let proof = ConsistencyProof::new(513, ENTRIES, &log.hashes).unwrap();
    let hashes: String = proof
        .hashes
        .iter()
        .map(|hash| format!("{hash}\n"))
        .collect();
    let proof = folder.write("proof", hashes.as_bytes());
    assert!(verify(&["grown", &kept, &new, &proof]).is_ok());
    assert!(verify(&["grown", &other, &new, &proof]).is_err());
    assert!(verify(&["grown", &new, &kept, &proof]).is_err());
}

#[test]
fn our_independent_verifier_follows_a_hand_over_of_keys() {
    let Some(python) = Python::any() else { return };
    let folder = TestFolder::new("rotation");
    let log = Log::with_rotation();
    log.export(&folder.path("log"));
    let (exported, vkey) = (folder.text("log"), log.vkey());
    let script = "docs/compliance/verify_audit_log.py";
    let both = folder.write("both", log.checkpoint(9).as_bytes());
    let verify = |older: &[&str]| {
        python.run(&[&[script, "log", &exported, "--vkey", &vkey], older].concat())
    };
    assert_eq!(
        verify(&["--older", &both]),
        Ok("intact: 12 entries of clinic.example/audit".to_owned())
    );
    let refused = verify(&[]).unwrap_err();
    assert!(
        refused.contains("not signed by a trusted key"),
        "without the hand-over: {refused}"
    );
}

#[test]
fn a_verifier_of_others_confirms_our_proofs_and_refuses_changed_ones() {
    let Some(python) = Python::with_packages() else {
        return;
    };
    let log = Log::of(ENTRIES);
    let folder = TestFolder::new("third-party");
    log.export(&folder.path("log"));
    let exported = folder.text("log");
    let vkey = folder.write("vkey", log.vkey().as_bytes());
    let witness = log.witness_vkey();
    let tool = |arguments: &[&str]| python.run_module("aics_tlog", arguments);

    // The checkpoint, with its cosignature, alone and in the folder.
    let note = folder.write("note", log.cosigned().to_text().as_bytes());
    let cosigned = [
        "--vkey-file",
        &vkey,
        "--witness-key",
        &witness,
        "--quorum",
        "1",
    ];
    let verify =
        |note: &str| tool(&[&["verify-checkpoint", "--note", note], &cosigned[..]].concat());
    verify(&note).unwrap();
    tool(&[
        "verify-checkpoint",
        "--tiles",
        &exported,
        "--vkey-file",
        &vkey,
    ])
    .unwrap();
    let text = log.cosigned().to_text();
    for at in [25, 40, text.len() / 2, text.len() - 20] {
        let note = folder.write("changed", &changed(text.as_bytes(), at));
        assert!(verify(&note).is_err(), "byte {at}");
    }

    // Inclusion: our proof, and one that the tool makes from our tiles.
    let root = log.checkpoints[&ENTRIES].root.to_string();
    let leaf = folder.write("leaf", &log.entries[301]);
    let proof = InclusionProof::new(301, ENTRIES, &log.hashes).unwrap();
    let hashes: String = proof
        .hashes
        .iter()
        .map(|hash| format!("{hash}\n"))
        .collect();
    let proof = folder.write("inclusion", hashes.as_bytes());
    let included = |leaf: &str, index: &str, proof: &str| {
        let size = ENTRIES.to_string();
        tool(&[
            "verify-inclusion",
            "--leaf",
            leaf,
            "--index",
            index,
            "--size",
            &size,
            "--root",
            &root,
            "--proof",
            proof,
        ])
    };
    included(&leaf, "301", &proof).unwrap();
    let from_tiles = ["--tiles", &exported, "--vkey-file", &vkey];
    tool(
        &[
            &["verify-inclusion", "--leaf", &leaf, "--index", "301"],
            &from_tiles[..],
        ]
        .concat(),
    )
    .unwrap();
    let other = folder.write("other", &changed(&log.entries[301], 200));
    assert!(included(&other, "301", &proof).is_err());
    assert!(included(&leaf, "302", &proof).is_err());
    let torn = folder.write(
        "torn",
        hashes
            .lines()
            .skip(1)
            .collect::<Vec<_>>()
            .join("\n")
            .as_bytes(),
    );
    assert!(included(&leaf, "301", &torn).is_err());

    // Consistency.
    let proof = ConsistencyProof::new(513, ENTRIES, &log.hashes).unwrap();
    let hashes: String = proof
        .hashes
        .iter()
        .map(|hash| format!("{hash}\n"))
        .collect();
    let proof = folder.write("consistency", hashes.as_bytes());
    let grown = |old_root: &str| {
        tool(&[
            "verify-consistency",
            "--old-size",
            "513",
            "--new-size",
            "600",
            "--old-root",
            old_root,
            "--new-root",
            &root,
            "--proof",
            &proof,
        ])
    };
    grown(&log.checkpoints[&513].root.to_string()).unwrap();
    assert!(
        grown(
            &Log::with(ENTRIES, "another").checkpoints[&513]
                .root
                .to_string()
        )
        .is_err()
    );
}

#[test]
fn every_kind_of_entry_is_a_fhir_audit_event() {
    let Some(python) = Python::with_packages() else {
        return;
    };
    let folder = TestFolder::new("fhir");
    let log = Log::of_every_action();
    let mut resources = String::new();
    for (index, bytes) in log.entries.iter().enumerate() {
        let entry = Entry::parse(bytes).unwrap();
        let leaf = Entry::leaf_hash(bytes);
        let event = export::audit_event(index as u64, &entry, leaf, "clinic.example/audit");
        resources.push_str(&format!("{event}\n"));
    }
    let file = folder.write("events.ndjson", resources.as_bytes());
    let check = "import json, sys\n\
                 from fhir.resources.R4B.auditevent import AuditEvent\n\
                 lines = open(sys.argv[1]).read().strip().split(chr(10))\n\
                 for line in lines:\n\
                 \x20   event = AuditEvent.model_validate_json(line)\n\
                 \x20   again = json.loads(event.model_dump_json())\n\
                 \x20   sent = json.loads(line)\n\
                 \x20   assert again.keys() == sent.keys(), again.keys() ^ sent.keys()\n\
                 \x20   assert len(again['entity']) == len(sent['entity'])\n\
                 print(len(lines))\n";
    let count = python.run(&["-c", check, &file]).unwrap();
    assert_eq!(count, log.entries.len().to_string());
    let broken = folder.write(
        "broken.ndjson",
        resources.replace("\"recorded\"", "\"recarded\"").as_bytes(),
    );
    assert!(python.run(&["-c", check, &broken]).is_err());
}
