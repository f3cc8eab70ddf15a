use super::{append, last};
use crate::testing::Directory;

#[test]
fn the_last_whole_checkpoint_of_this_log_counts() {
    let directory = Directory::new("mirror");
    let path = directory.path().join("checkpoints");
    assert_eq!(last(&path, "clinic.example/audit").unwrap(), None);
    let note = |size: u32| {
        format!("clinic.example/audit\n{size}\nAAAA\n\n\u{2014} clinic.example/audit AAAA\n")
    };
    append(&path, &note(1)).unwrap();
    append(&path, &note(2)).unwrap();
    append(&path, &note(9).replace("clinic", "other")).unwrap();
    assert_eq!(last(&path, "clinic.example/audit").unwrap(), Some(note(2)));
    // A crash in the middle of a line.
    append(
        &path,
        "clinic.example/audit\n3\nAAAA\n\n\u{2014} clinic.exa",
    )
    .unwrap();
    assert_eq!(last(&path, "clinic.example/audit").unwrap(), Some(note(2)));
    append(&path, &note(4)).unwrap();
    assert_eq!(last(&path, "clinic.example/audit").unwrap(), Some(note(4)));
}
