use super::*;

fn read(words: &[&str]) -> Result<Command> {
    parse(lexopt::Parser::from_args(words.iter().copied()))
}

#[test]
fn up_has_the_documented_defaults() {
    assert_eq!(
        read(&["up"]).unwrap(),
        Command::Up(UpOptions {
            port: 8080,
            data: None
        })
    );
}

#[test]
fn up_takes_a_port_and_a_folder() {
    let expected = UpOptions {
        port: 9000,
        data: Some("/tmp/x".into()),
    };
    assert_eq!(
        read(&["up", "--port", "9000", "--data=/tmp/x"]).unwrap(),
        Command::Up(expected)
    );
}

#[test]
fn a_bad_port_is_named() {
    for port in ["0", "65536", "abc", "-1"] {
        let error = read(&["up", &format!("--port={port}")]).unwrap_err().to_string();
        assert!(error.contains(port) && error.contains("1 to 65535"), "{error}");
    }
}

#[test]
fn test_without_words_means_every_part() {
    let expected = TestOptions {
        parts: Part::ALL.into(),
        arguments: Vec::new(),
    };
    assert_eq!(read(&["test"]).unwrap(), Command::Test(expected));
}

#[test]
fn one_part_may_get_arguments() {
    let expected = TestOptions {
        parts: vec![Part::Rust],
        arguments: ["-p", "jobs", "--", "--nocapture"].map(OsString::from).into(),
    };
    let words = ["test", "rust", "--", "-p", "jobs", "--", "--nocapture"];
    assert_eq!(read(&words).unwrap(), Command::Test(expected));
    assert!(read(&["test", "--", "x"]).is_err());
}

#[test]
fn the_benchmarks_take_their_words_directly_and_behind_dashes() {
    let expected = Command::Bench(["engine", "--rounds", "3"].map(OsString::from).into());
    assert_eq!(read(&["bench", "engine", "--rounds", "3"]).unwrap(), expected);
    assert_eq!(
        read(&["bench", "--", "engine", "--rounds", "3"]).unwrap(),
        expected
    );
    assert_eq!(read(&["bench"]).unwrap(), Command::Bench(Vec::new()));
}

#[test]
fn chaos_reads_its_arguments_itself() {
    let expected = ["--jobs", "100", "--keep"].map(OsString::from);
    assert_eq!(
        read(&["chaos", "--jobs", "100", "--keep"]).unwrap(),
        Command::Chaos(expected.to_vec())
    );
    let words = ["chaos", "--", "--jobs", "100", "--keep"];
    assert_eq!(read(&words).unwrap(), Command::Chaos(expected.into()));
}

#[test]
fn every_command_explains_itself_without_being_run() {
    let commands = help::OVERVIEW
        .lines()
        .filter_map(|line| line.trim().strip_prefix("cargo xtask "));
    let mut explained = 0;
    for line in commands {
        let command = line.split(' ').next().unwrap();
        for option in ["--help", "-h"] {
            let Command::Help(text) = read(&[command, option]).unwrap() else {
                panic!("{command} {option} does something else");
            };
            assert!(
                text.starts_with(&format!("cargo xtask {command}")),
                "{command}: {text}"
            );
        }
        explained += 1;
    }
    assert_eq!(explained, 11);
}

#[test]
fn the_containers_are_tested_always_or_where_it_is_possible() {
    let options = compose_test::Options::default();
    assert_eq!(read(&["compose-test"]).unwrap(), Command::ComposeTest(options));
    let options = compose_test::Options {
        if_possible: true,
        no_build: true,
        keep: true,
    };
    let words = ["compose-test", "--if-possible", "--no-build", "--keep"];
    assert_eq!(read(&words).unwrap(), Command::ComposeTest(options));
    assert!(read(&["compose-test", "--fast"]).is_err());
}

#[test]
fn unknown_words_are_refused() {
    for words in [
        vec!["fly"],
        vec!["test", "java"],
        vec!["check", "x"],
        vec!["lighthouse", "x"],
        vec!["up", "8080"],
        vec!["migration"],
        vec!["bench", "queue"],
    ] {
        assert!(read(&words).is_err(), "{words:?}");
    }
}
