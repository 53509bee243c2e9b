//! `cargo xtask COMMAND`: reads the command and hands it to its file.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to the developer is its job"
)]

use std::process::ExitCode;

use xtask::cli::Command;
use xtask::interrupt::Interrupted;
use xtask::{
    bench, changelog, chaos, check, cli, compose_test, docs, help, interrupt, lighthouse, migration, openapi,
    test, up,
};

fn main() -> ExitCode {
    let command = match cli::parse(lexopt::Parser::from_env()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("{error}\n\n{}", help::OVERVIEW);
            return ExitCode::from(2);
        }
    };
    match interrupt::listen().and_then(|()| run(&command)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => {
            println!("\nStopped.");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; `false` means that it ran to its end and found something wrong.
fn run(command: &Command) -> anyhow::Result<bool> {
    match command {
        Command::Help(text) => {
            println!("{text}");
            Ok(true)
        }
        Command::Up(options) => up::run(options).map(|()| true),
        Command::Test(options) => test::run(options),
        Command::Check => check::run(),
        Command::Bench(arguments) => bench::run(arguments).map(|()| true),
        Command::Chaos(arguments) => chaos::run(arguments),
        Command::Lighthouse => lighthouse::run(),
        Command::ComposeTest(options) => compose_test::run(*options),
        Command::Openapi => openapi::run().map(|()| true),
        Command::Docs => docs::write().map(|()| true),
        Command::Changelog { version } => changelog::run(version).map(|()| true),
        Command::Migration { name } => migration::run(name).map(|()| true),
    }
}
