//! Which build this is. Builds of images say it in `SPIRAL_VERSION` and `SPIRAL_COMMIT` while they compile.

use std::sync::LazyLock;

/// Spiral's version.
pub const VERSION: &str = match option_env!("SPIRAL_VERSION") {
    Some(version) if !version.is_empty() => version,
    Some(_) | None => env!("CARGO_PKG_VERSION"),
};

/// The commit that it was built from, where the build was given it.
pub const COMMIT: Option<&str> = match option_env!("SPIRAL_COMMIT") {
    Some(commit) if !commit.is_empty() => Some(commit),
    Some(_) | None => None,
};

/// Both in one text, for `--version`.
pub fn described() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| match COMMIT {
        Some(commit) => format!("{VERSION} ({commit})"),
        None => VERSION.to_owned(),
    });
    TEXT.as_str()
}
