use super::*;

#[test]
fn the_families_are_the_kernels() {
    assert_eq!(i32::from(IPV4_FAMILY), libc::AF_INET);
    assert_eq!(i32::from(IPV6_FAMILY), libc::AF_INET6);
    assert_eq!(size_of::<libc::sockaddr_in>(), IPV4_BYTES);
    assert_eq!(size_of::<libc::sockaddr_in6>(), ADDRESS_BYTES_MAX);
}

#[test]
fn addresses_survive_writing_and_reading() {
    for text in ["127.0.0.1:5000", "[2001:db8::7]:65535", "0.0.0.0:0"] {
        let address: SocketAddr = text.parse().unwrap();
        let mut bytes = [0xFF; ADDRESS_BYTES_MAX];
        let length = write(address, &mut bytes) as usize;
        assert_eq!(read(&bytes[..length]), Some(address));
    }
    let scoped: SocketAddr = SocketAddrV6::new("fe80::1".parse().unwrap(), 9, 0, 3).into();
    let mut bytes = [0; ADDRESS_BYTES_MAX];
    write(scoped, &mut bytes);
    assert_eq!(read(&bytes), Some(scoped));
}

#[test]
fn names_cut_short_or_of_other_families_are_refused() {
    let mut bytes = [0; ADDRESS_BYTES_MAX];
    let address: SocketAddr = "[::1]:1".parse().unwrap();
    write(address, &mut bytes);
    for length in 0..ADDRESS_BYTES_MAX {
        assert_eq!(read(&bytes[..length]), None, "{length} bytes");
    }
    assert_eq!(read(&[1, 0, 0, 0, 0, 0, 0, 0]), None);
}
