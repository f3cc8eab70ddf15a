//! The `bedside` command: runs the control plane and talks to a running one.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a command line talks to people")]

mod admin_client;
mod commands;
mod exit;
mod print;
#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand};
use commands::{
    apikey, audit, baa, breakglass, completions, config, demo, doctor, evidence, inventory, link,
    man, participant, retention, room, rules, serve, status, token, user,
};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Video consults on your own servers.
///
/// `bedside serve` is the control plane; every other command talks to it over its admin socket.
/// The data plane is a program of its own, `bedside-dataplane`; `bedside demo` starts both.
///
/// Exit codes: 0 done; 1 failed; 2 wrong usage; 3 what was named does not exist; 4 the control
/// plane cannot be reached; 5 `doctor` or `config check` found a problem; 6 the audit log or a
/// proof is not intact.
#[derive(Parser)]
#[command(name = "bedside", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the control plane
    Serve(serve::Serve),
    /// Start both processes on this machine and print links to try a consult
    Demo(demo::Demo),
    /// Make one-time join links
    #[command(subcommand)]
    Link(link::Link),
    /// Make access tokens for LiveKit clients
    #[command(subcommand)]
    Token(token::Token),
    /// List, add, rotate and remove API keys
    #[command(subcommand, name = "apikey")]
    ApiKey(apikey::ApiKey),
    /// See and end rooms
    #[command(subcommand)]
    Room(room::Room),
    /// See, mute and remove participants
    #[command(subcommand)]
    Participant(participant::Participant),
    /// See whose access there is, and take it away
    #[command(subcommand)]
    User(user::User),
    /// See and review emergency entries
    #[command(subcommand, name = "breakglass")]
    BreakGlass(breakglass::BreakGlass),
    /// Show how both processes are
    Status(status::Status),
    /// Read, prove and verify the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    Evidence(evidence::Evidence),
    /// Compute and end the retention of records
    #[command(subcommand)]
    Retention(retention::Retention),
    /// See the rules of consent and of retention, and check counsel's decisions
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Check this machine: what is wrong, and what to type
    Doctor(doctor::Doctor),
    /// Show what runs: processes, listeners, certificates, keys, who is told what
    Inventory(inventory::Inventory),
    /// Check a configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Record business-associate agreements
    #[command(subcommand)]
    Baa(baa::Baa),
    /// Print shell completions
    Completions(completions::Completions),
    /// Write the manual pages
    Man(man::Man),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Link(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::ApiKey(command) => command.run(),
        Command::Room(command) => command.run(),
        Command::Participant(command) => command.run(),
        Command::User(command) => command.run(),
        Command::BreakGlass(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Evidence(command) => command.run(),
        Command::Retention(command) => command.run(),
        Command::Rules(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Inventory(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Baa(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bedside: {error:#}");
            exit::code_of(&error)
        }
    }
}
