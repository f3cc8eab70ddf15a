use super::*;

#[test]
fn tokens_survive_packing() {
    for token in [
        Token::Receive { socket: 0 },
        Token::Receive { socket: 255 },
        Token::Wake,
        Token::Send {
            message: 0,
            slab: 0,
            socket: 0,
        },
        Token::Send {
            message: 0x1234,
            slab: 0xFEDC,
            socket: 0xAB,
        },
        Token::Send {
            message: u16::MAX,
            slab: u16::MAX,
            socket: u8::MAX,
        },
        Token::Cancel,
    ] {
        assert_eq!(Token::unpack(token.pack()), token);
    }
}
