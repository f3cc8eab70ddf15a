use super::*;

fn host(kernel: &str, io_uring_disabled: Option<u8>, seccomp_filtered: bool) -> Host {
    Host {
        kernel: kernel.to_owned(),
        io_uring_disabled,
        seccomp_filtered: Some(seccomp_filtered),
        locked_memory_bytes_max: Some(8 << 20),
    }
}

#[test]
fn the_cause_follows_from_the_error_and_the_host() {
    let recent = host("6.18.4-1-amd64", Some(0), false);
    assert_eq!(recent.explain(libc::EPERM), Obstacle::Seccomp);
    assert_eq!(recent.explain(libc::ENOMEM), Obstacle::LockedMemory);
    assert_eq!(recent.explain(libc::EFAULT), Obstacle::Unexplained);
    assert_eq!(recent.explain_missing(), Obstacle::Unexplained);

    let disabled = host("6.6.0", Some(2), true);
    assert_eq!(disabled.explain(libc::EPERM), Obstacle::Sysctl { value: 2 });

    let contained = host("6.6.0", None, true);
    assert_eq!(contained.explain(libc::ENOSYS), Obstacle::Seccomp);

    let old = host("5.4.0-200-generic", None, false);
    assert_eq!(old.explain(libc::EINVAL), Obstacle::OldKernel);
    assert_eq!(old.explain(libc::ENOSYS), Obstacle::OldKernel);
    assert_eq!(old.explain_missing(), Obstacle::OldKernel);
}

#[test]
fn six_one_is_the_first_recent_kernel() {
    for (release, recent) in [
        ("6.1.0", true),
        ("6.1-rc3", true),
        ("6.0.19", false),
        ("5.19.0", false),
        ("10.0.0", true),
        ("", false),
        ("custom", false),
    ] {
        assert_eq!(host(release, None, false).is_recent(), recent, "{release}");
    }
}

#[test]
fn each_obstacle_says_what_to_type() {
    assert!(
        Obstacle::Sysctl { value: 2 }
            .to_string()
            .contains("sysctl -w")
    );
    assert!(Obstacle::Seccomp.to_string().contains("--security-opt"));
    assert!(Obstacle::LockedMemory.to_string().contains("ulimit -l"));
    assert!(Obstacle::OldKernel.to_string().contains("uname -r"));
}

#[test]
fn the_seccomp_mode_is_read_from_the_status_file() {
    assert_eq!(
        seccomp_filtered("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"),
        Some(true)
    );
    assert_eq!(seccomp_filtered("Seccomp:\t0\n"), Some(false));
    assert_eq!(seccomp_filtered("Name:\tx\n"), None);
}

#[test]
fn the_running_host_can_be_read() {
    let host = Host::read();
    assert!(!host.kernel.is_empty());
    assert!(host.seccomp_filtered.is_some());
}
