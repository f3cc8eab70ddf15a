//! The control socket: hello, refusals, takeover, spool, stopping.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use bedside_protocol::limits::{COMMANDS_WAITING_MAX, FRAME_BYTES_MAX};
use bedside_protocol::{
    BootId, Command, DataplaneConfig, Event, FromControl, Hello, PROTOCOL_VERSION, Policy, Refusal,
    RoomId, WorkerId,
};

use crate::dataplane::{Control, Dataplane, config, deny_io_uring, hello, process, socket_path};

/// Sends a command that is refused by an event, and returns the event's number.
fn refused(control: &mut Control) -> u64 {
    control.command(WorkerId(9), RoomId(999), Command::EnsureRoom);
    let event = control.event();
    assert!(matches!(event.event, Event::Refused { .. }), "{event:?}");
    assert_eq!((event.worker, event.room), (WorkerId(0), RoomId(999)));
    event.sequence
}

#[test]
fn a_hello_is_answered_with_what_runs() {
    let dataplane = Dataplane::start();
    let (_control, welcome) = dataplane.control(1);
    assert_eq!(welcome.version, PROTOCOL_VERSION);
    assert_ne!(welcome.boot, BootId(0));
    assert_ne!(welcome.fingerprint_sha256, [0; 32]);
    assert_eq!(welcome.engine, "io_uring");
    assert_eq!(welcome.workers.len(), 2);
    let mut ports = BTreeSet::new();
    for (index, worker) in welcome.workers.iter().enumerate() {
        assert_eq!(usize::from(worker.worker.0), index);
        assert_eq!((worker.sequence, worker.rooms.len()), (0, 0));
        let ips: Vec<_> = worker
            .addresses
            .iter()
            .map(|address| address.ip())
            .collect();
        assert_eq!(ips, config().listen);
        assert_eq!(worker.addresses[0].port(), worker.addresses[1].port());
        ports.insert(worker.addresses[0].port());
    }
    assert_eq!(ports.len(), 2);
    assert!(!ports.contains(&0));
}

#[test]
fn a_host_that_denies_io_uring_is_served_by_epoll_and_told_so() {
    let dataplane = Dataplane::start_without_io_uring();
    let (_control, welcome) = dataplane.control(1);
    assert_eq!(
        welcome.engine,
        "epoll (io_uring: denied by a seccomp filter)"
    );
    assert_eq!(welcome.workers.len(), 2);
}

#[test]
fn an_engine_that_was_asked_for_is_the_one_or_none() {
    let started = |engine: &str| {
        let mut process = process(&socket_path());
        process.args(["--engine", engine]);
        process
    };
    std::thread::spawn(move || {
        deny_io_uring();
        let output = started("io_uring").output().unwrap();
        assert!(!output.status.success());
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(
            log.contains("packets cannot be moved on this host"),
            "{log}"
        );
        assert!(log.contains("--security-opt"), "{log}");
    })
    .join()
    .unwrap();
    let mut check = started("epoll");
    let output = check.args(["--check", "--json"]).output().unwrap();
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["engine"], "epoll");
}

