use super::*;

/// A receive buffer as the kernel fills it.
fn filled(source: &str, gro: Option<i32>, flags: u32, payload: &[u8]) -> Vec<u8> {
    let mut name = [0; address::ADDRESS_BYTES_MAX];
    let name_bytes = address::write(source.parse().unwrap(), &mut name);
    let mut control = Vec::new();
    if let Some(segment_bytes) = gro {
        control.extend_from_slice(&20_u64.to_ne_bytes());
        control.extend_from_slice(&17_i32.to_ne_bytes());
        control.extend_from_slice(&104_i32.to_ne_bytes());
        control.extend_from_slice(&segment_bytes.to_ne_bytes());
        control.extend_from_slice(&[0; 4]);
    }
    let mut buffer = Vec::new();
    buffer.extend_from_slice(&name_bytes.to_ne_bytes());
    buffer.extend_from_slice(&u32::try_from(control.len()).unwrap().to_ne_bytes());
    buffer.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_ne_bytes());
    buffer.extend_from_slice(&flags.to_ne_bytes());
    buffer.extend_from_slice(&name);
    buffer.resize(16 + NAME_BYTES, 0);
    buffer.extend_from_slice(&control);
    buffer.resize(RECEIVE_HEADER_BYTES, 0);
    buffer.extend_from_slice(payload);
    buffer
}

#[test]
fn a_single_datagram_is_its_own_segment() {
    let arrival = parse(&filled("192.0.2.1:4000", None, 0, &[7; 100])).unwrap();
    assert_eq!(arrival.source, "192.0.2.1:4000".parse().unwrap());
    assert_eq!((arrival.payload_bytes, arrival.segment_bytes), (100, 100));
    assert_eq!(arrival.datagram_count(), 1);
}

#[test]
fn a_train_says_how_long_its_datagrams_are() {
    let arrival = parse(&filled("[2001:db8::1]:4000", Some(40), 0, &[7; 100])).unwrap();
    assert_eq!((arrival.payload_bytes, arrival.segment_bytes), (100, 40));
    assert_eq!(arrival.datagram_count(), 3);
}

#[test]
fn an_empty_datagram_is_one_datagram() {
    let arrival = parse(&filled("192.0.2.1:1", None, 0, &[])).unwrap();
    assert_eq!(arrival.datagram_count(), 1);
}

#[test]
fn a_senseless_segment_length_means_no_train() {
    for bytes in [0, -1, 100, 101, i32::MAX] {
        let arrival = parse(&filled("192.0.2.1:1", Some(bytes), 0, &[7; 100])).unwrap();
        assert_eq!(arrival.segment_bytes, 100, "{bytes}");
    }
}

#[test]
fn what_the_kernel_cut_is_refused() {
    let cut = filled("192.0.2.1:1", None, TRUNCATED, &[7; 100]);
    assert_eq!(parse(&cut), Err(Unusable::Truncated));
    let mut short = filled("192.0.2.1:1", None, 0, &[7; 100]);
    short.truncate(short.len() - 1);
    assert_eq!(parse(&short), Err(Unusable::Truncated));
}

#[test]
fn a_buffer_without_a_header_or_source_is_refused() {
    let whole = filled("192.0.2.1:1", Some(40), 0, &[7; 100]);
    for bytes in 0..RECEIVE_HEADER_BYTES {
        assert_eq!(
            parse(&whole[..bytes]),
            Err(Unusable::Malformed),
            "{bytes} bytes"
        );
    }
    let mut nameless = whole;
    nameless[..4].fill(0);
    assert_eq!(parse(&nameless), Err(Unusable::Malformed));
    nameless[..4].fill(0xFF);
    assert_eq!(parse(&nameless), Err(Unusable::Malformed));
}

#[test]
fn the_numbers_are_the_kernels() {
    assert_eq!(
        (
            libc::SOL_UDP,
            libc::UDP_GRO,
            libc::MSG_TRUNC.cast_unsigned()
        ),
        (17, 104, TRUNCATED)
    );
}
