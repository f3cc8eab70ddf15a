//! What the command line says about itself.

use crate::Arguments;
use clap::{Command, CommandFactory as _};
use std::fmt::Write as _;

fn command() -> Command {
    let mut command = Arguments::command().term_width(100);
    command.build();
    command
}

/// Every command below and including this one.
fn all(command: &Command) -> Vec<Command> {
    let below = command
        .get_subcommands()
        .filter(|subcommand| subcommand.get_name() != "help")
        .flat_map(all);
    std::iter::once(command.clone()).chain(below).collect()
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn the_help_says_what_there_is() {
    let mut text = String::new();
    for mut command in all(&command()) {
        let help = command.render_long_help();
        writeln!(
            text,
            "=== {}\n{help}",
            command.get_bin_name().unwrap_or("bedside")
        )
        .unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn whatever_reads_or_makes_something_can_answer_in_json() {
    let mut wrong = Vec::new();
    for command in all(&command()) {
        let name = command.get_bin_name().unwrap_or_default().to_owned();
        let has_json = command
            .get_arguments()
            .any(|argument| argument.get_id() == "json");
        let answers = [
            "list",
            "show",
            "create",
            "status",
            "doctor",
            "demo",
            "check",
            "inventory",
            "tail",
            "search",
            "verify",
            "verify-proof",
            "rotate",
            "compute",
            "purge",
            "apikey add",
        ];
        let answers = answers
            .iter()
            .any(|last| name.ends_with(&format!(" {last}")));
        if has_json != answers {
            wrong.push((name, has_json));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn everything_is_described() {
    for command in all(&command()) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{} {}",
                command.get_name(),
                argument.get_id()
            );
        }
    }
}
