//! Reading the audit trail, the newest first.

use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr};
use uuid::Uuid;

use super::{
    Outcome,
    position::Position,
    row::{COLUMNS, Row, row},
};
use crate::{
    edge::page::{Cursor, Page},
    storage::sql::{Connection, DatabaseError, of_company, on_either},
};

/// Which entries are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of one company; `None` for all of them.
    pub company: Option<Uuid>,
    /// Those of whoever has this id.
    pub actor_id: Option<Uuid>,
    /// Those of this kind of actor.
    pub actor: Option<&'static str>,
    /// Those of this action.
    pub action: Option<String>,
    /// Those of actions that begin with this.
    pub group: Option<String>,
    /// Those that ended like this.
    pub outcome: Option<Outcome>,
    /// Those from this time on, in Unix milliseconds.
    pub from: Option<i64>,
    /// Those before this time.
    pub to: Option<i64>,
}

/// An entry, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The entry.
    pub row: Row,
    /// Its address, or the network of it.
    pub address: Option<Vec<u8>>,
}

impl Selection {
    /// The statement that reads a page: it binds what is asked for as `$1` to `$8`, the place as `$9` to `$11`,
    /// and how many as `$12`.
    pub fn statement(&self, after: Option<Position>) -> String {
        let conditions = self.conditions(after);
        let columns = format!(
            "audit_entries.{}",
            COLUMNS.replace(", ", ", audit_entries.")
        );
        format!(
            "SELECT {columns}, audit_addresses.address FROM audit_entries
             LEFT JOIN audit_addresses ON audit_addresses.company_id = audit_entries.company_id
                 AND audit_addresses.seq = audit_entries.seq
             WHERE {conditions}
             ORDER BY audit_entries.recorded_at DESC, audit_entries.company_id DESC, audit_entries.seq DESC
             LIMIT $12"
        )
    }

    /// The condition for a statement that binds all of it from `$1` to `$11`. What is not asked for is
    /// no condition, rather than one that is always true, so that an index serves what is left;
    /// its parameter is named all the same, since both databases want to know each.
    fn conditions(&self, after: Option<Position>) -> String {
        let conditions = [
            (
                self.company.is_some(),
                "audit_entries.company_id = $1",
                "$1",
            ),
            (self.actor_id.is_some(), "actor_id = $2", "$2"),
            (self.actor.is_some(), "actor = $3", "$3"),
            (self.action.is_some(), "action = $4", "$4"),
            (
                self.group.is_some(),
                "substr(action, 1, length($5)) = $5",
                "$5",
            ),
            (self.outcome.is_some(), "outcome = $6", "$6"),
            (self.from.is_some(), "audit_entries.recorded_at >= $7", "$7"),
            (self.to.is_some(), "audit_entries.recorded_at < $8", "$8"),
            (
                after.is_some(),
                "audit_entries.recorded_at <= $9 AND (audit_entries.recorded_at, audit_entries.company_id, audit_entries.seq) < ($9, $10, $11)",
                "coalesce($9, $11) IS NULL AND $10",
            ),
        ];
        let conditions = conditions.map(|(is_asked, condition, parameter)| match is_asked {
            true => condition.to_owned(),
            false => format!("{parameter} IS NULL"),
        });
        conditions.join(" AND ")
    }
}

/// A page of the entries that are asked for, and where the next one begins.
///
/// # Errors
///
/// Those of the database.
pub async fn page(
    connection: &mut Connection<'_>,
    selection: &Selection,
    page: Page<Position>,
) -> Result<(Vec<Listed>, Option<Cursor<Position>>), DatabaseError> {
    match selection.company {
        Some(company) => connection.within(company).await?,
        None => connection.across_companies().await?,
    }
    let mut entries = rows(connection, selection, page.after, page.rows()).await?;
    let next = page.cut(&mut entries, |listed| Position::from(&listed.row));
    Ok((entries, next))
}

async fn rows(
    connection: &mut Connection<'_>,
    selection: &Selection,
    after: Option<Position>,
    most: i64,
) -> Result<Vec<Listed>, DatabaseError> {
    let text = selection.statement(after);
    let text = match selection.company {
        Some(_) => of_company(text),
        None => AssertSqlSafe(text).into_sql_str(),
    };
    on_either!(connection, |database| {
        let rows = sqlx::query(text)
            .bind(selection.company)
            .bind(selection.actor_id)
            .bind(selection.actor)
            .bind(selection.action.as_deref())
            .bind(selection.group.as_deref())
            .bind(selection.outcome.map(Outcome::text))
            .bind(selection.from)
            .bind(selection.to)
            .bind(after.map(|after| after.recorded_at))
            .bind(after.map(|after| after.company))
            .bind(after.map(|after| after.seq))
            .bind(most)
            .fetch_all(&mut **database)
            .await?;
        let listed = rows.iter().map(|found| {
            let row = row!(found);
            let address = found.try_get("address")?;
            Ok(Listed { row, address })
        });
        listed.collect()
    })
}
