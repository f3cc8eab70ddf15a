//! The checks, in the order in which an operator would mend what they find.

use super::{Check, Outcome};
use crate::commands::{configuration, demo::dataplane_program};
use bedside_server::baa::{Register, WARNING_DAYS, today};
use bedside_server::{Config, Profile, certificate_expiry};
use serde::Deserialize;
use std::{
    fmt, fs, io,
    net::{SocketAddr, TcpListener, UdpSocket},
    num::NonZero,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    process::Command,
    thread::available_parallelism,
};

/// What a worker's sockets ask for, bytes: 4 MiB holds 25 ms of a saturated worker's datagrams.
const SOCKET_BUFFER_BYTES: u64 = 4 << 20;

/// Open files that 10,000 connections and the rest need.
const OPEN_FILES_MIN: u64 = 16_384;

/// Days before expiry from which a certificate is worth a warning: ACME renews at 30.
const CERTIFICATE_DAYS_MIN: i64 = 21;

pub(super) fn all(config_file: &Path, dataplane: Option<&Path>) -> Vec<Check> {
    let mut checks = dataplane_checks(dataplane);
    checks.push(socket_buffer("rmem_max"));
    checks.push(socket_buffer("wmem_max"));
    checks.push(open_files());
    checks.push(clock());
    match configuration::read(config_file) {
        Ok(config) => {
            if let Err(error) = config.check() {
                checks.push(refused(&error));
                return checks;
            }
            let path = config_file.display();
            let found = if config_file.exists() {
                format!("{path} is valid")
            } else {
                format!("no {path}; defaults apply")
            };
            checks.push(Check::good("configuration", found));
            checks.push(profile(&config));
            checks.extend(agreements(&config));
            checks.push(certificate(&config));
            checks.push(data_directory(&config));
            checks.extend(ports(&config));
        }
        Err(error) => checks.push(refused(&error)),
    }
    checks
}

fn refused(error: &impl fmt::Display) -> Check {
    Check::bad(
        "configuration",
        Outcome::Problem,
        format!("{error:#}"),
        "mend the settings that it names; docs/reference/configuration.md has them all",
    )
}

/// What the data plane says about kernel and io_uring.
fn dataplane_checks(program: Option<&Path>) -> Vec<Check> {
    let program = program.map_or_else(dataplane_program, Path::to_owned);
    let name = "data plane";
    let output = match Command::new(&program).args(["--check", "--json"]).output() {
        Ok(output) => output,
        Err(error) => {
            return vec![Check::bad(
                name,
                Outcome::Problem,
                format!("cannot run {}: {error}", program.display()),
                "install bedside-dataplane beside bedside, or name it with --dataplane",
            )];
        }
    };
    let Ok(report) = serde_json::from_slice::<ProbeReport>(&output.stdout) else {
        return vec![Check::bad(
            name,
            Outcome::Problem,
            format!("{} is of another release", program.display()),
            "install both programs from the same release",
        )];
    };
    let mut checks = vec![Check::good(name, format!("{} runs", program.display()))];
    checks.extend(report.checks.into_iter().map(|check| {
        let outcome = match check.outcome.as_str() {
            "passed" => Outcome::Good,
            "warned" => Outcome::Warning,
            _ => Outcome::Problem,
        };
        Check {
            name: check.name,
            outcome,
            found: check.detail,
            remedy: None,
        }
    }));
    checks
}

/// What `bedside-dataplane --check --json` prints.
#[derive(Deserialize)]
struct ProbeReport {
    checks: Vec<ProbeCheck>,
}

#[derive(Deserialize)]
struct ProbeCheck {
    name: String,
    outcome: String,
    detail: String,
}

fn socket_buffer(setting: &str) -> Check {
    let name = format!("net.core.{setting}");
    let path = format!("/proc/sys/net/core/{setting}");
    let value = fs::read_to_string(path)
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    match value {
        Some(bytes) if bytes >= SOCKET_BUFFER_BYTES => Check::good(&name, format!("{bytes} bytes")),
        Some(bytes) => Check::bad(
            &name,
            Outcome::Warning,
            format!("{bytes} bytes; bursts of video will be dropped"),
            format!("sysctl -w {name}={SOCKET_BUFFER_BYTES} (and put it into /etc/sysctl.d)"),
        ),
        None => Check::bad(
            &name,
            Outcome::Warning,
            "cannot be read",
            "run this on the host",
        ),
    }
}

fn open_files() -> Check {
    let name = "open files";
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    match limit {
        None => Check::good(name, "no limit"),
        Some(limit) if limit >= OPEN_FILES_MIN => Check::good(name, format!("up to {limit}")),
        Some(limit) => Check::bad(
            name,
            Outcome::Warning,
            format!("at most {limit}; a large clinic's connections need {OPEN_FILES_MIN}"),
            format!("LimitNOFILE={OPEN_FILES_MIN} in the service's unit file"),
        ),
    }
}

/// Tokens and links expire by the clock, and evidence is dated by it.
fn clock() -> Check {
    let name = "clock";
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output();
    let answer = asked
        .ok()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match answer.as_deref().map(str::trim) {
        Some("yes") => Check::good(name, "synchronised"),
        Some("no") => Check::bad(
            name,
            Outcome::Warning,
            "not synchronised; tokens may be refused as expired or not yet valid",
            "apt-get install chrony, or timedatectl set-ntp true",
        ),
        _ => Check::bad(
            name,
            Outcome::Warning,
            "cannot tell whether it is synchronised",
            "make sure that chrony or systemd-timesyncd runs",
        ),
    }
}

