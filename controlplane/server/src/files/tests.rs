use super::*;
use crate::testing::scratch;

#[test]
fn a_data_directory_is_private_or_refused() {
    let scratch = scratch();
    let path = scratch.path().join("a/b");
    data_directory(&path).expect("made");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    data_directory(&path).expect("still private");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).expect("ours");
    let words = data_directory(&path)
        .expect_err("open to the group")
        .to_string();
    assert!(words.contains("chmod 700"), "{words}");
}

#[test]
fn a_secret_is_written_for_its_owner_alone() {
    let scratch = scratch();
    let path = scratch.path().join("secret");
    write_secret(&path, "one").expect("written");
    write_secret(&path, "two").expect("replaced");
    assert_eq!(read_secret(&path).expect("read").expose(), "two");
    assert_eq!(
        fs::metadata(&path).expect("there").permissions().mode() & 0o777,
        0o600
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).expect("ours");
    let words = read_secret(&path).expect_err("world-readable").to_string();
    assert!(words.contains("chmod 600"), "{words}");
}
