use super::bits::{Bits, Writer};
use super::*;

/// Writes descriptors as the specification's syntax tables (A.8.2) have them.
struct Builder {
    bytes: [u8; DESCRIPTOR_BYTES_MAX],
    fields: Vec<(u32, u32)>,
}

impl Builder {
    fn new(starts: bool, ends: bool, template: u32, number: u16) -> Self {
        let mut builder = Self {
            bytes: [0; DESCRIPTOR_BYTES_MAX],
            fields: Vec::new(),
        };
        builder.put(starts.into(), 1).put(ends.into(), 1);
        builder.put(template, 6).put(number.into(), 16);
        builder
    }

    fn put(&mut self, value: u32, count: u32) -> &mut Self {
        self.fields.push((value, count));
        self
    }

    fn puts(&mut self, values: &[u32], count: u32) -> &mut Self {
        self.fields
            .extend(values.iter().map(|value| (*value, count)));
        self
    }

    fn finish(&mut self) -> Vec<u8> {
        let mut writer = Writer::new(&mut self.bytes);
        for (value, count) in &self.fields {
            writer.put(*value, *count).expect("short");
        }
        let bytes = writer.finish();
        self.bytes[..bytes].to_vec()
    }
}

const D: u32 = 1;
const S: u32 = 2;
const R: u32 = 3;

/// L1T2 with three templates and one chain (A.10.2 of the specification has the like), at template
/// id 10: key frame, T0, T1.
fn l1t2() -> Builder {
    let mut builder = Builder::new(true, true, 10, 0xffff);
    // A structure, no other flag.
    builder.put(0b10000, 5);
    builder.put(10, 6).put(1, 5);
    // T0, T0, T1, no more.
    builder.puts(&[0, 1, 3], 2);
    builder.puts(&[S, S, S, S, 0, D], 2);
    // None; 2; 1.
    builder.put(0, 1).put(0b10_0010, 6).put(0b10_0000, 6);
    // One chain of ns(3) = 1: "10"; both targets are protected by it: ns(1) takes no bits.
    builder.put(0b10, 2).puts(&[0, 2, 1], 4);
    // No resolutions.
    builder.put(0, 1);
    builder
}

/// L2T1 with full sizes, templates 0 to 3: S0 key, S1 key, S0, S1; the inter-layer prediction is in
/// every picture, so that S1 is entered at key frames only.
fn l2t1() -> Vec<u8> {
    let mut builder = Builder::new(true, true, 0, 7);
    builder.put(0b10000, 5);
    builder.put(0, 6).put(1, 5);
    builder.puts(&[0, 2, 0, 3], 2);
    // S0: key, delta; S1: key, delta.
    builder.puts(&[S, S, S, R, 0, S, 0, R], 2);
    builder.put(0, 1).put(0b10_0010, 6);
    builder.put(0b10_0000, 6).put(0b100_0110_0000, 11);
    // ns(3) = 2: "11"; ns(2): one bit each.
    builder.put(0b11, 2).puts(&[0, 1], 1);
    builder.puts(&[0, 0, 2, 1, 1, 1, 1, 1], 4);
    builder.put(1, 1).puts(&[639, 359, 1279, 719], 16);
    builder.finish()
}

#[test]
fn a_structure_is_learnt_and_then_named_by_three_bytes() {
    let mut reader = DescriptorReader::default();
    let delta = Builder::new(true, false, 12, 3).finish();
    assert_eq!(delta.len(), 3);
    assert_eq!(reader.read(&delta), None, "its template has not come");
    let key = reader.read(&l1t2().finish()).expect("well formed");
    assert_eq!(key.frame_number, 0xffff);
    assert_eq!(key.spatial_layers, Some(1));
    assert_eq!(key.layers.switches, pair(0, 0) | pair(0, 1));
    let delta = reader.read(&delta).expect("known");
    assert_eq!(
        delta,
        Descriptor {
            frame_number: 3,
            layers: FrameLayers {
                temporal: 1,
                starts: true,
                ..FrameLayers::default()
            },
            spatial_layers: None,
        }
    );
    let unknown = Builder::new(true, false, 13, 4).finish();
    assert_eq!(reader.read(&unknown), None, "there are three templates");
}

#[test]
fn the_example_of_a_spatial_structure() {
    let mut reader = DescriptorReader::default();
    let key = reader.read(&l2t1()).expect("well formed");
    assert_eq!(key.spatial_layers, Some(2));
    assert_eq!(key.layers.switches, pair(0, 0) | pair(1, 0));
    let lower = Builder::new(true, true, 1, 8).finish();
    let lower = reader.read(&lower).expect("known").layers;
    assert_eq!((lower.spatial, lower.switches), (0, pair(0, 0)));
    let upper = Builder::new(true, true, 3, 9).finish();
    let upper = reader.read(&upper).expect("known").layers;
    assert_eq!((upper.spatial, upper.switches), (1, 0));
}

