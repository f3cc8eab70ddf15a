use super::*;

fn refused(address: [u8; 4], at_us: u64) -> Event {
    let mut event = Event::new(
        at_us,
        Action::TokenRefused,
        Actor::unknown(Some(address.into())),
    );
    event.outcome = Outcome::Denied;
    event.reason = Some("invalid");
    event
}

fn count(event: &Event) -> u64 {
    match event.facts.get("count") {
        Some(Fact::Number(count)) => *count,
        other => panic!("no count: {other:?}"),
    }
}

#[test]
fn every_refusal_is_recorded_or_counted() {
    let strangers = Strangers::default();
    let tries = 10 * u64::from(STRANGER_RECORDS_PER_MINUTE);
    // Neighbours in one network, and somebody elsewhere.
    let recorded = (0..tries)
        .filter(|at_us| strangers.has_record(&refused([203, 0, 113, (at_us % 200) as u8], *at_us)))
        .count();
    assert_eq!(recorded as u64, u64::from(STRANGER_RECORDS_PER_MINUTE));
    assert!(strangers.has_record(&refused([198, 51, 100, 1], tries)));

    let summaries = strangers.take();
    assert_eq!(summaries.len(), 1);
    let summary = &summaries[0];
    assert_eq!(
        count(summary),
        tries - u64::from(STRANGER_RECORDS_PER_MINUTE)
    );
    assert_eq!(summary.actor.address, Some([203, 0, 113, 0].into()));
    assert_eq!(
        (summary.action, summary.outcome, summary.reason),
        (Action::TokenRefused, Outcome::Denied, Some("invalid"))
    );
    assert_eq!(
        (summary.facts.get("first_us"), summary.facts.get("last_us")),
        (
            Some(&Fact::Number(u64::from(STRANGER_RECORDS_PER_MINUTE))),
            Some(&Fact::Number(tries - 1))
        )
    );
    // The next minute begins.
    assert!(strangers.has_record(&refused([203, 0, 113, 1], tries)));
    assert!(strangers.take().is_empty());
}

#[test]
fn networks_beyond_the_bound_are_counted_together() {
    let strangers = Strangers::default();
    let networks = 2 * STRANGERS_MAX;
    let recorded = (0..networks)
        .filter(|network| {
            let [.., b, c] = network.to_be_bytes();
            strangers.has_record(&refused([10, b, c, 1], 0))
        })
        .count();
    assert_eq!(
        recorded,
        STRANGERS_MAX + STRANGER_RECORDS_PER_MINUTE as usize
    );
    assert_eq!(strangers.lock().len(), STRANGERS_MAX + 1);
    let summaries = strangers.take();
    assert_eq!(summaries.len(), 1);
    assert_eq!(summaries[0].actor.address, None);
    assert_eq!(count(&summaries[0]), (networks - recorded) as u64);
}

#[test]
fn an_address_has_the_network_of_its_entry() {
    for (address, wanted) in [
        ("203.0.113.9", "203.0.113.0"),
        ("::ffff:203.0.113.9", "203.0.113.0"),
        ("2001:db8:1:2::3", "2001:db8:1::"),
    ] {
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!(network(address).to_string(), wanted);
    }
}
