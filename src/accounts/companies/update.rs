//! Changing a company.

use uuid::Uuid;

use super::{CompanyState, Row, lock, taken};
use crate::{
    accounts::{Change, by::By, names::Name, revoke::renew_company},
    audit::{Action, Details, Kind, record_all},
    auth::revocation::Revocation,
    company::{DEFAULT_ID, Zone},
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError, on_either, schema},
};

/// What is to change; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// What it is called.
    pub name: Option<Name>,
    /// What it is.
    pub state: Option<CompanyState>,
    /// By which its days begin.
    pub time_zone: Option<Zone>,
}

/// Changes a company. When it is suspended, the tokens of all its people stop.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn update(
    connection: &mut Connection<'_>,
    id: Uuid,
    changes: Changes,
    by: &By,
) -> Result<Change<Result<Row, Problem>>, DatabaseError> {
    let Some(before) = lock(connection, id).await? else {
        return Ok(Change::of(Err(Code::NotFound.into())));
    };
    let name = changes.name.filter(|name| name.as_str() != before.name);
    let state = changes.state.unwrap_or(before.state);
    let zone = changes.time_zone.filter(|zone| *zone != before.time_zone);
    if let Err(problem) = is_possible(connection, &before, name.as_ref(), state).await? {
        return Ok(Change::of(Err(problem)));
    }
    if name.is_some() || zone.is_some() || state != before.state {
        write(connection, id, name.as_ref(), state, zone.as_ref()).await?;
    }
    let mut revoked = Vec::new();
    if state == CompanyState::Suspended {
        revoked.push(match before.state {
            CompanyState::Active => renew_company(connection, id).await?,
            // It may be that this could not be made known when it was suspended.
            CompanyState::Suspended => Revocation::Company {
                id,
                below: before.generation,
            },
        });
    }
    let mut entries = Vec::new();
    let changed = [("name", name.is_some()), ("time_zone", zone.is_some())];
    let changed = changed.into_iter().filter(|(_, is_changed)| *is_changed);
    let fields: Vec<_> = changed.map(|(field, _)| field).collect();
    if !fields.is_empty() {
        let details = Details {
            fields,
            ..Details::default()
        };
        entries.push(by.entry(id, Action::CompanyUpdate).because(details));
    }
    match (before.state, state) {
        (CompanyState::Active, CompanyState::Suspended) => {
            entries.push(by.entry(id, Action::CompanySuspend));
        }
        (CompanyState::Suspended, CompanyState::Active) => {
            entries.push(by.entry(id, Action::CompanyResume));
        }
        _ => {}
    }
    let entries: Vec<_> = entries
        .into_iter()
        .map(|entry| entry.on(Kind::Company, id))
        .collect();
    record_all(connection, &entries).await?;
    let row = Row {
        name: name.map_or(before.name, |name| name.to_string()),
        state,
        time_zone: zone.unwrap_or(before.time_zone),
        ..before
    };
    Ok(Change {
        value: Ok(row),
        revoked,
    })
}

async fn is_possible(
    connection: &mut Connection<'_>,
    before: &Row,
    name: Option<&Name>,
    state: CompanyState,
) -> Result<Result<(), Problem>, DatabaseError> {
    let of_settings = |detail| Problem::from(Code::ManagedBySettings).with_detail(detail);
    if before.id == DEFAULT_ID && name.is_some() {
        return Ok(Err(of_settings(
            "The company `default` is that of the account of the settings, and keeps its name: its people log in without one.",
        )
        .of_field("name")));
    }
    if before.id == DEFAULT_ID && state == CompanyState::Suspended {
        return Ok(Err(of_settings(
            "The company `default` is that of the account of the settings, which is always let in.",
        )
        .of_field("state")));
    }
    let Some(name) = name else { return Ok(Ok(())) };
    Ok(match is_taken(connection, before.id, name).await? {
        true => Err(taken()),
        false => Ok(()),
    })
}

/// Whether another company has this name. All are looked at, whatever the transaction is of; from then
/// on it is of this one again.
async fn is_taken(
    connection: &mut Connection<'_>,
    id: Uuid,
    name: &Name,
) -> Result<bool, DatabaseError> {
    connection.across_companies().await?;
    let other = super::find_by_name(connection, name).await?;
    connection.within(id).await?;
    Ok(other.is_some_and(|other| other.id != id))
}

async fn write(
    connection: &mut Connection<'_>,
    id: Uuid,
    name: Option<&Name>,
    state: CompanyState,
    zone: Option<&Zone>,
) -> Result<(), DatabaseError> {
    let now = schema::now(connection).await?;
    on_either!(connection, |database| {
        sqlx::query(
            "UPDATE companies SET name = coalesce($2, name), name_key = coalesce($3, name_key), state = $4, updated_at = $5,
             time_zone = coalesce($6, time_zone) WHERE id = $1",
        )
        .bind(id)
        .bind(name.map(Name::as_str))
        .bind(name.map(Name::key))
        .bind(state.as_str())
        .bind(now)
        .bind(zone.map(Zone::name))
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}
