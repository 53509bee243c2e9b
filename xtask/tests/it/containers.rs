//! What docker-compose.yml and the bundles for AWS promise, as they are written.

use std::fs;

use xtask::project;

fn read(name: &str) -> String {
    fs::read_to_string(project::path(name)).unwrap()
}

#[test]
fn no_file_system_in_memory_is_without_a_size() {
    let mut seen = 0;
    for name in [
        "docker-compose.yml",
        "aws/web/docker-compose.yml",
        "aws/worker/docker-compose.yml",
    ] {
        let text = read(name);
        let mounts = text.lines().filter(|line| line.contains(":uid="));
        for mount in mounts {
            assert!(mount.contains(",size="), "{name}: {mount}");
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} are mounted");
}

#[test]
fn a_server_without_a_token_is_published_on_this_machine_alone() {
    let compose = read("docker-compose.yml");
    assert!(compose.contains("\"${SPIRAL_PORT:-127.0.0.1:8080}:8080\""));
    assert!(compose.contains("SPIRAL_INSECURE_OPEN: ${SPIRAL_INSECURE_OPEN:-false}\n"));
    let demo = read("compose/demo.env");
    assert!(
        demo.contains("\nSPIRAL_PORT=127.0.0.1:8080\n") && demo.contains("\nSPIRAL_INSECURE_OPEN=true\n")
    );
    assert!(!read("aws/web/docker-compose.yml").contains("INSECURE"));
}
