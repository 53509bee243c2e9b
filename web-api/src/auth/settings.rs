//! The settings of authentication and authorization.

use std::collections::BTreeSet;
use std::fmt;

use jobs::settings::{Lookup, Problem, Reader};
use subtle::ConstantTimeEq as _;

use super::hosts::PublicUrl;
use super::roles::Role;

/// The shortest token; a shorter one is too easy to guess.
const SHORTEST_TOKEN: usize = 16;
const LONGEST_TOKEN: usize = 1_024;

/// Who may do what, as set by the operator.
#[derive(Debug, Clone)]
pub struct AccessSettings {
    /// The token of admins.
    pub admin: Option<Token>,
    /// The token of viewers.
    pub viewer: Option<Token>,
    /// No caller may make changes.
    pub read_only: bool,
    /// The functions that visitors may call.
    pub public_functions: BTreeSet<String>,
    /// The rate limit of calls for each visitor's address.
    pub public_calls_per_minute: u32,
    /// The rate limit of reads for each visitor's address.
    pub public_reads_per_minute: u32,
    /// The public addresses of the server.
    pub public_url: Option<PublicUrl>,
    /// Allows listening on other addresses than loopback without a token.
    pub insecure_open: bool,
    /// How many proxies are in front, each of which appends the address that it saw to `X-Forwarded-For`.
    pub proxies: usize,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            admin: None,
            viewer: None,
            read_only: false,
            public_functions: BTreeSet::new(),
            public_calls_per_minute: 30,
            public_reads_per_minute: 600,
            public_url: None,
            insecure_open: false,
            proxies: 0,
        }
    }
}

impl AccessSettings {
    /// # Errors
    /// Every invalid setting.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(lookup);
        let default = Self::default();
        let old = token(&mut reader, "SPIRAL_TOKEN", "SPIRAL_TOKEN_FILE");
        let new = token(&mut reader, "SPIRAL_ADMIN_TOKEN", "SPIRAL_ADMIN_TOKEN_FILE");
        if old.is_some() && new.is_some() {
            let message =
                "is the old name of SPIRAL_ADMIN_TOKEN, which is set as well: take that one".to_owned();
            reader.problem("SPIRAL_TOKEN", message);
        }
        let admin = new.or(old);
        let viewer = token(&mut reader, "SPIRAL_VIEWER_TOKEN", "SPIRAL_VIEWER_TOKEN_FILE");
        if let (Some(admin), Some(viewer)) = (&admin, &viewer)
            && admin.matches(&viewer.0)
        {
            let message = "is the admins' token: viewers need one of their own".to_owned();
            reader.problem("SPIRAL_VIEWER_TOKEN", message);
        }
        let names = reader.text("SPIRAL_PUBLIC_FUNCTIONS", "");
        let public_functions = names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let calls = reader.number(
            "SPIRAL_PUBLIC_CALLS_PER_MINUTE",
            default.public_calls_per_minute.into(),
            1..=60_000,
        );
        let reads = reader.number(
            "SPIRAL_PUBLIC_READS_PER_MINUTE",
            default.public_reads_per_minute.into(),
            1..=60_000,
        );
        let public_url = reader.optional("SPIRAL_PUBLIC_URL").and_then(|text| {
            let url = text.parse::<PublicUrl>();
            url.map_err(|error| reader.problem("SPIRAL_PUBLIC_URL", error.to_string()))
                .ok()
        });
        let proxies = reader.number("SPIRAL_PROXIES", default.proxies as u64, 0..=10);
        let settings = Self {
            admin,
            viewer,
            read_only: reader.flag("SPIRAL_READ_ONLY", default.read_only),
            public_functions,
            public_calls_per_minute: u32::try_from(calls).unwrap_or(default.public_calls_per_minute),
            public_reads_per_minute: u32::try_from(reads).unwrap_or(default.public_reads_per_minute),
            public_url,
            insecure_open: reader.flag("SPIRAL_INSECURE_OPEN", default.insecure_open),
            proxies: usize::try_from(proxies).unwrap_or(default.proxies),
        };
        reader.finish(settings)
    }

    /// There is no token, so every caller may do everything.
    pub fn is_open(&self) -> bool {
        self.admin.is_none() && self.viewer.is_none()
    }

    /// The role of a token. Both tokens are compared, in constant time.
    pub(crate) fn role_of(&self, given: &str) -> Option<Role> {
        let is = |token: &Option<Token>| token.as_ref().is_some_and(|token| token.matches(given));
        let (admin, viewer) = (is(&self.admin), is(&self.viewer));
        if admin {
            Some(Role::Admin)
        } else {
            viewer.then_some(Role::Viewer)
        }
    }

    pub(crate) fn token_of(&self, role: Role) -> Option<&Token> {
        match role {
            Role::Anybody => None,
            Role::Viewer => self.viewer.as_ref(),
            Role::Admin => self.admin.as_ref(),
        }
    }
}

