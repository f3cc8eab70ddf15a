//! What can be asked for.

/// Declares [`Action`], its names in the policies and what each is done to.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal on $resource:ident,)+) => {
        /// What somebody asks to do. Every endpoint declares one.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $variant,)+
        }

        impl Action {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it stands in policies and records.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What kind of thing it is done to.
            #[must_use]
            pub const fn resource(self) -> ResourceKind {
                match self { $(Self::$variant => ResourceKind::$resource,)+ }
            }
        }
    };
}

actions! {
    /// Fetch the page and what belongs to it.
    OpenPage = "open_page" on Installation,
    /// Ask whether the service is up.
    CheckHealth = "check_health" on Installation,
    /// Start to log in, or come back from the identity provider.
    LogIn = "log_in" on Installation,
    /// Look at a one-time link or use it.
    OpenLink = "open_link" on Installation,
    /// Lock, unlock or end the own session.
    KeepSession = "keep_session" on Installation,
    /// Take part in a consult: signalling, WHIP, WHEP.
    Join = "join" on Consult,
    /// Enter a consult in an emergency, without an invitation.
    BreakGlass = "break_glass" on Consult,
    /// Wait to be let in.
    Wait = "wait" on Consult,
    /// See who waits, let in, turn away.
    Admit = "admit" on Consult,
    /// Mute, remove, change participants; send data.
    Moderate = "moderate" on Consult,
    /// See who is in a consult.
    ReadConsult = "read_consult" on Consult,
    /// End a consult for everyone.
    EndConsult = "end_consult" on Consult,
    /// Invite by a one-time link.
    CreateLink = "create_link" on Consult,
    /// Report statistics of the own connection.
    ReportStatistics = "report_statistics" on Consult,
    /// Open a consult.
    OpenConsult = "open_consult" on Installation,
    /// See which consults there are.
    ListConsults = "list_consults" on Installation,
    /// See how the service is doing.
    ReadStatus = "read_status" on Installation,
    /// Read metrics.
    ReadMetrics = "read_metrics" on Installation,
    /// Read the configuration, the inventory and the agreements.
    ReadConfiguration = "read_configuration" on Installation,
    /// Change agreements and other settings.
    ChangeConfiguration = "change_configuration" on Installation,
    /// Sign an access token.
    CreateToken = "create_token" on Installation,
    /// See which accounts there are.
    ListAccounts = "list_accounts" on Installation,
    /// See which API keys there are.
    ListKeys = "list_keys" on Installation,
    /// Make, rotate, remove API keys and other keys.
    ChangeKeys = "change_keys" on Installation,
    /// See emergency entries.
    ListBreakGlass = "list_break_glass" on Installation,
    /// Review an emergency entry.
    ReviewBreakGlass = "review_break_glass" on Installation,
    /// See one account.
    ShowAccount = "show_account" on Account,
    /// Add or change an account.
    ChangeAccount = "change_account" on Account,
    /// Give or take a role.
    AssignRole = "assign_role" on Account,
    /// Take all access away, at once.
    Revoke = "revoke" on Account,
    /// Give access back.
    Restore = "restore" on Account,
    /// Read the audit log.
    ReadAudit = "read_audit" on Installation,
    /// Export it.
    ExportAudit = "export_audit" on Installation,
    /// Make an evidence bundle.
    MakeEvidence = "make_evidence" on Installation,
    /// Check the log and prove entries.
    VerifyAudit = "verify_audit" on Installation,
    /// Checkpoints, witnesses, mirrors, retention.
    KeepAudit = "keep_audit" on Installation,
}

/// What an action is done to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ResourceKind {
    /// A room.
    Consult,
    /// Somebody's access.
    Account,
    /// Everything else.
    Installation,
}

impl ResourceKind {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Consult, Self::Account, Self::Installation];

    /// The entity type in the schema.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Consult => "Consult",
            Self::Account => "Account",
            Self::Installation => "Installation",
        }
    }
}
