//! Tests of reading processes: on this one, whose threads do what they are told.

use super::*;
use std::os::unix::net::UnixListener;
use std::sync::mpsc;
use std::thread;

#[test]
fn run_time_is_counted_for_the_thread_that_ran() {
    let own = Process::own().unwrap();
    let (started_tx, started_rx) = mpsc::channel();
    let (go_tx, go_rx) = mpsc::channel::<()>();
    let (done_tx, done_rx) = mpsc::channel();
    let (end_tx, end_rx) = mpsc::channel::<()>();
    let worker = thread::Builder::new()
        .name("spinner".to_owned())
        .spawn(move || {
            started_tx.send(()).unwrap();
            go_rx.recv().unwrap();
            let mut value = 1_u64;
            for round in 0..20_000_000_u64 {
                value = std::hint::black_box(value.wrapping_mul(31) ^ round);
            }
            done_tx.send(value).unwrap();
            end_rx.recv().unwrap();
        });
    started_rx.recv().unwrap();
    let before = own.sample().unwrap();
    go_tx.send(()).unwrap();
    done_rx.recv().unwrap();
    let after = own.sample().unwrap();
    end_tx.send(()).unwrap();
    worker.unwrap().join().unwrap();

    let cost = Cost::between(&before, &after);
    let spun = cost.run_time_ns_by_thread["spinner"];
    assert!(spun > 1_000_000, "{cost:?}");
    assert!(cost.run_time_ns >= spun);
    assert!(cost.busiest_thread_ns >= spun);
    // It waited for `go` and again at the end.
    assert!(cost.voluntary_switches >= 1, "{cost:?}");
    assert!(cost.rss_bytes > 1 << 20);
    assert!(
        cost.pss_bytes.is_some_and(|pss| pss <= cost.rss_bytes),
        "{cost:?}"
    );
}

#[test]
fn a_process_is_found_by_the_socket_that_it_listens_on() {
    let folder = std::env::temp_dir().join(format!("bedside-kernel-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let socket = folder.join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let found = Process::listening_on(&socket).unwrap();
    drop(listener);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found.pid(), Process::own().unwrap().pid());
    assert!(matches!(
        Process::listening_on(&socket),
        Err(Error::Socket { .. })
    ));
}

#[test]
fn a_process_that_has_ended_is_gone() {
    let mut child = std::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let process = Process::of(i32::try_from(child.id()).unwrap()).unwrap();
    process.sample().unwrap();
    child.kill().unwrap();
    // Until it is waited for it is a zombie, which has ended too.
    while process.sample().is_ok() {
        thread::yield_now();
    }
    child.wait().unwrap();
    assert!(matches!(process.sample(), Err(Error::Gone { .. })));
}

#[test]
fn several_processes_add_up() {
    let own = || Process::own().unwrap();
    assert!(Sample::of_all(&[]).unwrap().is_none());
    let one = Sample::of_all(&[own()]).unwrap().unwrap();
    let two = Sample::of_all(&[own(), own()]).unwrap().unwrap();
    assert!(two.rss_bytes > one.rss_bytes);
}
