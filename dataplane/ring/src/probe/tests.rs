use std::collections::BTreeMap;
use std::thread;

use seccompiler::{SeccompAction, SeccompFilter, TargetArch};

use super::*;

#[test]
fn this_host_can_run_a_ring_with_each_engine() {
    for (wanted, engine) in [
        (None, Engine::IoUring),
        (Some(Engine::IoUring), Engine::IoUring),
        (Some(Engine::Epoll), Engine::Epoll),
    ] {
        let report = probe(wanted);
        let obstacle = None;
        assert_eq!(report.choice, Some(Choice { engine, obstacle }), "{report}");
        let text = report.to_string();
        assert!(text.contains("3 datagrams came back"), "{text}");
        assert!(text.ends_with(&format!("engine {engine}\n")), "{text}");
    }
}

/// Runs `test` on a thread that may not set up an io_uring, as in a container.
fn denied(errno: i32, test: fn()) {
    let denied = thread::spawn(move || {
        let rules = BTreeMap::from([(libc::SYS_io_uring_setup, Vec::new())]);
        let action = SeccompAction::Errno(errno.cast_unsigned());
        let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
        let program: seccompiler::BpfProgram = filter.try_into().unwrap();
        seccompiler::apply_filter(&program).unwrap();
        test();
    });
    denied.join().unwrap();
}

#[test]
fn a_host_that_denies_io_uring_gets_epoll_and_is_told_why() {
    denied(libc::EPERM, || {
        let report = probe(None);
        let choice = report.choice.unwrap();
        assert_eq!(choice.engine, Engine::Epoll);
        assert_eq!(choice.obstacle, Some(Obstacle::Seccomp));
        let text = report.to_string();
        for part in [
            "warn io_uring set-up",
            "--security-opt",
            "Until then epoll is used",
            "ok   UDP with UDP_SEGMENT and UDP_GRO over epoll",
            "engine epoll (io_uring: denied by a seccomp filter)\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    });
}

#[test]
fn io_uring_asked_for_and_denied_is_a_failure() {
    denied(libc::EPERM, || {
        let report = probe(Some(Engine::IoUring));
        assert!(!report.is_usable());
        let text = report.to_string();
        assert!(text.contains("FAIL io_uring set-up"), "{text}");
        assert!(text.ends_with("engine none\n"), "{text}");
        let config = Config::new(vec![(std::net::Ipv4Addr::LOCALHOST, 0).into()]);
        let error = Ring::new(&config).err().unwrap();
        assert!(matches!(error, RingError::Unavailable { .. }), "{error}");
        assert_eq!(error.blame(), crate::Blame::Operator);
    });
}

#[test]
fn an_old_kernel_and_a_sysctl_are_reported_with_what_to_type() {
    let host = Host {
        kernel: "5.15.0".to_owned(),
        io_uring_disabled: Some(2),
        seccomp_filtered: Some(true),
        locked_memory_bytes_max: Some(65_536),
    };
    let report = Report {
        kernel: host.kernel.clone(),
        checks: settings(&host),
        choice: Some(Choice {
            engine: Engine::Epoll,
            obstacle: Some(Obstacle::Sysctl { value: 2 }),
        }),
    };
    let text = report.to_string();
    for part in [
        "warn kernel",
        "sysctl -w",
        "warn locked memory: 65536",
        "ulimit -l",
        "engine epoll (io_uring: disabled by sysctl kernel.io_uring_disabled)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
