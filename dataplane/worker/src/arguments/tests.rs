use super::*;
use clap::CommandFactory as _;

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn a_socket_is_needed_unless_only_checking() {
    assert!(Arguments::try_parse_from(["bedside-dataplane"]).is_err());
    assert!(
        Arguments::try_parse_from(["bedside-dataplane", "--check"])
            .unwrap()
            .check
    );
    let arguments = Arguments::try_parse_from(["bedside-dataplane", "--socket", "/run/b"]).unwrap();
    assert_eq!(
        (arguments.socket, arguments.log),
        (Some(PathBuf::from("/run/b")), Level::INFO)
    );
}
