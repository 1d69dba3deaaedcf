//! PostgreSQL: whether the service can work with it, and whether it may do too much.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::PgConnection;
use tokio::time::timeout;

use super::{Findings, clock, record};
use crate::{
    config::{PostgresUrl, postgres_url::SslMode},
    storage::sql::{
        Connection, DatabaseError, migrations,
        postgres::{Dialer, Limits},
        reasons::{self, NEWEST_MAJOR},
        schema,
    },
};

/// Looks at the database that `DATABASE_URL` names. It changes nothing.
pub async fn check(url: &PostgresUrl, limit: Duration, findings: &mut Findings) {
    let mut dialer = Dialer::new(Arc::new(url.clone()), Limits::Operation(limit), limit);
    let mut connection = match dialer.connect().await {
        Ok(connection) => connection,
        Err(error) => {
            let what = "the database cannot be used; visits are counted all the same";
            return findings.bad(what, error);
        }
    };
    let looked = timeout(limit, look(url, &mut connection, findings)).await;
    let error = match looked {
        Ok(Ok(())) => return,
        Ok(Err(error)) => DatabaseError::from(error).to_string(),
        Err(_) => reasons::of_silence(url, limit),
    };
    findings.bad(error, "look at the server's log");
}

async fn look(
    url: &PostgresUrl,
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), sqlx::Error> {
    check_server(url, connection, findings).await?;
    check_encryption(url, connection, findings).await?;
    check_clock(connection, findings).await?;
    if check_schema(url, connection, findings).await {
        record::check(connection, findings).await?;
    }
    check_too_much(url, connection, findings).await
}

async fn check_server(
    url: &PostgresUrl,
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), sqlx::Error> {
    let (version, number, is_standby, takes_no_writes): (String, i32, bool, bool) = sqlx::query_as(
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int,
                    pg_is_in_recovery(), current_setting('transaction_read_only')::bool",
    )
    .fetch_one(connection)
    .await?;
    let (server, database, user) = (url.server(), &url.database, &url.user);
    if let Some(old) = reasons::of_old_server(number) {
        findings.bad(
            format_args!("{server}: {old}"),
            "upgrade the server (pg_upgrade)",
        );
    } else if number / 10_000 > NEWEST_MAJOR {
        findings.warning(
            format_args!("{server} is PostgreSQL {version}, which is newer than {NEWEST_MAJOR}"),
            "Footfall was not tried with it; look whether there is a newer Footfall",
        );
    } else {
        findings.good(format_args!(
            "PostgreSQL {version} answers at {server}: database {database}, user {user}"
        ));
    }
    if is_standby {
        findings.bad(
            format_args!("{server} is a standby, which takes no writes"),
            "name the primary in DATABASE_URL",
        );
    } else if takes_no_writes {
        findings.bad(
            format_args!("{server} takes no writes"),
            "default_transaction_read_only is on; look who has set it, on the server, the database or the role, and why",
        );
    }
    Ok(())
}

async fn check_encryption(
    url: &PostgresUrl,
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), sqlx::Error> {
    let is_encrypted: Option<bool> =
        sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            .fetch_optional(connection)
            .await?;
    let verifies = matches!(url.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull);
    let server = url.server();
    match is_encrypted == Some(true) {
        true if verifies => findings.good(format_args!(
            "{server}: the connection is encrypted, and its certificate verified"
        )),
        true if url.is_remote() => findings.warning(
            format_args!("{server}: the connection is encrypted, but anyone could answer there"),
            "add sslmode=verify-full to DATABASE_URL, and sslrootcert where the certificate is signed by your own authority",
        ),
        false if url.is_remote() => findings.warning(
            format_args!("{server}: the connection is not encrypted"),
            "fine on a private network; else turn ssl on in postgresql.conf, and add sslmode=verify-full to DATABASE_URL",
        ),
        _ => findings.good(format_args!("{server}: the connection stays on this machine")),
    }
    Ok(())
}

async fn check_clock(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), sqlx::Error> {
    let asked = Instant::now();
    let now = schema::now(&mut Connection::Postgres(connection)).await?;
    clock::judge("the database's", now, asked, findings);
    Ok(())
}

/// Whether the schema can be used.
async fn check_schema(
    url: &PostgresUrl,
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> bool {
    let missing = missing_rights(connection).await.unwrap_or_default();
    for table in &missing {
        findings.bad(
            format_args!("this user may not read {table}"),
            format_args!("as the schema's owner: GRANT SELECT ON {table} TO \"{}\"; docs/postgres.md has all it needs", url.user),
        );
    }
    if !missing.is_empty() {
        return false;
    }
    let layout = schema::layout(&mut Connection::Postgres(connection)).await;
    let judged = layout
        .map_err(|error| error.to_string())
        .and_then(schema::judge);
    let is_good = judged.is_ok();
    match judged {
        Ok(layout) => findings.good(format_args!("its schema has {layout}")),
        Err(problem) => findings.bad(
            format_args!("the database cannot be used: {problem}"),
            "visits are counted all the same; docs/postgres.md says who runs `footfall migrate`",
        ),
    }
    is_good
}

/// The tables that are there and may not be read.
async fn missing_rights(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut missing = Vec::new();
    // All that the service reads today.
    for table in migrations::TABLES.into_iter().chain(["footfall_layout"]) {
        let may_not: Option<bool> = sqlx::query_scalar(
            "SELECT NOT has_table_privilege(oid, 'SELECT') FROM pg_class WHERE oid = to_regclass($1)",
        )
        .bind(table)
        .fetch_optional(&mut *connection)
        .await?;
        if may_not == Some(true) {
            missing.push(table.to_owned());
        }
    }
    Ok(missing)
}

/// A service that is broken into should not be able to do more than it has to.
async fn check_too_much(
    url: &PostgresUrl,
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), sqlx::Error> {
    let (is_superuser, sees_all, may_create): (bool, bool, bool) = sqlx::query_as(
        "SELECT rolsuper, rolbypassrls,
                coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(connection)
    .await?;
    let user = &url.user;
    let hint = format!(
        "have the service log in as a role that neither owns the schema nor may change it, and keep {user} for `footfall migrate`; docs/postgres.md has both roles"
    );
    let problem = if is_superuser {
        "is a superuser"
    } else if sees_all {
        "passes by row-level security (BYPASSRLS)"
    } else if may_create {
        "may change the schema"
    } else {
        findings.good(format_args!(
            "its user {user} may not do more than it needs"
        ));
        return Ok(());
    };
    findings.warning(format_args!("its user {user} {problem}"), hint);
    Ok(())
}
