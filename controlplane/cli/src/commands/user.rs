//! `bedside user`: whose access there is, and taking it away.

use crate::{
    admin_client::AdminSocket,
    print::{Format, line, table},
};
use anyhow::{Result, ensure};
use bedside_server::admin::{AccountReport, RevocationStep};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum User {
    /// List the workforce, and every account whose access was revoked
    List {
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Show one account, and where it is connected
    Show {
        /// User id (U_...), participant identity or API key
        account: String,
        #[command(flatten)]
        socket: AdminSocket,
        #[command(flatten)]
        format: Format,
    },
    /// Take all access away now: sessions, links, tokens and live connections
    #[command(
        long_about = "Take all access away now: sessions, links, tokens and live connections, \
                      everywhere. Each step is printed when it is confirmed, and recorded in the \
                      audit log. The exit code is 0 only if everything was confirmed."
    )]
    Revoke {
        /// User id (U_...), participant identity or API key
        account: String,
        #[command(flatten)]
        socket: AdminSocket,
    },
    /// Give access back; tokens and sessions from before stay refused
    Restore {
        /// User id (U_...), participant identity or API key
        account: String,
        #[command(flatten)]
        socket: AdminSocket,
    },
}

impl User {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::List { socket, format } => {
                let accounts: Vec<AccountReport> = socket.get(&["users"])?;
                format.print(&accounts, |accounts| list(accounts))
            }
            Self::Show {
                account,
                socket,
                format,
            } => {
                let account: AccountReport = socket.get(&["users", &account])?;
                format.print(&account, show)
            }
            Self::Revoke { account, socket } => revoke(&socket, &account),
            Self::Restore { account, socket } => {
                let _: () = socket.post(&["users", &account, "restore"], &())?;
                line("Access was given back. Tokens and sessions from before stay refused.")
            }
        }
    }
}

fn revoke(socket: &AdminSocket, account: &str) -> Result<()> {
    let mut unconfirmed = 0_u32;
    let mut done = false;
    socket.post_lines(&["users", account, "revoke"], |step: RevocationStep| {
        done = step.step == "done";
        unconfirmed += u32::from(!step.confirmed);
        line(&told(&step))
    })?;
    ensure!(done, "the control plane stopped in between: order it again");
    ensure!(
        unconfirmed == 0,
        "not everything was confirmed; `bedside audit search --action user.revoke` has the records"
    );
    Ok(())
}

fn told(step: &RevocationStep) -> String {
    let what = match step.step.as_str() {
        "order" => "order recorded".to_owned(),
        "tokens" => "tokens refused from now on".to_owned(),
        "sessions" => format!("{} session(s) ended", step.count),
        "links" => format!("{} link(s) ended", step.count),
        "turn" => "TURN credentials".to_owned(),
        "peer" if step.count == 0 => "live connections".to_owned(),
        "peer" if step.confirmed => "live connection closed".to_owned(),
        "peer" => format!("{} live connection(s)", step.count),
        "done" => "done".to_owned(),
        other => other.to_owned(),
    };
    let mark = if step.confirmed {
        ""
    } else {
        "NOT CONFIRMED: "
    };
    let remark = step
        .remark
        .as_ref()
        .map_or_else(String::new, |remark| format!(" ({remark})"));
    format!("{:>6} ms  {mark}{what}{remark}", step.elapsed_ms)
}

fn list(accounts: &[AccountReport]) -> String {
    let rows: Vec<_> = accounts
        .iter()
        .map(|account| {
            [
                account.account.clone(),
                account.kind.clone(),
                account.display_name.clone().unwrap_or_default(),
                account.roles.join(", "),
                access(account).to_owned(),
            ]
        })
        .collect();
    table(
        ["ACCOUNT", "KIND", "NAME", "ROLES", "ACCESS"],
        &rows,
        "Nobody has logged in, and nothing was revoked.",
    )
}

fn show(account: &AccountReport) -> String {
    let connected = if account.connected_to.is_empty() {
        "nowhere".to_owned()
    } else {
        account.connected_to.join(", ")
    };
    let rows = [
        ("account", account.account.clone()),
        ("kind", account.kind.clone()),
        ("name", account.display_name.clone().unwrap_or_default()),
        ("roles", account.roles.join(", ")),
        ("access", access(account).to_owned()),
        ("connected to", connected),
    ];
    let lines: Vec<_> = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<14}{value}"))
        .collect();
    lines.join("\n")
}

const fn access(account: &AccountReport) -> &'static str {
    if account.revoked_s.is_some() {
        "revoked"
    } else {
        "yes"
    }
}
