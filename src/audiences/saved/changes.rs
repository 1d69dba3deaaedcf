//! Making, changing and deleting audiences and presets, each in one transaction.
//!
//! Who changes any of a company's has the company locked. So of equal ones that are made at once one is
//! made, and the others see it; and who refers to whom is judged by what is there when it is written.

use uuid::Uuid;

use super::{
    body::{New, invalid},
    list::{List, MOST},
    references::{self, References},
    table::{self, Row},
};
use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        once::{Once, Turn},
    },
    audit::{Details, record},
    edge::{
        Code, Problem,
        particulars::{Particulars, Thing},
    },
    storage::sql::{Connection, DatabaseError, schema},
};

/// As many as a problem names of those that refer to an audience.
const MOST_NAMED: usize = 20;

type Done<T> = Result<Change<Result<T, Problem>>, DatabaseError>;

/// Makes one. When the request is repeated it is the same one.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn create(
    connection: &mut Connection<'_>,
    (list, company): (List, Uuid),
    new: &New,
    by: &By,
    once: Option<&Once>,
) -> Done<Row> {
    connection.within(company).await?;
    if let Turn::Repeated(Some(id)) = Once::begin(once, connection).await? {
        let id = id.parse().unwrap_or(Uuid::nil());
        let row = table::find(connection, list, (company, id)).await?;
        return Ok(Change::of(row.ok_or(Code::NotFound.into())));
    }
    companies::lock(connection, company).await?;
    let is_full = table::number(connection, list, company).await? >= MOST;
    let refused = match refused(connection, (list, company), None, new).await? {
        None => is_full.then(|| list.full().into()),
        refused => refused,
    };
    if let Some(problem) = refused {
        Once::undo(once, connection).await?;
        return Ok(Change::of(Err(problem)));
    }
    let (id, now) = (Uuid::now_v7(), schema::now(connection).await?);
    let row = Row {
        id,
        name: new.name.text.clone(),
        filter: new.filter.canonical.clone(),
        hash: new.filter.hash.clone(),
        created_at: now,
        updated_at: now,
    };
    if list == List::Audiences {
        table::keep(connection, company, &new.filter).await?;
    }
    table::insert(connection, list, company, &row, &new.name).await?;
    references::write(connection, list, (company, id), &new.references).await?;
    Once::end(once, connection, &id.to_string()).await?;
    let entry = by.entry(company, list.create()).on(list.kind(), id);
    record(connection, &entry).await?;
    Ok(Change::of(Ok(row)))
}

/// Why this cannot be written, if it cannot: as a new one, or in the place of `own`.
async fn refused(
    connection: &mut Connection<'_>,
    (list, company): (List, Uuid),
    own: Option<Uuid>,
    new: &New,
) -> Result<Option<Problem>, DatabaseError> {
    let not = (company, own.unwrap_or(Uuid::nil()));
    let taken = table::taken(connection, list, not, &new.name, &new.filter.hash).await?;
    if let Some((what, other)) = taken {
        return Ok(Some(list.taken(what, other)));
    }
    if new.references.is_empty() {
        return Ok(None);
    }
    let names = table::names(connection, company).await?;
    let all = References::read(connection, company, names).await?;
    // Nobody refers to a preset.
    let own = own.filter(|_| list == List::Audiences);
    let wrong = all.wrong(own, &new.references);
    Ok(match wrong.is_empty() {
        true => None,
        false => Some(invalid(wrong).of_field(list.filter_field())),
    })
}

/// Changes one into what was sent.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn replace(
    connection: &mut Connection<'_>,
    (list, company): (List, Uuid),
    id: Uuid,
    new: &New,
    by: &By,
) -> Done<Row> {
    connection.within(company).await?;
    companies::lock(connection, company).await?;
    let Some(before) = table::find(connection, list, (company, id)).await? else {
        return Ok(Change::of(Err(Code::NotFound.into())));
    };
    if let Some(problem) = refused(connection, (list, company), Some(id), new).await? {
        return Ok(Change::of(Err(problem)));
    }
    let mut fields = Vec::new();
    if before.name != new.name.text {
        fields.push(list.name_field());
    }
    if before.hash != new.filter.hash {
        fields.push(list.filter_field());
    }
    if fields.is_empty() {
        return Ok(Change::of(Ok(before)));
    }
    let now = schema::now(connection).await?;
    let row = Row {
        name: new.name.text.clone(),
        filter: new.filter.canonical.clone(),
        hash: new.filter.hash.clone(),
        updated_at: now,
        ..before.clone()
    };
    if list == List::Audiences {
        table::keep(connection, company, &new.filter).await?;
    }
    table::update(connection, list, company, &row, &new.name).await?;
    if list == List::Audiences && before.hash != row.hash {
        table::replaced(connection, company, &before.hash, now).await?;
    }
    references::write(connection, list, (company, id), &new.references).await?;
    let details = Details {
        fields,
        ..Details::default()
    };
    let entry = by.entry(company, list.update()).on(list.kind(), id);
    record(connection, &entry.because(details)).await?;
    Ok(Change::of(Ok(row)))
}

/// Deletes one, unless others refer to it. When the request is repeated it was deleted.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn delete(
    connection: &mut Connection<'_>,
    (list, company): (List, Uuid),
    id: Uuid,
    by: &By,
    once: Option<&Once>,
) -> Done<()> {
    connection.within(company).await?;
    if let Turn::Repeated(Some(deleted)) = Once::begin(once, connection).await?
        && deleted == id.to_string()
    {
        return Ok(Change::of(Ok(())));
    }
    companies::lock(connection, company).await?;
    let found = table::find(connection, list, (company, id)).await?;
    let users = match list {
        List::Audiences => references::users(connection, company, id).await?,
        List::Presets => Vec::new(),
    };
    let row = match found {
        Some(row) if users.is_empty() => row,
        found => {
            Once::undo(once, connection).await?;
            let problem = match found {
                Some(row) => in_use(&row, users),
                None => Code::NotFound.into(),
            };
            return Ok(Change::of(Err(problem)));
        }
    };
    table::delete(connection, list, (company, id)).await?;
    if list == List::Audiences {
        let now = schema::now(connection).await?;
        table::replaced(connection, company, &row.hash, now).await?;
    }
    Once::end(once, connection, &id.to_string()).await?;
    let entry = by.entry(company, list.delete()).on(list.kind(), id);
    record(connection, &entry).await?;
    Ok(Change::of(Ok(())))
}

/// Others refer to it.
fn in_use(row: &Row, mut users: Vec<Thing>) -> Problem {
    let all = users.len();
    users.truncate(MOST_NAMED);
    let named = users
        .iter()
        .map(|user| format!("the {} `{}`", user.kind, user.name));
    let mut named: Vec<_> = named.collect();
    if all > MOST_NAMED {
        named.push(format!("{} more", all - MOST_NAMED));
    }
    let detail = format!(
        "The audience `{}` is referred to by {}: change or delete those first.",
        row.name,
        named.join(", ")
    );
    Problem::from(Code::AudienceInUse)
        .with_detail(detail)
        .telling(Particulars {
            used_by: users,
            ..Particulars::default()
        })
}
