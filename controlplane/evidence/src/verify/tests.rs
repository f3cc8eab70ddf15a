use super::*;
use crate::testing::{Log, consult};
use crate::{ClearText, Draft, Seal};
use bedside_protocol::Phi;

/// A sealed bundle of a consult, and the log's keys.
fn bundle(clear: bool) -> (Vec<u8>, Vec<VerifyingKey>) {
    let mut log = Log::new();
    consult(&mut log);
    let mut material = log.material(Scope::Consult("RM_one".to_owned()));
    material.clear = clear.then(|| {
        let detail = [("actor".to_owned(), Phi::new("Jane Roe".to_owned()))];
        vec![ClearText {
            index: material.entries[1].index,
            detail: detail.into(),
        }]
    });
    let draft = Draft::new(&material);
    let seal = log.seal(&material, draft.sha256());
    (draft.seal(&seal), vec![log.verifying_key()])
}

#[test]
fn a_bundle_is_what_was_made() {
    let (archive, keys) = bundle(false);
    let report = verify(&archive, &keys).unwrap();
    assert_eq!(report.entries, 5);
    assert_eq!(report.context, 1, "the start of the service");
    assert_eq!(report.scope, Scope::Consult("RM_one".to_owned()));
    assert!(report.keys_given && !report.clear_text);
    assert!(report.seal_index >= report.tree_size);
    assert_eq!(report.bytes, archive.len());
    assert!(!verify(&archive, &[]).unwrap().keys_given);
    let (archive, keys) = bundle(true);
    assert!(verify(&archive, &keys).unwrap().clear_text);
}

#[test]
fn the_same_material_gives_the_same_bytes() {
    assert_eq!(bundle(true).0, bundle(true).0);
}

#[test]
fn every_changed_byte_is_found_and_named() {
    let (archive, keys) = bundle(false);
    let names: Vec<(&str, std::ops::Range<usize>)> = {
        let start = archive.as_ptr() as usize;
        let files = archive::read(&archive).unwrap();
        files
            .iter()
            .map(|(path, bytes)| {
                let at = bytes.as_ptr() as usize - start;
                (*path, at..at + bytes.len())
            })
            .collect()
    };
    // Every byte of what is small, and of the rest every 4,001st.
    let offsets = (0..archive.len()).filter(|offset| {
        let file = names.iter().find(|(_, range)| range.contains(offset));
        file.is_none_or(|(path, range)| {
            let is_small = range.len() < 3_000 && *path != crate::bundle::README;
            is_small || (offset - range.start) % 4_001 == 0
        })
    });
    let mut tried = 0;
    for offset in offsets.collect::<Vec<_>>() {
        let in_zeros = archive[offset] == 0 && offset % 7 != 0;
        if in_zeros {
            continue;
        }
        let mut changed = archive.clone();
        changed[offset] ^= 0x20;
        let error = verify(&changed, &keys).map(|_| ()).unwrap_err();
        tried += 1;
        match (
            &error,
            names.iter().find(|(_, range)| range.contains(&offset)),
        ) {
            (VerifyError::File { path, .. }, Some((expected, _))) => {
                // What the manifest says of a file and the file itself contradict one another.
                let lines = [ENTRIES, PROOFS];
                let either = path == expected
                    || *expected == MANIFEST
                    || lines.contains(&path.as_str()) && lines.contains(expected);
                assert!(either, "{offset} in {expected}: {error}");
            }
            (VerifyError::Line { path, .. }, Some((expected, _))) => {
                let both = [ENTRIES, PROOFS, CHECKPOINT, MANIFEST];
                assert!(
                    path == expected || both.contains(expected),
                    "{offset}: {error}"
                );
            }
            (VerifyError::Archive { offset: named, .. }, None) => {
                assert!(named.abs_diff(offset) < 512, "{offset}: {error}");
            }
            (_, found) => panic!("{offset} in {found:?}: {error}"),
        }
    }
    assert!(tried > 2_000, "{tried}");
}

/// The archive with file `path` changed.
fn with(archive: &[u8], path: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut change = Some(change);
    let files: Vec<(String, Vec<u8>)> = archive::read(archive)
        .unwrap()
        .into_iter()
        .map(|(name, bytes)| match change.take_if(|_| name == path) {
            Some(change) => (name.to_owned(), change(bytes.to_vec())),
            None => (name.to_owned(), bytes.to_vec()),
        })
        .collect();
    assert!(change.is_none(), "{path}");
    archive::write(
        files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice())),
    )
}

