//! The scripts on a real Redis, called without the library around them.

use redis::{Connection, Script};

use crate::support::RedisServer;

pub(super) struct Real {
    pub(super) connection: Connection,
    pub(super) push: Script,
    pub(super) fetch: Script,
    pub(super) finish: Script,
    pub(super) give_back: Script,
    pub(super) recover: Script,
    pub(super) cancel: Script,
    pub(super) forget: Script,
    pub(super) run_now: Script,
    pub(super) edit: Script,
    pub(super) limit: Script,
    pub(super) report: Script,
    pub(super) begin: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(
            include_str!("../../../lua/prelude.lua"),
            include_str!(concat!("../../../lua/", $file))
        ))
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
            recover: script!("recover.lua"),
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
