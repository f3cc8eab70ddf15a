use super::{Error, MasterKey, Profile, SALT_BYTES, Session, Stream, derive};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// Session keys as RFC 7714 §16 and §17 give them.
fn session(profile: Profile) -> Session {
    let key: Vec<u8> = (0..).take(profile.key_bytes()).collect();
    let salt: [u8; SALT_BYTES] = bytes("51756964 2070726f 2071756f").try_into().unwrap();
    Session {
        rtp: Stream::new(profile, &key, salt).unwrap(),
        rtcp: Stream::new(profile, &key, salt).unwrap(),
        rtcp_index: 0x5d3,
    }
}

const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
    69736120 696e2070 61727465 73207472 6573";

#[test]
fn rtp_is_sealed_as_rfc_7714_section_16_shows() {
    for (profile, sealed) in [
        (
            Profile::AeadAes128Gcm,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
             42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        ),
        (
            Profile::AeadAes256Gcm,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
             b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        ),
    ] {
        let session = session(profile);
        let plain = bytes(RTP);
        let mut packet = plain.clone();
        packet.extend([0; 16]);
        session
            .seal_rtp(12, 0x5501_a0b2, 0xf17b, &mut packet)
            .unwrap();
        assert_eq!(packet, bytes(sealed), "{profile:?}");
        let payload = session.open_rtp(12, 0x5501_a0b2, 0xf17b, &mut packet);
        assert_eq!(payload.unwrap(), &plain[12..]);
    }
}

#[test]
fn rtcp_is_sealed_as_rfc_7714_section_17_shows() {
    let plain = bytes(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
         deadbeef deadbeef deadbeef deadbeef deadbeef",
    );
    let sealed = bytes(
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
         730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    );
    let mut session = session(Profile::AeadAes128Gcm);
    let mut packet = plain.clone();
    packet.extend([0; 20]);
    session.seal_rtcp(&mut packet).unwrap();
    assert_eq!(packet, sealed);
    assert_eq!(session.open_rtcp(&mut packet).unwrap(), plain);
}

#[test]
fn keys_are_derived_as_rfc_3711_section_b_3_shows() {
    let master_key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = bytes("0EC675AD498AFEEBB6960B3AABE6").try_into().unwrap();
    let mut key = [0; 16];
    derive(&master_key, &salt, 0, &mut key).unwrap();
    assert_eq!(key[..], bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    let mut session_salt = [0; 14];
    derive(&master_key, &salt, 2, &mut session_salt).unwrap();
    assert_eq!(session_salt[..], bytes("30CBBC08863D8C85D49DB34A9AE1"));
}

#[test]
fn what_was_changed_is_not_authentic() {
    for profile in [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm] {
        let material: Vec<u8> = (0..).take(2 * (profile.key_bytes() + 12)).collect();
        let (client, server) = MasterKey::from_keying_material(profile, &material).unwrap();
        assert_eq!(client.key()[0], 0);
        assert_eq!(usize::from(server.key()[0]), profile.key_bytes());
        assert_eq!(usize::from(client.salt()[0]), 2 * profile.key_bytes());
        assert_eq!(usize::from(server.salt()[0]), 2 * profile.key_bytes() + 12);
        let mut session = Session::new(profile, &client).unwrap();
        let mut packet = bytes(RTP);
        packet.extend([0; 16]);
        session.seal_rtp(12, 1, 70_000, &mut packet).unwrap();
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 1;
            let opened = session.open_rtp(12, 1, 70_000, &mut changed);
            assert_eq!(opened.unwrap_err(), Error::NotAuthentic, "byte {at}");
        }
        for (ssrc, index) in [(2, 70_000), (1, 70_001), (1, 4_464)] {
            let mut copy = packet.clone();
            let opened = session.open_rtp(12, ssrc, index, &mut copy);
            assert_eq!(opened.unwrap_err(), Error::NotAuthentic);
        }
        assert!(session.open_rtp(12, 1, 70_000, &mut packet).is_ok());

        let mut report = bytes("80c90001 00000001");
        report.extend([0; 20]);
        session.seal_rtcp(&mut report).unwrap();
        for at in 0..report.len() {
            let mut changed = report.clone();
            changed[at] ^= 1;
            assert_eq!(session.open_rtcp(&mut changed), Err(Error::NotAuthentic));
        }
        assert_eq!(session.open_rtcp(&mut report).unwrap().len(), 8);
    }
}

#[test]
fn what_is_too_short_is_refused() {
    let profile = Profile::AeadAes128Gcm;
    let expected = Error::KeyLength {
        expected: 16,
        actual: 15,
    };
    assert_eq!(
        MasterKey::new(profile, &[0; 15], &[0; 12]).unwrap_err(),
        expected
    );
    assert!(MasterKey::new(profile, &[0; 16], &[0; 14]).is_err());
    assert!(MasterKey::from_keying_material(profile, &[0; 60]).is_err());
    let mut session = session(profile);
    for length in 0..28 {
        let mut packet = vec![0; length];
        assert!(session.seal_rtp(12, 1, 1, &mut packet).is_err());
        assert!(session.open_rtp(12, 1, 1, &mut packet).is_err());
        assert!(session.open_rtcp(&mut packet).is_err());
        if length < 28 {
            assert!(session.seal_rtcp(&mut packet).is_err());
        }
    }
}
