use super::*;

#[test]
fn the_batchs_memory_is_used_again() {
    let mut first = [1_u8, 2, 3];
    let address = "127.0.0.1:1".parse().unwrap();
    let path = Path {
        local: address,
        remote: address,
    };
    let mut datagrams: Vec<Datagram<'_>> = Vec::with_capacity(100);
    datagrams.push(Datagram {
        path,
        payload: &mut first,
    });
    let (memory, capacity) = (datagrams.as_ptr() as usize, datagrams.capacity());
    let again: Vec<Datagram<'static>> = emptied(datagrams);
    assert!(again.is_empty());
    assert_eq!(
        (again.as_ptr() as usize, again.capacity()),
        (memory, capacity)
    );
}

#[test]
fn timers_are_waited_for_in_grains_and_not_at_all_when_due() {
    let now = read_clock();
    assert_eq!(time_until(now, now), Duration::ZERO);
    assert_eq!(time_until(now, now + TIMER_GRAIN), Duration::ZERO);
    assert_eq!(time_until(now + TIMER_GRAIN / 10, now), TIMER_GRAIN);
    assert_eq!(time_until(now + TIMER_GRAIN * 7, now), TIMER_GRAIN * 7);
}
