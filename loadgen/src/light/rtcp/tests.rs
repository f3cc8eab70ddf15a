use super::{Block, Request, read_requests, write_nack, write_pli, write_receiver_report};

fn requests(compound: &[u8]) -> Vec<Request> {
    let mut requests = Vec::new();
    read_requests(compound, |request| requests.push(request));
    requests
}

#[test]
fn a_receiver_report_is_laid_out_as_rfc_3550_says() {
    let block = Block {
        ssrc: 0x0102_0304,
        fraction_lost: 128,
        lost: 70_000,
        highest: 0x0001_0002,
        jitter: 99,
    };
    let mut compound = Vec::new();
    write_receiver_report(7, &[block, block], &mut compound);
    assert_eq!(compound.len(), 8 + 2 * 24);
    assert_eq!(compound[..8], [0x82, 201, 0, 13, 0, 0, 0, 7]);
    assert_eq!(compound[8..16], [1, 2, 3, 4, 128, 1, 0x11, 0x70]);
    assert_eq!(compound[16..24], [0, 1, 0, 2, 0, 0, 0, 99]);
}

#[test]
fn requests_are_found_behind_a_report() {
    let mut compound = Vec::new();
    write_receiver_report(7, &[], &mut compound);
    write_pli(7, 40, &mut compound);
    write_nack(7, 41, &[65_535, 65_536, 65_552, 65_600], &mut compound);
    // FIR for two streams (RFC 5104 §4.3.1).
    compound.extend([0x84, 206, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0]);
    compound.extend([0, 0, 0, 42, 1, 0, 0, 0, 0, 0, 0, 43, 1, 0, 0, 0]);
    let packets = |first, after| Request::Packets {
        ssrc: 41,
        first,
        after,
    };
    let key_frame = |ssrc| Request::KeyFrame { ssrc };
    assert_eq!(
        requests(&compound),
        [
            key_frame(40),
            packets(65_535, 1),
            packets(16, 0),
            packets(64, 0),
            key_frame(42),
            key_frame(43),
        ]
    );
    for length in 0..compound.len() {
        assert!(requests(&compound[..length]).len() <= 6);
    }
}

#[test]
fn a_request_names_no_more_packets_than_fit() {
    let missing: Vec<u64> = (0..1_000).map(|number| number * 20).collect();
    let mut compound = Vec::new();
    write_nack(7, 41, &missing, &mut compound);
    assert_eq!(requests(&compound).len(), super::NACK_WORDS_MAX);
    compound.clear();
    write_nack(7, 41, &[], &mut compound);
    assert!(compound.is_empty());
}
