//! Whether the two sides of each script agree: its header, its lines, and the calls in this crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::signature::Names;
use super::*;

/// The lines behind the header.
fn body(lua: &str) -> String {
    let lines = lua.lines().skip_while(|line| line.starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|part| part == word)
}

#[test]
fn every_name_of_a_header_is_used() {
    for (_, file, lua) in FILES {
        let Signature { keys, args } = Signature::of(lua);
        let body = body(lua);
        let routed_by = |name: &str| name.starts_with('(') && name.ends_with(')');
        for name in keys.once.iter().chain(&args.once).filter(|name| !routed_by(name)) {
            assert!(has_word(&body, name), "{file} does not use {name}");
        }
        for name in &keys.once {
            assert!(Key::named(name).is_some(), "{file}: {name} is no key");
        }
        for name in &keys.each {
            assert!(Key::named(name).is_some(), "{file}: {name} is no key");
            assert!(
                body.contains("for at = FIRST_KEY, #KEYS do"),
                "{file} does not use each {name}"
            );
        }
        // A list that begins with what is repeated may be taken as it is.
        let as_it_is = args.once.is_empty() && body.contains("(ARGV)");
        if as_it_is || args.each.is_empty() {
            continue;
        }
        assert!(has_word(&body, "FIRST"), "{file} does not use {:?}", args.each);
        if args.each.len() > 1 {
            for name in &args.each {
                let offset = format!(" + {}]", name.to_uppercase());
                assert!(body.contains(&offset), "{file} does not use {name}");
            }
        }
    }
}

#[test]
fn no_script_counts_its_keys_or_arguments() {
    for (_, file, lua) in FILES {
        for list in ["KEYS[", "ARGV["] {
            for (at, _) in lua.match_indices(list) {
                let index = lua[at + list.len()..].split(']').next().unwrap();
                let is_counted = index
                    .split(' ')
                    .any(|word| word.parse::<u32>().is_ok_and(|number| number != 1));
                assert!(!is_counted && index != "1", "{file}: {list}{index}]");
            }
        }
    }
}

/// The names in the calls of `.arg(` between two places of a source, each once in a row: the arms of a `match` pass the
/// same argument.
fn args_in(source: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in source.split(".arg(").skip(1) {
        let Some(part) = part.trim_start().strip_prefix('"') else {
            continue;
        };
        let name = part.split('"').next().unwrap().to_owned();
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}

fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if !path.ends_with("scripts.rs") && !path.ends_with("scripts/tests.rs") {
            into.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_call_passes_what_the_header_names() {
    let mut texts = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/queue"),
        &mut texts,
    );
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    for text in &texts {
        for (name, file, lua) in FILES {
            let mention = format!("scripts::{name}");
            for (at, _) in text.match_indices(&mention) {
                let rest = &text[at + mention.len()..];
                if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                *calls.entry(name).or_default() += 1;
                // A call ends where it is sent.
                let sent = rest.find(".script").unwrap_or(rest.len());
                let Names { once, each } = Signature::of(lua).args;
                let named: Vec<&str> = once.into_iter().chain(each).collect();
                let mut passed = args_in(&rest[..sent]);
                // What is repeated may be passed by several calls of one name.
                passed.dedup();
                if *file == "limit.lua" {
                    assert!(passed.chunks(2).all(|pair| pair == named), "{file}: {passed:?}");
                } else {
                    assert_eq!(passed, named, "{file}");
                }
            }
        }
    }
    for (name, file, _) in FILES {
        assert!(calls.contains_key(name), "nothing calls {file} as {name}");
    }
}

#[test]
fn a_header_names_what_comes_once_and_what_is_repeated() {
    let lua = "-- Does.\n--\n-- KEYS: jobs, lanes,\n--       wake; each worker: running\n-- ARGS: most; each job: id, attempt\n--   most  of them\n-- Returns 1\n";
    let signature = Signature::of(lua);
    assert_eq!(signature.keys.once, ["jobs", "lanes", "wake"]);
    assert_eq!(signature.keys.each, ["running"]);
    assert_eq!(signature.args.once, ["most"]);
    assert_eq!(signature.args.each, ["id", "attempt"]);
    let script = signature.script("#!lua\n", "", "return 1\n");
    let expected = "#!lua\nlocal jobs = KEYS[1]\nlocal lanes = KEYS[2]\nlocal wake = KEYS[3]\nlocal FIRST_KEY = 4\n\
                    local most = ARGV[1]\nlocal FIRST = 2\nlocal EACH = 2\nlocal ID = 0\nlocal ATTEMPT = 1\nreturn 1\n";
    assert_eq!(script, expected);
    let none = Signature::of("-- KEYS: (jobs)\n-- ARGS: none\n");
    assert_eq!(none.script("", "", "return 1\n"), "return 1\n");
}

#[test]
#[should_panic(expected = "argument 2")]
fn an_argument_out_of_turn_is_refused() {
    let keys = super::super::keys::Keys::new("spiral", &crate::job::QueueName::standard());
    ANNOUNCE.call(&keys.of_queue()).arg("kind", 1).arg("text", 2);
}

#[test]
#[should_panic(expected = "data is missing")]
fn a_call_with_too_few_arguments_is_refused() {
    let keys = super::super::keys::Keys::new("spiral", &crate::job::QueueName::standard());
    ANNOUNCE.call(&keys.of_queue()).arg("kind", 1).invocation();
}
