//! The developer's commands, each in a file of its own.
//!
//! They may know every part of the repository, and no part may know them. They stay light (few crates, no
//! runtime), because `cargo xtask` has to be there within a second. Every server that they start is private:
//! a folder of its own, a free port, gone at the end. What already runs on the machine is never touched.

#![expect(
    clippy::print_stdout,
    reason = "talking to the developer is what these commands are for"
)]

pub mod bench;
pub mod build;
pub mod changelog;
pub mod chaos;
pub mod check;
pub mod cli;
pub mod compose_test;
pub mod containers;
pub mod docs;
pub mod frontend;
pub mod help;
pub mod http;
pub mod install;
pub mod interrupt;
pub mod lighthouse;
pub mod migration;
pub mod nginx;
pub mod openapi;
pub mod plant;
pub mod postgres;
pub mod previous;
pub mod process;
pub mod project;
pub mod python;
pub mod redis;
pub mod release;
pub mod say;
pub mod server;
mod skipped;
pub mod small_disk;
pub mod stack;
pub mod tally;
pub mod test;
pub mod up;
