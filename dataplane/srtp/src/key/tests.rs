use super::*;
use crate::vectors::{PROFILES, hex};

fn check(profile: Profile, key: &str, salt: &str, derived: &[(u8, &str)]) {
    let mut master = MasterKey {
        profile,
        key: [0; KEY_BYTES_MAX],
        salt: [0; SALT_BYTES_MAX],
    };
    master.key[..profile.key_bytes()].copy_from_slice(&hex(key));
    master.salt.copy_from_slice(&hex(salt));
    for (label, expected) in derived {
        let expected = hex(expected);
        let mut output = vec![0xFF; expected.len()];
        master.pseudo_random(*label, &mut output).unwrap();
        assert_eq!(output, expected, "label {label}");
    }
}

/// RFC 3711 appendix B.3.
#[test]
fn session_keys_from_a_128_bit_master_key() {
    check(
        Profile::AesCm128HmacSha1_80,
        "E1F97A0D3E018BE0D64FA32C06DE4139",
        "0EC675AD498AFEEBB6960B3AABE6",
        &[
            (0, "C61E7A93744F39EE10734AFE3FF7A087"),
            (2, "30CBBC08863D8C85D49DB34A9AE1"),
            (
                1,
                "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
                 E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
                 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2",
            ),
        ],
    );
}

/// RFC 6188 §7.2: the same function under a 256-bit master key.
#[test]
fn session_keys_from_a_256_bit_master_key() {
    check(
        Profile::AeadAes256Gcm,
        "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6",
        "3b04803de51ee7c96423ab5b78d2",
        &[
            (
                0,
                "5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4",
            ),
            (2, "fa31791685ca444a9e07c6c64e93"),
            (1, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"),
        ],
    );
}

#[test]
fn six_labels_give_six_keys() {
    let profile = Profile::AesCm128HmacSha1_80;
    let master = MasterKey::new(profile, &[7; 16], &[9; 14]).unwrap();
    let rtp = master.derive(profile, Packets::Rtp).unwrap();
    let rtcp = master.derive(profile, Packets::Rtcp).unwrap();
    assert_ne!(rtp.encryption(), rtcp.encryption());
    assert_ne!(rtp.authentication(), rtcp.authentication());
    assert_ne!(rtp.salt(), rtcp.salt());
}

#[test]
fn keying_material_is_client_key_server_key_client_salt_server_salt() {
    for profile in PROFILES {
        let (key_bytes, salt_bytes) = (profile.key_bytes(), profile.salt_bytes());
        let material: Vec<u8> = [
            (1, key_bytes),
            (2, key_bytes),
            (3, salt_bytes),
            (4, salt_bytes),
        ]
        .into_iter()
        .flat_map(|(octet, count)| std::iter::repeat_n(octet, count))
        .collect();
        assert_eq!(material.len(), profile.keying_material_bytes());
        let (client, server) = MasterKey::from_keying_material(profile, &material).unwrap();
        assert_eq!(client.key[..key_bytes], vec![1; key_bytes]);
        assert_eq!(client.salt[..salt_bytes], vec![3; salt_bytes]);
        assert_eq!(server.key[..key_bytes], vec![2; key_bytes]);
        assert_eq!(server.salt[..salt_bytes], vec![4; salt_bytes]);
    }
}

#[test]
fn every_other_length_is_refused() {
    for profile in PROFILES {
        let (key_bytes, salt_bytes) = (profile.key_bytes(), profile.salt_bytes());
        for (key, salt) in [
            (key_bytes - 1, salt_bytes),
            (key_bytes + 1, salt_bytes),
            (key_bytes, salt_bytes - 1),
            (key_bytes, salt_bytes + 1),
            (0, 0),
        ] {
            let refused = MasterKey::new(profile, &vec![0; key], &vec![0; salt]);
            assert_eq!(refused.err(), Some(Error::KeyMismatch));
        }
        for length in [
            0,
            profile.keying_material_bytes() - 1,
            profile.keying_material_bytes() + 1,
        ] {
            let refused = MasterKey::from_keying_material(profile, &vec![0; length]);
            assert_eq!(refused.err(), Some(Error::KeyMismatch));
        }
    }
}

#[test]
fn a_key_serves_its_own_profile_only() {
    let master = MasterKey::new(Profile::AeadAes256Gcm, &[0; 32], &[0; 12]).unwrap();
    let refused = master.derive(Profile::AeadAes128Gcm, Packets::Rtp);
    assert_eq!(refused.err(), Some(Error::KeyMismatch));
}
