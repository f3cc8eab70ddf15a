use super::*;

const AT: Time = Time(1_000);

#[test]
fn more_is_asked_for_at_once_and_less_after_five_seconds() {
    let mut dynacast = Dynacast::default();
    assert_eq!(dynacast.follow(AT, Some(Layer::Low)), None);
    assert_eq!(dynacast.deadline(), Some(Time(5_001_000)));
    assert_eq!(dynacast.follow(Time(5_000_999), Some(Layer::Low)), None);
    assert_eq!(
        dynacast.follow(Time(5_001_000), Some(Layer::Low)),
        Some(Some(Layer::Low))
    );
    assert_eq!(
        dynacast.follow(Time(5_001_001), Some(Layer::Medium)),
        Some(Some(Layer::Medium))
    );
    assert_eq!(dynacast.deadline(), None);
}

#[test]
fn wanting_as_much_again_stops_the_clock() {
    let mut dynacast = Dynacast::default();
    assert_eq!(dynacast.follow(AT, None), None);
    assert_eq!(dynacast.follow(AT, Some(Layer::High)), None);
    assert_eq!(dynacast.deadline(), None);
}

#[test]
fn nothing_wanted_turns_everything_off() {
    let mut dynacast = Dynacast::default();
    assert_eq!(dynacast.follow(AT, None), None);
    assert_eq!(dynacast.follow(AT.after_s(5), None), Some(None));
    assert_eq!(
        dynacast.follow(AT.after_s(6), Some(Layer::Low)),
        Some(Some(Layer::Low))
    );
}
