use super::*;
use crate::{Entry, Tree};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn hashes(size: u64) -> Vec<Hash> {
    let (mut tree, mut hashes) = (Tree::new(), Vec::new());
    for index in 0..size {
        tree.append(Entry::leaf_hash(&index.to_be_bytes()), |hash| {
            hashes.push(hash)
        });
    }
    hashes
}

fn paths(old: u64, size: u64) -> Vec<String> {
    Tile::added(old, size)
        .unwrap()
        .map(|tile| tile.path())
        .collect()
}

#[test]
fn paths_of_the_specification() {
    let path = |number, width| {
        Tile {
            level: Some(0),
            number,
            width,
        }
        .path()
    };
    assert_eq!(path(1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(0, 256), "tile/0/000");
    assert_eq!(path(273, 112), "tile/0/273.p/112");
    // The tree of 70,000 entries of the specification.
    let tiles = paths(0, 70_000);
    assert_eq!(tiles.len(), 274 + 274 + 2 + 1);
    for path in [
        "tile/entries/273.p/112",
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ] {
        assert!(tiles.iter().any(|tile| tile == path), "{path}");
    }
    assert_eq!(paths(0, 0), Vec::<String>::new());
    assert_eq!(paths(300, 300), Vec::<String>::new());
    assert_eq!(
        paths(255, 257),
        [
            "tile/entries/000",
            "tile/entries/001.p/1",
            "tile/0/000",
            "tile/0/001.p/1",
            "tile/1/000.p/1",
        ]
    );
    assert!(Tile::added(2, 1).is_err());
    assert!(Tile::added(0, u64::MAX).is_err());
}

#[test]
fn upper_tiles_follow_from_lower_ones() {
    let hashes = hashes(600);
    let content: BTreeMap<String, Vec<u8>> = Tile::added(0, 600)
        .unwrap()
        .filter(|tile| tile.entries().is_none())
        .map(|tile| (tile.path(), tile.hashes(&hashes).unwrap()))
        .collect();
    let full = &content["tile/0/001"];
    let mut level: Vec<Hash> = full
        .chunks(32)
        .map(|hash| Hash(hash.try_into().unwrap()))
        .collect();
    assert_eq!(level.len(), 256);
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| tlog_tiles::node_hash(pair[0], pair[1]))
            .collect();
    }
    assert_eq!(content["tile/1/000.p/2"][32..], level[0].0);
}

proptest! {
    #[test]
    fn a_folder_that_grows_is_that_which_is_made_at_once(old in 0..700_u64, more in 0..700_u64) {
        let size = old + more;
        let mut grown: BTreeSet<_> = paths(0, old).into_iter().collect();
        grown.extend(paths(old, size));
        for path in paths(0, size) {
            prop_assert!(grown.contains(&path), "{}", path);
        }
    }

    #[test]
    fn entries_come_back(list in prop::collection::vec(any::<Vec<u8>>(), 0..20)) {
        let mut content = Vec::new();
        for entry in &list {
            push_entry(&mut content, entry).unwrap();
        }
        prop_assert_eq!(entries(&content).unwrap(), list);
    }

    #[test]
    fn never_panics(content: Vec<u8>) {
        if let Ok(list) = entries(&content) {
            let bytes: usize = list.iter().map(|entry| entry.len() + 2).sum();
            prop_assert_eq!(bytes, content.len());
        }
    }
}

#[test]
fn an_entry_that_is_too_large_is_refused() {
    let large = vec![0; ENTRY_BYTES_MAX + 1];
    let error = AuditError::EntryTooLarge {
        bytes: ENTRY_BYTES_MAX + 1,
    };
    assert_eq!(push_entry(&mut Vec::new(), &large), Err(error));
}
