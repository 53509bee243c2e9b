//! What a Rust file says of modules: the paths that it names and the modules that it declares. Comments, literals and
//! the module of a file's unit tests are left out.

/// A file without comments, literals and inline test modules.
pub(crate) struct Source(String);

/// A name that `use` brings in: the path without braces and `as`, and whether others may reach it here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) public: bool,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Self {
        Self(without_tests(&without_comments(text)))
    }

    /// The modules with a file of their own, and whether only tests see them.
    pub(crate) fn modules(&self) -> Vec<(String, bool)> {
        let mut found = Vec::new();
        for statement in self.0.split([';', '{', '}']) {
            let statement = statement.trim();
            let only_tests = statement.contains("#[cfg(test)]");
            let mut words = statement
                .rsplit(']')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .rev();
            if let (Some(name), Some("mod")) = (words.next(), words.next()) {
                found.push((name.trim_start_matches("r#").to_owned(), only_tests));
            }
        }
        found
    }

    pub(crate) fn imports(&self) -> Vec<Import> {
        let mut found = Vec::new();
        for (at, _) in self.0.match_indices("use ") {
            let before = self.0[..at].trim_end();
            if !self.0[..at].ends_with([' ', '\n', '}']) && at > 0 {
                continue;
            }
            let public = before.ends_with("pub") || (before.ends_with(')') && after_pub(before));
            let Some(end) = self.0[at..].find(';') else {
                continue;
            };
            let mut paths = Vec::new();
            tree(self.0[at + 4..at + end].trim(), &[], &mut paths);
            found.extend(paths.into_iter().map(|path| Import { path, public }));
        }
        found
    }

    /// Paths of this crate that stand in code: `crate::a::b`, `super::c`.
    pub(crate) fn paths(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for root in ["crate::", "super::"] {
            for (at, _) in self.0.match_indices(root) {
                if self.0[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let path: String = self.0[at..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':')
                    .collect();
                found.push(
                    path.split("::")
                        .filter(|part| !part.is_empty())
                        .map(str::to_owned)
                        .collect(),
                );
            }
        }
        found
    }
}

fn after_pub(before: &str) -> bool {
    before
        .rfind('(')
        .is_some_and(|at| before[..at].trim_end().ends_with("pub"))
}

/// Takes `a::{b, c::D as E}` apart.
fn tree(text: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    let text = text.trim();
    let Some(open) = text.find('{') else {
        let text = text.split(" as ").next().unwrap_or_default();
        let mut path = before.to_vec();
        path.extend(
            text.split("::")
                .map(|part| part.trim().trim_start_matches("r#").to_owned())
                .filter(|part| !part.is_empty() && part != "*"),
        );
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        found.push(path);
        return;
    };
    let mut path = before.to_vec();
    path.extend(
        text[..open]
            .split("::")
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty()),
    );
    let inside = &text[open + 1..text.rfind('}').unwrap_or(text.len())];
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                tree(&inside[start..at], &path, found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inside[start..].trim().is_empty() {
        tree(&inside[start..], &path, found);
    }
}

fn without_comments(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let starts = |at: usize, what: &str| {
        what.chars()
            .enumerate()
            .all(|(i, c)| characters.get(at + i) == Some(&c))
    };
    let mut kept = String::new();
    let mut at = 0;
    while at < characters.len() {
        let c = characters[at];
        if starts(at, "//") {
            while at < characters.len() && characters[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < characters.len() && !starts(at, "*/") {
                at += 1;
            }
            at += 2;
        } else if c == 'r' && (starts(at, "r\"") || starts(at, "r#\"") || starts(at, "r##\"")) {
            let marks = characters[at + 1..].iter().take_while(|c| **c == '#').count();
            let end = format!("\"{}", "#".repeat(marks));
            at += marks + 2;
            while at < characters.len() && !starts(at, &end) {
                at += 1;
            }
            at += marks + 1;
        } else if c == '"' {
            at += 1;
            while at < characters.len() && characters[at] != '"' {
                at += if characters[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' && characters.get(at + 1) == Some(&'\\') {
            at += 3;
            while at < characters.len() && characters[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if c == '\'' && characters.get(at + 2) == Some(&'\'') {
            at += 3;
        } else {
            kept.push(c);
            at += 1;
        }
    }
    kept
}

fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let Some(open) = rest[at..].find(['{', ';']).map(|open| at + open) else {
            break;
        };
        let inline =
            rest[at..open].split_whitespace().any(|word| word == "mod") && rest[open..].starts_with('{');
        if !inline {
            kept.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
            continue;
        }
        kept.push_str(&rest[..at]);
        let mut depth = 0;
        let mut end = rest.len();
        for (offset, c) in rest[open..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = open + offset + 1;
                break;
            }
        }
        rest = &rest[end..];
    }
    kept.push_str(rest);
    kept
}

#[test]
fn imports_are_read_as_rust_reads_them() {
    let source = Source::parse(
        "//! use crate::comment::A;\n#[cfg(test)]\nmod tests { use crate::inside::B; }\nmod child;\n#[cfg(test)]\nmod plans;\n\
         use crate::{a::{self, B as C}, d::*};\npub(crate) use self::child::Name;\n\
         fn f() -> &'static str { crate::e::call(\"use crate::text::X;\"); '\"'; super::g::<u8>() }\n",
    );
    let imports: Vec<String> = source
        .imports()
        .iter()
        .map(|import| {
            format!(
                "{}{}",
                if import.public { "pub " } else { "" },
                import.path.join("::")
            )
        })
        .collect();
    assert_eq!(
        imports,
        ["crate::a", "crate::a::B", "crate::d", "pub self::child::Name"]
    );
    assert_eq!(
        source.modules(),
        [("child".to_owned(), false), ("plans".to_owned(), true)]
    );
    let paths: Vec<String> = source.paths().iter().map(|path| path.join("::")).collect();
    assert!(
        paths.contains(&"crate::e::call".to_owned()) && paths.contains(&"super::g".to_owned()),
        "{paths:?}"
    );
}
