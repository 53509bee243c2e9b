//! Identifies callers and applies their rate limits. [`crate::http::middleware::authorize`] acts on the
//! result; [`crate::http::routes`] says which access each path requires.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::catalog::Catalog;
use jobs::clock;
use salvo::http::header::AUTHORIZATION;
use salvo::prelude::*;

use crate::auth::error::AuthError;
use crate::auth::rate_limit::RateLimit;
use crate::auth::roles::{Caller, Role};
use crate::auth::sessions::Sessions;
use crate::auth::settings::AccessSettings;
use crate::domain::base_path::BasePath;

/// Sign-in attempts that an address may make at once, and the interval after which it may make one more.
const SIGN_INS: u32 = 10;
const NEXT_SIGN_IN: Duration = Duration::from_secs(6);

/// Holds the tokens, sessions and rate limits. One per process.
#[derive(Debug)]
pub struct Authenticator {
    settings: AccessSettings,
    base_path: BasePath,
    sessions: Sessions,
    sign_ins: RateLimit,
    calls: RateLimit,
    reads: RateLimit,
}

impl Authenticator {
    /// # Errors
    /// When a public function in the settings is not in the catalog.
    pub fn new(settings: AccessSettings, base_path: BasePath, catalog: &Catalog) -> anyhow::Result<Self> {
        for name in &settings.public_functions {
            if catalog.get(name).is_none() {
                anyhow::bail!("SPIRAL_PUBLIC_FUNCTIONS names {name:?}, which is no function of this build");
            }
        }
        let calls = RateLimit::a_minute(settings.public_calls_per_minute);
        let reads = RateLimit::a_minute(settings.public_reads_per_minute);
        Ok(Self {
            sessions: Sessions::new(&settings),
            sign_ins: RateLimit::new(SIGN_INS, NEXT_SIGN_IN),
            calls,
            reads,
            base_path,
            settings,
        })
    }

    pub fn settings(&self) -> &AccessSettings {
        &self.settings
    }

    /// # Errors
    /// When the request has a wrong token. Without a token, or with an expired session, the caller is a
    /// visitor.
    pub fn caller(&self, req: &Request) -> Result<Caller, AuthError> {
        let visitor = self.visitor(req);
        if self.settings.is_open() {
            return Ok(visitor.known(Role::Admin, None));
        }
        if req.headers().contains_key(AUTHORIZATION) {
            let role = bearer(req).and_then(|given| self.settings.role_of(given));
            return role
                .map(|role| visitor.known(role, None))
                .ok_or(AuthError::Unauthorized);
        }
        Ok(match self.sessions.read(req.headers(), clock::now()) {
            Some(session) => visitor.known(session.role, Some(session.until)),
            None => visitor,
        })
    }

    /// The caller as a visitor, of whom only the address is known.
    pub fn visitor(&self, req: &Request) -> Caller {
        Caller {
            role: Role::Anybody,
            address: crate::auth::client_ip::of(req, self.settings.proxies),
            session_until: None,
        }
    }

    /// The role of a token, for a caller at `address` who signs in.
    ///
    /// # Errors
    /// When the token is wrong, the server has no tokens, or too many attempts came from the address.
    pub fn sign_in(&self, address: IpAddr, token: &str) -> Result<Role, AuthError> {
        if self.settings.is_open() {
            return Err(AuthError::NoLogin);
        }
        self.sign_ins
            .take(address)
            .map_err(|wait| AuthError::TooManyAttempts { wait })?;
        self.settings.role_of(token).ok_or_else(|| {
            tracing::warn!(%address, "somebody tried to sign in with a wrong token");
            AuthError::WrongToken
        })
    }

    /// A new session for this role: its expiry time and its cookie.
    pub fn open_session(&self, role: Role, req: &Request) -> Option<(DateTime<Utc>, String)> {
        self.sessions.open(role, clock::now(), &self.cookie_scope(req))
    }

    /// The cookie that removes the session from the browser.
    pub fn end_session(&self, req: &Request) -> String {
        Sessions::end(&self.cookie_scope(req))
    }

    fn cookie_scope(&self, req: &Request) -> crate::auth::sessions::CookieScope {
        crate::auth::sessions::CookieScope::of(req, self.settings.proxies > 0, &self.base_path)
    }

    /// Whether visitors may call the function, and read its jobs.
    pub fn is_public(&self, function: &str) -> bool {
        self.settings.public_functions.contains(function)
    }

    /// Checks that the request was sent to one of the server's names.
    ///
    /// # Errors
    /// When it was sent to another name, which may be a DNS rebinding attack.
    pub fn check_host(&self, req: &Request) -> Result<(), AuthError> {
        match crate::auth::hosts::unknown(req.headers(), req.uri(), self.settings.public_url.as_ref()) {
            Some(host) => Err(AuthError::UnknownHost { host }),
            None => Ok(()),
        }
    }

    /// The same for a caller identified by what a browser adds to requests of every page at that name: a
    /// session, or nothing at all on a server without tokens. A caller that sends a token is not checked.
    ///
    /// # Errors
    /// As [`Self::check_host`].
    pub fn check_host_of(&self, caller: &Caller, req: &Request) -> Result<(), AuthError> {
        if self.settings.is_open() || caller.session_until.is_some() {
            self.check_host(req)?;
        }
        Ok(())
    }

    /// Counts a visitor's read of a job or a list.
    ///
    /// # Errors
    /// When too many reads came from the address.
    pub fn count_read(&self, address: IpAddr) -> Result<(), AuthError> {
        self.reads
            .take(address)
            .map_err(|wait| AuthError::TooManyReads { wait })
    }

    /// Counts a visitor's call.
    ///
    /// # Errors
    /// When too many calls came from the address.
    pub fn count_call(&self, address: IpAddr) -> Result<(), AuthError> {
        self.calls
            .take(address)
            .map_err(|wait| AuthError::TooManyCalls { wait })
    }
}

/// The token of `Authorization: Bearer TOKEN`.
fn bearer(req: &Request) -> Option<&str> {
    let (scheme, token) = req.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
