use super::*;
use crate::testing::scratch;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("there")
}

#[test]
fn what_is_good_is_kept() {
    let scratch = scratch();
    let (files, authority) = ensure(scratch.path(), &[]).expect("made");
    let before = (read(&files.certificate), read(&files.key), read(&authority));
    ensure(scratch.path(), &[Ipv4Addr::LOCALHOST.into()]).expect("kept");
    assert_eq!(
        before,
        (read(&files.certificate), read(&files.key), read(&authority))
    );
    for key in [files.key, scratch.path().join("development-ca.key")] {
        let mode = fs::metadata(&key).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", key.display());
    }
}

#[test]
fn another_address_makes_another_leaf_of_the_same_authority() {
    let scratch = scratch();
    let (files, authority) = ensure(scratch.path(), &[]).expect("made");
    let before = (read(&files.certificate), read(&authority));
    let address: IpAddr = "192.0.2.4".parse().expect("an address");
    ensure(
        scratch.path(),
        &[address, "0.0.0.0".parse().expect("a wildcard")],
    )
    .expect("made");
    assert_ne!(before.0, read(&files.certificate));
    assert_eq!(before.1, read(&authority));
    let far = now().expect("a clock") + Duration::days(1);
    assert!(covers(&files.certificate, far, &BTreeSet::from([address])));
    let wildcard: IpAddr = "0.0.0.0".parse().expect("an address");
    assert!(!covers(
        &files.certificate,
        far,
        &BTreeSet::from([wildcard])
    ));
}

#[test]
fn a_leaf_near_its_end_is_renewed() {
    let scratch = scratch();
    let (files, _) = ensure(scratch.path(), &[]).expect("made");
    let end = now().expect("a clock") + LEAF_LIFETIME;
    assert!(covers(
        &files.certificate,
        end - Duration::minutes(5),
        &BTreeSet::new()
    ));
    assert!(!covers(
        &files.certificate,
        end + Duration::minutes(5),
        &BTreeSet::new()
    ));
    // Made as if it were old.
    let old = now().expect("a clock") - LEAF_LIFETIME + Duration::days(29);
    let addresses = BTreeSet::from([
        IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::from(Ipv6Addr::LOCALHOST),
    ]);
    make_leaf(
        &scratch.path().join("development-ca.key"),
        &files,
        &addresses,
        old,
    )
    .expect("made");
    let before = read(&files.certificate);
    ensure(scratch.path(), &[]).expect("renewed");
    assert_ne!(before, read(&files.certificate));
}

#[test]
fn the_leaf_is_no_authority_and_the_authority_is() {
    let scratch = scratch();
    let (files, authority) = ensure(scratch.path(), &[]).expect("made");
    let is_ca = |path: &Path| {
        let chain = read_chain(path).expect("PEM");
        let der = chain.first().expect("one");
        let (_, certificate) = X509Certificate::from_der(der).expect("DER");
        certificate.is_ca()
    };
    assert!(is_ca(&authority) && !is_ca(&files.certificate));
}
