//! What it says when it cannot start, or is not well.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let refused = |arguments: &[&str], path: Option<&str>| {
        let mut command = program();
        command.arg("all-in-one").args(arguments).arg("--data").arg(&data);
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        text.lines().last().unwrap_or_default().to_owned()
    };
    let open = refused(&["--listen", "0.0.0.0:0"], None);
    assert!(
        open.contains("without an access token everybody there could do everything. Set SPIRAL_ADMIN_TOKEN"),
        "{open}"
    );
    let nowhere = refused(&["--listen", "127.0.0.1:0", "--static", "/nowhere"], None);
    assert!(
        nowhere.contains("there is no /nowhere/index.html: build the frontend first"),
        "{nowhere}"
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let without = refused(&["--listen", "127.0.0.1:0"], Some(empty.to_str().unwrap()));
    assert!(
        without.contains("there is no program redis-server here. Install it"),
        "{without}"
    );
    // With `setpriv` and no redis-server, it is `setpriv` that says so.
    std::os::unix::fs::symlink("/usr/bin/setpriv", empty.join("setpriv")).unwrap();
    let without = refused(&["--listen", "127.0.0.1:0"], Some(empty.to_str().unwrap()));
    assert!(
        without.contains("there is no program redis-server here. Install it"),
        "{without}"
    );

    let spiral = Running::start(&data, &[]).await;
    let shared = refused(&["--listen", "127.0.0.1:0"], None);
    let expected = format!("another Spiral (process {}) uses the data folder", spiral.id());
    assert!(
        shared.contains(&expected) && shared.contains("--data"),
        "{shared}"
    );
    let other = folder.path().join("other");
    let taken = program()
        .args(["all-in-one", "--listen", &spiral.address().to_string(), "--data"])
        .arg(&other)
        .output()
        .unwrap();
    let taken = String::from_utf8(taken.stderr).unwrap();
    assert!(
        taken.contains(&format!(
            "cannot listen on {}: Address already in use",
            spiral.address()
        )),
        "{taken}"
    );
    assert!(!other.exists(), "it looks at the address first");
    spiral.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_bad_settings_are_told_at_once_and_none_is_repeated() {
    let output = program()
        .args(["all-in-one"])
        .env("SPIRAL_TOKEN", "sesame")
        .env("SPIRAL_BODY_LIMIT", "lots")
        .env("SPIRAL_LEASE", "long")
        .env("SPIRAL_LOG_FORMAT", "xml")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    for name in [
        "SPIRAL_TOKEN",
        "SPIRAL_BODY_LIMIT",
        "SPIRAL_LEASE",
        "SPIRAL_LOG_FORMAT",
    ] {
        assert_eq!(text.matches(&format!("{name}: ")).count(), 1, "{name} in {text}");
    }
    assert!(
        output.status.code() == Some(1) && !text.contains("sesame"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_tells_by_its_exit_code() {
    let folder = TempDir::new().unwrap();
    let spiral = Running::start(&folder.path().join("data"), &[]).await;
    let check = |listen: String| {
        program()
            .arg("healthcheck")
            .env("SPIRAL_LISTEN", listen)
            .output()
            .unwrap()
    };
    assert!(check(spiral.address().to_string()).status.success());
    // In a container it listens everywhere, and is asked at its own address.
    assert!(
        check(format!("0.0.0.0:{}", spiral.address().port()))
            .status
            .success()
    );
    let address = spiral.address().to_string();
    spiral.stop().await;
    let gone = check(address.clone());
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        String::from_utf8(gone.stderr)
            .unwrap()
            .contains(&format!("nobody listens on {address}"))
    );
}
