//! Sessions of browsers: a signed cookie with a role and an expiry time. The server stores nothing, so every
//! process accepts every session, also after a restart. The signing key is derived from the token that was
//! used to sign in: changing the token ends its sessions.
//!
//! Signing out only removes the cookie from the browser: a copy of it stays valid until it expires.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use cookie::time::Duration as Age;
use cookie::{Cookie, CookieJar, Key, SameSite};
use salvo::http::HeaderMap;
use salvo::http::header::COOKIE as HEADER;
use salvo::http::uri::Scheme;
use salvo::prelude::*;

use super::roles::Role;
use super::settings::AccessSettings;
use crate::domain::base_path::BasePath;

/// The name of the cookie.
pub const COOKIE: &str = "spiral_session";
/// How long a session lasts.
const HOURS: i64 = 12;
/// The roles that have sessions.
const ROLES: [Role; 2] = [Role::Viewer, Role::Admin];

pub(crate) struct Sessions {
    keys: Vec<(Role, Key)>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions(…)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) role: Role,
    pub(crate) until: DateTime<Utc>,
}

/// The scheme and path under which the browser reached the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CookieScope {
    secure: bool,
    path: String,
}

impl CookieScope {
    /// A cookie set over TLS is only sent over TLS. Below a base path, or a prefix that a proxy strips
    /// (`X-Forwarded-Prefix`), its path is that prefix; otherwise it is valid for the whole host.
    pub(crate) fn of(req: &Request, behind_proxy: bool, base: &BasePath) -> Self {
        let forwarded = |name: &str| {
            let value = req.headers().get(name).filter(|_| behind_proxy)?;
            value.to_str().ok()
        };
        let legal =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
        let own = (!base.is_root()).then_some(base.as_str());
        let prefix = forwarded("x-forwarded-prefix")
            .map(|prefix| prefix.trim_end_matches('/'))
            .filter(|prefix| prefix.starts_with('/') && prefix.bytes().all(legal));
        Self {
            secure: req.scheme() == &Scheme::HTTPS || forwarded("x-forwarded-proto") == Some("https"),
            path: own.or(prefix).unwrap_or("/").to_owned(),
        }
    }

    fn cookie(&self, value: String, age: Age) -> Cookie<'static> {
        Cookie::build((COOKIE, value))
            .path(self.path.clone())
            .max_age(age)
            .http_only(true)
            .same_site(SameSite::Strict)
            .secure(self.secure)
            .build()
    }
}

impl Sessions {
    pub(crate) fn new(settings: &AccessSettings) -> Self {
        let key = |role: Role| {
            let token = settings.token_of(role)?;
            // Longer than the 32 bytes that a key needs: a token has 16 at least.
            let secret = format!("spiral session {}: {}", role.as_str(), token.text());
            Some((role, Key::derive_from(secret.as_bytes())))
        };
        Self {
            keys: ROLES.into_iter().filter_map(key).collect(),
        }
    }

    fn key(&self, role: Role) -> Option<&Key> {
        self.keys
            .iter()
            .find_map(|(of, key)| (*of == role).then_some(key))
    }

    pub(crate) fn open(
        &self,
        role: Role,
        now: DateTime<Utc>,
        place: &CookieScope,
    ) -> Option<(DateTime<Utc>, String)> {
        let until = (now + TimeDelta::hours(HOURS)).trunc_subsecs(0);
        let value = format!("{}.{}", role.as_str(), until.timestamp());
        let mut jar = CookieJar::new();
        jar.signed_mut(self.key(role)?)
            .add(place.cookie(value, Age::hours(HOURS)));
        Some((until, jar.get(COOKIE)?.to_string()))
    }

    pub(crate) fn end(place: &CookieScope) -> String {
        place.cookie(String::new(), Age::ZERO).to_string()
    }

