//! The `web-api` binary.

use std::io::Write as _;

fn main() -> anyhow::Result<()> {
    std::io::stdout().write_all(web_api::openapi::text()?.as_bytes())?;
    Ok(())
}
