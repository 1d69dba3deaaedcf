//! All members of an audience, as a file.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, header},
};

use crate::{
    accounts::{Accounts, origin::Origin, path::Id},
    audiences::{
        evaluate::Engine,
        members::{MembersQuery, get_members},
        saved::{Filters, List},
    },
    auth::permission::ReadRecord,
    console::{typed::Typed, view::View},
    edge::{Code, Problem, QueryOf},
};

/// Longest name of a file, in characters, before its ending.
const MOST: usize = 60;

/// The file.
pub async fn download(
    view: View<ReadRecord>,
    State(accounts): State<Arc<Accounts>>,
    State(engine): State<Engine>,
    origin: Origin,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    let typed = Typed::new(view.exchange.query().as_bytes());
    let filters = Filters {
        accounts: &accounts,
        list: List::Audiences,
    };
    let saved = filters.find(view.reader.caller.company.id(), id).await?;
    let format = match typed.get("format") {
        "" => "ndjson",
        format => format,
    };
    let query = MembersQuery {
        format: Some(format.to_owned()),
        after: None,
        as_of: Some(typed.get("as_of").to_owned()),
    };
    let members = get_members(
        State(accounts.clone()),
        State(engine),
        view.may(),
        origin,
        Id(id),
        HeaderMap::new(),
        QueryOf(query),
    );
    let mut response = members.await?;
    let name = format!(
        "attachment; filename=\"{}.{format}\"",
        file_name(&saved.row.name)
    );
    let name = HeaderValue::try_from(name);
    let name = name.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

/// What of a name any file system takes.
fn file_name(name: &str) -> String {
    let plain = name.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => '-',
    });
    let plain: String = plain.take(MOST).collect();
    let parts: Vec<_> = plain.split('-').filter(|part| !part.is_empty()).collect();
    match parts.is_empty() {
        true => "audience".to_owned(),
        false => parts.join("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_plain_names() {
        for (name, file) in [
            ("Pro customers (AT)", "pro-customers-at"),
            ("../../etc/passwd", "etc-passwd"),
            ("a\"; filename=b", "a-filename-b"),
            ("Ä😀", "audience"),
            ("", "audience"),
            (&"x".repeat(100), &"x".repeat(60)),
        ] {
            assert_eq!(file_name(name), file);
        }
    }
}
