//! Answering a question: sets of visitors, put together.

use std::collections::BTreeMap;

use futures_util::{FutureExt, future::BoxFuture};
use roaring::RoaringTreemap;
use sea_query::Cond;
use sqlx::Error;
use uuid::Uuid;

use super::{
    conditions::met,
    counters::{Counter, Counters},
    references::Audiences,
    rows,
    spans::{Parts, Span, Window},
    statement::Dialect,
    sums,
};
use crate::{
    audiences::filter::{Condition, Did, Node, Subject, Tree},
    record::values::slices::{self, EXACT, Slices},
    storage::sql::Connection,
};

/// A question that is being answered, from one state of the database.
pub(super) struct Run<'a, 'c> {
    pub(super) connection: &'a mut Connection<'c>,
    pub(super) counters: &'a Counters,
    pub(super) audiences: &'a Audiences,
    pub(super) instant: i64,
    /// Who is in audiences that were looked at before.
    pub(super) known: BTreeMap<Uuid, RoaringTreemap>,
}

impl<'a> Run<'a, '_> {
    /// Who is meant.
    pub(super) fn tree<'r>(
        &'r mut self,
        tree: &'a Tree,
    ) -> BoxFuture<'r, Result<RoaringTreemap, Error>> {
        async move {
            let mut visitors = self.node(&tree.include).await?;
            if let Some(exclude) = &tree.exclude
                && !visitors.is_empty()
            {
                visitors -= self.node(exclude).await?;
            }
            Ok(visitors)
        }
        .boxed()
    }

    fn node<'r>(&'r mut self, node: &'a Node) -> BoxFuture<'r, Result<RoaringTreemap, Error>> {
        async move {
            match node {
                Node::All(nodes) => {
                    let mut all: Option<RoaringTreemap> = None;
                    for node in nodes {
                        // Nobody is in all of them if nobody is in some.
                        if all.as_ref().is_some_and(RoaringTreemap::is_empty) {
                            break;
                        }
                        let visitors = self.node(node).await?;
                        all = Some(match all {
                            Some(all) => all & visitors,
                            None => visitors,
                        });
                    }
                    Ok(all.unwrap_or_default())
                }
                Node::Any(nodes) => {
                    let mut any = RoaringTreemap::new();
                    for node in nodes {
                        any |= self.node(node).await?;
                    }
                    Ok(any)
                }
                Node::Did(did) => self.did(did).await,
                Node::Visitor(condition) => self.visitor(condition).await,
                Node::Audience(id) => self.audience(*id).await,
            }
        }
        .boxed()
    }

    async fn audience(&mut self, id: Uuid) -> Result<RoaringTreemap, Error> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let Some(audience) = self.audiences.get(&id) else {
            return Ok(RoaringTreemap::new());
        };
        let visitors = self.tree(&audience.tree).await?;
        self.known.insert(id, visitors.clone());
        Ok(visitors)
    }

    async fn did(&mut self, did: &Did) -> Result<RoaringTreemap, Error> {
        let Some(counter) = self.counters.of(&did.counter) else {
            return Ok(RoaringTreemap::new());
        };
        let window = Window::of(did.within, self.instant);
        let most = did
            .at_most
            .map_or(did.at_least, |most| did.at_least.max(most + 1));
        let mut slices = Slices::up_to(most);
        let parts = match did.conditions.is_empty() && most <= EXACT {
            true => Parts::summed(self.connection, counter, window).await?,
            false => Parts::rows(self.connection, counter, window).await?,
        };
        let mut spans = parts.spans.clone();
        self.days(counter, &parts, most, &mut slices, &mut spans)
            .await?;
        let dialect = Dialect::of(self.connection);
        for span in spans {
            let condition = || {
                let all = did.conditions.iter();
                all.fold(Cond::all(), |all, condition| {
                    all.add(met(condition, counter.recording.id, dialect))
                })
            };
            self.rows(counter, span, condition, |visitors| {
                slices.add_each(visitors)
            })
            .await?;
        }
        let mut visitors = slices.at_least(did.at_least);
        if let Some(most) = did.at_most {
            visitors -= slices.at_least(most + 1);
        }
        Ok(visitors)
    }

    /// Adds what is kept of days. Of which it is not known how often visitors came, and needed, is looked at
    /// visit by visit.
    async fn days(
        &mut self,
        counter: &Counter,
        parts: &Parts,
        most: u16,
        slices: &mut Slices,
        spans: &mut Vec<Span>,
    ) -> Result<(), Error> {
        let (Some(first), Some(last)) = (parts.days.first(), parts.days.last()) else {
            return Ok(());
        };
        let days = sums::visitors(counter, first.day, last.day);
        let take = |(day, visitors, again): sums::VisitorDay| {
            let visitors = set(&visitors)?;
            match again {
                Some(again) if most > 1 => {
                    slices::add_day(slices, visitors, &again).map_err(decoding)?
                }
                _ if most == 1 => slices.add(visitors, 0),
                _ => {
                    let place = parts.days.iter().find(|known| known.day == day);
                    spans.extend(place.map(|day| Span {
                        after: day.after,
                        through: day.through,
                        window: Window::EVER,
                    }));
                }
            }
            Ok(())
        };
        days.each(self.connection, take).await
    }

    /// Who has a visit, on any counter, that meets a condition.
    async fn visitor(&mut self, condition: &Condition) -> Result<RoaringTreemap, Error> {
        let mut visitors = RoaringTreemap::new();
        let counters = self.counters;
        for counter in counters.all() {
            let dialect = Dialect::of(self.connection);
            let parts = match condition.of {
                Subject::Field(_) => Parts::summed(self.connection, counter, Window::EVER).await?,
                Subject::Property(_) => Parts::rows(self.connection, counter, Window::EVER).await?,
            };
            if let (Subject::Field(field), Some(first), Some(last)) =
                (&condition.of, parts.days.first(), parts.days.last())
            {
                let days = (first.day, last.day);
                let values = sums::values(counter, days, *field, &condition.test, dialect);
                let take = |(bitmap,): (Vec<u8>,)| {
                    visitors |= set(&bitmap)?;
                    Ok(())
                };
                values.each(self.connection, take).await?;
            }
            for span in parts.spans {
                let meets = || met(condition, counter.recording.id, dialect);
                self.rows(counter, span, meets, |some| visitors.extend(some))
                    .await?;
            }
        }
        Ok(visitors)
    }

    /// Takes the visitors of visits that meet a condition, one for each, page by page.
    async fn rows(
        &mut self,
        counter: &Counter,
        mut span: Span,
        condition: impl Fn() -> Cond,
        mut take: impl FnMut(Vec<u64>),
    ) -> Result<(), Error> {
        let dialect = Dialect::of(self.connection);
        let mut width = rows::PAGE;
        while span.after < span.through {
            let part = Span {
                through: span.through.min(span.after + width),
                ..span
            };
            let page = rows::page(counter, part, condition(), dialect);
            let visitors = rows::read(self.connection, page).await?;
            if (visitors.len() as u64) < rows::PAGE / 4 {
                width = rows::WIDEST.min(width * 2);
            }
            take(visitors);
            span.after = part.through;
        }
        Ok(())
    }
}

fn set(bytes: &[u8]) -> Result<RoaringTreemap, Error> {
    RoaringTreemap::deserialize_from(bytes).map_err(decoding)
}

fn decoding(error: std::io::Error) -> Error {
    Error::Decode(error.into())
}
