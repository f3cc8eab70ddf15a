//! The `bedside` program against a real control plane: what it prints and how it exits.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use bedside_server::{Config, Running};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;

/// A directory that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bedside-cli-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A control plane in this process. There is no data plane.
struct Server {
    runtime: Runtime,
    running: Option<Running>,
    _folder: Folder,
}

impl Server {
    fn start() -> Self {
        let folder = Folder::new();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config::development(&folder.path("data"), loopback);
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(bedside_server::start(config)).unwrap();
        Self {
            runtime,
            running: Some(running),
            _folder: folder,
        }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    fn bedside(&self, arguments: &[&str]) -> Output {
        let socket = &self.running().admin_socket;
        program()
            .args(arguments)
            .arg("--admin-socket")
            .arg(socket)
            .output()
            .unwrap()
    }

    /// Of a command that succeeds: what it printed.
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.bedside(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.said(&arguments)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let running = self.running.take().unwrap();
        self.runtime.block_on(running.stop());
    }
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bedside"));
    program
        .stdin(Stdio::null())
        .env_remove("BEDSIDE_ADMIN_SOCKET");
    program
}

/// The exit code and what was said on standard error.
fn failed(output: &Output) -> (i32, String) {
    assert!(output.stdout.is_empty(), "{output:?}");
    let words = String::from_utf8(output.stderr.clone()).unwrap();
    (output.status.code().unwrap(), words)
}

#[test]
fn it_shows_how_things_are() {
    let server = Server::start();
    let text = server.said(&["status"]);
    assert!(text.contains("NOT connected"), "{text}");
    assert!(text.contains("is bedside-dataplane running?"), "{text}");
    let status = server.json(&["status"]);
    assert_eq!(status["dataplane"]["connected"], false);
    assert_eq!(status["rooms"], 0);
    assert_eq!(server.said(&["room", "list"]), "No room is open.\n");
    assert_eq!(server.json(&["room", "list"]), serde_json::json!([]));
}

#[test]
fn it_makes_links_and_tokens() {
    let server = Server::start();
    let link = [
        "link", "create", "--role", "patient", "--room", "ward", "--valid", "30m",
    ];
    let url = server.running().url();
    assert!(server.said(&link).starts_with(&format!("{url}/consult#")));
    let made = server.json(&link);
    assert!(made["expires_at"].is_u64());
    let token = [
        "token",
        "create",
        "--room",
        "ward",
        "--identity",
        "i",
        "--role",
        "viewer",
    ];
    assert_eq!(
        server.said(&token).trim().split('.').count(),
        3,
        "a JWT and nothing else"
    );
    assert_eq!(server.json(&token)["url"], url.replace("https", "wss"));
    let too_long = server.bedside(&[
        "link",
        "create",
        "--role",
        "patient",
        "--room",
        &"x".repeat(300),
    ]);
    assert_eq!(failed(&too_long).0, 1);
}

#[test]
fn it_reads_proves_verifies_and_exports_the_audit_log() {
    let server = Server::start();
    let folder = Folder::new();
    // Reading is recorded before it is answered, so that there is something to read.
    assert!(server.said(&["audit", "tail"]).contains("audit.read"));
    let found = server.said(&["audit", "search", "--action", "audit", "--json"]);
    let newest: Value = serde_json::from_str(found.lines().next().unwrap()).unwrap();
    assert_eq!(newest["entry"]["action"], "audit.read");
    let number = newest["index"].to_string();
    let shown = server.json(&["audit", "show", &number, "--detail"]);
    assert_eq!(shown["entry"]["id"], newest["entry"]["id"]);
    assert!(
        shown["detail"]["actor"]
            .as_str()
            .unwrap()
            .starts_with("uid:")
    );
    let (code, words) = failed(&server.bedside(&["audit", "show", "123456"]));
    assert_eq!(code, 3, "{words}");

    let status = server.json(&["audit", "witness", "status"]);
    let vkey = status["vkeys"][0].as_str().unwrap();
    let proof = folder.path("entry.tlog-proof");
    fs::write(&proof, server.said(&["audit", "prove", &number])).unwrap();
    let check = |proof: &Path, key: &str| {
        let mut program = program();
        program.args(["audit", "verify-proof"]).arg(proof);
        program.args(["--key", key]).output().unwrap()
    };
    let proven = check(&proof, vkey);
    assert!(proven.status.success(), "{proven:?}");
    assert!(String::from_utf8_lossy(&proven.stdout).contains("proven: entry"));
    let text = fs::read_to_string(&proof).unwrap();
    let other = folder.path("other.tlog-proof");
    fs::write(&other, text.replace("index ", "index 1")).unwrap();
    assert_eq!(failed(&check(&other, vkey)).0, 6);

    assert_eq!(server.json(&["audit", "verify", "--full"])["intact"], true);
    let checkpoint = server.said(&["audit", "checkpoint"]);
    assert!(checkpoint.starts_with(status["origin"].as_str().unwrap()));
    let kept = folder.path("kept");
    fs::write(&kept, checkpoint.replace('5', "6").replace('A', "B")).unwrap();
    let kept = kept.display().to_string();
    let wrong = server.bedside(&["audit", "verify", "--checkpoint", &kept]);
    assert_eq!(wrong.status.code(), Some(6), "{wrong:?}");
    let mirror = folder.path("mirror").display().to_string();
    server.said(&["audit", "mirror", &mirror]);
    assert!(fs::read_to_string(&mirror).unwrap().contains("\u{2014} "));
    let rotated = server.json(&["audit", "key", "rotate"]);
    assert_ne!(rotated["vkey"], status["vkeys"][0]);
    assert_eq!(server.json(&["audit", "verify"])["intact"], true);

    for (form, sign) in [
        ("jsonl", "{\"entry\":"),
        ("csv", "index,"),
        ("fhir", "AuditEvent"),
    ] {
        let file = folder.path(form).display().to_string();
        server.said(&["audit", "export", "--format", form, "--all", "-o", &file]);
        assert!(fs::read_to_string(&file).unwrap().contains(sign), "{form}");
    }

    // The same without asking the control plane.
    let config = folder.path("bedside.toml");
    let data = server._folder.path("data");
    let text = format!(
        "profile = \"trial\"\nlisten = [\"127.0.0.1:0\"]\ndata_directory = {data:?}\n[tls]\n\
         development = true\n"
    );
    fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    let offline = ["audit", "verify", "--offline", "--config", &config];
    assert_eq!(server.json(&offline)["intact"], true);
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let server = Server::start();
    for arguments in [
        &["room", "show", "ward"][..],
        &["room", "delete", "ward"],
        &["participant", "list", "ward"],
        &["participant", "remove", "ward", "i"],
        &["participant", "mute", "ward", "i"],
    ] {
        let (code, words) = failed(&server.bedside(arguments));
        assert_eq!(
            (code, words.as_str()),
            (3, "bedside: the room does not exist\n")
        );
    }
    for arguments in [
        &["room", "shew"][..],
        &["link", "create", "--role", "nurse", "--room", "r"],
        &[
            "token",
            "create",
            "--room",
            "r",
            "--identity",
            "i",
            "--valid",
            "1y",
        ],
    ] {
        assert_eq!(failed(&server.bedside(arguments)).0, 2, "{arguments:?}");
    }
    let folder = Folder::new();
    let mut status = program();
    status
        .args(["status", "--admin-socket"])
        .arg(folder.path("none"));
    let (code, words) = failed(&status.output().unwrap());
    assert_eq!(code, 4);
    assert!(words.contains("start `bedside serve`"), "{words}");
}

#[test]
fn the_doctor_names_what_is_wrong_and_what_to_type() {
    let folder = Folder::new();
    let config = folder.path("bedside.toml");
    let doctor = |text: &str| {
        fs::write(&config, text).unwrap();
        let mut doctor = program();
        doctor
            .args([
                "doctor",
                "--json",
                "--dataplane",
                "/nonexistent",
                "--config",
            ])
            .arg(&config);
        let output = doctor.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(5),
            "the data plane is not there: {output:?}"
        );
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let find = |checks: &Value, name: &str| {
        let mut checks = checks.as_array().unwrap().iter();
        checks
            .find(|check| check["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    let checks = doctor("listen = []\n");
    assert_eq!(find(&checks, "data plane")["outcome"], "problem");
    assert!(find(&checks, "data plane")["remedy"].is_string());
    assert_eq!(find(&checks, "configuration")["outcome"], "problem");
    let data = folder.path("data");
    let checks = doctor(&format!(
        "profile = \"trial\"\nlisten = [\"127.0.0.1:0\"]\ndata_directory = {data:?}\n[tls]\ndevelopment = true\n[media]\nport = 0\n"
    ));
    assert_eq!(find(&checks, "configuration")["outcome"], "good");
    assert_eq!(find(&checks, "certificate")["outcome"], "warning");
    assert_eq!(find(&checks, "data directory")["outcome"], "good");
    assert_eq!(find(&checks, "TCP 127.0.0.1:0")["outcome"], "good");
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = program().args(["completions", shell]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains("participant") && text.contains("admin-socket"),
            "{shell}"
        );
    }
    let pages = folder.path("man");
    assert!(
        program()
            .arg("man")
            .arg(&pages)
            .output()
            .unwrap()
            .status
            .success()
    );
    for page in ["bedside.1", "bedside-link-create.1", "bedside-doctor.1"] {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

/// Until the control plane of this folder answers.
fn wait_for(admin_socket: &Path, child: &mut Child) {
    while !program()
        .args(["status", "--admin-socket"])
        .arg(admin_socket)
        .output()
        .unwrap()
        .status
        .success()
    {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
    }
}

#[test]
fn serve_runs_until_it_is_told_to_stop() {
    let folder = Folder::new();
    let config = folder.path("bedside.toml");
    let data = folder.path("data");
    let text = format!(
        "profile = \"trial\"\nlisten = [\"127.0.0.1:0\"]\ndata_directory = {data:?}\ndataplane_socket = {:?}\n[tls]\ndevelopment = true\n",
        folder.path("dataplane.sock")
    );
    fs::write(&config, text).unwrap();
    let mut serve = program();
    serve
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .stderr(Stdio::piped());
    let mut child = serve.spawn().unwrap();
    wait_for(&data.join("admin.sock"), &mut child);

    let second = program()
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    let (code, words) = failed(&second);
    assert_eq!(code, 1);
    assert!(
        words.contains("another `bedside serve` uses this data directory"),
        "{words}"
    );

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(
        log.map_while(Result::ok)
            .any(|line| line.contains("listening"))
    );

    fs::write(&config, "lissten = []\n").unwrap();
    let wrong = program()
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    let (code, words) = failed(&wrong);
    assert_eq!(code, 1);
    assert!(words.contains("lissten"), "{words}");
}

/// A folder with a certificate and key of its own, and a `hipaa` configuration that names them.
fn hipaa(folder: &Folder, more: &str) -> PathBuf {
    // A trial makes them; here they only have to be a certificate and its key.
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config::development(&folder.path("trial"), loopback);
    let runtime = Runtime::new().unwrap();
    let running = runtime.block_on(bedside_server::start(config)).unwrap();
    runtime.block_on(running.stop());
    let file = |name: &str| folder.path("trial").join(name);
    let text = format!(
        "listen = ['127.0.0.1:0']\npublic_url = 'https://localhost'\n\
         data_directory = {:?}\ndataplane_socket = {:?}\n{more}\n\
         [tls]\ncertificate_file = {:?}\nkey_file = {:?}\n",
        folder.path("data"),
        folder.path("dataplane.sock"),
        file("development-tls.pem"),
        file("development-tls.key"),
    );
    let path = folder.path("bedside.toml");
    fs::write(&path, text).unwrap();
    path
}

fn run(arguments: &[&str], config: &Path) -> Output {
    program()
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn an_outside_host_is_refused_until_its_agreement_is_recorded() {
    let folder = Folder::new();
    let hook = "webhooks.urls = ['https://hooks.example.com/secret-path']";
    let config = hipaa(&folder, hook);

    let (code, words) = failed(&run(&["serve"], &config));
    assert_eq!(code, 1);
    assert!(
        words.contains("`webhooks.urls`") && words.contains("[agreement, 45 CFR 164.308(b)(1)]"),
        "{words}"
    );
    assert!(!words.contains("secret-path"), "{words}");

    let check = |more: &[&str]| {
        let mut check = program();
        check.args(["config", "check"]).arg(&config).args(more);
        check.output().unwrap()
    };
    let refused = check(&["--json"]);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    let report: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(report["valid"], false);
    assert_eq!(report["profile"], "hipaa");
    assert_eq!(report["refusals"][0]["rule"], "agreement");
    assert_eq!(report["refusals"][0]["setting"], "webhooks.urls");

    let add = |expires: &str| {
        let arguments = [
            "baa",
            "add",
            "--entity",
            "Example Hooks, Inc.",
            "--agreement",
            "A-1",
            "--host",
            "hooks.example.com",
            "--expires",
            expires,
        ];
        run(&arguments, &config)
    };
    let (code, words) = failed(&add("2020-01-01"));
    assert_eq!(code, 1);
    assert!(words.contains("has passed"), "{words}");
    let (code, _) = failed(&add("tomorrow"));
    assert_eq!(code, 2);
    let added = add("2199-01-01");
    assert!(added.status.success(), "{added:?}");

    let accepted = check(&[]);
    assert!(accepted.status.success(), "{accepted:?}");
    let list = run(&["baa", "list", "--json"], &config);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list[0]["agreement"], "A-1");
    assert_eq!(list[0]["covers"], serde_json::json!(["webhooks.urls"]));
    assert!(list[0]["days_left"].as_i64().unwrap() > 60_000);

    let mut child = program()
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let admin_socket = folder.path("data").join("admin.sock");
    wait_for(&admin_socket, &mut child);
    let status = program()
        .args(["status", "--json", "--admin-socket"])
        .arg(&admin_socket)
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["profile"], "hipaa");
    assert_eq!(
        status["certificate"]["days_left"]
            .as_i64()
            .map(|days| days > 0),
        Some(true)
    );
    assert_eq!(status["agreements"]["in_force"], 1);
    assert_eq!(status["audit"]["problem"], Value::Null);

    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(
        core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(),
        ["0", "0"]
    );
    let inventory = program()
        .args(["inventory", "--json", "--admin-socket"])
        .arg(&admin_socket)
        .output()
        .unwrap();
    let inventory: Value = serde_json::from_slice(&inventory.stdout).unwrap();
    let process = &inventory["processes"][0];
    assert_eq!(process["pid"], child.id());
    assert_eq!(
        (&process["core_bytes_max"], &process["memory_is_private"]),
        (&0.into(), &true.into())
    );
    let listeners = inventory["listeners"].as_array().unwrap();
    let admin = listeners
        .iter()
        .find(|listener| listener["address"] == admin_socket.to_str().unwrap())
        .unwrap();
    assert_eq!(
        (&admin["protocol"], &admin["mode"]),
        (&"unix".into(), &"0600".into())
    );
    assert!(
        listeners
            .iter()
            .any(|listener| listener["protocol"] == "tcp")
    );
    assert_eq!(
        inventory["certificates"][0]["fingerprint"],
        status["certificate"]["fingerprint"]
    );
    assert_eq!(inventory["transport"]["tls_tickets"], 0);
    let keys = inventory["keys"].as_array().unwrap();
    assert_eq!(
        keys.len(),
        2,
        "an API key and one of the audit log: {keys:?}"
    );
    assert_eq!(inventory["flows"][0]["ground"]["agreement"], "A-1");
    let bom = program()
        .args(["inventory", "--cyclonedx", "--admin-socket"])
        .arg(&admin_socket)
        .output()
        .unwrap();
    let bom: Value = serde_json::from_slice(&bom.stdout).unwrap();
    assert_eq!(
        (&bom["bomFormat"], &bom["specVersion"]),
        (&"CycloneDX".into(), &"1.6".into())
    );
    assert_eq!(
        bom["services"][0]["provider"]["name"],
        "Example Hooks, Inc."
    );

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());

    let removed = run(&["baa", "remove", "A-1"], &config);
    assert!(removed.status.success(), "{removed:?}");
    let (code, _) = failed(&run(&["baa", "remove", "A-1"], &config));
    assert_eq!(code, 3);
    assert_eq!(
        printed(&run(&["baa", "list"], &config)),
        "No agreement is recorded.\n"
    );
    assert_eq!(check(&[]).status.code(), Some(5));
}

#[test]
fn a_log_that_may_hold_what_people_say_is_for_trials() {
    let folder = Folder::new();
    let config = hipaa(&folder, "");
    for filter in ["debug", "trace", "info,hyper=trace"] {
        let (code, words) = failed(&run(&["serve", "--log", filter], &config));
        assert_eq!(code, 1, "{words}");
        assert!(words.contains("[debug, 45 CFR"), "{words}");
    }
}
