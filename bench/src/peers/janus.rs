//! Janus as Debian packages it, driven through its HTTP API on loopback.

use crate::server::{SERVER_PROCESSOR, end, pid};
use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The SSRC that Janus expects of the first stream of a remote publisher.
pub(super) const PUBLISHER_SSRC: u32 = 1_000;
const ROOM: u64 = 1;
const PUBLISHER: u64 = 42;
/// `AES_CM_128_HMAC_SHA1_80` in Janus' words.
const SUITE: u32 = 80;

/// A running Janus with one room; ended when dropped.
pub(super) struct Janus {
    child: Child,
    folder: PathBuf,
    api: SocketAddr,
    /// Path of our handle, once there is one.
    path: String,
    transaction: u64,
    version: String,
}

impl Janus {
    /// Starts it on the servers' processor.
    pub(super) fn start() -> Result<Self> {
        let version = Command::new("janus").arg("-V").output();
        let version = version.context("Janus is not installed here (Debian's package: janus)")?;
        let version = String::from_utf8_lossy(&version.stdout);
        // "Janus version: 1102 (1.1.2)"
        let version = version
            .split(['(', ')'])
            .nth(1)
            .unwrap_or("unknown version")
            .to_owned();
        let folder =
            std::env::temp_dir().join(format!("bedside-bench-janus-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        // Free when asked; Janus takes it a moment later.
        let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        for (file, text) in files(api.port()) {
            fs::write(folder.join(file), text)?;
        }
        let child = Command::new("taskset")
            .args(["--cpu-list", &SERVER_PROCESSOR.to_string(), "janus"])
            .arg("--config")
            .arg(folder.join("janus.jcfg"))
            .arg("--configs-folder")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("Janus does not start")?;
        let mut janus = Self {
            child,
            folder,
            api,
            path: "/janus".to_owned(),
            transaction: 0,
            version,
        };
        janus.wait_until_up()?;
        let session = janus.id(json!({ "janus": "create" }))?;
        janus.path = format!("/janus/{session}");
        let handle = janus.id(json!({ "janus": "attach", "plugin": "janus.plugin.videoroom" }))?;
        janus.path = format!("/janus/{session}/{handle}");
        janus.message(json!({ "request": "create", "room": ROOM, "publishers": 1 }))?;
        Ok(janus)
    }

    /// Which it is.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Its process.
    pub(super) fn pid(&self) -> i32 {
        pid(&self.child)
    }

    /// Makes a publisher; returns where it is to send plain RTP to.
    pub(super) fn publisher(&mut self) -> Result<SocketAddr> {
        let answer = self.message(json!({
            "request": "add_remote_publisher",
            "room": ROOM,
            "id": PUBLISHER,
            "streams": [{ "mid": "0", "mindex": 0, "type": "video", "codec": "vp8", "pt": 96 }],
        }))?;
        let port = answer["port"].as_u64().context("Janus names no port")?;
        Ok((Ipv4Addr::LOCALHOST, u16::try_from(port)?).into())
    }

    /// Forwards the publisher to an address, under a key that differs for each.
    pub(super) fn forward_to(&mut self, address: SocketAddr) -> Result<()> {
        let mut key = [0x5A; 30];
        key[..2].copy_from_slice(&address.port().to_be_bytes());
        self.message(json!({
            "request": "rtp_forward",
            "room": ROOM,
            "publisher_id": PUBLISHER,
            "host": address.ip().to_string(),
            "srtp_suite": SUITE,
            "srtp_crypto": STANDARD.encode(key),
            "streams": [{ "mid": "0", "port": address.port() }],
        }))?;
        Ok(())
    }

    fn wait_until_up(&mut self) -> Result<()> {
        for _ in 0..200 {
            if TcpStream::connect(self.api).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("Janus ended: {status}");
            }
            #[expect(clippy::disallowed_methods, reason = "another process starts")]
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("Janus does not come up")
    }

    fn id(&mut self, request: Value) -> Result<u64> {
        let answer = self.ask(request)?;
        answer["data"]["id"].as_u64().context("Janus names no id")
    }

    /// Asks the room plugin, and returns what it says.
    fn message(&mut self, body: Value) -> Result<Value> {
        let mut answer = self.ask(json!({ "janus": "message", "body": body }))?;
        let data = answer["plugindata"]["data"].take();
        if let Some(error) = data["error"].as_str() {
            bail!("Janus: {error}");
        }
        Ok(data)
    }

    /// One request by HTTP.
    fn ask(&mut self, mut request: Value) -> Result<Value> {
        self.transaction += 1;
        request["transaction"] = self.transaction.to_string().into();
        let body = request.to_string();
        let mut stream = TcpStream::connect(self.api)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "POST {} HTTP/1.0\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.path,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer
            .split_once("\r\n\r\n")
            .context("Janus speaks no HTTP")?;
        let answer: Value = serde_json::from_str(body)?;
        if answer["janus"] == "error" {
            bail!("Janus: {}", answer["error"]["reason"]);
        }
        Ok(answer)
    }
}

impl Drop for Janus {
    fn drop(&mut self) {
        end(&mut self.child);
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Only the room plugin and the HTTP transport.
fn files(port: u16) -> [(&'static str, String); 3] {
    let main = "general: {\n  debug_level = 2\n  session_timeout = 0\n}\n\
         plugins: {\n  disable = \"libjanus_audiobridge.so,libjanus_duktape.so,\
         libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,\
         libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,\
         libjanus_voicemail.so\"\n}\n\
         transports: {\n  disable = \"libjanus_pfunix.so,libjanus_mqtt.so,libjanus_nanomsg.so,\
         libjanus_rabbitmq.so,libjanus_websockets.so\"\n}\n";
    let http = format!(
        "general: {{\n  json = \"compact\"\n  base_path = \"/janus\"\n  http = true\n  \
         port = {port}\n  ip = \"127.0.0.1\"\n  https = false\n}}\n\
         admin: {{\n  admin_http = false\n}}\n"
    );
    [
        ("janus.jcfg", main.to_owned()),
        ("janus.transport.http.jcfg", http),
        ("janus.plugin.videoroom.jcfg", "general: {\n}\n".to_owned()),
    ]
}
