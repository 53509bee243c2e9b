//! Roles, the access that a path requires, and callers. [`crate::http::routes`] sets the access of each path.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// The role of a caller. A later role may do all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A visitor: a caller without a token.
    Anybody,
    Viewer,
    Admin,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }
}

/// The access that a path requires. [`crate::http::routes`] sets it for every path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For all callers: it shows nothing confidential, and changes nothing.
    Open,
    /// For viewers and admins.
    Read,
    /// The same, and visitors may read what belongs to public functions.
    ReadPublic(Scope),
    /// For admins, and visitors may call public functions. The job is its own record.
    Call(Scope),
    /// For admins, without an entry in the audit log: the new jobs are the record.
    Enqueue,
    /// For admins, and recorded in the audit log under this name.
    Change(&'static str),
}

/// How to check that a request only concerns public functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The endpoint itself leaves out what visitors must not see.
    Endpoint,
    /// The path names the function.
    Function,
    /// The path names a job.
    Job,
    /// The parameter `function` has to name one.
    Parameter,
    /// The routes of the Fibonacci demo.
    Fibonacci,
}

impl Access {
    /// The lowest role with full access.
    pub fn role(self) -> Role {
        match self {
            Self::Open => Role::Anybody,
            Self::Read | Self::ReadPublic(_) => Role::Viewer,
            Self::Call(_) | Self::Enqueue | Self::Change(_) => Role::Admin,
        }
    }

    /// The scope of visitors, if they have access.
    pub fn public(self) -> Option<Scope> {
        match self {
            Self::ReadPublic(scope) | Self::Call(scope) => Some(scope),
            Self::Open | Self::Read | Self::Enqueue | Self::Change(_) => None,
        }
    }

    /// Whether the request makes changes.
    pub fn changes(self) -> bool {
        self.role() == Role::Admin
    }

    /// Who has access, in words for the OpenAPI document.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Open => "For everybody.",
            Self::Read => "For viewers and admins.",
            Self::ReadPublic(_) => "For viewers and admins; for everybody as far as public functions go.",
            Self::Call(_) => "For admins; for everybody where the function is public, within a rate.",
            Self::Enqueue => "For admins.",
            Self::Change(_) => "For admins. It is recorded in the audit log.",
        }
    }
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub role: Role,
    pub address: IpAddr,
    /// When the caller's session expires; `None` for a caller without one.
    pub session_until: Option<DateTime<Utc>>,
}

impl Caller {
    pub(crate) fn known(self, role: Role, session_until: Option<DateTime<Utc>>) -> Self {
        Self {
            role,
            session_until,
            ..self
        }
    }

    /// A caller without a token, on a server that has tokens.
    pub fn is_visitor(&self) -> bool {
        self.role == Role::Anybody
    }
}