fn profile(config: &Config) -> Check {
    let name = "profile";
    match config.profile {
        Profile::Hipaa => Check::good(name, "hipaa"),
        Profile::Trial => Check::bad(
            name,
            Outcome::Warning,
            "trial, which is not for patients",
            "set profile = \"hipaa\" before patients use it",
        ),
    }
}

/// Those that have ended or end soon.
fn agreements(config: &Config) -> Vec<Check> {
    let name = "agreements";
    let register = match Register::read(&config.baa_file()) {
        Ok(register) => register,
        Err(error) => {
            let remedy = "mend the register that it names";
            return vec![Check::bad(
                name,
                Outcome::Problem,
                error.to_string(),
                remedy,
            )];
        }
    };
    let today = today();
    let mut checks: Vec<_> = register
        .iter()
        .filter_map(|agreement| {
            let (id, entity) = (&agreement.agreement, &agreement.entity);
            let found = match agreement.days_left(today) {
                ..0 => format!("{id} with {entity} has ended"),
                days if days <= WARNING_DAYS => format!("{id} with {entity} ends in {days} days"),
                _ => return None,
            };
            let remedy = format!("renew it, then: bedside baa add --agreement {id} ...");
            Some(Check::bad(name, Outcome::Warning, found, remedy))
        })
        .collect();
    if checks.is_empty() {
        checks.push(Check::good(
            name,
            format!("{} in force", register.iter().count()),
        ));
    }
    checks
}

fn certificate(config: &Config) -> Check {
    let name = "certificate";
    if config.tls.development {
        return Check::bad(
            name,
            Outcome::Warning,
            "a development certificate, which browsers do not know",
            "set tls.certificate_file and tls.key_file before patients use it",
        );
    }
    if config.tls.certificate_file.is_none() {
        return Check::bad(
            name,
            Outcome::Problem,
            "none is configured",
            "set tls.certificate_file and tls.key_file, or tls.development = true for a trial",
        );
    }
    match certificate_expiry(config) {
        Ok(days) if days < 0 => Check::bad(
            name,
            Outcome::Problem,
            format!("expired {} days ago", -days),
            "renew it; the server reads the new file by itself",
        ),
        Ok(days) if days < CERTIFICATE_DAYS_MIN => Check::bad(
            name,
            Outcome::Warning,
            format!("expires in {days} days"),
            "renew it; the server reads the new file by itself",
        ),
        Ok(days) => Check::good(
            name,
            format!("for public_url's name, fits its key, valid for {days} more days"),
        ),
        Err(error) => Check::bad(
            name,
            Outcome::Problem,
            error.to_string(),
            "put PEM files of a certificate for public_url's name where tls.certificate_file and \
             tls.key_file say",
        ),
    }
}

fn data_directory(config: &Config) -> Check {
    let name = "data directory";
    let path = &config.data_directory;
    let Ok(metadata) = fs::metadata(path) else {
        return Check::good(name, format!("{} will be made", path.display()));
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Check::good(name, format!("{} is private", path.display()))
    } else {
        Check::bad(
            name,
            Outcome::Problem,
            format!("{} can be read by others (mode {mode:03o})", path.display()),
            format!("chmod 700 {}", path.display()),
        )
    }
}

/// Whether the ports are free, or taken by the Bedside that is running.
fn ports(config: &Config) -> Vec<Check> {
    let running = UnixStream::connect(config.admin_socket()).is_ok();
    let mut checks = Vec::new();
    for address in &config.listen {
        let bound = TcpListener::bind(address).map(drop);
        checks.push(port("TCP", *address, bound, running));
    }
    for ip in &config.media.listen {
        for media_port in media_ports(config) {
            let address = SocketAddr::new(*ip, media_port);
            let bound = UdpSocket::bind(address).map(drop);
            checks.push(port("UDP", address, bound, running));
        }
    }
    checks
}

/// One a worker, or none in particular.
fn media_ports(config: &Config) -> impl Iterator<Item = u16> {
    let cores = || available_parallelism().map_or(1, NonZero::get);
    let workers = match (config.media.port, config.media.workers) {
        (0, _) => 1,
        (_, 0) => u16::try_from(cores()).unwrap_or(u16::MAX),
        (_, workers) => workers,
    };
    let first = config.media.port;
    (0..workers).map_while(move |worker| first.checked_add(worker))
}

fn port(protocol: &str, address: SocketAddr, bound: io::Result<()>, running: bool) -> Check {
    let name = format!("{protocol} {address}");
    let Err(error) = bound else {
        return Check::good(&name, "free");
    };
    match error.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied if running => {
            Check::good(&name, "in use by the running Bedside")
        }
        io::ErrorKind::AddrInUse => Check::bad(
            &name,
            Outcome::Problem,
            error.to_string(),
            format!("ss -lpn 'sport = :{}' shows who has it", address.port()),
        ),
        io::ErrorKind::PermissionDenied => Check::bad(
            &name,
            Outcome::Warning,
            "this user may not take it; the service may, with the capability for it",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE in the service's unit file",
        ),
        _ => Check::bad(
            &name,
            Outcome::Problem,
            error.to_string(),
            "ip address shows which addresses this machine has",
        ),
    }
}
