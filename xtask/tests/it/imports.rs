//! Imports point one way: down the layers of `web-api`, and in no crate in a circle.

mod graph;
mod source;

use std::path::Path;

use graph::Graph;

/// The layers of `web-api` from above; a module may use those below it, and others of its own layer.
const LAYERS: [&[&str]; 8] = [
    &["serve", "all_in_one"],
    &["app"],
    &["http"],
    &["config", "live"],
    &["http::dto"],
    &["services", "auth"],
    &["db"],
    &["domain"],
];

fn root(of: &str) -> Graph {
    Graph::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of))
}

#[test]
fn imports_of_the_api_point_down_its_layers() {
    let graph = root("web-api/src/lib.rs");
    // The longest name that fits counts.
    let layer = |module: &[String]| {
        (1..=module.len()).rev().find_map(|length| {
            let name = module[..length].join("::");
            LAYERS.iter().position(|layer| layer.contains(&name.as_str()))
        })
    };
    let mut wrong = Vec::new();
    for (from, to) in &graph.uses {
        let (Some(above), Some(below)) = (layer(from), layer(to)) else {
            assert!(
                from.is_empty() || to.is_empty(),
                "{from:?} or {to:?} has no layer: name it in LAYERS"
            );
            continue;
        };
        if above > below {
            wrong.push(format!("{} -> {}", from.join("::"), to.join("::")));
        }
    }
    assert!(
        wrong.is_empty(),
        "these imports point up:\n  {}",
        wrong.join("\n  ")
    );
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for file in [
        "jobs/src/lib.rs",
        "web-api/src/lib.rs",
        "migrations/src/lib.rs",
        "chaos/src/main.rs",
        "xtask/src/main.rs",
    ] {
        circles.extend(
            root(file)
                .circles()
                .into_iter()
                .map(|circle| format!("{file}: {circle}")),
        );
    }
    assert!(circles.is_empty(), "circles:\n  {}", circles.join("\n  "));
}