#[test]
fn the_socket_is_for_this_user_alone() {
    let dataplane = Dataplane::start();
    let mode = std::fs::metadata(dataplane.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn it_gives_up_core_dumps_and_privileges() {
    let dataplane = Dataplane::start();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let limits = dataplane.proc("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(words(core)[4..6], ["0", "0"]);
    let status = dataplane.proc("status");
    let privileges = status
        .lines()
        .find(|line| line.starts_with("NoNewPrivs"))
        .unwrap();
    assert_eq!(words(privileges), ["NoNewPrivs:", "1"]);
}

#[test]
fn another_version_is_refused_and_the_next_one_may_try() {
    let dataplane = Dataplane::start();
    let mut control = dataplane.connect();
    let refusal = control
        .greet(Hello {
            version: 99,
            ..hello(1)
        })
        .unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Version {
            ours: PROTOCOL_VERSION,
            theirs: 99
        }
    );
    assert_eq!(control.next(), None);
    dataplane.control(1);
}

#[test]
fn what_is_no_hello_is_refused() {
    let dataplane = Dataplane::start();
    let too_long = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes();
    for bytes in [&too_long[..], b"\0\0\0\x02{]", b"\0\0\0\x02{}"] {
        let mut control = dataplane.connect();
        control.send_bytes(bytes);
        let Some(bedside_protocol::FromDataplane::Refusal(refusal)) = control.next() else {
            panic!("not a refusal");
        };
        assert!(matches!(refusal, Refusal::Malformed { .. }), "{refusal}");
        assert_eq!(control.next(), None);
    }
}

#[test]
fn another_configuration_is_refused_and_who_is_in_charge_stays() {
    let dataplane = Dataplane::start();
    let (mut control, _) = dataplane.control(1);
    let aead = Policy {
        aead_only: true,
        ..Policy::default()
    };
    for (config, setting) in [
        (
            DataplaneConfig {
                workers: 1,
                ..config()
            },
            "workers",
        ),
        (
            DataplaneConfig {
                policy: aead,
                ..config()
            },
            "policy",
        ),
    ] {
        let refusal = dataplane
            .connect()
            .greet(Hello { config, ..hello(2) })
            .unwrap_err();
        assert_eq!(
            refusal,
            Refusal::Configuration {
                setting: setting.to_owned()
            }
        );
    }
    assert_eq!(refused(&mut control), 1);
}

#[test]
fn a_configuration_that_cannot_be_is_refused_and_another_may_follow() {
    let dataplane = Dataplane::start();
    // An address for documentation, which no host has (RFC 5737).
    let config = DataplaneConfig {
        listen: vec!["192.0.2.1".parse().unwrap()],
        ..config()
    };
    let refusal = dataplane
        .connect()
        .greet(Hello { config, ..hello(1) })
        .unwrap_err();
    let Refusal::Start { cause } = refusal else {
        panic!("{refusal}")
    };
    assert!(cause.contains("cannot listen on UDP 192.0.2.1"), "{cause}");
    dataplane.control(1);
}

#[test]
fn a_worker_that_cannot_start_takes_the_others_back() {
    let dataplane = Dataplane::start();
    // The second worker's port is taken.
    let (taken, port) = loop {
        let first = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX
            && let Ok(second) = std::net::UdpSocket::bind(("127.0.0.1", port + 1))
        {
            break (second, port);
        }
    };
    let config = DataplaneConfig { port, ..config() };
    let wanted = Hello { config, ..hello(1) };
    let refusal = dataplane.connect().greet(wanted.clone()).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Start { cause } if cause.contains("worker-1")),
        "{refusal}"
    );
    drop(taken);
    let welcome = dataplane.connect().greet(wanted).unwrap();
    let ports: Vec<u16> = welcome
        .workers
        .iter()
        .map(|worker| worker.addresses[0].port())
        .collect();
    assert_eq!(ports, [port, port + 1]);
}

#[test]
fn a_new_control_plane_takes_over() {
    let dataplane = Dataplane::start();
    let (mut first, before) = dataplane.control(1);
    first.command(WorkerId(1), RoomId(10), Command::EnsureRoom);
    first.command(WorkerId(0), RoomId(11), Command::EnsureRoom);
    assert_eq!(refused(&mut first), 1);

    let (mut second, after) = dataplane.control(2);
    assert_eq!(first.next(), None, "the first is closed");
    assert_eq!(
        (after.boot, after.fingerprint_sha256),
        (before.boot, before.fingerprint_sha256)
    );
    assert_eq!(after.workers[0].rooms, [RoomId(11)]);
    assert_eq!(after.workers[1].rooms, [RoomId(10)]);
    assert_eq!(after.workers[0].sequence, 1);
    assert_eq!(refused(&mut second), 2);

    let refusal = dataplane.connect().greet(hello(1)).unwrap_err();
    assert_eq!(refusal, Refusal::Superseded { newest: 2 });
    assert_eq!(refused(&mut second), 3);

    // The same control plane, after its connection broke.
    let (mut again, _) = dataplane.control(2);
    assert_eq!(second.next(), None);
    assert_eq!(refused(&mut again), 4);
}

#[test]
fn commands_of_an_older_generation_are_ignored() {
    let dataplane = Dataplane::start();
    let (mut control, _) = dataplane.control(5);
    control.command(WorkerId(1), RoomId(10), Command::EnsureRoom);
    control.generation = bedside_protocol::Generation(4);
    control.command(WorkerId(1), RoomId(10), Command::RemoveRoom);
    control.generation = bedside_protocol::Generation(5);
    assert_eq!(refused(&mut control), 1);
    let (_, welcome) = dataplane.control(5);
    assert_eq!(welcome.workers[1].rooms, [RoomId(10)]);
}

