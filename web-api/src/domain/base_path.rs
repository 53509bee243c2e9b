//! The base path of a Spiral that has only a part of a host, `/spiral` for `https://ops.example.org/spiral/`,
//! and links that start with it.

use std::fmt;
use std::str::FromStr;

use tokio::task_local;

/// Paths at the root. Below one of these it would be unclear whether a proxy has stripped the base path
/// already.
const TAKEN: [&str; 6] = ["api", "assets", "healthz", "readyz", "metrics", "nginx-health"];
/// The longest base path.
const LONGEST: usize = 200;

task_local! {
    /// The base path of the server that handles the current request.
    static CURRENT: BasePath;
}

/// `/spiral`, or nothing for the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// Why a text is not a base path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BasePathError {
    #[error(
        "{0:?} is no path such as /spiral: it begins with a slash, does not end with one, and between slashes has letters, \
         digits, '-', '_', '~' and '.', which cannot be the first"
    )]
    Shape(String),
    #[error("{0:?} begins with what Spiral itself has at the root ({list}): take another one", list = TAKEN.join(", "))]
    Taken(String),
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.');
        let fits = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(legal);
        let parts = text.strip_prefix('/').filter(|parts| parts.split('/').all(fits));
        match parts {
            Some(parts) if text.len() <= LONGEST => {
                let first = parts.split('/').next().unwrap_or_default();
                if TAKEN.iter().any(|taken| first.eq_ignore_ascii_case(taken)) {
                    return Err(BasePathError::Taken(text.to_owned()));
                }
                Ok(Self(text.to_owned()))
            }
            _ => Err(BasePathError::Shape(text.to_owned())),
        }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BasePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The address of `path` for clients.
    pub fn link(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

/// The address of `path` for the client of the current request.
pub fn link(path: &str) -> String {
    CURRENT
        .try_with(|base| base.link(path))
        .unwrap_or_else(|_outside| path.to_owned())
}

/// Handles a request with `base` as the base path that [`link`] uses.
pub async fn below<F: Future>(base: BasePath, answering: F) -> F::Output {
    CURRENT.scope(base, answering).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_a_plain_path_or_nothing() {
        for good in ["", "/spiral", "/ops/spiral-2", "/a.b/c_d~e", "/ops/api"] {
            assert_eq!(good.parse::<BasePath>().unwrap().as_str(), good);
        }
        for bad in [
            "/",
            "spiral",
            "/spiral/",
            "//spiral",
            "/a//b",
            "/a b",
            "/..",
            "/a/.b",
            "/a?b",
            "/a#b",
            "/%61",
            "/ä",
            "/a\"b",
            "/a;b",
            "https://ops.example.org/spiral",
        ] {
            let error = bad.parse::<BasePath>().unwrap_err();
            assert!(matches!(error, BasePathError::Shape(_)), "{bad}");
            assert!(error.to_string().contains("such as /spiral"), "{error}");
        }
        for taken in ["/api", "/assets/x", "/Metrics", "/healthz"] {
            let error = taken.parse::<BasePath>().unwrap_err();
            assert!(matches!(error, BasePathError::Taken(_)), "{taken}");
        }
        assert!(format!("/{}", "x".repeat(200)).parse::<BasePath>().is_err());
    }

    #[tokio::test]
    async fn links_are_those_of_the_server_that_answers() {
        assert_eq!(link("/api/v1/jobs"), "/api/v1/jobs");
        let base: BasePath = "/spiral".parse().unwrap();
        let told = CURRENT.scope(base, async { link("/api/v1/jobs") }).await;
        assert_eq!(told, "/spiral/api/v1/jobs");
    }
}
