use super::*;
use Layer::{High, Low, Medium};

fn check(active: &[Layer], max: Layer, expected: Option<Layer>) {
    let mut layers = ActiveLayers::default();
    for layer in active {
        layers.set(*layer, true);
    }
    assert_eq!(
        select_layer(layers, max),
        expected,
        "{active:?} up to {max:?}"
    );
}

#[test]
fn the_highest_that_is_received_and_wanted() {
    check(&[Low, Medium, High], High, Some(High));
    check(&[Low, Medium, High], Medium, Some(Medium));
    check(&[Low, Medium, High], Low, Some(Low));
    check(&[Low, High], Medium, Some(Low));
    check(&[Low], High, Some(Low));
    check(&[High], Medium, None);
    check(&[], High, None);
}