    /// The session of the request, unless it has expired or is not signed by this server. A browser may send
    /// several cookies of this name, for several paths: any valid one counts.
    pub(crate) fn read(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Session> {
        let lines = headers.get_all(HEADER).iter();
        lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .filter(|cookie| cookie.name() == COOKIE)
            .find_map(|cookie| self.check(cookie, now))
    }

    fn check(&self, cookie: Cookie<'_>, now: DateTime<Utc>) -> Option<Session> {
        let cookie = cookie.into_owned();
        self.keys.iter().find_map(|(role, key)| {
            let value = CookieJar::new().signed(key).verify(cookie.clone())?;
            let (name, until) = value.value().split_once('.')?;
            let until = DateTime::from_timestamp(until.parse().ok()?, 0)?;
            (name == role.as_str() && until > now).then_some(Session { role: *role, until })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(admin: &str, viewer: &str) -> Sessions {
        let lookup = |name: &str| match name {
            "SPIRAL_ADMIN_TOKEN" => Some(admin.to_owned()),
            "SPIRAL_VIEWER_TOKEN" => Some(viewer.to_owned()),
            _ => None,
        };
        Sessions::new(&AccessSettings::from_lookup(&lookup).unwrap())
    }

    fn place() -> CookieScope {
        CookieScope {
            secure: false,
            path: "/".to_owned(),
        }
    }

    fn read(sessions: &Sessions, cookie: &str, now: DateTime<Utc>) -> Option<Role> {
        let mut headers = HeaderMap::new();
        let pair = cookie.split(';').next().unwrap();
        headers.insert(HEADER, format!("other=1; {pair}").parse().unwrap());
        sessions.read(&headers, now).map(|session| session.role)
    }

    #[test]
    fn a_session_holds_for_its_time_with_every_process_that_has_the_token() {
        let (now, one) = (Utc::now(), sessions("admins-0123456789", "viewers-0123456789"));
        let other = sessions("admins-0123456789", "viewers-9876543210");
        let (until, admin) = one.open(Role::Admin, now, &place()).unwrap();
        let (_, viewer) = one.open(Role::Viewer, now, &place()).unwrap();
        assert!(until <= now + TimeDelta::hours(12) && until > now + TimeDelta::hours(11));
        assert_eq!(read(&other, &admin, now), Some(Role::Admin));
        assert_eq!(read(&one, &viewer, now), Some(Role::Viewer));
        assert_eq!(read(&other, &viewer, now), None, "their token is another one now");
        assert_eq!(read(&one, &admin, until), None, "it is over");
    }

    #[test]
    fn nobody_writes_a_session_but_we() {
        let (now, sessions) = (Utc::now(), sessions("admins-0123456789", "viewers-0123456789"));
        let (_, viewer) = sessions.open(Role::Viewer, now, &place()).unwrap();
        let forged = viewer.replace("viewer.", "admin.");
        assert_ne!(forged, viewer);
        assert_eq!(read(&sessions, &forged, now), None);
        for nonsense in [
            "spiral_session=",
            "spiral_session=admin.99999999999",
            "spiral_session=%ff",
        ] {
            assert_eq!(read(&sessions, nonsense, now), None, "{nonsense}");
        }
    }

    #[test]
    fn scripts_and_other_sites_do_not_get_the_cookie() {
        let sessions = sessions("admins-0123456789", "viewers-0123456789");
        let secure = CookieScope {
            secure: true,
            path: "/spiral".to_owned(),
        };
        let (_, cookie) = sessions.open(Role::Admin, Utc::now(), &secure).unwrap();
        for part in [
            "HttpOnly",
            "SameSite=Strict",
            "Secure",
            "Path=/spiral",
            "Max-Age=43200",
        ] {
            assert!(cookie.contains(part), "{part} is missing: {cookie}");
        }
        let (_, plain) = sessions.open(Role::Admin, Utc::now(), &place()).unwrap();
        assert!(!plain.contains("Secure"), "{plain}");
        assert!(Sessions::end(&secure).contains("Max-Age=0"));
    }

    #[test]
    fn proxies_tell_where_the_browser_is() {
        let place = |lines: &[(&'static str, &str)], behind_proxy, base: &str| {
            let mut req = Request::new();
            for (name, value) in lines {
                req.headers_mut().insert(*name, value.parse().unwrap());
            }
            let place = CookieScope::of(&req, behind_proxy, &base.parse().unwrap());
            (place.secure, place.path)
        };
        let forwarded = [("x-forwarded-proto", "https"), ("x-forwarded-prefix", "/spiral/")];
        assert_eq!(place(&forwarded, true, ""), (true, "/spiral".to_owned()));
        assert_eq!(place(&forwarded, false, ""), (false, "/".to_owned()));
        let bad = [("x-forwarded-prefix", "/a; Domain=example.org")];
        assert_eq!(place(&bad, true, ""), (false, "/".to_owned()));
        // The operator's setting takes precedence.
        assert_eq!(place(&forwarded, true, "/ops"), (true, "/ops".to_owned()));
        assert_eq!(place(&[], false, "/ops"), (false, "/ops".to_owned()));
    }
}
