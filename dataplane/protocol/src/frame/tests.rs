use super::*;
use crate::{
    Command, CommandFrame, DataChannelKind, DataMessage, FromControl, Generation, PeerId, RoomId,
    WorkerId,
};

fn message(payload: Vec<u8>) -> FromControl {
    FromControl::Command(CommandFrame {
        generation: Generation(7),
        room: RoomId(1),
        worker: WorkerId(0),
        command: Command::SendData(DataMessage {
            peers: vec![PeerId(1), PeerId(u64::MAX)],
            channel: DataChannelKind::Lossy,
            payload,
        }),
    })
}

#[test]
fn frames_survive_any_split_of_the_stream() {
    let messages = [
        message(vec![]),
        message(vec![0, 255, 7]),
        message(vec![9; 1_000]),
    ];
    let mut stream = Vec::new();
    for message in &messages {
        encode(message, &mut stream).unwrap();
    }
    for size in [1, 2, 3, 5, 64, stream.len()] {
        let mut decoder = Decoder::new();
        let mut seen = Vec::new();
        for piece in stream.chunks(size) {
            decoder.extend(piece);
            while let Some(message) = decoder.next::<FromControl>().unwrap() {
                seen.push(message);
            }
        }
        assert_eq!(seen, messages);
    }
}

#[test]
fn a_frame_over_the_bound_is_refused_on_both_sides() {
    let mut out = vec![1, 2];
    let refused = encode(&message(vec![0; FRAME_BYTES_MAX]), &mut out);
    assert!(matches!(refused, Err(Error::TooLong { .. })));
    assert_eq!(out, [1, 2]);

    let mut decoder = Decoder::new();
    decoder.extend(&u32::MAX.to_be_bytes());
    assert!(matches!(
        decoder.next::<FromControl>(),
        Err(Error::TooLong { .. })
    ));
}

#[test]
fn garbage_is_an_error_that_repeats_nothing() {
    let mut decoder = Decoder::new();
    decoder.extend(&[0, 0, 0, 8]);
    decoder.extend(b"{\"a\":1}x");
    let error = decoder.next::<FromControl>().unwrap_err().to_string();
    assert!(error.contains("column") && !error.contains('a'.to_string().repeat(3).as_str()));
}

#[test]
fn no_stream_of_bytes_panics_or_is_kept_beyond_a_frame() {
    bolero::check!()
        .with_iterations(4_000)
        .with_type::<Vec<u8>>()
        .for_each(|bytes| {
            let mut decoder = Decoder::new();
            for piece in bytes.chunks(7) {
                decoder.extend(piece);
                while let Ok(Some(_)) = decoder.next::<FromControl>() {}
                assert!(decoder.buffer.len() <= PREFIX_BYTES + FRAME_BYTES_MAX + piece.len());
                if decoder.next::<FromControl>().is_err() {
                    return;
                }
            }
        });
}
