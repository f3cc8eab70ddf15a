use super::*;
use std::io::Write as _;
use std::process::{Command, Stdio};

fn archive() -> Vec<u8> {
    write([
        ("a/one.txt", &b"hello"[..]),
        ("two", &[7; 512][..]),
        ("empty", b""),
    ])
}

#[test]
fn what_was_written_is_read() {
    let archive = archive();
    let files = read(&archive).unwrap();
    assert_eq!(
        files.iter().map(|(path, _)| *path).collect::<Vec<_>>(),
        ["a/one.txt", "two", "empty"]
    );
    assert_eq!(files[0].1, b"hello");
    assert_eq!(files[1].1, [7; 512]);
    assert_eq!(read(&write([])), Ok(vec![]));
}

#[test]
fn every_changed_byte_outside_the_files_is_named() {
    let archive = archive();
    let content = [(512, 517), (1_536, 2_048)];
    for offset in 0..archive.len() {
        if content
            .iter()
            .any(|&(from, to)| (from..to).contains(&offset))
        {
            continue;
        }
        let mut changed = archive.clone();
        changed[offset] ^= 1;
        let error = read(&changed).unwrap_err();
        assert!(!error.what.is_empty(), "{offset}");
    }
    for length in 0..archive.len() {
        assert!(read(&archive[..length]).is_err(), "{length}");
    }
    assert!(read(&[archive, vec![0]].concat()).is_err());
}

#[test]
fn tar_reads_it() {
    let mut tar = Command::new("tar")
        .args(["-tvf", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tar is on every host");
    tar.stdin.take().unwrap().write_all(&archive()).unwrap();
    let listed = tar.wait_with_output().unwrap();
    assert!(listed.status.success());
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.contains("a/one.txt"), "{listed}");
}
