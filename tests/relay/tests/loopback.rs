//! The program itself between sockets on loopback.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is missing"
)]

use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

/// A relay in front of a server that sends everything back.
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    listen: SocketAddr,
    server: UdpSocket,
}

impl Running {
    fn start(name: &str, profile: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
        fs::write(&path, profile).unwrap();
        let server = socket();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bedside-relay"))
            .arg("--profile")
            .arg(path)
            .arg("--to")
            .arg(server.local_addr().unwrap().to_string())
            // Whatever becomes of this test.
            .args(["--seconds", "60", "--wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let ready = line(&mut output);
        let listen = ready["routes"][0]["listen"].as_str().unwrap();
        Self {
            listen: listen.parse().unwrap(),
            child,
            input,
            output,
            server,
        }
    }

    /// Sends numbered packets from one client, has them sent back, and returns those that came.
    fn echo(&self, client: &UdpSocket, packets: u32) -> BTreeSet<u32> {
        for number in 0..packets {
            client.send_to(&number.to_be_bytes(), self.listen).unwrap();
        }
        let mut buffer = [0; 16];
        while let Ok((size_bytes, from)) = self.server.recv_from(&mut buffer) {
            self.server.send_to(&buffer[..size_bytes], from).unwrap();
        }
        let mut echoed = BTreeSet::new();
        while let Ok((4, _)) = client.recv_from(&mut buffer) {
            let number = buffer[..4].try_into().map(u32::from_be_bytes).unwrap();
            echoed.insert(number);
        }
        echoed
    }

    fn begin(&mut self) {
        self.input.as_mut().unwrap().write_all(b"start\n").unwrap();
    }

    /// Ends its input, and with it the relay.
    fn stop(mut self) -> Value {
        drop(self.input.take());
        let statistics = line(&mut self.output);
        assert!(self.child.wait().unwrap().success());
        statistics
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let quiet = Duration::from_millis(500);
    socket.set_read_timeout(Some(quiet)).unwrap();
    socket
}

fn line(output: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn each_client_has_a_port_of_its_own_and_gets_its_own_packets() {
    let mut relay = Running::start("each", "seed = 1\nup = { delay_ms = 5.0 }");
    relay.begin();
    let (one, other) = (socket(), socket());
    assert_eq!(relay.echo(&one, 50).len(), 50);
    assert_eq!(relay.echo(&other, 20).len(), 20);
    let statistics = relay.stop();
    assert_eq!(statistics["flows"], 2);
    assert_eq!(statistics["up"]["packets"], 70);
    assert_eq!(statistics["down"]["delivered_packets"], 70);
    assert_eq!(statistics["late_us"]["count"], 140);
    assert!(statistics["started_unix_ms"].as_f64().unwrap() > 1.7e12);
    let log = &statistics["log"];
    let entries = log["at_ms"].as_array().unwrap().len();
    assert!(entries > 0);
    assert_eq!(log["down"]["queue_ms"].as_array().unwrap().len(), entries);
}

#[test]
fn a_seed_decides_which_packets_are_lost() {
    let echoed = |name, seed| {
        let profile = format!("seed = {seed}\nup = {{ loss = 0.3 }}");
        let relay = Running::start(name, &profile);
        let echoed = relay.echo(&socket(), 200);
        let statistics = relay.stop();
        let lost = statistics["up"]["lost_random"].as_u64().unwrap();
        assert_eq!(echoed.len() as u64, 200 - lost);
        echoed
    };
    let first = echoed("seed-a", 5);
    assert!((100..180).contains(&first.len()));
    assert_eq!(first, echoed("seed-b", 5));
    assert_ne!(first, echoed("seed-c", 6));
}

#[test]
fn a_hand_over_changes_the_port_that_the_server_sees() {
    let profile = "seed = 1\n[[change]]\nat_ms = 0\nhand_over_gap_ms = 100.0";
    let mut relay = Running::start("hand-over", profile);
    let client = socket();
    let port = |relay: &Running| {
        client.send_to(b"here", relay.listen).unwrap();
        relay
            .server
            .recv_from(&mut [0; 16])
            .map(|(_, from)| from.port())
    };
    let before = port(&relay).unwrap();
    relay.begin();
    // During the gap nothing comes, and `start` may be read later than the first packet.
    let mut ports = (0..20).filter_map(|_| port(&relay).ok());
    assert!(ports.any(|after| after != before));
    let statistics = relay.stop();
    assert_eq!(statistics["hand_overs"], 1);
}
