//! `bedside inventory`.

mod cyclonedx;

use crate::{
    admin_client::AdminSocket,
    print::{Format, line, table},
};
use anyhow::Result;
use bedside_server::inventory::{Ground, Inventory as Report};
use clap::Args;

#[derive(Args)]
pub(crate) struct Inventory {
    /// Print a CycloneDX 1.6 document instead
    #[arg(long, conflicts_with = "json")]
    cyclonedx: bool,
    #[command(flatten)]
    socket: AdminSocket,
    #[command(flatten)]
    format: Format,
}

impl Inventory {
    pub(crate) fn run(self) -> Result<()> {
        let report: Report = self.socket.get(&["inventory"])?;
        if self.cyclonedx {
            return line(&serde_json::to_string_pretty(&cyclonedx::document(
                &report,
            ))?);
        }
        self.format.print(&report, people)
    }
}

fn people(report: &Report) -> String {
    let host = &report.host;
    let system = host.system.as_deref().unwrap_or("unknown system");
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let processes: Vec<_> = report
        .processes
        .iter()
        .map(|process| {
            let dumps = process.core_bytes_max.map_or_else(
                || "unlimited".to_owned(),
                |bytes| {
                    if bytes == 0 {
                        "none".to_owned()
                    } else {
                        format!("{bytes} bytes")
                    }
                },
            );
            [
                process.name.clone(),
                process.version.clone().unwrap_or_default(),
                process.pid.to_string(),
                process.uid.to_string(),
                process.capabilities.clone(),
                yes(process.no_new_privileges),
                yes(process.seccomp),
                dumps,
            ]
        })
        .collect();
    let listeners: Vec<_> = report
        .listeners
        .iter()
        .map(|listener| {
            [
                listener.process.clone(),
                listener.protocol.clone(),
                listener.address.clone(),
                listener.mode.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let certificates: Vec<_> = report
        .certificates
        .iter()
        .map(|certificate| {
            [
                certificate.names.join(", "),
                certificate.key.clone(),
                format!("{} days", certificate.days_left),
                certificate.fingerprint.clone(),
            ]
        })
        .collect();
    let keys: Vec<_> = report
        .keys
        .iter()
        .map(|key| {
            let days = |at: i64| {
                let now = i64::try_from(report.at).unwrap_or(i64::MAX);
                format!("{} days", (now - at).div_euclid(86_400))
            };
            let used = key
                .last_used
                .map_or_else(|| "never".to_owned(), |at| days(at) + " ago");
            let age = key.first_seen.map(days).unwrap_or_default();
            [key.purpose.clone(), key.id.clone(), age, used]
        })
        .collect();
    let flows: Vec<_> = report
        .flows
        .iter()
        .map(|flow| {
            let ground = match &flow.ground {
                Ground::ThisMachine => "this machine".to_owned(),
                Ground::OwnHost => "own host".to_owned(),
                Ground::Agreement {
                    agreement,
                    entity,
                    expires,
                } => format!("{agreement} with {entity} until {expires}"),
                Ground::None => "NO AGREEMENT".to_owned(),
            };
            [
                flow.host.clone(),
                flow.purpose.clone(),
                ground,
                flow.setting.clone(),
            ]
        })
        .collect();
    let transport = &report.transport;
    [
        format!(
            "{} ({system}, Linux {}, {})",
            host.name, host.kernel, host.architecture
        ),
        format!(
            "profile {}, configuration {}",
            report.profile, report.configuration
        ),
        format!(
            "TLS {} with {}; tickets: {}; DTLS {}; SRTP {}",
            transport.tls_versions.join(", "),
            transport.tls_cipher_suites.join(", "),
            transport.tls_tickets,
            transport.dtls_versions.join(", "),
            transport.srtp_profiles.join(", "),
        ),
        table(
            [
                "PROCESS",
                "VERSION",
                "PID",
                "UID",
                "CAPABILITIES",
                "NO NEW PRIVILEGES",
                "SECCOMP",
                "CORE DUMPS",
            ],
            &processes,
            "",
        ),
        table(
            ["LISTENER", "PROTOCOL", "ADDRESS", "MODE"],
            &listeners,
            "No socket waits for others.",
        ),
        table(
            ["CERTIFICATE", "KEY", "LEFT", "SHA-256"],
            &certificates,
            "No certificate is in use.",
        ),
        table(
            ["KEY", "ID", "KNOWN FOR", "USED"],
            &keys,
            "No key is in use.",
        ),
        table(
            ["HOST", "IS TOLD", "GROUND", "SETTING"],
            &flows,
            "No host is told anything.",
        ),
    ]
    .join("\n\n")
}
