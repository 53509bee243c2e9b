//! The Lua scripts against a model: random sequences of push, fetch, report, finish, give back, begin, recover, cancel, limits and
//! time passing, with a look at all of Redis after each step, and at the events after the last one.

mod act;
mod cancel;
mod compare;
mod edges;
mod edit;
mod expected;
mod fetch;
mod real;
mod rescue;
mod steps;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::RedisServer;
use expected::Model;
use real::Real;

const SEQUENCES: u32 = 10_000;

#[test]
fn the_scripts_do_what_the_model_says() {
    let redis = RedisServer::start_fast();
    let mut real = Real::new(&redis);
    let config = Config {
        cases: SEQUENCES,
        failure_persistence: None,
        ..Config::default()
    };
    let real = std::cell::RefCell::new(&mut real);
    TestRunner::new(config)
        .run(&steps::steps(), |steps| {
            let mut real = real.borrow_mut();
            real.ask::<()>(&["FLUSHALL"]);
            let mut model = Model::default();
            for step in &steps {
                act::take(step, &mut model, &mut real)?;
                compare::compare(&model, &mut real)?;
            }
            edges::check(&model, &mut real).map_err(TestCaseError::fail)
        })
        .unwrap();
}
