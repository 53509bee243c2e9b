//! Roles, what a path asks of its callers, and who a caller is. Which path asks for what is in [`crate::http::routes`].

use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// Who somebody is. A later one may do all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Somebody without a token: a visitor.
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

/// What a path asks of its callers. [`crate::http::routes`] says it for each, and there is no path without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For everybody: it tells nothing that is worth hiding, and changes nothing.
    Open,
    /// For those who may look.
    Read,
    /// The same, and visitors may look at what belongs to the public functions.
    ReadPublic(Scope),
    /// For those who may change things, and visitors may call public functions. The job is its own record.
    Call(Scope),
    /// For those who may change things, without an entry in the audit log: the jobs that are made are the record.
    Enqueue,
    /// For those who may change things, and recorded in the audit log under this name.
    Change(&'static str),
}

/// How to see that a request is about public functions alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The endpoint leaves out what visitors must not see.
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
    /// The least role that may do all of it.
    pub fn role(self) -> Role {
        match self {
            Self::Open => Role::Anybody,
            Self::Read | Self::ReadPublic(_) => Role::Viewer,
            Self::Call(_) | Self::Enqueue | Self::Change(_) => Role::Admin,
        }
    }

    /// What a visitor may have of it, if anything.
    pub fn public(self) -> Option<Scope> {
        match self {
            Self::ReadPublic(scope) | Self::Call(scope) => Some(scope),
            Self::Open | Self::Read | Self::Enqueue | Self::Change(_) => None,
        }
    }

    /// Whether something is different afterwards.
    pub fn changes(self) -> bool {
        self.role() == Role::Admin
    }

    /// Who may do it, in words for the API's document.
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
    /// When the session ends by which the caller is known; `None` for one who is known otherwise, or not at all.
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

    /// Without a token, where there are tokens.
    pub fn is_visitor(&self) -> bool {
        self.role == Role::Anybody
    }
}
