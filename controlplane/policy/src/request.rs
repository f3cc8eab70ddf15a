//! Who asks, about what, in which situation.

use crate::ResourceKind;
use bedside_audit::Role;
use bedside_protocol::Phi;

/// In which capacity somebody asks: a role, or one that the audit log writes as a kind of actor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Capacity {
    /// In a role.
    Role(Role),
    /// At the host, through the admin socket.
    Operator,
    /// Nothing is known of them.
    Nobody,
}

impl Capacity {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Role(Role::Patient),
        Self::Role(Role::Clinician),
        Self::Role(Role::Administrator),
        Self::Role(Role::SecurityOfficer),
        Self::Role(Role::Auditor),
        Self::Role(Role::Agent),
        Self::Role(Role::Service),
        Self::Operator,
        Self::Nobody,
    ];

    /// As it stands in the policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Role(role) => role.name(),
            Self::Operator => "operator",
            Self::Nobody => "nobody",
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Principal {
    /// User id, identity or API key name; empty for nobody.
    pub id: Phi<String>,
    /// In which capacities. What is forbidden to one of them is forbidden: whoever oversees a
    /// service and treats patients in it has two accounts.
    pub capacities: Vec<Capacity>,
    /// Seconds since they showed two factors in this session; none if they did not.
    pub mfa_age_s: Option<u64>,
    /// They come with a token that is signed with an API key, whose holder answers for them.
    pub vouched: bool,
}

impl Principal {
    /// Nothing is known of them.
    #[must_use]
    pub fn nobody() -> Self {
        Self {
            id: Phi::new(String::new()),
            capacities: vec![Capacity::Nobody],
            mfa_age_s: None,
            vouched: false,
        }
    }

    /// At the host, through the admin socket.
    #[must_use]
    pub fn operator(id: String) -> Self {
        Self {
            id: Phi::new(id),
            capacities: vec![Capacity::Operator],
            mfa_age_s: None,
            vouched: false,
        }
    }
}

/// What it is about.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A room, by its name.
    Consult(Phi<String>),
    /// Somebody's access, by user id, identity or API key name.
    Account(Phi<String>),
    /// Everything else.
    Installation,
}

impl Resource {
    /// Which kind.
    #[must_use]
    pub const fn kind(&self) -> ResourceKind {
        match self {
            Self::Consult(_) => ResourceKind::Consult,
            Self::Account(_) => ResourceKind::Account,
            Self::Installation => ResourceKind::Installation,
        }
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Consult(name) | Self::Account(name) => name.expose(),
            Self::Installation => "bedside",
        }
    }
}

/// In which situation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Context {
    /// The consult or the account is the principal's own: invited to it, assigned to it, or in it
    /// by an emergency entry that has not run out.
    pub own: bool,
    /// A clinician has let them in, or nobody has to.
    pub admitted: bool,
    /// The workforce logs in with an identity provider.
    pub workforce_login: bool,
    /// An emergency with a reason was declared in this request.
    pub emergency: bool,
}
