//! The table `job_keys`: callers' keys against doing the same twice. Who holds a key is decided here, in the transaction
//! that makes what the key stands for; which jobs are made because of it, in `job/once.rs`.
//!
//! Whoever asks for a key has its row locked until the end of the transaction, also when another holds it. Rows are
//! locked in the order of kind, function and key, here and wherever they are deleted, so that no two processes wait for
//! each other in a circle.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QuerySelect, QueryTrait, Set,
    sea_query::{Expr, OnConflict, Query},
};

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[expect(unreachable_pub, reason = "what is derived from it is public")]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub function: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub holder: String,
        pub request_hash: Option<String>,
        pub expires_at: Option<DateTimeUtc>,
    }

    #[expect(unreachable_pub, reason = "the derived entity, which is public, names it")]
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Keys in one statement.
const CHUNK: usize = 500;

/// What a key means. A transaction that takes several kinds takes them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The `Idempotency-Key` of a batch.
    Batch,
    /// The `Idempotency-Key` of a call.
    Idempotency,
    /// The `unique_key` of a call.
    Unique,
}

/// The function and the text of a key, in the order in which keys are taken.
pub(super) type Name = (String, String);

/// A batch has jobs of any function, so its key belongs to none.
pub(super) fn of_batch(key: &str) -> Name {
    (String::new(), key.to_owned())
}

/// Who wants a key, or has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hold {
    /// The id of a job; of a batch for [`Kind::Batch`].
    pub(super) holder: String,
    /// The mark of the request, where another request with the key is an error.
    pub(super) request_hash: Option<String>,
    /// Until when the key is held; until its job is finished, when there is no time.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Idempotency => "idempotency",
            Self::Unique => "unique",
        }
    }
}

/// Takes each key that is free for who wants it, and says who holds each of them now.
pub(super) async fn claim(
    transaction: &DatabaseTransaction,
    kind: Kind,
    wanted: &BTreeMap<Name, Hold>,
    now: DateTime<Utc>,
) -> Result<HashMap<Name, Hold>, DbErr> {
    let mut holds = HashMap::with_capacity(wanted.len());
    let wanted: Vec<(&Name, &Hold)> = wanted.iter().collect();
    for chunk in wanted.chunks(CHUNK) {
        let taken = put(transaction, kind, chunk, Some(now)).await?;
        let others: Vec<(&Name, &Hold)> = chunk
            .iter()
            .filter(|(name, _)| !taken.contains(*name))
            .copied()
            .collect();
        if !others.is_empty() {
            // In a statement of its own: only now is everything visible that was done before the rows were locked.
            let mut held = held(transaction, kind, others.iter().map(|(name, _)| *name)).await?;
            let free = free(transaction, kind, &held).await?;
            held.retain(|name, _| !free.contains(name));
            let to_take: Vec<_> = others
                .into_iter()
                .filter(|(name, _)| !held.contains_key(*name))
                .collect();
            put(transaction, kind, &to_take, None).await?;
            holds.extend(held);
        }
        for (name, hold) in chunk {
            if !holds.contains_key(*name) {
                holds.insert((*name).clone(), (*hold).clone());
            }
        }
    }
    Ok(holds)
}

/// Gives keys that this transaction has locked to another holder.
pub(super) async fn transfer(
    transaction: &DatabaseTransaction,
    kind: Kind,
    holds: &BTreeMap<Name, Hold>,
) -> Result<(), DbErr> {
    let holds: Vec<(&Name, &Hold)> = holds.iter().collect();
    for chunk in holds.chunks(CHUNK) {
        put(transaction, kind, chunk, None).await?;
    }
    Ok(())
}