fn token(reader: &mut Reader<'_>, name: &'static str, in_file: &'static str) -> Option<Token> {
    let text = reader.secret(name, in_file)?;
    let long = (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&text.len());
    if !long || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        // The message must not repeat a secret.
        let message =
            format!("must have {SHORTEST_TOKEN} to {LONGEST_TOKEN} printable ASCII characters and no spaces");
        reader.problem(name, message);
    }
    Some(Token(text))
}

/// An access token. It is never printed, and is compared in constant time.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    pub fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &'static [(&str, &str)]) -> Result<AccessSettings, Vec<Problem>> {
        AccessSettings::from_lookup(&|asked: &str| {
            let found = settings.iter().find(|(name, _)| *name == asked);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn each_token_makes_a_role() {
        let settings = of(&[
            ("SPIRAL_ADMIN_TOKEN", "0123456789abcdef"),
            ("SPIRAL_VIEWER_TOKEN", "fedcba9876543210"),
        ])
        .unwrap();
        assert_eq!(settings.role_of("0123456789abcdef"), Some(Role::Admin));
        assert_eq!(settings.role_of("fedcba9876543210"), Some(Role::Viewer));
        for wrong in ["", "0123456789abcdeF", "0123456789abcdef0"] {
            assert_eq!(settings.role_of(wrong), None, "{wrong}");
        }
        assert!(!settings.is_open() && of(&[]).unwrap().is_open());
        assert!(!format!("{settings:?}").contains("0123"));
    }

    #[test]
    fn the_old_name_of_the_token_still_works() {
        let settings = of(&[("SPIRAL_TOKEN", "0123456789abcdef")]).unwrap();
        assert_eq!(settings.role_of("0123456789abcdef"), Some(Role::Admin));
        let both = of(&[
            ("SPIRAL_TOKEN", "0123456789abcdef"),
            ("SPIRAL_ADMIN_TOKEN", "fedcba9876543210"),
        ]);
        assert_eq!(both.unwrap_err()[0].name, "SPIRAL_TOKEN");
    }

    #[test]
    fn tokens_that_are_weak_or_the_same_are_refused_and_not_repeated() {
        for (text, bad) in [
            (&[("SPIRAL_VIEWER_TOKEN", "sesame")][..], "SPIRAL_VIEWER_TOKEN"),
            (
                &[("SPIRAL_ADMIN_TOKEN", "open sesame, open")][..],
                "SPIRAL_ADMIN_TOKEN",
            ),
            (
                &[
                    ("SPIRAL_ADMIN_TOKEN", "sesame0123456789"),
                    ("SPIRAL_VIEWER_TOKEN", "sesame0123456789"),
                ][..],
                "SPIRAL_VIEWER_TOKEN",
            ),
        ] {
            let problems = of(text).unwrap_err();
            assert_eq!(problems[0].name, bad);
            assert!(!problems[0].message.contains("sesame"), "{problems:?}");
        }
    }

    #[test]
    fn public_functions_are_a_list() {
        let settings = of(&[("SPIRAL_PUBLIC_FUNCTIONS", "fibonacci, echo,")]).unwrap();
        assert_eq!(
            settings.public_functions.iter().collect::<Vec<_>>(),
            ["echo", "fibonacci"]
        );
        assert_eq!(settings.public_calls_per_minute, 30);
    }
}
