//! `bedside status`.

use crate::{admin_client::AdminSocket, print::Format};
use anyhow::Result;
use bedside_server::admin::StatusReport;
use clap::Args;

#[derive(Args)]
pub(crate) struct Status {
    #[command(flatten)]
    socket: AdminSocket,
    #[command(flatten)]
    format: Format,
}

impl Status {
    pub(crate) fn run(self) -> Result<()> {
        let report: StatusReport = self.socket.get(&["status"])?;
        self.format.print(&report, people)
    }
}

fn people(report: &StatusReport) -> String {
    let dataplane = &report.dataplane;
    let mut text = String::new();
    if report.profile != "hipaa" {
        text.push_str("TRIAL          not for patients: set profile = \"hipaa\"\n");
    }
    text.push_str(&format!(
        "control plane  {} up {}, serving {}\n",
        report.version,
        time(report.uptime_s),
        report.listen.join(", ")
    ));
    match &dataplane.problem {
        None if dataplane.connected => {
            let engine = dataplane.engine.as_deref().unwrap_or("?");
            text.push_str(&format!("data plane     connected, {engine}\n"));
        }
        problem => {
            let why = problem.as_deref().unwrap_or("starting");
            text.push_str(&format!("data plane     NOT connected: {why}\n"));
        }
    }
    for (worker, addresses) in dataplane.workers.iter().enumerate() {
        text.push_str(&format!(
            "worker {worker:<8}media on udp {}\n",
            addresses.join(", ")
        ));
    }
    text.push_str(&format!(
        "rooms          {} with {} participants ({} signalling), {} tracks, {} subscriptions\n",
        report.rooms, report.participants, report.sessions, report.tracks, report.subscriptions
    ));
    if report.events_lost > 0 {
        text.push_str(&format!("events lost    {}\n", report.events_lost));
    }
    if report.emergency_reviews_open > 0 {
        text.push_str(&format!(
            "emergencies    {} to be reviewed: bedside breakglass list --open\n",
            report.emergency_reviews_open
        ));
    }
    let short = |hash: &str| hash.get(..16).unwrap_or_default().to_owned();
    text.push_str(&format!(
        "profile        {}, configuration {}, policies {}\n",
        report.profile,
        short(&report.configuration),
        short(&report.policies)
    ));
    let days = report.certificate.days_left;
    text.push_str(&format!("certificate    ends in {days} days\n"));
    let audit = &report.audit;
    match &audit.problem {
        None => text.push_str(&format!("audit log      {} entries\n", audit.entries)),
        Some(problem) => text.push_str(&format!("audit log      NOBODY IS LET IN: {problem}\n")),
    }
    if audit.lost > 0 {
        text.push_str(&format!("audit log      {} notes lost\n", audit.lost));
    }
    let agreements = &report.agreements;
    text.push_str(&format!(
        "agreements     {} in force\n",
        agreements.in_force
    ));
    if let Some(problem) = &agreements.problem {
        text.push_str(&format!("agreements     CANNOT BE READ: {problem}\n"));
    }
    for ending in &agreements.ending {
        let (id, entity) = (&ending.agreement, &ending.entity);
        text.push_str(&match ending.days_left {
            ..0 => format!("agreements     {id} with {entity} HAS ENDED\n"),
            days => format!("agreements     {id} with {entity} ends in {days} days\n"),
        });
    }
    for (reason, count) in &report.refused {
        text.push_str(&format!("refused        {count} x {reason}\n"));
    }
    text
}

/// `3d 4h`, `4h 5m`, `5m 6s`, `6s`.
fn time(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {seconds}s"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}