#[test]
fn a_frames_own_indications_count_instead_of_its_templates() {
    let mut reader = DescriptorReader::default();
    reader.read(&l1t2().finish()).expect("well formed");
    let mut custom = Builder::new(true, true, 12, 5);
    // Custom indications, differences and chains.
    custom.put(0b00111, 5).puts(&[0, S], 2);
    custom.put(2, 2).put(200, 8).put(0, 2).put(9, 8);
    let custom = custom.finish();
    let layers = reader.read(&custom).expect("well formed").layers;
    assert_eq!(layers.switches, pair(0, 1));
    for bytes in 4..custom.len() {
        assert_eq!(reader.read(&custom[..bytes]), None, "cut to {bytes}");
    }
}

#[test]
fn a_cut_structure_changes_nothing() {
    let whole = l2t1();
    let mut reader = DescriptorReader::default();
    reader.read(&l1t2().finish()).expect("well formed");
    for bytes in 0..whole.len() {
        assert_eq!(reader.read(&whole[..bytes]), None, "{bytes} bytes");
    }
    let known = Builder::new(true, true, 12, 5).finish();
    assert!(reader.read(&known).is_some());
}

fn rewritten(
    reader: &DescriptorReader,
    data: &[u8],
    offset: u16,
    limits: Option<(u8, u8)>,
) -> Vec<u8> {
    let mut out = [0xff; DESCRIPTOR_BYTES_MAX];
    let bytes = reader.rewrite(data, offset, limits, &mut out);
    out[..bytes.expect("it fits")].to_vec()
}

#[test]
fn a_frame_number_moves_and_wraps() {
    let key = l1t2().finish();
    let moved = rewritten(&DescriptorReader::default(), &key, 3, None);
    assert_eq!(moved[..3], [key[0], 0, 2]);
    assert_eq!(moved[3..], key[3..]);
}

#[test]
fn the_active_targets_are_written_behind_the_structure() {
    let mut reader = DescriptorReader::default();
    reader.read(&l1t2().finish()).expect("well formed");
    let written = rewritten(&reader, &l1t2().finish(), 0, Some((2, 0)));
    let mut expected = l1t2();
    // The second flag of five; then a bit for each of two targets.
    expected.fields[4] = (0b11000, 5);
    expected.put(0b01, 2);
    assert_eq!(written[..expected.finish().len()], expected.finish());
    assert!(DescriptorReader::default().read(&written).is_some());
}

#[test]
fn the_active_targets_of_a_short_descriptor() {
    let mut reader = DescriptorReader::default();
    reader.read(&l1t2().finish()).expect("well formed");
    let short = Builder::new(true, true, 11, 1).finish();
    let mut expected = Builder::new(true, true, 11, 2);
    expected.put(0b01000, 5).put(0b01, 2);
    assert_eq!(
        rewritten(&reader, &short, 1, Some((0, 0))),
        expected.finish()
    );
    // Those that the publisher has switched off stay so, and what is there is written over.
    let mut off = Builder::new(true, true, 11, 1);
    off.put(0b01000, 5).put(0b10, 2);
    let mut none = Builder::new(true, true, 11, 1);
    none.put(0b01000, 5).put(0b00, 2);
    assert_eq!(
        rewritten(&reader, &off.finish(), 0, Some((0, 0))),
        none.finish()
    );
    let later = Builder::new(false, true, 11, 1).finish();
    assert_eq!(rewritten(&reader, &later, 0, Some((0, 0))), later);
}

#[test]
fn numbers_of_uneven_range() {
    // Table of A.8.1 for n = 5: 0, 1 and 2 in two bits, 3 and 4 in three.
    for (value, bits, width) in [
        (0, 0b00, 2),
        (1, 0b01, 2),
        (2, 0b10, 2),
        (3, 0b110, 3),
        (4, 0b111, 3),
    ] {
        let byte = [bits << (8 - width)];
        let mut read = Bits::new(&byte);
        assert_eq!(read.non_symmetric(5), Some(value));
        assert_eq!(read.at(), width);
    }
    assert_eq!(Bits::new(&[]).non_symmetric(1), Some(0));
}

#[test]
fn any_descriptors_are_read_and_written() {
    bolero::check!().with_type().for_each(
        |(descriptors, offset, spatial, temporal): &(Vec<Vec<u8>>, u16, u8, u8)| {
            let mut reader = DescriptorReader::default();
            reader.read(&l2t1()).expect("well formed");
            for data in descriptors.iter().filter(|data| data.len() <= 255) {
                let read = reader.read(data);
                let mut out = [0; DESCRIPTOR_BYTES_MAX];
                let limits = Some((*spatial, *temporal));
                let written = reader.rewrite(data, *offset, limits, &mut out);
                if let (Some(read), Some(bytes)) = (read, written) {
                    let again = reader.read(&out[..bytes]).expect("the form stays");
                    assert_eq!(again.layers, read.layers);
                    assert_eq!(again.frame_number, read.frame_number.wrapping_add(*offset));
                }
            }
        },
    );
}
