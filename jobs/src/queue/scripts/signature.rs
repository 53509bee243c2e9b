//! The keys and arguments of a script. Its header names them once for both sides: Lua gets a local variable for each,
//! and Rust passes them by name.
//!
//! ```text
//! -- KEYS: jobs, running; each worker: running
//! -- ARGS: worker, lease_ms; each job: id, attempt
//! ```
//!
//! Behind `each` stands what comes any number of times, at the end of the list: its first place is `FIRST` (`FIRST_KEY`
//! among the keys), one of them has `EACH` places, and the value `attempt` of the one at place `at` is
//! `ARGV[at + ATTEMPT]`. A key in parentheses only says on which node of a cluster the script runs.

/// What the header of a script names, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) keys: Names,
    pub(crate) args: Names,
}

/// The names that come once, and those of what comes any number of times.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) once: Vec<&'static str>,
    pub(crate) each: Vec<&'static str>,
}

impl Signature {
    pub(crate) fn of(lua: &'static str) -> Self {
        Self {
            keys: Names::of(lua, "-- KEYS:"),
            args: Names::of(lua, "-- ARGS:"),
        }
    }

    /// The whole script: what all of them share, the variables, and its own lines.
    pub(crate) fn script(&self, first_line: &str, prelude: &str, lua: &str) -> String {
        let (keys, args) = (self.keys.locals("KEYS"), self.args.locals("ARGV"));
        let (first_key, first) = (self.keys.first("FIRST_KEY"), self.args.first("FIRST"));
        let each = self.args.offsets();
        format!("{first_line}{prelude}{keys}{first_key}{args}{first}{each}{lua}")
    }
}

impl Names {
    /// The names behind `mark`; a comma at the end of a line says that the next one goes on with them.
    fn of(lua: &'static str, mark: &str) -> Self {
        let mut lines = lua.lines().skip_while(|line| !line.starts_with(mark));
        let mut rest = lines.next().and_then(|line| line.strip_prefix(mark));
        let (mut once, mut each) = (Vec::new(), Vec::new());
        let mut repeated = false;
        while let Some(line) = rest {
            for part in line.split_inclusive([',', ';']) {
                let name = match part.split_once(':') {
                    Some((_, name)) => name,
                    None => part,
                };
                repeated |= part.contains(':');
                let names = if repeated { &mut each } else { &mut once };
                let name = name.trim_matches([' ', ',', ';']);
                if !name.is_empty() && name != "none" {
                    names.push(name);
                }
            }
            let goes_on = line.ends_with(',');
            rest = lines
                .next()
                .filter(|_| goes_on)
                .map(|line| line.trim_start_matches('-'));
        }
        Self { once, each }
    }

    fn locals(&self, list: &str) -> String {
        let named = self.once.iter().enumerate();
        let named = named.filter(|(_, name)| !name.starts_with('('));
        let lines = named.map(|(place, name)| format!("local {name} = {list}[{}]\n", place + 1));
        lines.collect::<Vec<_>>().concat()
    }

    fn first(&self, name: &str) -> String {
        if self.each.is_empty() {
            return String::new();
        }
        format!("local {name} = {}\n", self.once.len() + 1)
    }

    fn offsets(&self) -> String {
        if self.each.len() < 2 {
            return String::new();
        }
        let offsets = self.each.iter().enumerate();
        let offsets = offsets.map(|(offset, name)| format!("local {} = {offset}\n", name.to_uppercase()));
        let first = format!("local EACH = {}\n", self.each.len());
        first + &offsets.collect::<Vec<_>>().concat()
    }
}
