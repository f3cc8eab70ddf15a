use super::*;

#[test]
fn the_control_message_has_the_kernels_layout() {
    let header = size_of::<libc::cmsghdr>();
    assert_eq!(header, 16);
    assert_eq!(std::mem::offset_of!(Control, segment_bytes), header);
    // SAFETY: these only compute.
    let (length, space) = unsafe { (libc::CMSG_LEN(2), libc::CMSG_SPACE(2)) };
    assert_eq!(length as usize, CONTROL_LENGTH);
    assert_eq!(space as usize, size_of::<Control>());
}

#[test]
fn only_runs_carry_a_segment_length() {
    let mut bytes = [0_u8; 100];
    let mut message = Box::new(Message::new());
    let destination = "192.0.2.1:9".parse().unwrap();
    message.prepare(destination, bytes.as_mut_ptr(), 100, 40, 3);
    assert_eq!(message.control.segment_bytes, 40);
    assert_eq!(message.header.msg_controllen, size_of::<Control>());
    message.prepare(destination, bytes.as_mut_ptr(), 100, 100, 1);
    assert!(message.header.msg_control.is_null());
    assert_eq!((message.segments, message.bytes), (1, 100));
}
