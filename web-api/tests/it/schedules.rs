//! Schedules that fire: each due time once, whoever tries and whatever their clocks say, and one broken schedule harms no
//! other. The clock is the test's own.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::catalog::{Catalog, FunctionSettings};
use jobs::json::Json;
use sea_orm::ConnectionTrait;
use serde_json::json;
use web_api::db::Store;
use web_api::db::jobs::{Inserted, Job};
use web_api::db::schedules::fire::Firing;
use web_api::db::schedules::{Schedule, Written};
use web_api::domain::catch_up::CatchUp;
use web_api::domain::ids::ScheduleId;
use web_api::domain::job_filter::JobFilter;
use web_api::services::scheduler::fire::{self, fire_page};

use crate::store::refuse;
use crate::support::{Database, TestDatabase, on_both_databases};

/// The moment at which the tests begin.
fn begin() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-24T08:00:00Z")
        .unwrap()
        .to_utc()
}

fn after(seconds: i64) -> DateTime<Utc> {
    begin() + TimeDelta::seconds(seconds)
}

fn catalog() -> Catalog {
    Catalog::new(&FunctionSettings::default()).unwrap()
}

/// Due at the beginning.
pub(crate) fn schedule(name: &str, cron: &str, catch_up: CatchUp) -> Schedule {
    Schedule {
        id: ScheduleId::new(),
        name: name.to_owned(),
        cron: cron.to_owned(),
        time_zone: "UTC".to_owned(),
        function: "fibonacci".to_owned(),
        input: json!({ "index": 90 }).into(),
        input_cut: None,
        max_attempts: None,
        catch_up,
        paused: false,
        next_at: Some(begin()),
        last_at: None,
        last_job: None,
        error: None,
        notice: None,
        revision: 0,
        created_at: begin(),
        updated_at: begin(),
    }
}

async fn inserted(store: &Store, schedule: Schedule) -> Schedule {
    assert_eq!(store.schedule_insert(&schedule).await.unwrap(), Written::Done);
    schedule
}

async fn read(store: &Store, id: ScheduleId) -> Schedule {
    store.schedule_get(id).await.unwrap().unwrap()
}

/// Fires everything that is due at `now`.
async fn fire(store: &Store, catalog: &Catalog, now: DateTime<Utc>) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut from = None;
    loop {
        let page = fire_page(store, catalog, now, now, from).await.unwrap();
        jobs.extend(page.jobs.into_iter().map(|inserted| match inserted {
            Inserted::Created(job) => job,
            Inserted::Existing(_) | Inserted::KeyReused(_) | Inserted::Gone(_) => {
                panic!("a schedule's job has no key")
            }
        }));
        from = page.next;
        if from.is_none() {
            return jobs;
        }
    }
}

async fn jobs_of(store: &Store, schedule: ScheduleId) -> Vec<Job> {
    let filter = JobFilter {
        schedule: Some(schedule),
        ..JobFilter::default()
    };
    store.job_list(&filter, None, 100_000).await.unwrap().jobs
}

/// What a claim says that was made up from this state of the schedule.
fn firing(schedule: &Schedule, catalog: &Catalog) -> Firing {
    let job = fire::job(schedule, catalog).unwrap();
    Firing {
        id: schedule.id,
        revision: schedule.revision,
        next_at: Some(after(1)),
        last: Some((begin(), job.id)),
        error: None,
        notice: None,
        jobs: vec![job],
    }
}

