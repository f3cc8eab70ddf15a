use super::*;

#[test]
fn an_index_is_given_out_once() {
    let mut watch = NonceWatch::new();
    for index in [5, 7, 6, 0x1_0000] {
        assert_eq!(watch.claim(1, index), Ok(()));
    }
    for index in [5, 6, 7] {
        assert_eq!(
            watch.claim(1, index),
            Err(Error::SealTooLate),
            "behind the window"
        );
    }
    assert_eq!(watch.claim(1, 0x1_0000), Err(Error::IndexReused));
    assert_eq!(
        watch.claim(2, 5),
        Ok(()),
        "another source counts for itself"
    );
    assert_eq!(watch.claim(2, 5), Err(Error::IndexReused));
}

#[test]
fn what_comes_late_is_given_out_within_the_window() {
    let mut watch = NonceWatch::new();
    assert_eq!(watch.claim(0, 1_000), Ok(()));
    assert_eq!(watch.claim(0, 1_000 - SEAL_WINDOW_PACKETS + 1), Ok(()));
    assert_eq!(
        watch.claim(0, 1_000 - SEAL_WINDOW_PACKETS),
        Err(Error::SealTooLate)
    );
}

#[test]
fn sources_beyond_the_watched_ones_still_send() {
    let mut watch = NonceWatch::new();
    for index in 0..50 {
        for ssrc in 0..4 * u32::try_from(WATCHED_SOURCES).unwrap() {
            assert_eq!(watch.claim(ssrc, index), Ok(()), "source {ssrc}");
        }
    }
}

#[test]
fn sources_numbered_in_sequence_are_watched_together() {
    let mut watch = NonceWatch::new();
    let ssrcs = 0x1000..0x1000 + u32::try_from(WATCHED_SOURCES).unwrap() / 2;
    for ssrc in ssrcs.clone() {
        watch.claim(ssrc, 9).unwrap();
    }
    for ssrc in ssrcs {
        assert_eq!(
            watch.claim(ssrc, 9),
            Err(Error::IndexReused),
            "source {ssrc}"
        );
    }
}
