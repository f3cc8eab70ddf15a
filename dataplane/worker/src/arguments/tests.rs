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

#[test]
fn an_engine_is_named_as_status_names_it() {
    for (text, wanted) in [
        ("auto", None),
        ("io_uring", Some(Engine::IoUring)),
        ("epoll", Some(Engine::Epoll)),
    ] {
        let line = ["bedside-dataplane", "--check", "--engine", text];
        let arguments = Arguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.engine.wanted(), wanted);
    }
    let line = ["bedside-dataplane", "--check", "--engine", "magic"];
    let error = Arguments::try_parse_from(line).unwrap_err().to_string();
    assert!(error.contains("auto, io_uring, epoll"), "{error}");
}
