use super::*;

/// The smaller form that all elements fit.
fn form_of(elements: &[(u8, &[u8])]) -> ExtensionForm {
    let fits = |(id, data): &(u8, &[u8])| ExtensionForm::OneByte.fits(*id, data);
    if elements.iter().all(fits) {
        ExtensionForm::OneByte
    } else {
        ExtensionForm::TwoByte
    }
}

/// The elements without a head.
fn written(elements: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, data) in elements {
        form_of(elements).write_element(&mut out, *id, data);
    }
    out
}

fn read(form: ExtensionForm, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    elements(Some(form.profile()), bytes)
        .map(|(id, data)| (id, data.to_vec()))
        .collect()
}

#[test]
fn small_elements_take_the_one_byte_form() {
    let out = written(&[(1, b"0"), (14, &[1, 2, 3])]);
    assert_eq!(out, [0x10, b'0', 0xe2, 1, 2, 3]);
    let found = read(ExtensionForm::OneByte, &out);
    assert_eq!(found, [(1, b"0".to_vec()), (14, vec![1, 2, 3])]);
}

#[test]
fn a_high_id_or_long_data_takes_the_two_byte_form() {
    let long = [7; 17];
    for elements in [
        &[(15_u8, &b"x"[..])][..],
        &[(1, &long[..]), (2, b"y")],
        &[(3, b"")],
    ] {
        assert_eq!(form_of(elements), ExtensionForm::TwoByte);
        let expected: Vec<_> = elements
            .iter()
            .map(|(id, data)| (*id, data.to_vec()))
            .collect();
        assert_eq!(read(ExtensionForm::TwoByte, &written(elements)), expected);
    }
}

#[test]
fn what_fits_neither_form_is_left_out() {
    let long = [0; 256];
    assert!(written(&[(0, b"x"), (1, &long)]).is_empty());
}

#[test]
fn id_15_ends_a_one_byte_extension() {
    let found: Vec<_> = elements(Some(0xbede), &[0x10, 9, 0xf0, 1, 0x20, 8]).collect();
    assert_eq!(found, [(1, &[9][..])]);
}

#[test]
fn an_element_that_runs_over_the_end_is_left_out() {
    let found: Vec<_> = elements(Some(0xbede), &[0x10, 9, 0, 0x23, 1, 2]).collect();
    assert_eq!(found, [(1, &[9][..])]);
}

#[test]
fn known_extensions_are_sorted_by_the_publishers_ids() {
    let ids = ExtensionIds {
        mid: Some(1),
        rid: Some(2),
        repaired_rid: Some(3),
        audio_level: Some(4),
        transport_cc: Some(5),
        dependency_descriptor: Some(6),
        ..ExtensionIds::default()
    };
    let descriptor = [5; 20];
    let out = written(&[
        (1, b"0"),
        (2, b"q"),
        (3, b"h"),
        (4, &[0x80 | 30]),
        (5, &[1, 2]),
        (6, &descriptor),
        (7, b"unknown"),
    ]);
    let received = ReceivedExtensions::parse(elements(Some(0x1000), &out), &ids);
    assert_eq!(received.mid, Mid::from_bytes(b"0"));
    assert_eq!(received.rid, Mid::from_bytes(b"q"));
    assert_eq!(received.repaired_rid, Mid::from_bytes(b"h"));
    assert_eq!(
        received.audio_level,
        Some(AudioLevel {
            voice: true,
            level: 30
        })
    );
    assert_eq!(received.transport_cc, Some(0x0102));
    assert_eq!(
        received.passed[PassedExtension::DependencyDescriptor as usize],
        Some(&descriptor[..])
    );
    assert_eq!(
        received.passed[PassedExtension::PlayoutDelay as usize],
        None
    );
}

#[test]
fn any_bytes_are_parsed_and_what_was_parsed_can_be_written() {
    bolero::check!()
        .with_type()
        .for_each(|(two_byte, bytes): &(bool, Vec<u8>)| {
            let profile = if *two_byte { 0x1000 } else { 0xbede };
            let found: Vec<_> = elements(Some(profile), bytes).collect();
            let again = read(form_of(&found), &written(&found));
            assert_eq!(again.len(), found.len());
            assert!(
                again
                    .iter()
                    .zip(&found)
                    .all(|(a, b)| a.0 == b.0 && a.1 == b.1)
            );
        });
}
