//! Evidence is kept until it is acknowledged: across control planes, and across data planes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bedside_protocol::{
    BootId, Command, Event, EventFrame, FromDataplane, RoomId, Secret, SpoolDamage, TrackId,
    WorkerId,
};

use crate::dataplane::{Control, Dataplane, hello};

const WORKER: WorkerId = WorkerId(0);
const ROOM: RoomId = RoomId(7);

/// Has the data plane make evidence: a command about what there is not is refused.
fn provoke(control: &mut Control) {
    let track = TrackId(99);
    control.command(WORKER, ROOM, Command::RequestKeyFrame { track });
}

/// The next event, which is evidence.
fn evidence(control: &mut Control) -> EventFrame {
    let frame = control.unrecorded_event();
    assert!(matches!(frame.event, Event::Refused { .. }), "{frame:?}");
    frame
}

fn acknowledge(control: &mut Control, boot: BootId, record: u64) {
    control.acknowledge(boot, WORKER, record);
}

/// The files of evidence beside a socket.
fn files(socket: &Path) -> Vec<PathBuf> {
    let name = socket.file_name().unwrap().to_str().unwrap();
    let prefix = format!("{name}.spool.");
    let entries = std::fs::read_dir(socket.parent().unwrap()).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(&prefix)
        })
        .collect()
}

/// Waits until so many bytes stand in the only file, or until there is none.
#[expect(
    clippy::disallowed_methods,
    reason = "another process writes the file, at some time"
)]
fn wait_for_file(socket: &Path, done: impl Fn(Option<u64>) -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let found = files(socket);
        assert!(found.len() <= 1);
        // It may go while it is looked at.
        let bytes = found
            .first()
            .and_then(|path| std::fs::metadata(path).ok())
            .map(|file| file.len());
        if done(bytes) {
            return;
        }
        assert!(Instant::now() < patience, "{bytes:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn spooled(control: &mut Control) -> (BootId, EventFrame) {
    match control.next() {
        Some(FromDataplane::Spooled { boot, event }) => (boot, event),
        other => panic!("nothing of an earlier boot: {other:?}"),
    }
}

#[test]
fn what_is_not_acknowledged_comes_again_and_only_that() {
    let dataplane = Dataplane::start();
    let (mut control, welcome) = dataplane.control(1);
    assert_eq!(welcome.workers[0].acknowledged, 0);
    for record in 1..=3 {
        provoke(&mut control);
        assert_eq!(evidence(&mut control).record, Some(record));
    }
    acknowledge(&mut control, welcome.boot, 1);
    // Carried out in order: what follows from it shows that the one before has been.
    provoke(&mut control);
    evidence(&mut control);
    // Another one takes over while this one is still there: nothing goes to the disk.
    let (mut control, welcome) = dataplane.control(2);
    assert_eq!(welcome.workers[0].acknowledged, 1);
    for record in 2..=4 {
        assert_eq!(evidence(&mut control).record, Some(record));
    }
    acknowledge(&mut control, welcome.boot, 4);
    provoke(&mut control);
    assert_eq!(evidence(&mut control).record, Some(5));
}

#[test]
fn evidence_waits_on_disk_for_the_next_control_plane() {
    let dataplane = Dataplane::start();
    let (mut control, _) = dataplane.control(1);
    for _ in 0..3 {
        provoke(&mut control);
    }
    let first: Vec<_> = (0..3).map(|_| evidence(&mut control)).collect();
    drop(control);
    wait_for_file(dataplane.socket(), |bytes| bytes.is_some());
    let (mut control, welcome) = dataplane.control(2);
    assert!(welcome.spooled.is_empty(), "this boot's comes as events");
    let again: Vec<_> = (0..3).map(|_| evidence(&mut control)).collect();
    assert_eq!(again, first);
    acknowledge(&mut control, welcome.boot, 3);
    wait_for_file(dataplane.socket(), |bytes| bytes.is_none());
}

#[test]
fn the_next_boot_delivers_what_a_killed_one_had_written() {
    let dataplane = Dataplane::start();
    let (mut control, welcome) = dataplane.control(1);
    for _ in 0..2 {
        provoke(&mut control);
    }
    let before: Vec<_> = (0..2).map(|_| evidence(&mut control)).collect();
    drop(control);
    wait_for_file(dataplane.socket(), |bytes| {
        bytes.is_some_and(|bytes| bytes > 300)
    });
    let socket = dataplane.kill();
    let killed = welcome.boot;

    let dataplane = Dataplane::start_at(&socket);
    // Until it is acknowledged, every control plane is offered it.
    for generation in [2, 3] {
        let (mut control, welcome) = dataplane.control(generation);
        assert_ne!(welcome.boot, killed);
        assert_eq!(welcome.spooled.len(), 1);
        assert_eq!(
            (welcome.spooled[0].boot, welcome.spooled[0].records),
            (killed, 2)
        );
        assert_eq!(welcome.spooled[0].damage, None);
        for frame in &before {
            assert_eq!(spooled(&mut control), (killed, frame.clone()));
        }
        if generation == 3 {
            acknowledge(&mut control, killed, 2);
            wait_for_file(&socket, |bytes| bytes.is_none());
        }
    }
    let (_, welcome) = dataplane.control(4);
    assert!(welcome.spooled.is_empty());
}

#[test]
fn a_stopping_data_plane_leaves_nothing_behind_that_was_acknowledged() {
    for acknowledges in [true, false] {
        let dataplane = Dataplane::start();
        let socket = dataplane.socket().to_owned();
        let (mut control, welcome) = dataplane.control(1);
        provoke(&mut control);
        evidence(&mut control);
        if acknowledges {
            acknowledge(&mut control, welcome.boot, 1);
        }
        let (status, log) = dataplane.terminate();
        assert!(status.success(), "{log}");
        let left = files(&socket);
        assert_eq!(left.len(), usize::from(!acknowledges));
        left.iter()
            .for_each(|path| std::fs::remove_file(path).unwrap());
    }
}

#[test]
fn a_control_plane_with_another_key_is_told_what_it_cannot_have() {
    let dataplane = Dataplane::start();
    let (mut control, welcome) = dataplane.control(1);
    provoke(&mut control);
    evidence(&mut control);
    drop(control);
    wait_for_file(dataplane.socket(), |bytes| {
        bytes.is_some_and(|bytes| bytes > 100)
    });
    let socket = dataplane.kill();
    let dataplane = Dataplane::start_at(&socket);
    let mut control = dataplane.connect();
    let hello = bedside_protocol::Hello {
        spool_key: Secret::new([1; 32]),
        ..hello(2)
    };
    let next = control.greet(hello).unwrap();
    assert_eq!(next.spooled.len(), 1);
    assert_eq!(next.spooled[0].boot, welcome.boot);
    assert_eq!(next.spooled[0].records, 0);
    assert_eq!(next.spooled[0].damage, Some(SpoolDamage::Unreadable));
    // Kept for whoever has to find out why.
    let left = files(&socket);
    assert!(left[0].to_str().unwrap().ends_with(".damaged"));
    left.iter()
        .for_each(|path| std::fs::remove_file(path).unwrap());
}
