use super::*;

fn receive(sources: &mut Sources, ssrc: u32, index: u64) -> Result<(), Error> {
    let source = sources.find(ssrc)?;
    sources.check_rtp(source, index)?;
    sources.accept_rtp(source, index);
    Ok(())
}

fn count(sources: usize) -> u32 {
    u32::try_from(sources).unwrap()
}

#[test]
fn each_source_counts_for_itself_and_rtcp_apart() {
    let mut sources = Sources::new();
    assert_eq!(receive(&mut sources, 0, 10), Ok(()));
    assert_eq!(receive(&mut sources, 1, 10), Ok(()));
    assert_eq!(receive(&mut sources, 0, 10), Err(Error::Replayed));
    let source = sources.find(0).unwrap();
    assert_eq!(sources.rtp_highest(source), Some(10));
    assert_eq!(sources.check_rtcp(source, 10), Ok(()));
    sources.accept_rtcp(source, 10);
    assert_eq!(sources.check_rtcp(source, 10), Err(Error::Replayed));
    assert_eq!(sources.rtp_highest(source), Some(10));
}

#[test]
fn a_source_known_from_rtcp_begins_its_rtp_anywhere() {
    let mut sources = Sources::new();
    let source = sources.find(3).unwrap();
    sources.accept_rtcp(source, 99);
    assert_eq!(sources.rtp_highest(sources.find(3).unwrap()), None);
    assert_eq!(receive(&mut sources, 3, 5), Ok(()));
    assert_eq!(receive(&mut sources, 3, 4), Ok(()));
}

#[test]
fn looking_a_source_up_does_not_make_it_known() {
    let sources = Sources::new();
    for ssrc in 0..1_000 {
        assert!(matches!(sources.find(ssrc), Ok(Source::New { .. })));
    }
}

#[test]
fn when_all_places_are_taken_the_known_go_on_and_the_new_are_refused() {
    let colliding = |ssrc: &u32| first_place_of(*ssrc, 2 * SOURCES_MAX) == 2 * SOURCES_MAX - 1;
    let spread: Vec<u32> = (0..).take(SOURCES_MAX + 1).collect();
    let colliding: Vec<u32> = (0..).filter(colliding).take(SOURCES_MAX + 1).collect();
    for ssrcs in [spread, colliding] {
        let mut sources = Sources::new();
        for index in 0..3 {
            for ssrc in &ssrcs[..SOURCES_MAX] {
                assert_eq!(receive(&mut sources, *ssrc, index), Ok(()));
                assert!(receive(&mut sources, *ssrc, index).is_err());
            }
            assert_eq!(
                receive(&mut sources, ssrcs[SOURCES_MAX], index),
                Err(Error::TooManySources)
            );
        }
    }
}

#[test]
fn the_windows_go_to_the_sources_heard_last() {
    let mut sources = Sources::new();
    let many = count(REPLAY_WINDOWS);
    assert_eq!(receive(&mut sources, 0, 10), Ok(()));
    for ssrc in 1..many {
        assert_eq!(receive(&mut sources, ssrc, 10), Ok(()));
    }
    // Every window is taken; source 0 is the one heard longest ago, and loses its own.
    assert_eq!(receive(&mut sources, many, 10), Ok(()));
    assert_eq!(
        receive(&mut sources, 0, 9),
        Err(Error::TooOld),
        "its record is closed"
    );
    assert_eq!(
        receive(&mut sources, 0, 10),
        Err(Error::TooOld),
        "no replay gets through"
    );
    assert_eq!(sources.rtp_highest(sources.find(0).unwrap()), Some(10));
    // It comes back, with a window that is closed below.
    assert_eq!(receive(&mut sources, 0, 13), Ok(()));
    assert_eq!(receive(&mut sources, 0, 12), Ok(()));
    assert_eq!(receive(&mut sources, 0, 10), Err(Error::Replayed));
    // Source 2 was not touched by any of it.
    assert_eq!(receive(&mut sources, 2, 9), Ok(()));
}
