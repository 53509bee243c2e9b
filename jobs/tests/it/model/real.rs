//! The scripts on a real Redis, called without the library around them.

use redis::{Connection, Script, ScriptInvocation};

use crate::support::RedisServer;
use crate::support::signature::Signature;

/// A script and its keys, by the names of its header.
pub(super) struct Named {
    script: Script,
    keys: Vec<&'static str>,
}

pub(super) struct Real {
    pub(super) connection: Connection,
    pub(super) push: Named,
    pub(super) fetch: Named,
    pub(super) finish: Named,
    pub(super) give_back: Named,
    pub(super) rescue: Named,
    pub(super) cancel: Named,
    pub(super) forget: Named,
    pub(super) run_now: Named,
    pub(super) edit: Named,
    pub(super) limit: Named,
    pub(super) report: Named,
    pub(super) begin: Named,
}

impl Named {
    fn new(lua: &'static str) -> Self {
        let signature = Signature::of(lua);
        let prelude = include_str!("../../../lua/prelude.lua");
        Self {
            script: Script::new(&signature.script("", prelude, lua)),
            keys: signature.keys.once,
        }
    }

    /// A call with its keys, none of which is one worker's.
    pub(super) fn call(&self) -> ScriptInvocation<'_> {
        self.call_of(u8::MAX)
    }

    pub(super) fn call_of(&self, worker: u8) -> ScriptInvocation<'_> {
        let mut call = self.script.prepare_invoke();
        for key in &self.keys {
            call.key(match *key {
                "waiting" => "waiting:".to_owned(),
                "lane_of" => "lane-of".to_owned(),
                "worker_info" => "worker-info".to_owned(),
                "cancel_requested" => "cancelling".to_owned(),
                "running" => running_key(worker),
                "begun" => begun_key(worker),
                other => other.to_owned(),
            });
        }
        call
    }
}

macro_rules! script {
    ($file:literal) => {
        Named::new(include_str!(concat!("../../../lua/", $file)))
    };
}

pub(super) fn worker_name(worker: u8) -> String {
    format!("w{worker}")
}

pub(super) fn running_key(worker: u8) -> String {
    format!("running:w{worker}")
}

pub(super) fn begun_key(worker: u8) -> String {
    format!("begun:w{worker}")
}

impl Real {
    pub(super) fn new(redis: &RedisServer) -> Self {
        Self {
            connection: redis::Client::open(redis.url())
                .unwrap()
                .get_connection()
                .unwrap(),
            push: script!("push.lua"),
            fetch: script!("fetch.lua"),
            finish: script!("finish.lua"),
            give_back: script!("give_back.lua"),
            rescue: script!("rescue.lua"),
            cancel: script!("cancel.lua"),
            forget: script!("forget.lua"),
            run_now: script!("run_now.lua"),
            edit: script!("edit.lua"),
            limit: script!("limit.lua"),
            report: script!("report.lua"),
            begin: script!("begin.lua"),
        }
    }

    pub(super) fn ask<T: redis::FromRedisValue>(&mut self, command: &[&str]) -> T {
        let mut call = redis::cmd(command[0]);
        call.arg(&command[1..]);
        call.query(&mut self.connection).unwrap()
    }

    pub(super) fn now(&mut self) -> i64 {
        let (seconds, micros): (i64, i64) = self.ask(&["TIME"]);
        seconds * 1_000 + micros / 1_000
    }

    pub(super) fn ids(&mut self, command: &[&str]) -> Vec<u8> {
        let ids: Vec<String> = self.ask(command);
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }
}