#[test]
fn a_broken_stream_is_closed_and_the_next_connection_is_served() {
    let dataplane = Dataplane::start();
    let too_long = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes();
    for bytes in [&too_long[..], b"\0\0\0\x04null"] {
        let (mut control, _) = dataplane.control(1);
        control.send_bytes(bytes);
        assert_eq!(control.next(), None);
    }
    let (mut control, _) = dataplane.control(1);
    control.send(&FromControl::Hello(hello(1)));
    assert_eq!(control.next(), None, "only the first frame is a hello");
    dataplane.control(1);
}

#[test]
fn events_wait_for_the_next_control_plane() {
    let dataplane = Dataplane::start();
    let (mut first, _) = dataplane.control(1);
    // More than both directions of a socket hold, fewer than the spool does.
    for _ in 0..4_000 {
        first.command(WorkerId(9), RoomId(999), Command::EnsureRoom);
    }
    for expected in 1..=10 {
        assert_eq!(first.event().sequence, expected);
    }
    drop(first);
    let (mut second, welcome) = dataplane.control(2);
    let delivered = welcome.workers[0].sequence;
    assert!((10..3_000).contains(&delivered), "{delivered}");
    // Refusals are evidence: all that was not acknowledged comes again.
    let acknowledged = welcome.workers[0].acknowledged;
    assert!(acknowledged <= 10, "{acknowledged}");
    second.command(WorkerId(9), RoomId(1_000), Command::EnsureRoom);
    for expected in acknowledged + 1.. {
        let event = second.event();
        assert_eq!(event.sequence, expected);
        if event.room == RoomId(1_000) {
            assert!(expected > 3_000, "{expected}");
            break;
        }
    }
}

#[test]
fn more_commands_than_a_queue_holds_are_all_carried_out() {
    const COMMANDS: u64 = 5 * COMMANDS_WAITING_MAX as u64;
    let dataplane = Dataplane::start();
    let (mut control, _) = dataplane.control(1);
    let mut sender = control.sender();
    let sending = std::thread::spawn(move || {
        for _ in 0..COMMANDS {
            sender.command(WorkerId(9), RoomId(999), Command::EnsureRoom);
        }
    });
    // Events may be dropped while the reader is behind; the numbers count all of them.
    let mut last = 0;
    while last < COMMANDS {
        let event = control.event();
        assert!(event.sequence > last);
        last = event.sequence;
    }
    sending.join().unwrap();
    assert_eq!(refused(&mut control), COMMANDS + 1);
}

#[test]
fn termination_is_clean_and_nothing_personal_is_logged() {
    let dataplane = Dataplane::start();
    let socket = dataplane.socket().to_owned();
    let (mut control, welcome) = dataplane.control(1);
    assert_eq!(refused(&mut control), 1);
    let (status, log) = dataplane.terminate();
    assert!(status.success(), "{log}");
    assert_eq!(control.next(), None);
    assert!(!socket.exists());
    assert!(log.contains("stopping"), "{log}");
    for worker in welcome.workers {
        for address in worker.addresses {
            assert!(!log.contains(&address.ip().to_string()), "{log}");
        }
    }
}

#[test]
fn a_data_plane_without_a_control_plane_can_be_stopped() {
    let (status, log) = Dataplane::start().terminate();
    assert!(status.success(), "{log}");
}

#[test]
fn a_socket_in_use_is_left_alone_and_a_dead_ones_file_is_replaced() {
    let path = socket_path();
    let dataplane = Dataplane::start_at(&path);
    let second = process(&path).output().unwrap();
    assert!(!second.status.success());
    let log = String::from_utf8(second.stderr).unwrap();
    assert!(log.contains("in use by a running data plane"), "{log}");
    dataplane.control(1);
    drop(dataplane);

    // As a killed process leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    Dataplane::start_at(&path).control(1);
}

#[test]
fn the_check_says_whether_this_host_can_run_it() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_bedside-dataplane"))
        .arg("--check")
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ok   io_uring set-up"), "{text}");
}
