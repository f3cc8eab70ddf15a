//! A certificate for a trial on one machine: an authority of our own and a leaf that it signed,
//! kept in the data directory so that a browser has to be told only once.

use super::{Files, read_chain};
use crate::clock::since_epoch;
use crate::{Error, files};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Makes what is missing, near its end or lacks one of `addresses`, and says where it is.
///
/// The leaf is for `localhost`, the loopback addresses and `addresses`; wildcards are left out.
///
/// # Errors
/// [`Error::File`], [`Error::Certificate`].
pub(crate) fn ensure(
    data_directory: &Path,
    addresses: &[IpAddr],
) -> Result<(Files, PathBuf), Error> {
    let place = |name: &str| data_directory.join(name);
    let (authority_file, authority_key_file) =
        (place("development-ca.pem"), place("development-ca.key"));
    let leaf_files = Files {
        certificate: place("development-tls.pem"),
        key: place("development-tls.key"),
    };
    let now = now()?;
    let authority_is_good = authority_key_file.exists()
        && covers(&authority_file, now + AUTHORITY_RENEWAL, &BTreeSet::new());
    if !authority_is_good {
        make_authority(&authority_file, &authority_key_file, now)?;
    }
    let wanted: BTreeSet<IpAddr> = addresses
        .iter()
        .copied()
        .filter(|address| !address.is_unspecified())
        .chain([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
        .collect();
    let leaf_is_good = authority_is_good
        && leaf_files.key.exists()
        && covers(&leaf_files.certificate, now + LEAF_RENEWAL, &wanted);
    if !leaf_is_good {
        make_leaf(&authority_key_file, &leaf_files, &wanted, now)?;
    }
    Ok((leaf_files, authority_file))
}

fn make_authority(certificate: &Path, key: &Path, now: OffsetDateTime) -> Result<(), Error> {
    let key_pair = KeyPair::generate().map_err(|error| certificate_error(&error))?;
    let made = authority_params(now)
        .self_signed(&key_pair)
        .map_err(|error| certificate_error(&error))?;
    files::write_secret(key, &key_pair.serialize_pem())?;
    files::write_public(certificate, &made.pem())
}

fn make_leaf(
    authority_key: &Path,
    leaf: &Files,
    addresses: &BTreeSet<IpAddr>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let text = files::read_secret(authority_key)?;
    let authority_key =
        KeyPair::from_pem(text.expose()).map_err(|error| certificate_error(&error))?;
    let issuer = Issuer::new(authority_params(now), authority_key);
    let key_pair = KeyPair::generate().map_err(|error| certificate_error(&error))?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])
        .map_err(|error| certificate_error(&error))?;
    params
        .subject_alt_names
        .extend(addresses.iter().copied().map(SanType::IpAddress));
    params.distinguished_name = name("Bedside development server");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - CLOCK_DIFFERENCE;
    params.not_after = now + LEAF_LIFETIME;
    let made = params
        .signed_by(&key_pair, &issuer)
        .map_err(|error| certificate_error(&error))?;
    files::write_secret(&leaf.key, &key_pair.serialize_pem())?;
    files::write_public(&leaf.certificate, &made.pem())
}

/// The authority's name and key identifier do not depend on `now`, so that leaves can be signed
/// without reading its certificate back.
fn authority_params(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Bedside development authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - CLOCK_DIFFERENCE;
    params.not_after = now + AUTHORITY_LIFETIME;
    params
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Whether the certificate in `path` is good until `until` and names every one of `addresses`.
fn covers(path: &Path, until: OffsetDateTime, addresses: &BTreeSet<IpAddr>) -> bool {
    let Ok(chain) = read_chain(path) else {
        return false;
    };
    let Some(Ok((_, certificate))) = chain.first().map(|der| X509Certificate::from_der(der)) else {
        return false;
    };
    let named: BTreeSet<IpAddr> = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .into_iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(ip_address)
        .collect();
    certificate.validity().not_after.timestamp() > until.unix_timestamp()
        && addresses.is_subset(&named)
}

fn ip_address(name: &GeneralName<'_>) -> Option<IpAddr> {
    let GeneralName::IPAddress(bytes) = name else {
        return None;
    };
    if let Ok(v4) = <[u8; 4]>::try_from(*bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from)
}

/// A name or an address in a certificate, as people write it.
pub(super) fn plain_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => ip_address(name).map(|address| address.to_string()),
    }
}

fn now() -> Result<OffsetDateTime, Error> {
    i64::try_from(since_epoch().as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| Error::Certificate("the system's clock is out of range".to_owned()))
}

fn certificate_error(error: &rcgen::Error) -> Error {
    Error::Certificate(error.to_string())
}

/// Long enough for a trial; a browser that was told to trust it should not have to be told again.
const AUTHORITY_LIFETIME: Duration = Duration::days(825);
const AUTHORITY_RENEWAL: Duration = Duration::days(60);

/// Short enough for every browser's bound on leaves (398 days).
const LEAF_LIFETIME: Duration = Duration::days(90);
const LEAF_RENEWAL: Duration = Duration::days(30);

/// Other machines' clocks may be this far behind.
const CLOCK_DIFFERENCE: Duration = Duration::hours(24);

#[cfg(test)]
mod tests;
