use super::*;
use proptest::prelude::*;
use tlog_tiles::{record_hash, stored_hashes, tree_hash};

/// A tree of entries that are their own numbers, and its stored hashes.
fn grown(size: u64) -> (Tree, Vec<Hash>) {
    let (mut tree, mut stored) = (Tree::new(), Vec::new());
    for index in 0..size {
        assert_eq!(tree.stored_count(), stored.len() as u64);
        tree.append(record_hash(&index.to_be_bytes()), |hash| stored.push(hash));
    }
    (tree, stored)
}

#[test]
fn roots_of_the_standards_test_vectors() {
    // The leaves of the Certificate Transparency test vectors, and the roots published with them.
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = Tree::new();
    assert_eq!(tree.root(), EMPTY_HASH);
    for (leaf, root) in leaves.iter().zip(roots) {
        tree.append(record_hash(leaf), |_| {});
        let hex: String = tree
            .root()
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, root);
    }
}

#[test]
fn the_same_hashes_as_the_crate_that_reads_them_back() {
    let (mut tree, mut stored) = (Tree::new(), Vec::new());
    for index in 0..600_u64 {
        let data = index.to_be_bytes();
        let expected = stored_hashes(index, &data, &Reader::new(&stored)).unwrap();
        let first = stored.len();
        tree.append(record_hash(&data), |hash| stored.push(hash));
        assert_eq!(stored[first..], expected);
        assert_eq!(
            tree.root(),
            tree_hash(index + 1, &Reader::new(&stored)).unwrap()
        );
    }
}

#[test]
fn a_missing_hash_is_named() {
    let (_, mut stored) = grown(5);
    stored.pop();
    let error = Tree::restore(5, &stored).unwrap_err();
    assert_eq!(error, AuditError::HashMissing(7));
    assert!(Tree::restore(u64::MAX, &stored).is_err());
}

proptest! {
    #[test]
    fn a_restored_tree_goes_on_as_the_one_that_was_kept(size in 0..300_u64, more in 0..20_u64) {
        let (mut kept, stored) = grown(size);
        let mut restored = Tree::restore(size, &stored).unwrap();
        prop_assert_eq!(restored.root(), kept.root());
        for index in size..size + more {
            let leaf = record_hash(&index.to_be_bytes());
            kept.append(leaf, |_| {});
            restored.append(leaf, |_| {});
        }
        prop_assert_eq!(restored.root(), kept.root());
    }
}
