use super::*;

#[test]
fn a_slot_is_reused_and_its_old_handle_is_not() {
    let mut arena = Arena::default();
    let first = arena.insert('a');
    assert_eq!(arena.get(first), Some(&'a'));
    assert_eq!(arena.remove(first), Some('a'));
    let second = arena.insert('b');
    assert_ne!(first, second);
    assert_eq!(arena.get(first), None);
    assert_eq!(arena.get_mut(first), None);
    assert_eq!(arena.remove(first), None);
    assert_eq!(arena.get(second), Some(&'b'));
}
