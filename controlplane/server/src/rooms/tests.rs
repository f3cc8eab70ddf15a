use super::*;

const BOOT: BootId = BootId(7);
const WORKER: WorkerId = WorkerId(0);

#[test]
fn a_gap_is_noticed_and_what_came_before_is_known() {
    let mut numbers = Numbers::default();
    let mut take = |record| numbers.take(BOOT, WORKER, record);
    assert_eq!(take(5), Place::Next, "nothing is known of what was before");
    assert_eq!(take(6), Place::Next);
    assert_eq!(take(5), Place::Again);
    assert_eq!(take(9), Place::After { missing: 2 });
    assert_eq!(take(9), Place::Again);
    assert_eq!(numbers.take(BootId(8), WORKER, 1), Place::Next);
    assert_eq!(numbers.take(BOOT, WorkerId(1), 4), Place::Next);
}

#[test]
fn an_acknowledged_number_is_where_a_run_goes_on() {
    let mut numbers = Numbers::default();
    let welcome = Welcome {
        version: 3,
        boot: BOOT,
        fingerprint_sha256: [0; 32],
        engine: String::new(),
        workers: vec![bedside_protocol::WorkerInfo {
            worker: WORKER,
            addresses: Vec::new(),
            rooms: Vec::new(),
            sequence: 90,
            acknowledged: 3,
        }],
        spooled: Vec::new(),
    };
    numbers.connected(&welcome);
    assert_eq!(
        numbers.take(BOOT, WORKER, 6),
        Place::After { missing: 2 },
        "4 and 5 never came"
    );
}
