use super::drops;

#[test]
fn drops_are_those_of_our_ports() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    assert_eq!(drops::in_kernel(&[address]), 0);
    socket2::SockRef::from(&socket)
        .set_recv_buffer_size(1)
        .unwrap();
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..200 {
        sender.send_to(&[0; 1_000], address).unwrap();
    }
    let dropped = drops::in_kernel(&[address]);
    assert!((100..200).contains(&dropped), "{dropped}");
    assert_eq!(drops::in_kernel(&[]), 0);
}
