//! The Lua scripts, one file each in `jobs/lua/`; each file's header names its keys, arguments, answer and cost.
//! What they share is in `prelude.lua`, which stands in front of each.

use std::sync::LazyLock;

use redis::Script;

/// Jobs that one script handles at most: what keeps Redis free for others.
pub(crate) const BATCH: usize = 500;

macro_rules! scripts {
    ($($name:ident = $file:literal),* $(,)?) => {
        $(pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!(
                include_str!("../../lua/prelude.lua"),
                include_str!(concat!("../../lua/", $file)),
            )));)*
    };
}

scripts! {
    CANCEL = "cancel.lua",
    CLOCK = "clock.lua",
    EDIT = "edit.lua",
    FETCH = "fetch.lua",
    FINISH = "finish.lua",
    FORGET = "forget.lua",
    GIVE_BACK = "give_back.lua",
    HEARTBEAT = "heartbeat.lua",
    LEAVE = "leave.lua",
    LIMIT = "limit.lua",
    MEMO = "memo.lua",
    PUSH = "push.lua",
    RECOVER = "recover.lua",
    REPORT = "report.lua",
    RUN_NOW = "run_now.lua",
    TRIM = "trim.lua",
}
