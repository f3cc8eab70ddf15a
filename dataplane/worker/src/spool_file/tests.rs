use super::*;
use bedside_protocol::{Event, PeerId, RoomId};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory with a socket's name in it, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bedside-spool-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    fn files(&self, boot: u64, key: u8) -> SpoolFiles {
        SpoolFiles::new(&self.socket(), BootId(boot), Secret::new([key; 32]))
    }

    fn socket(&self) -> PathBuf {
        self.0.join("dataplane.socket")
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn evidence(worker: u16, record: u64) -> EventFrame {
    EventFrame {
        worker: WorkerId(worker),
        sequence: record + 10,
        record: Some(record),
        at_us: 5,
        room: RoomId(77),
        event: Event::PeerDisconnected { peer: PeerId(4) },
    }
}

fn only(files: &mut SpoolFiles) -> (Spooled, Vec<EventFrame>) {
    let mut found = files.earlier_evidence();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

const BOOT: u64 = 0xb007;

/// A file of three records, and its bytes.
fn written(place: &Place) -> (PathBuf, Vec<u8>) {
    let mut files = place.files(BOOT, 1);
    files.append(&[evidence(0, 1), evidence(1, 1)]).unwrap();
    files.append(&[evidence(0, 2)]).unwrap();
    assert_eq!(files.own_evidence().len(), 3);
    let path = path_of(&place.socket(), BootId(BOOT));
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn the_next_boot_finds_it_and_removes_it_once_all_is_acknowledged() {
    let place = Place::new();
    let (path, bytes) = written(&place);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("peer_disconnected"), "it is encrypted");

    let mut files = place.files(2, 1);
    let (spooled, frames) = only(&mut files);
    let boot = BootId(BOOT);
    assert_eq!((spooled.boot, spooled.records), (boot, 3));
    assert_eq!(spooled.damage, None);
    assert_eq!(frames, [evidence(0, 1), evidence(1, 1), evidence(0, 2)]);
    files.acknowledge(boot, WorkerId(0), 1);
    files.acknowledge(boot, WorkerId(1), 1);
    assert!(path.exists());
    files.acknowledge(boot, WorkerId(0), 2);
    assert!(place.names().is_empty());
}

#[test]
fn this_boots_file_goes_when_it_is_acknowledged_and_begins_anew() {
    let place = Place::new();
    let mut files = place.files(BOOT, 1);
    files.append(&[evidence(0, 1)]).unwrap();
    files.acknowledge(BootId(BOOT), WorkerId(0), 1);
    assert!(place.names().is_empty());
    files.append(&[evidence(0, 2)]).unwrap();
    assert_eq!(files.own_evidence(), [evidence(0, 2)]);
    assert!(
        files.earlier_evidence().is_empty(),
        "its own is not earlier"
    );
    files.append(&[evidence(0, 3), evidence(1, 1)]).unwrap();
    files.acknowledge(BootId(BOOT), WorkerId(0), 2);
    assert_eq!(files.own_evidence(), [evidence(0, 3), evidence(1, 1)]);
}

#[test]
fn wherever_a_file_is_torn_what_is_whole_is_found() {
    let place = Place::new();
    let (path, bytes) = written(&place);
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let mut files = place.files(2, 1);
        let (spooled, frames) = only(&mut files);
        assert!(frames.len() < 3, "{length}");
        let all = [evidence(0, 1), evidence(1, 1), evidence(0, 2)];
        assert_eq!(frames, all[..frames.len()]);
        // An end between two records is no damage that shows.
        let whole = spooled.damage.is_none();
        assert!(whole || spooled.damage == Some(SpoolDamage::TornTail));
        if frames.is_empty() {
            assert!(!path.exists(), "nothing can be acknowledged");
        }
    }
}

#[test]
fn any_changed_byte_is_noticed() {
    let place = Place::new();
    let (path, bytes) = written(&place);
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 0x40;
        std::fs::write(&path, &changed).unwrap();
        let mut files = place.files(2, 1);
        let (spooled, frames) = only(&mut files);
        assert!(frames.len() < 3, "{index}");
        assert!(spooled.damage.is_some(), "{index}");
    }
}

#[test]
fn a_file_under_another_key_is_kept_aside() {
    let place = Place::new();
    written(&place);
    let mut files = place.files(2, 3);
    let (spooled, frames) = only(&mut files);
    assert_eq!(spooled.damage, Some(SpoolDamage::Unreadable));
    assert!(frames.is_empty());
    assert_eq!(place.names().len(), 1);
    assert!(place.names()[0].ends_with(".damaged"));
    assert!(files.earlier_evidence().is_empty(), "it is offered once");
}

#[test]
fn records_can_not_be_moved() {
    let place = Place::new();
    let (path, bytes) = written(&place);
    let header = 48;
    let length = u32::from_be_bytes(bytes[header..header + 4].try_into().unwrap());
    let first = header + 4 + length as usize;
    let mut moved = bytes[..header].to_vec();
    moved.extend_from_slice(&bytes[first..]);
    std::fs::write(&path, moved).unwrap();
    let (spooled, frames) = only(&mut place.files(2, 1));
    assert!(frames.is_empty());
    assert_eq!(spooled.damage, Some(SpoolDamage::Unreadable));
}

#[test]
fn a_full_file_takes_no_more_and_stays_whole() {
    let place = Place::new();
    let mut files = place.files(BOOT, 1);
    let many: Vec<EventFrame> = (1..=1_000).map(|record| evidence(0, record)).collect();
    let mut count = 0;
    loop {
        match files.append(&many) {
            Ok(()) => count += many.len(),
            Err(Unwritten::Full) => break,
            Err(Unwritten::Io(error)) => panic!("{error}"),
        }
    }
    assert!(count > 40_000, "{count}");
    assert_eq!(files.own_evidence().len(), count);
}

#[test]
fn a_disk_that_does_not_take_it_leaves_everything_as_it_was() {
    let place = Place::new();
    let mut files = SpoolFiles::new(
        &place.0.join("not-there/dataplane.socket"),
        BootId(BOOT),
        Secret::new([1; 32]),
    );
    let refused = files.append(&[evidence(0, 1)]);
    assert!(matches!(refused, Err(Unwritten::Io(_))));
    assert!(files.own_evidence().is_empty());
}

#[test]
fn there_are_only_so_many_files() {
    let place = Place::new();
    for boot in 0..SPOOL_FILES_MAX as u64 {
        place.files(boot, 1).append(&[evidence(0, 1)]).unwrap();
    }
    let refused = place.files(99, 1).append(&[evidence(0, 1)]);
    assert!(matches!(refused, Err(Unwritten::Full)));
}
