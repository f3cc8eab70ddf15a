use super::*;
use crate::rtcp::{Packet, packets};

fn statuses(compound: &[u8]) -> (u32, Vec<(u32, u16, Option<MarkedArrival>)>) {
    let packet = packets(compound).next().expect("one").expect("well formed");
    let Packet::CongestionFeedback(feedback) = packet else {
        panic!("feedback");
    };
    let mut found = Vec::new();
    feedback
        .for_each(|ssrc, sequence, arrival| found.push((ssrc, sequence.0, arrival)))
        .expect("complete");
    (feedback.report_time, found)
}

#[test]
fn two_streams_by_hand() {
    let mut compound = vec![0x8b, 205, 0, 9, 0, 0, 0, 1];
    compound.extend([0, 0, 0, 7, 0xff, 0xff, 0, 3]); // three packets from 65,535
    compound.extend([0x80, 0x0a, 0x00, 0x00, 0xff, 0xff, 0, 0]); // 10/1024 s, lost, CE, padding
    compound.extend([0, 0, 0, 8, 0, 5, 0, 1]); // one packet
    compound.extend([0x9f, 0xfe, 0, 0]); // too long ago
    compound.extend([0, 1, 0, 0]); // second 1
    let arrived = |before_report, congestion_marked| {
        Some(MarkedArrival {
            before_report,
            congestion_marked,
        })
    };
    assert_eq!(
        statuses(&compound),
        (
            65_536,
            vec![
                (7, 65_535, arrived(Some(10), false)),
                (7, 0, None),
                (7, 1, arrived(None, true)),
                (8, 5, arrived(None, false)),
            ]
        )
    );
}

#[test]
fn reports_that_are_cut_off_are_refused() {
    let feedback = CongestionFeedback {
        report_time: 0,
        streams: &[0, 0, 0, 7, 0, 0, 0, 3, 0x80, 0, 0x80, 0],
    };
    assert_eq!(feedback.for_each(|_, _, _| ()), None);
}

#[test]
fn any_feedback_is_read() {
    bolero::check!().for_each(|body: &[u8]| {
        if let Some(feedback) = CongestionFeedback::parse(body) {
            let mut count = 0;
            let complete = feedback.for_each(|_, _, _| count += 1);
            assert!(count <= body.len() / REPORT_BYTES);
            assert!(complete.is_some() || !body.is_empty());
        }
    });
}
