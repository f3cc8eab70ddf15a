use super::*;
use bedside_protocol::Policy;

fn config() -> DataplaneConfig {
    DataplaneConfig {
        workers: 2,
        listen: vec!["127.0.0.1".parse().unwrap()],
        port: 0,
        pin: false,
        policy: Policy::default(),
    }
}

fn frame(generation: u64, worker: u16, room: u64, command: Command) -> CommandFrame {
    CommandFrame {
        generation: Generation(generation),
        room: RoomId(room),
        worker: WorkerId(worker),
        command,
    }
}

fn held(router: &Router) -> Vec<(u16, u64)> {
    let parts = router.parts.iter();
    parts.map(|(worker, room)| (worker.0, room.0)).collect()
}

#[test]
fn commands_go_to_the_worker_that_they_name() {
    let mut router = Router::new();
    let ensure = |worker, room| frame(1, worker, room, Command::EnsureRoom);
    assert_eq!(router.route(&ensure(1, 10), 2), Some(1));
    assert_eq!(router.route(&ensure(0, 11), 2), Some(0));
    assert_eq!(router.route(&ensure(0, 10), 2), Some(0), "another part");
    assert_eq!(held(&router), [(0, 10), (0, 11), (1, 10)]);
    let remove = frame(1, 1, 10, Command::RemoveRoom);
    assert_eq!(router.route(&remove, 2), Some(1));
    assert_eq!(held(&router), [(0, 10), (0, 11)]);
}

#[test]
fn commands_for_unknown_workers_are_answered_by_the_first_worker() {
    let mut router = Router::new();
    let ensure = frame(1, 2, 10, Command::EnsureRoom);
    assert_eq!(router.route(&ensure, 2), Some(NOBODYS));
    assert!(held(&router).is_empty());
}

#[test]
fn commands_of_an_older_generation_change_nothing() {
    let mut router = Router {
        newest: Generation(5),
        ..Router::new()
    };
    router.route(&frame(5, 1, 10, Command::EnsureRoom), 2);
    assert_eq!(router.route(&frame(4, 1, 10, Command::RemoveRoom), 2), None);
    assert_eq!(held(&router), [(1, 10)]);
    assert_eq!(router.stale, 1);
}

#[test]
fn no_number_of_workers_means_one_a_processor() {
    let config = DataplaneConfig {
        workers: 0,
        ..config()
    };
    assert_eq!(check(&config, 7).unwrap(), 7);
    assert_eq!(check(&config, 10_000).unwrap(), WORKERS_MAX);
    assert!(!processors().is_empty());
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let cases = [
        (
            DataplaneConfig {
                workers: 257,
                ..config()
            },
            "256",
        ),
        (
            DataplaneConfig {
                listen: vec![],
                ..config()
            },
            "address",
        ),
        (
            DataplaneConfig {
                port: 65_535,
                ..config()
            },
            "65535",
        ),
    ];
    for (config, part) in cases {
        let error = check(&config, 2).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(
        check(
            &DataplaneConfig {
                port: 65_534,
                ..config()
            },
            2
        )
        .is_ok()
    );
}

#[test]
fn a_differing_setting_is_named() {
    assert_eq!(difference(&config(), &config()), None);
    let aead = Policy {
        aead_only: true,
        ..Policy::default()
    };
    let cases = [
        (
            DataplaneConfig {
                workers: 3,
                ..config()
            },
            "workers",
        ),
        (
            DataplaneConfig {
                listen: vec![],
                ..config()
            },
            "listen",
        ),
        (
            DataplaneConfig {
                port: 1,
                ..config()
            },
            "port",
        ),
        (
            DataplaneConfig {
                pin: true,
                ..config()
            },
            "pin",
        ),
        (
            DataplaneConfig {
                policy: aead,
                ..config()
            },
            "policy",
        ),
    ];
    for (wanted, setting) in cases {
        assert_eq!(difference(&config(), &wanted), Some(setting));
    }
}

#[test]
fn each_worker_has_a_port_of_its_own() {
    let config = DataplaneConfig {
        port: 7_000,
        ..config()
    };
    assert_eq!(
        ring_config(&config, Engine::IoUring, 1).addresses,
        ["127.0.0.1:7001".parse().unwrap()]
    );
    let config = DataplaneConfig { port: 0, ..config };
    assert_eq!(
        ring_config(&config, Engine::IoUring, 1).addresses,
        ["127.0.0.1:0".parse().unwrap()]
    );
}
