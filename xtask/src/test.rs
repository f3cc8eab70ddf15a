//! `cargo xtask test`.

use crate::{
    build::{consult_page, npm_install, program, programs},
    namespace::namespace,
    prerequisites::{self, install_packages},
    run::{answers, command, output, root, run},
};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use std::{fs, path::Path, path::PathBuf, time::Instant};

#[derive(Args)]
pub(crate) struct Test {
    /// Run only this part; may be given several times
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Run only the real-client scenarios whose file name contains this
    #[arg(long)]
    scenario: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Formatting and lints
    Lint,
    /// Unit tests, the simulator, and real processes
    Rust,
    /// Instructions of the forwarding path, under valgrind, against bench/instructions.toml
    Instructions,
    /// The consult page's own tests
    Page,
    /// Chromium, Firefox and LiveKit's SDKs against the real processes
    Clients,
}

impl Test {
    pub(crate) fn run(&self) -> Result<()> {
        prerequisites::check_for_building()?;
        let parts = [
            (Part::Lint, lint as fn(&Self) -> Result<()>),
            (Part::Rust, rust),
            (Part::Instructions, instructions),
            (Part::Page, page),
            (Part::Clients, clients),
        ];
        let chosen = |part| self.only.is_empty() || self.only.contains(&part);
        // Only the lints need nothing.
        if [Part::Rust, Part::Instructions, Part::Page, Part::Clients]
            .map(chosen)
            .contains(&true)
        {
            install_packages(&SYSTEM_PACKAGES)?;
        }
        // First, since the server embeds it.
        consult_page()?;
        for (part, test) in parts {
            if chosen(part) {
                let name = part
                    .to_possible_value()
                    .map_or_else(String::new, |value| value.get_name().to_owned());
                #[expect(clippy::disallowed_methods, reason = "tells how long each part takes")]
                let start = Instant::now();
                eprintln!("== {name}");
                test(self)?;
                eprintln!(
                    "== {name}: passed in {:.0} s",
                    start.elapsed().as_secs_f64()
                );
            }
        }
        Ok(())
    }
}

fn lint(_: &Test) -> Result<()> {
    run(&mut command("cargo", &["fmt", "--all", "--check"]))?;
    let arguments = [
        "clippy",
        "--locked",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run(&mut command("cargo", &arguments))
}

fn rust(_: &Test) -> Result<()> {
    let processes = [
        "build",
        "--locked",
        "-p",
        "bedside-cli",
        "-p",
        "bedside-dataplane",
    ];
    run(&mut command("cargo", &processes))?;
    let python = audit_python()?;
    run(command("cargo", &["test", "--locked", "--workspace"])
        .env("BEDSIDE_SLOW_TESTS", "1")
        .env("BEDSIDE_TEST_AUDIT_PYTHON", python))
}

/// A virtual environment with what others wrote to check audit logs and FHIR resources.
fn audit_python() -> Result<PathBuf> {
    let interpreter = python_3_12()
        .context("the tests need Python 3.12 or later: install it, or pyenv install 3.12")?;
    let requirements = root().join("tests/evidence/requirements.txt");
    let environment = programs(false).with_file_name("python-evidence");
    python_environment(&interpreter, &requirements, &environment)
}

/// A Python that is new enough for aics-tlog: on the path, or one of pyenv's.
fn python_3_12() -> Option<String> {
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 12))";
    let on_path = ["python3", "python3.12", "python3.13", "python3.14"].map(str::to_owned);
    let pyenv = output("pyenv", &["root"]).into_iter().flat_map(|root| {
        let versions = fs::read_dir(Path::new(&root).join("versions"));
        let versions = versions.into_iter().flatten().filter_map(Result::ok);
        versions.map(|version| {
            version
                .path()
                .join("bin/python3")
                .to_string_lossy()
                .into_owned()
        })
    });
    let mut candidates = on_path.into_iter().chain(pyenv);
    candidates.find(|python| answers(&[python, "-c", new_enough]))
}