/// Writes the holders of keys; with a time, only of those that are new or were held until then. Answers which it wrote.
async fn put(
    transaction: &DatabaseTransaction,
    kind: Kind,
    holds: &[(&Name, &Hold)],
    expired_at: Option<DateTime<Utc>>,
) -> Result<HashSet<Name>, DbErr> {
    if holds.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = holds.iter().map(|((function, key), hold)| row::ActiveModel {
        kind: Set(kind.as_str().to_owned()),
        function: Set(function.clone()),
        key: Set(key.clone()),
        holder: Set(hold.holder.clone()),
        request_hash: Set(hold.request_hash.clone()),
        expires_at: Set(hold.expires_at.map(|at| at.trunc_subsecs(3))),
    });
    let mut conflict = OnConflict::columns([row::Column::Kind, row::Column::Function, row::Column::Key]);
    conflict.update_columns([
        row::Column::Holder,
        row::Column::RequestHash,
        row::Column::ExpiresAt,
    ]);
    if let Some(time) = expired_at {
        conflict.action_and_where(Expr::col((row::Entity, row::Column::ExpiresAt)).lte(time));
    }
    let mut statement = row::Entity::insert_many(rows).into_query();
    statement.on_conflict(conflict);
    statement.returning(Query::returning().columns([row::Column::Function, row::Column::Key]));
    let rows = transaction.query_all(&statement).await?;
    rows.iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
}

/// Whether somebody has the key, without asking for it.
pub(super) async fn is_held(
    transaction: &DatabaseTransaction,
    kind: Kind,
    name: &Name,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    Ok(holder(transaction, kind, name, now).await?.is_some())
}

/// Who has the key, without asking for it.
pub(super) async fn holder(
    transaction: &DatabaseTransaction,
    kind: Kind,
    name: &Name,
    now: DateTime<Utc>,
) -> Result<Option<String>, DbErr> {
    let mut held = held(transaction, kind, std::iter::once(name)).await?;
    held.retain(|_, hold| hold.expires_at.is_none_or(|at| at > now));
    let free = free(transaction, kind, &held).await?;
    held.retain(|name, _| !free.contains(name));
    Ok(held.into_values().next().map(|hold| hold.holder))
}

async fn held(
    transaction: &DatabaseTransaction,
    kind: Kind,
    names: impl Iterator<Item = &Name>,
) -> Result<HashMap<Name, Hold>, DbErr> {
    let names = names.map(|(function, key)| (kind.as_str(), function.as_str(), key.as_str()));
    let rows = row::Entity::find().filter(any_of(names)).all(transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let hold = Hold {
                holder: row.holder,
                request_hash: row.request_hash,
                expires_at: row.expires_at,
            };
            ((row.function, row.key), hold)
        })
        .collect())
}

/// Those that are held until the end of what has ended or is gone. One with a time is held for that time, also when its
/// holder was pruned meanwhile: a retention must not make a promise shorter.
async fn free(
    transaction: &DatabaseTransaction,
    kind: Kind,
    held: &HashMap<Name, Hold>,
) -> Result<HashSet<Name>, DbErr> {
    let holders = held.values().map(|hold| hold.holder.as_str());
    let found: Vec<(String, Option<DateTime<Utc>>)> = if kind == Kind::Batch {
        use super::batches::row::{Column, Entity};
        let query = Entity::find()
            .select_only()
            .columns([Column::Id, Column::FinishedAt]);
        query
            .filter(Column::Id.is_in(holders))
            .into_tuple()
            .all(transaction)
            .await?
    } else {
        use super::jobs::row::{Column, Entity};
        let query = Entity::find()
            .select_only()
            .columns([Column::Id, Column::FinishedAt]);
        query
            .filter(Column::Id.is_in(holders))
            .into_tuple()
            .all(transaction)
            .await?
    };
    let found: HashMap<String, bool> = found
        .into_iter()
        .map(|(id, finished_at)| (id, finished_at.is_some()))
        .collect();
    let is_free = |hold: &Hold| hold.expires_at.is_none() && found.get(&hold.holder).copied().unwrap_or(true);
    Ok(held
        .iter()
        .filter(|(_, hold)| is_free(hold))
        .map(|(name, _)| name.clone())
        .collect())
}

/// Rows with these kinds, functions and keys, by the primary key.
pub(super) fn any_of<'a>(names: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Condition {
    let mut keys = BTreeMap::<(&str, &str), Vec<&str>>::new();
    for (kind, function, key) in names {
        keys.entry((kind, function)).or_default().push(key);
    }
    keys.into_iter()
        .fold(Condition::any(), |any, ((kind, function), keys)| {
            any.add(
                row::Column::Kind
                    .eq(kind)
                    .and(row::Column::Function.eq(function))
                    .and(row::Column::Key.is_in(keys)),
            )
        })
}
