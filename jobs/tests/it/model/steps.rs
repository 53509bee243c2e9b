//! What can happen to a queue, in random order.

use proptest::prelude::*;

pub(super) const JOBS: u8 = 6;
/// Job `n` waits in lane `n % 4`: the standard one, two that share the standard priority with it, and an urgent one.
pub(super) const LANES: [&str; 4] = ["5:", "5:a", "5:b", "1:a"];
pub(super) const WORKERS: u8 = 3;
/// Where jobs wait whose worker vanished.
pub(super) const SUSPECT_LANE: &str = "0:";
pub(super) const MAX_ATTEMPTS: u32 = 3;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Push {
        job: u8,
        later: bool,
        /// After its deadline.
        late: bool,
    },
    Fetch {
        worker: u8,
        most: u8,
        /// Jobs that could begin at once.
        places: u8,
        /// A job whose worker vanished may be among them.
        suspect: bool,
    },
    /// Ends the attempt that the worker believes it holds: for good, or to be tried again at once or much later.
    Finish {
        worker: u8,
        job: u8,
        attempt: u32,
        then: Then,
        /// It is named twice in one call.
        twice: bool,
    },
    /// At once, or to be fetched again much later.
    GiveBack {
        worker: u8,
        job: u8,
        attempt: u32,
        later: bool,
    },
    /// The worker tells that the attempt which it believes it holds goes on.
    Report {
        worker: u8,
        job: u8,
        attempt: u32,
    },
    /// The worker asks whether the attempt which it believes it holds may begin.
    Begin {
        worker: u8,
        job: u8,
        attempt: u32,
    },
    /// The worker's lease lapses, and another one takes its jobs over.
    Lapse {
        worker: u8,
        /// Its version marks nothing that begins.
        old: bool,
    },
    Cancel {
        job: u8,
    },
    /// A job that was cancelled is to run again.
    Forget {
        job: u8,
    },
    /// A job that waits for its time is made due.
    RunNow {
        job: u8,
    },
    /// A job that waits gets another envelope.
    Edit {
        job: u8,
    },
    /// How many jobs may run at the same time: 0 is a pause, 4 no limit.
    Limit {
        most: u8,
    },
    /// All that is scheduled becomes due.
    ClockJumps,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Then {
    End,
    AgainNow,
    AgainLater,
    /// SQL keeps the job meanwhile.
    Park,
}

impl Then {
    /// What its event says.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::AgainNow | Self::AgainLater => "again",
            Self::Park => "park",
        }
    }
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let then = prop_oneof![
        Just(Then::End),
        Just(Then::AgainNow),
        Just(Then::AgainLater),
        Just(Then::Park)
    ];
    let step = prop_oneof![
        3 => (0..JOBS, any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(job, later, late)| Step::Push { job, later, late }),
        4 => (0..WORKERS, 1..4_u8, 0..4_u8, any::<bool>())
            .prop_map(|(worker, most, places, suspect)| Step::Fetch { worker, most, places, suspect }),
        4 => (0..WORKERS, 0..JOBS, 1..4_u32, then, prop::bool::weighted(0.1))
            .prop_map(|(worker, job, attempt, then, twice)| Step::Finish { worker, job, attempt, then, twice }),
        2 => (0..WORKERS, 0..JOBS, 1..4_u32, any::<bool>())
            .prop_map(|(worker, job, attempt, later)| Step::GiveBack { worker, job, attempt, later }),
        2 => (0..WORKERS, 0..JOBS, 1..4_u32)
            .prop_map(|(worker, job, attempt)| Step::Report { worker, job, attempt }),
        2 => (0..WORKERS, 0..JOBS, 1..4_u32)
            .prop_map(|(worker, job, attempt)| Step::Begin { worker, job, attempt }),
        2 => (0..WORKERS, prop::bool::weighted(0.2)).prop_map(|(worker, old)| Step::Lapse { worker, old }),
        2 => (0..JOBS).prop_map(|job| Step::Cancel { job }),
        2 => (0..JOBS).prop_map(|job| Step::Forget { job }),
        2 => (0..JOBS).prop_map(|job| Step::RunNow { job }),
        1 => (0..JOBS).prop_map(|job| Step::Edit { job }),
        1 => (0..5_u8).prop_map(|most| Step::Limit { most }),
        1 => Just(Step::ClockJumps),
    ];
    prop::collection::vec(step, 1..25)
}

pub(super) fn lane(job: u8) -> &'static str {
    LANES[usize::from(job) % LANES.len()]
}