/// The release build, because its instructions are the ones that users pay for: a profile of its own
/// would compile every dependency once more and count something else.
fn instructions(_: &Test) -> Result<()> {
    let bench = |arguments: &[&str]| {
        let mut cargo = command("cargo", &["run", "--release", "--locked", "--quiet"]);
        cargo.args(["-p", "bedside-bench", "--", "instructions"]);
        cargo.args(arguments);
        cargo
    };
    run(&mut bench(&[]))?;
    // The gate has to close: the same calls, every datagram looked at twice.
    let regressed = ["--case", "consults-5-regressed", "--as-case", "consults-5"];
    let status = bench(&regressed).status()?;
    if status.code() != Some(INSTRUCTIONS_REGRESSED) {
        bail!("a deliberate regression passed the gate for instructions ({status})");
    }
    eprintln!("the regression above is deliberate: it shows that the gate closes");
    Ok(())
}

/// How `bedside-bench instructions` ends where a case is above its tolerance.
const INSTRUCTIONS_REGRESSED: i32 = 3;

fn page(_: &Test) -> Result<()> {
    let web = root().join("controlplane/web");
    run(command("npm", &["run", "--silent", "check"]).current_dir(&web))?;
    run(command("npm", &["test", "--silent"]).current_dir(&web))
}

/// Runs `tests/clients/*.test.mjs` in a network namespace of its own.
fn clients(test: &Test) -> Result<()> {
    let programs = crate::build::Build { dev: true }.run()?;
    let folder = root().join("tests/clients");
    npm_install(&folder)?;
    let environment = programs.with_file_name("python-clients");
    let python = python_environment("python3", &folder.join("requirements.txt"), &environment)?;
    let mut scenarios: Vec<PathBuf> = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .filter(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            test.scenario
                .as_ref()
                .is_none_or(|wanted| name.contains(wanted))
        })
        .collect();
    scenarios.sort();
    if scenarios.is_empty() {
        bail!("no scenario in tests/clients has that name");
    }
    run(namespace()
        // One at a time: two browsers and a server already fill two cores.
        .args([
            "node",
            "--test",
            "--test-concurrency=1",
            "--test-reporter=spec",
        ])
        .args(scenarios)
        .env("BEDSIDE_SLOW_TESTS", "1")
        .env("BEDSIDE", program(&programs, "bedside"))
        .env("BEDSIDE_DATAPLANE", program(&programs, "bedside-dataplane"))
        .env("BEDSIDE_TEST_PYTHON", python))
}

/// A virtual environment with the packages of `requirements`; returns its interpreter.
fn python_environment(
    interpreter: &str,
    requirements: &Path,
    environment: &Path,
) -> Result<PathBuf> {
    let python = environment.join("bin/python");
    let wanted = fs::read_to_string(requirements)?;
    let installed = environment.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    let path = environment.to_string_lossy();
    run(&mut command(interpreter, &["-m", "venv", "--clear", &path]))
        .context("python3 -m venv failed: apt-get install python3-venv")?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ];
    run(command(&python.to_string_lossy(), &pip).arg(requirements))?;
    fs::write(&installed, wanted)?;
    Ok(python)
}

/// What shows that a program of the tests is there, and the Debian package that brings it.
const SYSTEM_PACKAGES: [(&[&str], &str); 9] = [
    (&["chromium", "--version"], "chromium"),
    (&["firefox-esr", "--version"], "firefox-esr"),
    (&["ip", "-V"], "iproute2"),
    (&["unshare", "--version"], "util-linux"),
    (&["valgrind", "--version"], "valgrind"),
    // `gcore`: what a core file of the data plane would hold.
    (&["gdb", "--version"], "gdb"),
    // Debian's wrappers do not start it on a socket of the tests' own.
    (
        &["/usr/lib/postgresql/15/bin/initdb", "--version"],
        "postgresql-15",
    ),
    // Another TLS implementation than ours, to be refused below TLS 1.3.
    (&["openssl", "version"], "openssl"),
    // Debian's python3 comes without what `python3 -m venv` needs.
    (&["python3", "-c", "import ensurepip"], "python3-venv"),
];
