use super::*;

#[test]
fn public_addresses_keep_the_ports() {
    let parse = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let local = [
        parse("10.0.0.1:7882"),
        parse("[::1]:7882"),
        parse("10.0.0.1:7883"),
    ];
    assert_eq!(announced(&local, &[]), local);
    let public = ["192.0.2.1".parse().expect("an address")];
    assert_eq!(
        announced(&local, &public),
        [parse("192.0.2.1:7882"), parse("192.0.2.1:7883")]
    );
}
