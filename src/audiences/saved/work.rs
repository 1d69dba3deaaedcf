//! What the routes of audiences and presets have in common.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    body::New,
    changes,
    list::List,
    references,
    table::{self, Row},
};
use crate::{
    accounts::{Accounts, by::By, once::Once, origin::Origin},
    audiences::filter::{Tree, words},
    auth::Caller,
    edge::{
        Code, Problem,
        page::{Cursor, Page},
        particulars::Thing,
    },
};

/// A saved filter, as it is shown.
#[derive(Debug)]
pub struct Saved {
    /// What is stored of it.
    pub row: Row,
    /// Its filter, as JSON.
    pub filter: Box<RawValue>,
    /// Its filter in words.
    pub sentence: String,
}

/// One of the two lists, as routes work with it.
pub struct Filters<'a> {
    /// Where it is.
    pub accounts: &'a Accounts,
    /// Which of the two.
    pub list: List,
}

impl Filters<'_> {
    /// A page of a company's.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn page(
        &self,
        company: Uuid,
        page: Page<Uuid>,
    ) -> Result<(Vec<Saved>, Option<Cursor<Uuid>>), Problem> {
        let list = self.list;
        let read = self.accounts.read("saved_filters", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                table::page(connection, list, company, page).await
            })
        });
        let (rows, next) = read.await?;
        Ok((shown(self.accounts, company, rows).await?, next))
    }

    /// One of a company's.
    ///
    /// # Errors
    ///
    /// `not_found`, and those of the database.
    pub async fn find(&self, company: Uuid, id: Uuid) -> Result<Saved, Problem> {
        let list = self.list;
        let read = self.accounts.read("saved_filter", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                table::find(connection, list, (company, id)).await
            })
        });
        let row = read.await?.ok_or(Code::NotFound)?;
        self.show(company, row).await
    }

    /// What refers to an audience, in the order of the names.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn used_by(&self, company: Uuid, audience: Uuid) -> Result<Vec<Thing>, Problem> {
        if self.list == List::Presets {
            return Ok(Vec::new());
        }
        let read = self.accounts.read("audience_used_by", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                references::users(connection, company, audience).await
            })
        });
        read.await
    }

    /// Makes one. When the request is repeated under its id it is the same one.
    ///
    /// # Errors
    ///
    /// Why it cannot be, and those of the database.
    pub async fn create(
        &self,
        caller: &Caller,
        origin: Origin,
        new: New,
        operation: &'static str,
    ) -> Result<Saved, Problem> {
        let (list, company) = (self.list, caller.company.id());
        let once = origin.once(operation, &caller.user.to_string());
        self.not_taken(company, &new, once.clone()).await?;
        let by = By::caller(caller, origin);
        let made = self
            .accounts
            .change("saved_filter_make", move |connection| {
                let (at, once) = ((list, company), once);
                Box::pin(
                    async move { changes::create(connection, at, &new, &by, once.as_ref()).await },
                )
            });
        let row = made.await??;
        self.show(company, row).await
    }

    /// Of many that make equal ones at once all but the first find out here, without waiting for each other.
    async fn not_taken(&self, company: Uuid, new: &New, once: Option<Once>) -> Result<(), Problem> {
        let list = self.list;
        let (name, hash) = (new.name.clone(), new.filter.hash.clone());
        let read = self.accounts.read("saved_filter_taken", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                if let Some(once) = once
                    && once.is_done(connection).await?
                {
                    return Ok(None);
                }
                table::taken(connection, list, (company, Uuid::nil()), &name, &hash).await
            })
        });
        match read.await? {
            Some((what, other)) => Err(list.taken(what, other)),
            None => Ok(()),
        }
    }

    /// Changes one into what was sent.
    ///
    /// # Errors
    ///
    /// Why it cannot be, and those of the database.
    pub async fn replace(
        &self,
        caller: &Caller,
        origin: Origin,
        id: Uuid,
        new: New,
    ) -> Result<Saved, Problem> {
        let (list, company) = (self.list, caller.company.id());
        let by = By::caller(caller, origin);
        let changed = self
            .accounts
            .change("saved_filter_change", move |connection| {
                let at = (list, company);
                Box::pin(async move { changes::replace(connection, at, id, &new, &by).await })
            });
        let row = changed.await??;
        self.show(company, row).await
    }

    /// Deletes one.
    ///
    /// # Errors
    ///
    /// Why it cannot be, and those of the database.
    pub async fn delete(
        &self,
        caller: &Caller,
        origin: Origin,
        id: Uuid,
        operation: &'static str,
    ) -> Result<(), Problem> {
        let (list, company) = (self.list, caller.company.id());
        let once = origin.once(operation, &caller.user.to_string());
        let by = By::caller(caller, origin);
        let deleted = self
            .accounts
            .change("saved_filter_delete", move |connection| {
                let at = (list, company);
                Box::pin(
                    async move { changes::delete(connection, at, id, &by, once.as_ref()).await },
                )
            });
        deleted.await?
    }

    async fn show(&self, company: Uuid, row: Row) -> Result<Saved, Problem> {
        let shown = shown(self.accounts, company, vec![row]).await?;
        shown.into_iter().next().ok_or(Code::Internal.into())
    }
}

/// Puts filters into words, with the names that the audiences they refer to have now.
async fn shown(accounts: &Accounts, company: Uuid, rows: Vec<Row>) -> Result<Vec<Saved>, Problem> {
    let trees: Vec<_> = rows
        .iter()
        .map(|row| Tree::from_stored(&row.filter))
        .collect();
    let refers = |tree: &Tree| !tree.references().is_empty();
    let names = match trees.iter().flatten().any(refers) {
        true => names(accounts, company).await?,
        false => BTreeMap::new(),
    };
    let shown = rows.into_iter().zip(trees).map(|(row, tree)| {
        let sentence = match tree {
            Ok(tree) => words::sentence(&tree, &|id| names.get(&id).cloned()),
            // The rest of a list is of use all the same.
            Err(unreadable) => unreadable.to_string(),
        };
        let filter = RawValue::from_string(row.filter.clone());
        let filter = filter.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
        Ok(Saved {
            row,
            filter,
            sentence,
        })
    });
    shown.collect()
}

/// What all audiences of a company are called.
///
/// # Errors
///
/// Those of the database.
pub async fn names(accounts: &Accounts, company: Uuid) -> Result<BTreeMap<Uuid, String>, Problem> {
    let read = accounts.read("audience_names", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            table::names(connection, company).await
        })
    });
    read.await
}

/// A filter that is not saved, in words.
///
/// # Errors
///
/// Those of the database.
pub async fn sentence(accounts: &Accounts, company: Uuid, tree: &Tree) -> Result<String, Problem> {
    let names = match tree.references().is_empty() {
        true => BTreeMap::new(),
        false => names(accounts, company).await?,
    };
    Ok(words::sentence(tree, &|id| names.get(&id).cloned()))
}