on_both_databases! {
    async fn a_row_comes_out_as_it_went_in(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let full = inserted(&store, Schedule {
            time_zone: "Europe/Berlin".to_owned(),
            input: json!({"text": "ä€🦀 \" \\ ' ; DROP TABLE schedules; --", "n": [0, -1, 1.5, null, true, u64::MAX], "": {}}).into(),
            max_attempts: Some(7),
            last_at: Some(begin() - TimeDelta::milliseconds(1)),
            last_job: Some(jobs::job::JobId::new()),
            error: Some("e".to_owned()),
            notice: Some("n".to_owned()),
            ..schedule("ä €", "0 8 * * *", CatchUp::All)
        }).await;
        assert_eq!(read(&store, full.id).await, full);
        let plain = inserted(&store, Schedule { paused: true, next_at: None, ..schedule("b", "@daily", CatchUp::Skip) }).await;
        assert_eq!(read(&store, plain.id).await, plain);
        assert_eq!(store.schedule_count().await.unwrap(), 2);

        let taken = schedule("b", "@hourly", CatchUp::Once);
        assert_eq!(store.schedule_insert(&taken).await.unwrap(), Written::NameTaken);
        let renamed = Schedule { name: "ä €".to_owned(), ..plain.clone() };
        assert_eq!(store.schedule_update(&renamed).await.unwrap(), Written::NameTaken);
        let renamed = Schedule { name: "c".to_owned(), ..plain.clone() };
        assert_eq!(store.schedule_update(&renamed).await.unwrap(), Written::Done);
        assert_eq!(store.schedule_update(&renamed).await.unwrap(), Written::Outdated, "the second comes late");
        assert_eq!(read(&store, plain.id).await, Schedule { revision: 1, ..renamed });

        let names = async |after| {
            let list = store.schedule_list(after, 10).await.unwrap();
            list.into_iter().map(|schedule| schedule.name).collect::<Vec<_>>()
        };
        assert_eq!(names(None).await, ["c", "ä €"]);
        assert_eq!(names(Some("c")).await, ["ä €"]);
        assert!(store.schedule_delete(full.id).await.unwrap());
        assert!(!store.schedule_delete(full.id).await.unwrap());
        assert_eq!(store.schedule_get(full.id).await.unwrap(), None);
    }

    async fn a_due_time_makes_one_job_that_tells_of_its_schedule(kind) {
        let database = Database::new(kind).await;
        let (store, catalog) = (database.store().await, catalog());
        let hourly = inserted(&store, Schedule { max_attempts: Some(9), ..schedule("a", "0 * * * *", CatchUp::Once) }).await;
        inserted(&store, Schedule { next_at: Some(after(1)), ..schedule("later", "0 * * * *", CatchUp::Once) }).await;

        assert!(fire(&store, &catalog, begin() - TimeDelta::milliseconds(1)).await.is_empty(), "it is not due yet");
        let made = fire(&store, &catalog, begin()).await;
        assert_eq!(made.len(), 1);
        assert!(fire(&store, &catalog, begin()).await.is_empty(), "once");
        let job = &made[0];
        assert_eq!((job.schedule, job.max_attempts, &job.input), (Some(hourly.id), 9, &json!({"index": 90}).into()));
        assert_eq!((job.function.as_str(), job.run_at), ("fibonacci", None));
        assert_eq!(store.job_get(job.id).await.unwrap().as_ref(), Some(job));
        assert_eq!(store.index_list(10).await.unwrap()[0].times_asked, 1, "counted as any other call");

        let fired = read(&store, hourly.id).await;
        assert_eq!(fired, Schedule {
            next_at: Some(after(3_600)),
            last_at: Some(begin()),
            last_job: Some(job.id),
            revision: 1,
            ..hourly
        });
    }

    /// Two processes, eight tasks, clocks that are up to a second apart and run at their own pace: of 40 schedules with
    /// 60 due times each, each due time makes one job.
    async fn no_due_time_fires_twice_however_many_try(kind) {
        const SCHEDULES: usize = 40;
        const SECONDS: i64 = 60;
        let database = Database::new(kind).await;
        let stores = [database.store().await, database.store().await];
        let mut ids = Vec::new();
        for number in 0..SCHEDULES {
            ids.push(inserted(&stores[0], schedule(&format!("{number:02}"), "@every 1s", CatchUp::All)).await.id);
        }
        let catalog = Arc::new(catalog());
        let tasks: Vec<_> = (0..8_i64)
            .map(|task| {
                let (store, catalog) = (stores[usize::from(task % 2 == 0)].clone(), Arc::clone(&catalog));
                tokio::spawn(async move {
                    let mut made = 0;
                    for second in 0..SECONDS {
                        let now = after(second) + TimeDelta::milliseconds(task * 285 - 1_000);
                        made += fire(&store, &catalog, now.min(after(SECONDS - 1))).await.len();
                    }
                    made
                })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            made += task.await.unwrap();
        }
        made += fire(&stores[0], &catalog, after(SECONDS - 1)).await.len();
        assert_eq!(made, SCHEDULES * usize::try_from(SECONDS).unwrap());
        for id in ids {
            assert_eq!(jobs_of(&stores[0], id).await.len(), usize::try_from(SECONDS).unwrap());
            let schedule = read(&stores[0], id).await;
            assert_eq!((schedule.last_at, schedule.next_at), (Some(after(SECONDS - 1)), Some(after(SECONDS))));
        }
    }

    async fn more_schedules_than_a_page_holds_all_fire(kind) {
        let database = Database::new(kind).await;
        let (store, catalog) = (database.store().await, catalog());
        for number in 0..1_203 {
            inserted(&store, schedule(&format!("{number:04}"), "@hourly", CatchUp::Once)).await;
        }
        assert_eq!(fire(&store, &catalog, begin()).await.len(), 1_203);
        assert!(fire(&store, &catalog, after(1)).await.is_empty());
    }

    async fn after_a_time_without_anybody_each_policy_does_what_it_says(kind) {
        let database = Database::new(kind).await;
        let (store, catalog) = (database.store().await, catalog());
        let skip = inserted(&store, schedule("skip", "0 * * * *", CatchUp::Skip)).await.id;
        let once = inserted(&store, schedule("once", "0 * * * *", CatchUp::Once)).await.id;
        let all = inserted(&store, schedule("all", "0 * * * *", CatchUp::All)).await.id;
        let many = inserted(&store, schedule("many", "@every 1s", CatchUp::All)).await.id;

        // 08:00, 09:00 and 10:00 were missed.
        let now = after(2 * 3_600 + 1_800);
        fire(&store, &catalog, now).await;
        let count = async |id| jobs_of(&store, id).await.len();
        assert_eq!((count(skip).await, count(once).await, count(all).await), (0, 1, 3));
        for id in [skip, once, all] {
            let schedule = read(&store, id).await;
            assert_eq!(schedule.next_at, Some(after(3 * 3_600)), "{}", schedule.name);
            assert_eq!(schedule.last_at.is_some(), id != skip);
        }
        assert!(read(&store, skip).await.notice.unwrap().contains("was missed and left out"));
        assert_eq!(read(&store, all).await.notice, None);

        assert_eq!(count(many).await, 1_000);
        let many = read(&store, many).await;
        assert_eq!((many.last_at, many.next_at), (Some(after(999)), Some(now + TimeDelta::seconds(1))));
        assert!(many.notice.unwrap().starts_with("1000 missed runs were made up for"));
        assert!(fire(&store, &catalog, now).await.is_empty(), "that was all");
        // What was left out stays said when it goes on.
        assert_eq!(fire(&store, &catalog, now + TimeDelta::seconds(1)).await.len(), 1);
        assert!(read(&store, many.id).await.notice.is_some());
    }

    /// Whatever happens to a schedule after it was seen to be due, the claim that was made up before fails.
    async fn a_schedule_that_changed_since_it_was_seen_to_be_due_makes_no_job(kind) {
        let database = Database::new(kind).await;
        let (store, catalog) = (database.store().await, catalog());
        let mut stale = Vec::new();
        for name in ["deleted", "paused", "changed", "fired", "run", "untouched"] {
            let schedule = inserted(&store, schedule(name, "0 * * * *", CatchUp::Once)).await;
            stale.push(firing(&schedule, &catalog));
            match name {
                "deleted" => assert!(store.schedule_delete(schedule.id).await.unwrap()),
                "paused" => {
                    let paused = Schedule { paused: true, next_at: None, ..schedule };
                    assert_eq!(store.schedule_update(&paused).await.unwrap(), Written::Done);
                }
                "changed" => {
                    let changed = Schedule { input: json!({"index": 91}).into(), ..schedule };
                    assert_eq!(store.schedule_update(&changed).await.unwrap(), Written::Done);
                }
                "fired" => {
                    let other = firing(&schedule, &catalog);
                    assert_eq!(store.schedule_fire(&[other]).await.unwrap().len(), 1);
                }
                "run" => store.schedule_ran(schedule.id, begin(), jobs::job::JobId::new()).await.unwrap(),
                _ => {}
            }
        }
        let made = store.schedule_fire(&stale).await.unwrap();
        let [Inserted::Created(job)] = made.as_slice() else { panic!("{made:?}") };
        assert_eq!(job.schedule, Some(stale[5].id));
        // And the next look does the right thing about the others.
        let made = fire(&store, &catalog, begin()).await;
        let mut inputs: Vec<Json> = made.into_iter().map(|job| job.input).collect();
        inputs.sort_by_key(ToString::to_string);
        assert_eq!(inputs, [json!({"index": 90}), json!({"index": 91})], "run, changed");
    }

    async fn a_broken_schedule_is_told_and_harms_no_other(kind) {
        let database = Database::new(kind).await;
        let (store, catalog) = (database.store().await, catalog());
        let hourly = |name: &str| schedule(name, "0 * * * *", CatchUp::Once);
        let unknown = inserted(&store, Schedule { function: "gone".to_owned(), ..hourly("unknown") }).await.id;
        let unfit = inserted(&store, Schedule { input: json!({"index": "x"}).into(), ..hourly("unfit") }).await.id;
        let zone = inserted(&store, Schedule { time_zone: "Mars/Olympus".to_owned(), ..hourly("zone") }).await.id;
        let refused = inserted(&store, hourly("refused")).await.id;
        let unreadable = inserted(&store, hourly("unreadable")).await.id;
        let good = inserted(&store, hourly("good")).await.id;
        refuse(&database, kind, "BEFORE INSERT", "schedule_id", &refused.to_string()).await;
        let behind = database.connect().await;
        behind
            .execute_unprepared(&format!("UPDATE schedules SET catch_up = 'some day' WHERE id = '{unreadable}'"))
            .await
            .unwrap();

        let made = fire(&store, &catalog, begin()).await;
        assert_eq!(made.iter().map(|job| job.schedule).collect::<Vec<_>>(), [Some(good)]);
        // For a minute they are left to processes that may know better.
        for id in [unknown, unfit, zone] {
            let schedule = read(&store, id).await;
            assert_eq!((schedule.next_at, schedule.error), (Some(begin()), None), "{}", schedule.name);
        }
        // What the database refuses is nobody's to mend.
        let schedule = read(&store, refused).await;
        assert!(schedule.error.unwrap().contains("The database refused"));
        assert_eq!((schedule.next_at, schedule.last_job), (Some(after(3_600)), None));

        assert!(fire(&store, &catalog, after(61)).await.is_empty());
        for (id, next_at, error) in [
            (unknown, Some(after(3_600)), "there is no function named \"gone\""),
            (unfit, Some(after(3_600)), "/input/index must be a whole number from 0 to 10,000,000"),
            (zone, None, "the time zone must be"),
        ] {
            let schedule = read(&store, id).await;
            assert_eq!(schedule.next_at, next_at, "{}", schedule.name);
            assert!(schedule.error.as_ref().is_some_and(|told| told.contains(error)), "{:?}", schedule.error);
            assert!(!schedule.paused && jobs_of(&store, id).await.is_empty());
        }
        // Mended, it runs at its next due time, and says nothing more.
        let mended = Schedule { input: json!({"index": 1}).into(), ..read(&store, unfit).await };
        assert_eq!(store.schedule_update(&mended).await.unwrap(), Written::Done);
        let made = fire(&store, &catalog, after(3_600)).await;
        let by: HashSet<ScheduleId> = made.iter().filter_map(|job| job.schedule).collect();
        assert_eq!((made.len(), by), (2, HashSet::from([unfit, good])));
        assert_eq!(read(&store, unfit).await.error, None);
    }

    /// A commit of which it is not known whether it went through is tried again.
    async fn trying_a_claim_again_makes_no_job_twice(kind) {
        let database = Database::new(kind).await;
        let (store, catalog) = (database.store().await, catalog());
        let schedule = inserted(&store, schedule("a", "0 * * * *", CatchUp::Once)).await;
        let firing = firing(&schedule, &catalog);
        assert_eq!(store.schedule_fire(std::slice::from_ref(&firing)).await.unwrap().len(), 1);
        assert!(store.schedule_fire(&[firing]).await.unwrap().is_empty());
        assert_eq!(jobs_of(&store, schedule.id).await.len(), 1);
        assert!(store.schedule_fire(&[]).await.unwrap().is_empty());
    }

    async fn a_fast_clock_does_not_make_a_due_time_come_again(kind) {
        let database = Database::new(kind).await;
        let (store, catalog) = (database.store().await, catalog());
        let schedule = inserted(&store, schedule("a", "0 * * * *", CatchUp::Once)).await;
        assert_eq!(fire(&store, &catalog, begin()).await.len(), 1, "by a process whose clock is fast");
        // A slow one begins anew, as it does for a new rule or after a pause: not at the time that has fired.
        let fired = read(&store, schedule.id).await;
        let slow = begin() - TimeDelta::milliseconds(900);
        let next = fire::timing(&fired).unwrap().first(fired.begin(slow));
        assert_eq!(next, Some(after(3_600)));
        assert_eq!(fired.begin(after(5)), after(5));
        assert_eq!(next.unwrap(), next.unwrap().trunc_subsecs(0));
    }
}

/// Somebody changes one of the schedules that are due and takes his time: the others fire, and it does when he is done.
#[tokio::test]
async fn postgres_a_schedule_that_somebody_is_writing_holds_up_no_other() {
    let database = Database::new(TestDatabase::Postgres).await;
    let (store, catalog) = (database.store().await, catalog());
    let slow = inserted(&store, schedule("slow", "@hourly", CatchUp::Once)).await;
    let quick = inserted(&store, schedule("quick", "@hourly", CatchUp::Once)).await;
    let somebody = database.connect().await;
    for statement in [
        "BEGIN".to_owned(),
        format!("SELECT * FROM schedules WHERE id = '{}' FOR UPDATE", slow.id),
    ] {
        somebody.execute_unprepared(&statement).await.unwrap();
    }
    let made = fire(&store, &catalog, begin()).await;
    assert_eq!(
        made.iter().map(|job| job.schedule).collect::<Vec<_>>(),
        [Some(quick.id)]
    );
    somebody.execute_unprepared("COMMIT").await.unwrap();
    let made = fire(&store, &catalog, begin()).await;
    assert_eq!(
        made.iter().map(|job| job.schedule).collect::<Vec<_>>(),
        [Some(slow.id)]
    );
}
