//! What a certificate says about itself.

use crate::clock::since_epoch;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use serde::Serialize;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

/// What a certificate says about itself; nothing of it is secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Facts {
    /// SHA-256 of the leaf's DER, hexadecimal.
    pub(crate) fingerprint: String,
    /// Serial number, hexadecimal.
    pub(crate) serial: String,
    /// Names and addresses that it is for.
    pub(crate) names: Vec<String>,
    /// Unix seconds.
    pub(crate) not_before: i64,
    /// Unix seconds.
    pub(crate) not_after: i64,
    /// Whole days until its end, negative after it.
    pub(crate) days_left: i64,
    /// Kind and size of its key: `EC 256`, `RSA 2048`.
    pub(crate) key: String,
}

impl Facts {
    pub(super) fn of(key: &CertifiedKey) -> Option<Self> {
        let der = key.end_entity_cert().ok()?;
        let (_, leaf) = X509Certificate::from_der(der).ok()?;
        let now_s = i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX);
        let validity = leaf.validity();
        let not_after = validity.not_after.timestamp();
        let names = leaf.subject_alternative_name().ok().flatten();
        let names = names
            .into_iter()
            .flat_map(|extension| &extension.value.general_names);
        Some(Self {
            fingerprint: hexadecimal(digest(&SHA256, der).as_ref()),
            serial: hexadecimal(leaf.raw_serial()),
            names: names.filter_map(super::development::plain_name).collect(),
            not_before: validity.not_before.timestamp(),
            not_after,
            days_left: (not_after - now_s).div_euclid(86_400),
            key: key_kind(&leaf),
        })
    }
}

/// Why nobody should trust this certificate, if so (NIST SP 800-57 part 1, SP 800-131A).
pub(super) fn weakness(der: &CertificateDer<'_>) -> Option<String> {
    let Ok((_, leaf)) = X509Certificate::from_der(der) else {
        return Some("is no X.509 certificate".to_owned());
    };
    let signature = leaf.signature_algorithm.algorithm.to_id_string();
    if WEAK_SIGNATURES.contains(&signature.as_str()) {
        return Some("is signed with SHA-1 or MD5".to_owned());
    }
    match leaf.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < RSA_BITS_MIN => {
            Some(format!("has an RSA key of {} bits", key.key_size()))
        }
        _ => None,
    }
}

fn key_kind(leaf: &X509Certificate<'_>) -> String {
    match leaf.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
        _ => leaf.public_key().algorithm.algorithm.to_id_string(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RSA and ECDSA with SHA-1, RSA with MD5 (RFC 3279 §2.2).
const WEAK_SIGNATURES: [&str; 3] = [
    "1.2.840.113549.1.1.5",
    "1.2.840.10045.4.1",
    "1.2.840.113549.1.1.4",
];

const RSA_BITS_MIN: usize = 2_048;
