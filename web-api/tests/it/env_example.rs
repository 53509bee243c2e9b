//! `.env.example` and the settings that the code reads are the same list.

use std::cell::RefCell;
use std::collections::BTreeSet;

use jobs::worker::WorkerSettings;
use web_api::config::Config;

/// Names that are read besides those of the list: other programs' names for the same, and the host's own.
const OTHERS: [&str; 3] = ["DATABASE_URL", "REDIS_URL", "HOSTNAME"];

#[test]
fn every_setting_is_listed_and_nothing_else() {
    let asked = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    // What is missing does not matter here: only what is asked for.
    Config::from_lookup(&lookup).ok();
    WorkerSettings::from_lookup(&lookup).ok();
    let mut asked = asked.into_inner();
    for other in OTHERS {
        assert!(asked.remove(other), "{other} is not read any more");
    }
    let listed: BTreeSet<String> = lines().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, asked, "left: .env.example, right: what the code reads");
}

#[test]
fn what_is_listed_can_be_used_and_is_the_default() {
    let lines = lines();
    let lookup = |name: &str| {
        lines
            .iter()
            .find(|(listed, _)| listed == name)
            .map(|(_, value)| value.clone())
    };
    let config = Config::from_lookup(&lookup).unwrap();
    let worker = WorkerSettings::from_lookup(&lookup).unwrap();
    let default =
        Config::from_lookup(&|name| (name == "SPIRAL_DATABASE_URL").then(|| lookup(name)).flatten());
    assert_eq!(format!("{config:?}"), format!("{:?}", default.unwrap()));
    assert_eq!(worker, WorkerSettings::default());
}

fn lines() -> Vec<(String, String)> {
    let text = include_str!("../../../.env.example");
    let settings = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    settings
        .map(|line| {
            line.split_once('=')
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .unwrap()
        })
        .collect()
}
