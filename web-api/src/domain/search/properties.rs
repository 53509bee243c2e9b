//! Properties of every search: no text makes the parser panic, and parsing a printed filter gives the same
//! filter.

use chrono::{DateTime, Utc};
use jobs::job::{JobId, JobState, Priority};
use jobs::json::decimal::Decimal;
use proptest::prelude::*;

use super::{parse::in_order, stored};
use crate::domain::job_filter::{InputTest, JobFilter, Span, Test};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[^\\x00]{1,12}", "[\"\\\\ :<>.a]{1,6}"]
}

fn time() -> impl Strategy<Value = Option<DateTime<Utc>>> {
    prop::option::of((0_i64..250_000_000_000_000).prop_map(|ms| DateTime::from_timestamp_millis(ms).unwrap()))
}

fn span() -> impl Strategy<Value = Span> {
    (time(), time()).prop_map(|(from, before)| Span { from, before })
}

fn test() -> impl Strategy<Value = Test> {
    let number = prop_oneof![
        (prop::num::f64::NORMAL | prop::num::f64::ZERO).prop_map(|number| number.to_string()),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?(e-?[0-9]{1,2})?",
    ];
    let number = number.prop_map(|text| text.parse::<Decimal>().unwrap());
    prop_oneof![
        text().prop_map(Test::Is),
        number.clone().prop_map(Test::Above),
        number.clone().prop_map(Test::AtLeast),
        number.clone().prop_map(Test::Below),
        number.prop_map(Test::AtMost),
    ]
}

fn input() -> impl Strategy<Value = InputTest> {
    let name = prop_oneof!["[a-z_][a-z0-9_-]{0,5}", "state|input|error|created"];
    (prop::collection::vec(name, 1..4), test()).prop_map(|(path, test)| InputTest { path, test })
}

prop_compose! {
    fn filter()(
        ids in prop::collection::vec(Just(()).prop_map(|()| JobId::new()), 0..4),
        states in prop::collection::vec(prop::sample::select(JobState::ALL.to_vec()), 0..4),
        function in prop::option::of(text()),
        failure in prop::option::of("[0-9a-f]{16}"),
        queue in prop::option::of("[a-z0-9-]{1,8}"),
        tags in prop::collection::btree_set("[a-zA-Z0-9_.:/@+#=-]{1,64}", 0..4),
        priority in prop::option::of(1_u8..=9),
        worker in prop::option::of(text()),
        created in span(),
        finished in span(),
        words in prop::collection::vec(text(), 0..4),
        input in prop::collection::vec(input(), 0..4),
        made in any::<bool>(),
    ) -> JobFilter {
        let other = || JobId::new().to_string();
        JobFilter {
            ids,
            states: in_order(&states),
            function,
            failure: failure.map(|text| text.parse().unwrap()),
            queue: queue.map(|name| name.parse().unwrap()),
            tags: tags.iter().map(|text| text.parse().unwrap()).collect(),
            priority: priority.map(|number| Priority::try_from(number).unwrap()),
            batch: made.then(|| other().parse().unwrap()),
            schedule: made.then(|| other().parse().unwrap()),
            worker,
            created,
            finished,
            words,
            input,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(filter in filter()) {
        let written = filter.to_string();
        let read = stored(&written);
        prop_assert_eq!(read.as_ref(), Ok(&filter), "{}", written);
        prop_assert_eq!(read.unwrap().to_string(), written);
    }

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof!["\\PC*", ".*", "([a-z.]{0,4}[:<>=\" \\\\]{0,3}){0,12}"]) {
        match text.parse::<JobFilter>() {
            Ok(filter) => {
                let written = filter.to_string();
                prop_assert_eq!(stored(&written), Ok(filter), "{}", written);
            }
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.at), "{}", error),
        }
    }
}
