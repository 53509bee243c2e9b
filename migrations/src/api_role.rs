//! The role that the API connects as: it reads and writes rows, and can neither change nor drop what holds them. The one
//! that migrates owns the tables, and gives that role its rights after each run.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use crate::error::MigrateError;
use crate::runner::begin_locked;

/// The longest name that PostgreSQL does not cut.
const LONGEST: usize = 63;

/// A role by its name, and the password that it is to have.
#[derive(Clone)]
pub struct ApiRole {
    pub name: String,
    /// `None` leaves it as it is.
    pub password: Option<String>,
}

/// Why the role does not have its rights.
#[derive(Debug, thiserror::Error)]
pub enum ApiRoleError {
    #[error(
        "{0:?} is no name for a role: it has small letters, digits and _ alone, and begins with a letter"
    )]
    Name(String),
    #[error("the password of a role cannot hold the character U+0000")]
    Password,
    #[error("only PostgreSQL has roles: leave SPIRAL_DATABASE_API_ROLE out for SQLite")]
    NoRoles,
    #[error(
        "there is no role {0}: give it a password (SPIRAL_DATABASE_API_PASSWORD_FILE), and it is made, or make it yourself"
    )]
    Missing(String),
    #[error("{0} is the role that migrates, or one that may do everything: the API needs one of its own")]
    TooPowerful(String),
    #[error(transparent)]
    Lock(#[from] MigrateError),
    #[error("could not give the role {name} its rights")]
    Grant {
        name: String,
        #[source]
        source: DbErr,
    },
}

/// Makes the role if there is none and a password is known, and gives it what the API needs. Changes nothing when it has
/// that already.
pub async fn grant_api_role(database: &DatabaseConnection, role: &ApiRole) -> Result<(), ApiRoleError> {
    check(role)?;
    if database.get_database_backend() != DbBackend::Postgres {
        return Err(ApiRoleError::NoRoles);
    }
    let transaction = begin_locked(database).await?;
    let failed = |source| ApiRoleError::Grant {
        name: role.name.clone(),
        source,
    };
    match look(&transaction, &role.name).await.map_err(failed)? {
        None if role.password.is_none() => return Err(ApiRoleError::Missing(role.name.clone())),
        Some(Found { powerful: true }) => return Err(ApiRoleError::TooPowerful(role.name.clone())),
        found => {
            for statement in statements(role, found.is_none()) {
                transaction.execute_unprepared(&statement).await.map_err(failed)?;
            }
        }
    }
    transaction.commit().await.map_err(failed)
}

fn check(role: &ApiRole) -> Result<(), ApiRoleError> {
    let name = &role.name;
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !begins || name.len() > LONGEST || !name.bytes().all(legal) {
        return Err(ApiRoleError::Name(name.clone()));
    }
    if role
        .password
        .as_ref()
        .is_some_and(|password| password.contains('\0'))
    {
        return Err(ApiRoleError::Password);
    }
    Ok(())
}

struct Found {
    powerful: bool,
}

async fn look<C: ConnectionTrait>(database: &C, name: &str) -> Result<Option<Found>, DbErr> {
    let query = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT rolsuper OR rolname = current_user FROM pg_roles WHERE rolname = $1",
        [name.into()],
    );
    let row = database.query_one_raw(query).await?;
    row.map(|row| row.try_get_by_index(0).map(|powerful| Found { powerful }))
        .transpose()
}

/// In the schema and the database where the tables are: their names are not known before.
fn statements(role: &ApiRole, is_new: bool) -> Vec<String> {
    let name = &role.name;
    let mut statements = Vec::new();
    if is_new {
        statements.push(format!("CREATE ROLE {name} LOGIN"));
    }
    if let Some(password) = &role.password {
        // Such literals know no escapes but the doubled quote.
        let quoted = password.replace('\'', "''");
        statements.push("SET LOCAL standard_conforming_strings = on".to_owned());
        statements.push(format!("ALTER ROLE {name} LOGIN PASSWORD '{quoted}'"));
    }
    let here = |template: &str| {
        format!(
            "DO $do$ BEGIN EXECUTE format('{template}', current_schema(), current_database(), '{name}'); END $do$"
        )
    };
    statements.extend(
        [
            "GRANT CONNECT ON DATABASE %2$I TO %3$I",
            "GRANT USAGE ON SCHEMA %1$I TO %3$I",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %1$I TO %3$I",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO %3$I",
            // Tables of later migrations: a release that serves meets them before the next run of this.
            "ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %3$I",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT USAGE, SELECT ON SEQUENCES TO %3$I",
            // Which migrations have run is for those who migrate.
            "REVOKE INSERT, UPDATE, DELETE ON %1$I.seaql_migrations FROM %3$I",
            // Databases that began before PostgreSQL 15 let everybody make tables here.
            "REVOKE CREATE ON SCHEMA %1$I FROM PUBLIC",
        ]
        .map(here),
    );
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_cannot_break_out_of_a_statement() {
        let role = |name: &str, password: Option<&str>| ApiRole {
            name: name.to_owned(),
            password: password.map(str::to_owned),
        };
        for bad in ["", "Api", "api-role", "1api", "a\"b", "a; DROP", &"x".repeat(64)] {
            assert!(
                matches!(check(&role(bad, None)), Err(ApiRoleError::Name(_))),
                "{bad}"
            );
        }
        assert!(check(&role("spiral_api", Some("a\0b"))).is_err());
        let told = statements(&role("spiral_api", Some("it's \\' a")), true);
        assert!(
            told.contains(&"ALTER ROLE spiral_api LOGIN PASSWORD 'it''s \\'' a'".to_owned()),
            "{told:?}"
        );
    }
}
