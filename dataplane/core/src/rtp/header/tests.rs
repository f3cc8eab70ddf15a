use super::*;

const PACKET: [u8; 28] = [
    0xb1, 0xe0, 0x12, 0x34, 0, 1, 2, 3, 0xde, 0xad, 0xbe, 0xef, // X, P, one CSRC, marker, 96
    9, 9, 9, 9, // the CSRC
    0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, // one-byte extension
    7, 0, 0, 3, // payload of one byte, three of padding
];

#[test]
fn every_field_is_read() {
    let header = Header::parse(&PACKET).expect("well formed");
    assert!(header.marker && header.padding);
    assert_eq!(header.payload_type, 96);
    assert_eq!(header.sequence, SequenceNumber(0x1234));
    assert_eq!(header.timestamp, Timestamp(0x0001_0203));
    assert_eq!(header.ssrc, 0xdead_beef);
    assert_eq!(header.bytes, 24);
    assert_eq!(header.extension_profile, Some(0xbede));
    assert_eq!(header.extension(&PACKET), [0x10, 0xaa, 0, 0]);
    assert_eq!(header.payload(&PACKET, PACKET.len()), Some(&[7][..]));
}

#[test]
fn padding_that_is_longer_than_the_payload_is_refused() {
    let mut packet = PACKET;
    packet[27] = 5;
    let header = Header::parse(&packet).expect("the header is well formed");
    assert_eq!(header.payload(&packet, packet.len()), None);
    packet[27] = 0;
    assert_eq!(header.payload(&packet, packet.len()), None);
}

#[test]
fn a_truncated_header_is_refused() {
    for length in 0..24 {
        assert_eq!(Header::parse(&PACKET[..length]), None, "{length} bytes");
    }
    assert!(Header::parse(&PACKET[..24]).is_some());
}

#[test]
fn what_is_written_is_read_back() {
    let fixed = FixedHeader {
        marker: true,
        payload_type: 111,
        sequence: SequenceNumber(65_535),
        timestamp: Timestamp(90_000),
        ssrc: 77,
    };
    let mut out = vec![9];
    begin_header(&mut out, &fixed, ExtensionForm::OneByte);
    ExtensionForm::OneByte.write_element(&mut out, 3, b"0");
    finish_header(&mut out, 1);
    out.remove(0);
    let header = Header::parse(&out).expect("we write what we read");
    assert_eq!(header.bytes, out.len());
    assert!(header.marker && !header.padding);
    assert_eq!(
        (
            header.payload_type,
            header.sequence,
            header.timestamp,
            header.ssrc
        ),
        (111, fixed.sequence, fixed.timestamp, 77)
    );
    assert_eq!(header.extension(&out), [0x30, b'0', 0, 0]);
    out.clear();
    begin_header(&mut out, &fixed, ExtensionForm::TwoByte);
    finish_header(&mut out, 0);
    assert_eq!((out.len(), out[0]), (HEADER_BYTES_MIN, 0x80));
}

#[test]
fn any_bytes_are_parsed_or_refused() {
    bolero::check!().for_each(|packet: &[u8]| {
        if let Some(header) = Header::parse(packet) {
            assert!(header.bytes <= packet.len());
            assert!(header.extension(packet).len() <= header.bytes);
            if let Some(payload) = header.payload(packet, packet.len()) {
                assert!(header.bytes + payload.len() <= packet.len());
            }
        }
    });
}
