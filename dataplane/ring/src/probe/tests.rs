use super::*;

#[test]
fn this_host_can_run_a_ring() {
    let report = probe();
    assert!(report.is_usable(), "{report}");
    assert!(
        report
            .to_string()
            .contains("2 datagrams through one message"),
        "{report}"
    );
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
    };
    assert!(report.is_usable(), "settings only warn: setting up decides");
    let text = report.to_string();
    for part in [
        "warn kernel",
        "sysctl -w",
        "warn locked memory: 65536",
        "ulimit -l",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
