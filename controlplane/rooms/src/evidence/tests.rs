use super::*;

#[test]
fn a_description_is_the_same_however_its_lines_end() {
    let same = ["v=0\r\na=x\r\n", "v=0\na=x", "v=0 \r\n\r\na=x\r\n"];
    for sdp in same {
        assert_eq!(sdp_sha256(sdp), sdp_sha256(same[0]));
    }
    assert_ne!(sdp_sha256(same[0]), sdp_sha256("v=0\r\na=y\r\n"));
    // sha256sum of "v=0\r\n".
    let hash = hexadecimal(&sdp_sha256("v=0"));
    assert_eq!(hash.len(), 64);
}
