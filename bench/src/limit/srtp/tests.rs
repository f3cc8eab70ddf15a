use super::*;
use bedside_srtp::{MasterKey, Opener, Profile, Sealer};

fn packet(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

#[test]
fn what_bedside_seals_opens_here_and_the_other_way_round() {
    for (profile, key_bytes) in [(Profile::AeadAes128Gcm, 16), (Profile::AeadAes256Gcm, 32)] {
        let key: Vec<u8> = (0..key_bytes).collect();
        let salt: Vec<u8> = (100..112).collect();
        let master = MasterKey::new(profile, &key, &salt).unwrap();
        let cipher = Cipher::new(&Key {
            key: key.clone(),
            salt: salt.clone(),
        })
        .unwrap();
        let plain = packet(77, 9, b"frame");

        let mut sealed = vec![0; plain.len() + TAG_BYTES];
        sealed[..12].copy_from_slice(&plain[..12]);
        cipher.seal(&mut sealed, 12, &plain[12..], 77, 9);
        let mut opener = Opener::new(profile, &master).unwrap();
        opener.open_rtp(&mut sealed.clone(), 12, 77, 9).unwrap();

        let mut theirs = vec![0; sealed.len()];
        theirs[..12].copy_from_slice(&plain[..12]);
        let mut sealer = Sealer::new(profile, &master).unwrap();
        let sealed_bytes = sealer.seal_rtp_into(&mut theirs, 12, &plain[12..], 9, 77, 0);
        assert_eq!(sealed_bytes, Ok(sealed.len()));
        assert_eq!(theirs, sealed);

        assert!(cipher.open(12, &mut theirs, 77, 9));
        assert_eq!(theirs[..plain.len()], plain[..]);
        sealed[13] ^= 1;
        assert!(!cipher.open(12, &mut sealed, 77, 9));
    }
}

#[test]
fn an_index_follows_the_sequence_number_over_its_end() {
    assert_eq!(index(5, None), 5);
    assert_eq!(index(0, Some(0xFFFF)), 0x1_0000);
    assert_eq!(index(0xFFFF, Some(0x1_0000)), 0xFFFF);
    assert_eq!(index(0xFFFF, Some(2)), 0xFFFF);
    assert_eq!(index(7, Some(0x2_0005)), 0x2_0007);
}

#[test]
fn a_header_is_measured_with_its_extension() {
    let mut with_extension = vec![0x90, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xBE, 0xDE, 0, 1];
    with_extension.extend([0; 4 + TAG_BYTES]);
    assert_eq!(header_bytes(&with_extension), Some(20));
    assert_eq!(header_bytes(&with_extension[..30]), None);
    let mut rtcp = vec![0x80, 200];
    rtcp.extend([0; 40]);
    assert_eq!(header_bytes(&rtcp), None);
    assert_eq!(header_bytes(&[]), None);
}
