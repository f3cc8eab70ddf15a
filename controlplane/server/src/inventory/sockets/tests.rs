use super::*;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;

#[test]
fn what_the_kernel_lists_is_found() {
    let scratch = crate::testing::scratch();
    let tcp = TcpListener::bind("127.0.0.1:0").expect("free");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("free");
    let path = scratch.path().join("a.sock");
    let unix = UnixListener::bind(&path).expect("free");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
    let found = listeners(&[], Path::new("/nonexistent")).expect("there is a /proc");
    let mut wanted = vec![
        listener(
            "control plane",
            "tcp",
            tcp.local_addr().expect("bound").to_string(),
            None,
        ),
        listener(
            "control plane",
            "udp",
            udp.local_addr().expect("bound").to_string(),
            None,
        ),
        listener(
            "control plane",
            "unix",
            path.display().to_string(),
            Some("0600".to_owned()),
        ),
    ];
    if let Ok(six) = TcpListener::bind("[::1]:0") {
        let address = six.local_addr().expect("bound").to_string();
        let found = listeners(&[], Path::new("/nonexistent")).expect("there is a /proc");
        assert!(
            found.contains(&listener("control plane", "tcp", address, None)),
            "{found:?}"
        );
    }
    for wanted in wanted.drain(..) {
        assert!(found.contains(&wanted), "{wanted:?}: {found:?}");
    }
    drop((tcp, udp, unix));
}

#[test]
fn lines_of_another_form_are_passed_over() {
    for line in [
        "",
        "0:",
        "0: zz:1 0:0 0A",
        "  sl  local_address rem_address   st",
    ] {
        assert!(inet(line).is_none() && unix(line).is_none(), "{line}");
    }
    let line = "0: 0100007F:1EC8 00000000:0000 0A 0:0 00:0 0 0 0 4711 1";
    let socket = inet(line).expect("of the form");
    assert_eq!(
        (
            socket.address.to_string().as_str(),
            socket.state,
            socket.inode
        ),
        ("127.0.0.1:7880", 10, 4711)
    );
}
