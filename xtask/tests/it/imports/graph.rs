//! Which module of a crate uses which other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::source::Source;

/// A module's path in its crate; the root is empty.
pub(crate) type Module = Vec<String>;

pub(crate) struct Graph {
    modules: BTreeMap<Module, Source>,
    /// Names that a module takes from another and hands on: what they stand for.
    handed_on: BTreeMap<(Module, String), Vec<String>>,
    pub(crate) uses: BTreeSet<(Module, Module)>,
}

impl Graph {
    /// Reads a crate from its root file.
    pub(crate) fn read(root: &Path) -> Self {
        let mut graph = Self {
            modules: BTreeMap::new(),
            handed_on: BTreeMap::new(),
            uses: BTreeSet::new(),
        };
        graph.add(Vec::new(), root, root.parent().unwrap());
        graph.hand_on();
        graph.find_uses();
        graph
    }

    fn add(&mut self, module: Module, file: &Path, folder: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let source = Source::parse(&text);
        for (name, only_tests) in source.modules() {
            let child: PathBuf = [
                folder.join(format!("{name}.rs")),
                folder.join(&name).join("mod.rs"),
            ]
            .into_iter()
            .find(|path| path.is_file())
            .unwrap_or_default();
            // A test may use what it needs.
            if !only_tests && child.is_file() {
                let mut path = module.clone();
                path.push(name.clone());
                self.add(path, &child, &folder.join(&name));
            }
        }
        self.modules.insert(module, source);
    }

    fn hand_on(&mut self) {
        for (module, source) in &self.modules {
            for import in source.imports().into_iter().filter(|import| import.public) {
                let Some(path) = self.absolute(module, &import.path) else {
                    continue;
                };
                let Some(name) = import.path.last() else { continue };
                let mut as_child = module.clone();
                as_child.push(name.clone());
                if !self.modules.contains_key(&as_child) {
                    self.handed_on.insert((module.clone(), name.clone()), path);
                }
            }
        }
    }

    fn find_uses(&mut self) {
        let mut uses = BTreeSet::new();
        for (module, source) in &self.modules {
            let imported = source.imports().into_iter().map(|import| import.path);
            for path in imported.chain(source.paths()) {
                if let Some(used) = self
                    .absolute(module, &path)
                    .and_then(|path| self.module_of(&path, 0))
                {
                    uses.insert((module.clone(), used));
                }
            }
        }
        self.uses = uses;
    }

    /// A path from the root of the crate, or none if it leads into another crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut at = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                at.push(child.to_owned());
                if !self.modules.contains_key(&at) {
                    return None;
                }
                at.pop();
            }
        }
        at.extend_from_slice(rest);
        Some(at)
    }

    /// The module in which what the path names is written.
    fn module_of(&self, path: &[String], depth: usize) -> Option<Module> {
        let length = (0..=path.len())
            .rev()
            .find(|length| self.modules.contains_key(&path[..*length]))?;
        let module = path[..length].to_vec();
        if let Some(name) = path.get(length)
            && depth < 5
            && let Some(other) = self.handed_on.get(&(module.clone(), name.clone()))
        {
            let mut other = other.clone();
            other.extend_from_slice(&path[length + 1..]);
            return self.module_of(&other, depth + 1).or(Some(module));
        }
        Some(module)
    }

    /// Uses that are part of a circle. A module and those below it are one thing, and may use each other.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut below: BTreeMap<&Module, Vec<&Module>> = BTreeMap::new();
        for (from, to) in &self.uses {
            if !from.starts_with(to) && !to.starts_with(from) {
                below.entry(from).or_default().push(to);
            }
        }
        let reaches = |from: &Module, to: &Module| {
            let mut seen = BTreeSet::new();
            let mut open = vec![from];
            while let Some(next) = open.pop() {
                if next == to {
                    return true;
                }
                if seen.insert(next) {
                    open.extend(below.get(next).into_iter().flatten());
                }
            }
            false
        };
        let mut circles = Vec::new();
        for (from, used) in &below {
            for to in used.iter().filter(|to| reaches(to, from)) {
                circles.push(format!("{} -> {}", from.join("::"), to.join("::")));
            }
        }
        circles
    }
}
