//! Two witnesses who know nothing of the engine's own bookkeeping: one follows the event streams past all proxies, the
//! other is a trigger in the database that notes every change of a row. What both saw is compared in `count`.

use std::path::Path;

use anyhow::Result;

use crate::stack::redis::Redis;

pub(crate) mod audit;
pub(crate) mod stream;

use audit::Audit;
use stream::{Seen, Stream};

pub(crate) struct Witness {
    pub(crate) audit: Audit,
    stream: Stream,
}

/// What the witnesses have to say.
pub(crate) struct LastWords {
    pub(crate) audit: Audit,
    pub(crate) seen: Seen,
}

impl Witness {
    /// Begins to watch. The schema is there and no job yet.
    pub(crate) async fn start(database_url: &str, redis_url: String, folder: &Path) -> Result<Self> {
        let audit = Audit::start(database_url).await?;
        let stream = Stream::start(redis_url, folder).await?;
        Ok(Self { audit, stream })
    }

    /// Waits until everything that has happened is seen.
    pub(crate) async fn end(self, redis: &Redis) -> Result<LastWords> {
        let seen = self.stream.end(redis).await?;
        Ok(LastWords {
            audit: self.audit,
            seen,
        })
    }
}
