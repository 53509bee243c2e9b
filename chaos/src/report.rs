//! What is printed: the settings before, the table after.

use std::time::Duration;

use xtask::say;

use crate::options::Options;
use crate::stack::SETTINGS;
use crate::verdict::Verdict;

/// Offences that are shown of each check.
const SHOWN: usize = 5;

pub(crate) fn heading(options: &Options) {
    let rate = if options.rate == 0 {
        "as fast as they go".to_owned()
    } else {
        format!("{} a second", options.rate)
    };
    println!(
        "Chaos: {} calls on {} connections, {rate}; 2 APIs, 3 workers, Redis (appendfsync {}), PostgreSQL.",
        options.jobs,
        options.connections,
        options.fsync.setting()
    );
    let settings: Vec<String> = SETTINGS
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    println!("{}", settings.join(" "));
    println!(
        "Seed {0}: `--seed {0}` strikes in the same order again.\n",
        options.seed
    );
}

pub(crate) fn verdict(verdict: &Verdict, took: Duration) {
    println!("\n  after {}", say::time(took));
    for (what, value) in &verdict.figures {
        println!("  {what:<60} {value}");
    }
    println!();
    for check in &verdict.checks {
        let word = if check.holds() { "ok" } else { "FAILED" };
        println!("  {word:<7} {:<60} {}", check.what, check.offences.len());
        for offence in check.offences.iter().take(SHOWN) {
            let job = offence.job.map(|job| format!("{job}: ")).unwrap_or_default();
            println!("          {job}{}", offence.what);
        }
        if check.offences.len() > SHOWN {
            println!("          …");
        }
    }
}

pub(crate) fn tally(verdict: &Verdict) {
    let failed = verdict.failed();
    println!("\n{} passed, {failed} failed", verdict.checks.len() - failed);
}
