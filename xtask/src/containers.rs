//! Checks of what the containers are made from, without making any.

use anyhow::Result;

use crate::skipped::Skipped;
use crate::{process, project, python};

const BASE: &str = "docker-compose.yml";

/// What is put on top of it, each by itself.
const OVERRIDES: [&str; 3] = [
    "docker-compose.dev.yml",
    "docker-compose.observability.yml",
    "docker-compose.tls.yml",
];

/// Those of the bundles for AWS.
const BUNDLES: [&str; 2] = ["aws/web/docker-compose.yml", "aws/worker/docker-compose.yml"];

/// The Dockerfiles.
pub fn hadolint() -> Result<()> {
    let mut hadolint = python::command("hadolint")?;
    process::run_quietly(hadolint.args(["Dockerfile", "nginx/Dockerfile"])).map(drop)
}

/// Every compose file by the schema of the specification.
pub fn schema() -> Result<()> {
    let mut check = python::command("check-jsonschema")?;
    check
        .args(["--builtin-schema", "vendor.compose-spec", BASE])
        .args(OVERRIDES)
        .args(BUNDLES);
    process::run_quietly(&mut check).map(drop)
}

/// What docker compose makes of them together.
pub fn config() -> Result<()> {
    let found = project::find("docker").is_some()
        && process::capture(process::command("docker").args(["compose", "version"]))?
            .status
            .success();
    if !found {
        return Err(Skipped::because("docker compose is not on this machine").into());
    }
    for more in OVERRIDES.map(Some).into_iter().chain([None]) {
        let mut compose = process::sealed_command("docker");
        compose.args(["compose", "--env-file", "compose/demo.env", "--file", BASE]);
        if let Some(more) = more {
            compose.args(["--file", more]);
        }
        compose
            .env("SPIRAL_TLS_CERTIFICATE", "certificate.pem")
            .env("SPIRAL_TLS_KEY", "key.pem");
        process::run_quietly(compose.args(["config", "--quiet"]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_compose_file_is_checked() {
        let mut files: Vec<String> = fs::read_dir(project::root())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("docker-compose"))
            .collect();
        files.sort();
        let mut checked: Vec<&str> = OVERRIDES.into_iter().chain([BASE]).collect();
        checked.sort_unstable();
        assert_eq!(files, checked);
    }

    #[test]
    fn what_is_mounted_from_the_checkout_exists() {
        for file in OVERRIDES.into_iter().chain([BASE]) {
            let text = fs::read_to_string(project::path(file)).unwrap();
            for place in text.split("./").skip(1).filter_map(|rest| rest.split(':').next()) {
                assert!(project::path(place).exists(), "{file} mounts {place}");
            }
        }
    }

    #[test]
    fn the_dashboard_and_the_alerts_ask_for_metrics_that_there_are() {
        let known = fs::read_to_string(project::path("web-api/src/http/metrics.rs")).unwrap();
        for file in ["compose/grafana/dashboards/spiral.json", "compose/alerts.yml"] {
            let text = fs::read_to_string(project::path(file)).unwrap();
            let mut asked = 0;
            for (at, _) in text.match_indices("spiral_") {
                let name: String = text[at..]
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                let series = name.trim_end_matches("_bucket").trim_end_matches("_count");
                assert!(known.contains(&format!("\"{series}\"")), "{file} asks for {name}");
                asked += 1;
            }
            assert!(asked > 2, "{file} asks for nothing");
        }
    }
}
