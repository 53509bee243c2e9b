//! The Lua scripts, one file each in `jobs/lua/`; each file's header names its keys, arguments, answer and cost. Lua and
//! Rust share these names (`signature.rs`): a call takes its keys by the header's list, and checks the names of its
//! arguments in debug builds. What several scripts share is in `prelude.lua`, which stands in front of each.
//!
//! The first line of a script tells Redis whether to run it when its memory is full (`maxmemory`). What takes jobs,
//! renews leases, ends attempts and records them runs always: that is how a full Redis empties itself. What puts
//! something in is refused before it begins.

use std::sync::LazyLock;

use redis::{ScriptInvocation, ToRedisArgs};

use super::keys::{Key, ScopedKeys};
use signature::Signature;

mod signature;
#[cfg(test)]
mod tests;

/// Jobs that one script handles at most: what keeps Redis free for others.
pub(crate) const BATCH: usize = 500;

const PRELUDE: &str = include_str!("../../lua/prelude.lua");

/// A script and the names of what it takes.
pub(crate) struct Script {
    lua: redis::Script,
    keys: Vec<Key>,
    signature: Signature,
}

impl Script {
    fn new(first_line: &str, lua: &'static str) -> Self {
        let signature = Signature::of(lua);
        // A name that is no key fails the tests.
        let keys = signature.keys.once.iter().filter_map(|name| Key::named(name));
        Self {
            lua: redis::Script::new(&signature.script(first_line, PRELUDE, lua)),
            keys: keys.collect(),
            signature,
        }
    }

    /// A call with the keys that the header names; its arguments are still to come.
    pub(crate) fn call(&self, keys: &ScopedKeys<'_>) -> Call<'_> {
        let mut invocation = self.lua.prepare_invoke();
        for key in &self.keys {
            invocation.key(keys.get(*key));
        }
        Call {
            invocation,
            signature: &self.signature,
            given: 0,
        }
    }
}

/// A script with what it is called with.
pub(crate) struct Call<'a> {
    invocation: ScriptInvocation<'a>,
    signature: &'a Signature,
    /// Arguments so far.
    given: usize,
}

impl Call<'_> {
    /// The next argument of the header's list; behind its end comes what it names for `each`, again and again.
    pub(crate) fn arg(&mut self, name: &'static str, value: impl ToRedisArgs) -> &mut Self {
        debug_assert_eq!(self.next_arg(), Some(name), "argument {}", self.given + 1);
        self.given += 1;
        self.invocation.arg(value);
        self
    }

    /// One more of the keys that the header names for `each`.
    pub(crate) fn each_key(&mut self, key: String) -> &mut Self {
        debug_assert_eq!(self.signature.keys.each.len(), 1, "no such keys: {key}");
        self.invocation.key(key);
        self
    }

    pub(crate) fn invocation(&self) -> &ScriptInvocation<'_> {
        debug_assert!(
            self.is_complete(),
            "{} is missing",
            self.next_arg().unwrap_or_default()
        );
        &self.invocation
    }

    fn next_arg(&self) -> Option<&'static str> {
        let args = &self.signature.args;
        let Some(repeated) = self.given.checked_sub(args.once.len()) else {
            return Some(args.once[self.given]);
        };
        let place = repeated.checked_rem(args.each.len())?;
        Some(args.each[place])
    }

    fn is_complete(&self) -> bool {
        let args = &self.signature.args;
        let repeated = self.given.checked_sub(args.once.len());
        repeated.is_some_and(|repeated| repeated.checked_rem(args.each.len()).unwrap_or(repeated) == 0)
    }
}

macro_rules! first_line {
    (always) => {
        "#!lua flags=allow-oom\n"
    };
    (with_room) => {
        "#!lua\n"
    };
}

macro_rules! scripts {
    ($($name:ident = $when:ident $file:literal),* $(,)?) => {
        $(pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(first_line!($when), include_str!(concat!("../../lua/", $file)))
        });)*

        /// What each script is called here, and its file.
        #[cfg(test)]
        const FILES: &[(&str, &str, &str)] =
            &[$((stringify!($name), $file, include_str!(concat!("../../lua/", $file)))),*];
    };
}

scripts! {
    ANNOUNCE = always "announce.lua",
    BEGIN = always "begin.lua",
    CANCEL = always "cancel.lua",
    CLOCK = always "clock.lua",
    DEPTH = always "depth.lua",
    DISCARD = always "discard.lua",
    EDIT = always "edit.lua",
    FETCH = always "fetch.lua",
    FINISH = always "finish.lua",
    FINISH_WITH_ROOM = with_room "finish.lua",
    FORGET = always "forget.lua",
    GIVE_BACK = always "give_back.lua",
    HEARTBEAT = always "heartbeat.lua",
    INSTANCE = always "instance.lua",
    JOIN = always "join.lua",
    LAPSED = always "lapsed.lua",
    LEAVE = always "leave.lua",
    LIMIT = always "limit.lua",
    MEMO = with_room "memo.lua",
    MEMO_READ = always "memo_read.lua",
    PUSH = with_room "push.lua",
    RESCUE = always "rescue.lua",
    REPORT = always "report.lua",
    ROOM = with_room "room.lua",
    RUN_NOW = always "run_now.lua",
    TRIM = always "trim.lua",
}
