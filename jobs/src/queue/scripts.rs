//! The Lua scripts, one file each in `jobs/lua/`; each file's header names its keys, arguments, answer and cost.
//! What they share is in `prelude.lua`, which stands in front of each.
//!
//! The first line of a script tells Redis whether to run it when its memory is full (`maxmemory`). What takes jobs,
//! renews leases, ends attempts and records them runs always: that is how a full Redis empties itself. What puts
//! something in is refused before it begins.

use std::sync::LazyLock;

use redis::Script;

/// Jobs that one script handles at most: what keeps Redis free for others.
pub(crate) const BATCH: usize = 500;

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
        $(pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!(
                first_line!($when),
                include_str!("../../lua/prelude.lua"),
                include_str!(concat!("../../lua/", $file)),
            )));)*
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
    RECOVER = always "recover.lua",
    REPORT = always "report.lua",
    ROOM = with_room "room.lua",
    RUN_NOW = always "run_now.lua",
    TRIM = always "trim.lua",
}
