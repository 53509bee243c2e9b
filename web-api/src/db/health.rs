//! Whether the database can do its work now.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement};

use super::error::READ_ONLY;
use super::{Reason, Store, StoreError};

impl Store {
    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.bounded("ping", self.database.ping()).await
    }

    /// Whether the database answers and takes what is written. Writes nothing.
    ///
    /// # Errors
    /// When it is away or read-only, or another program keeps it locked.
    pub async fn check(&self) -> Result<(), StoreError> {
        if self.backend() == DbBackend::Postgres {
            self.bounded("check", self.takes_writes()).await
        } else {
            self.can_begin().await
        }
    }

    /// Why the database refused what it was asked for, as far as that still holds.
    pub fn refusals(&self) -> Vec<Reason> {
        self.refusals.current()
    }

    /// A standby, or a server that was set so, answers all reads and refuses all writes.
    async fn takes_writes(&self) -> Result<(), DbErr> {
        let query = "SELECT current_setting('transaction_read_only')";
        let statement = Statement::from_string(DbBackend::Postgres, query);
        let row = self.database.query_one_raw(statement).await?;
        let read_only = row.map(|row| row.try_get_by_index::<String>(0)).transpose()?;
        if read_only.as_deref() == Some("on") {
            return Err(DbErr::Query(RuntimeErr::Internal(READ_ONLY.to_owned())));
        }
        Ok(())
    }

    /// Takes the write lock and gives it back.
    async fn can_begin(&self) -> Result<(), StoreError> {
        let _turn = self.write_turn().await?;
        let beginning = async {
            let transaction = self.begin().await?;
            transaction.rollback().await
        };
        self.bounded("check", beginning).await
    }
}