fn text(archive: &[u8], keys: &[VerifyingKey]) -> String {
    verify(archive, keys).unwrap_err().to_string()
}

#[test]
fn a_record_left_out_swapped_or_forged_is_named() {
    let (archive, keys) = bundle(false);
    let lines = |bytes: Vec<u8>| -> Vec<Vec<u8>> {
        bytes
            .split_inclusive(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    let fewer = with(&archive, ENTRIES, |bytes| lines(bytes)[1..].concat());
    assert!(text(&fewer, &keys).contains("number of lines"));
    let swapped = with(&archive, ENTRIES, |bytes| {
        let mut lines = lines(bytes);
        lines.swap(1, 2);
        lines.concat()
    });
    assert!(text(&swapped, &keys).starts_with("log/entries.jsonl, line 2: record"));
    let forged = with(&archive, ENTRIES, |bytes| {
        String::from_utf8(bytes)
            .unwrap()
            .replacen("\"denied\"", "\"failed\"", 1)
            .into_bytes()
    });
    assert!(
        text(&forged, &keys).contains("is not in the log"),
        "{}",
        text(&forged, &keys)
    );
    let twice = with(
        &with(&archive, ENTRIES, |bytes| {
            let mut lines = lines(bytes);
            lines.insert(1, lines[1].clone());
            lines.concat()
        }),
        PROOFS,
        |bytes| {
            let mut lines = lines(bytes);
            lines.insert(1, lines[1].clone());
            lines.concat()
        },
    );
    assert!(text(&twice, &keys).contains("twice"));
}

#[test]
fn a_file_that_was_exchanged_with_its_manifest_does_not_fit_the_record() {
    let (archive, keys) = bundle(false);
    let agreements = b"[]\n".to_vec();
    let new = sha256(&agreements);
    let changed = with(&archive, "agreements.json", |_| agreements);
    let changed = with(&changed, MANIFEST, |bytes| {
        let mut manifest: Manifest = serde_json::from_slice(&bytes).unwrap();
        let file = manifest
            .files
            .iter_mut()
            .find(|file| file.path == "agreements.json")
            .unwrap();
        (file.sha256, file.bytes) = (new, 3);
        let mut bytes = serde_json::to_vec_pretty(&manifest).unwrap();
        bytes.push(b'\n');
        bytes
    });
    assert_eq!(
        text(&changed, &keys),
        "manifest.json: was changed: its SHA-256 is not the one that was recorded"
    );
}

#[test]
fn another_log_is_not_believed() {
    let (archive, _) = bundle(false);
    let other = Log::other().verifying_key();
    assert!(text(&archive, &[other]).contains("log/checkpoint.txt"));
}

#[test]
fn another_record_is_no_seal() {
    let mut log = Log::new();
    consult(&mut log);
    let material = log.material(Scope::Consult("RM_one".to_owned()));
    let draft = Draft::new(&material);
    let seal = log.seal(&material, draft.sha256());
    // The record of a link in the place of that of the bundle.
    let first = &material.entries[1];
    let not_a_bundle = Seal {
        entry: first.bytes.clone(),
        index: first.index,
        ..seal
    };
    let keys = [log.verifying_key()];
    let error = text(&draft.seal(&not_a_bundle), &keys);
    assert!(error.contains("not that of a bundle"), "{error}");
}

#[test]
fn a_period_holds_what_happened_in_it() {
    let mut log = Log::new();
    consult(&mut log);
    let from = Timestamp::from_micros(Log::START_US);
    let until = Timestamp::from_micros(Log::START_US + 3_000_000);
    let material = log.material(Scope::Period { from, until });
    let draft = Draft::new(&material);
    let seal = log.seal(&material, draft.sha256());
    let report = verify(&draft.seal(&seal), &[log.verifying_key()]).unwrap();
    assert_eq!(report.entries, 3);
}

#[test]
fn garbage_is_refused() {
    assert!(verify(b"", &[]).is_err());
    assert!(
        verify(&[0; 1_024], &[])
            .unwrap_err()
            .to_string()
            .contains("manifest.json")
    );
    assert!(verify(b"PK\x03\x04 not a tar archive", &[]).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2_000)) {
        proptest::prop_assert!(verify(&bytes, &[]).is_err());
    }
}
