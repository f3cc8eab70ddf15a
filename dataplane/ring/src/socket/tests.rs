use super::*;

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn one_port_serves_all_addresses() {
    let wanted = addresses(&["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]);
    let sockets = bind_all(&wanted, 1 << 20, false).unwrap();
    let port = sockets[0].local.port();
    assert_ne!(port, 0);
    for (socket, wanted) in sockets.iter().zip(wanted) {
        assert_eq!(socket.local.ip(), wanted.ip());
        assert_eq!(socket.local.port(), port);
    }
}

#[test]
fn a_taken_port_is_an_error_that_names_the_address() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = bind_all(&[address], 1 << 20, false).err().unwrap();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert_eq!(error.blame(), crate::Blame::Operator);
}

#[test]
fn the_granted_buffer_sizes_are_reported() {
    let sockets = bind_all(&addresses(&["127.0.0.1:0"]), 100_000, false).unwrap();
    // The kernel doubles what is asked for, to account for its own structures (socket(7)).
    assert_eq!(sockets[0].buffers.receive_bytes, 200_000);
    assert_eq!(sockets[0].buffers.send_bytes, 200_000);
}

#[test]
fn datagrams_that_found_the_buffer_full_are_counted() {
    let sockets = bind_all(&addresses(&["127.0.0.1:0"]), 4_096, false).unwrap();
    assert_eq!(sockets[0].kernel_drops().unwrap(), 0);
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        sender.send_to(&[0; 1_000], sockets[0].local).unwrap();
    }
    assert!(sockets[0].kernel_drops().unwrap() > 50);
}
