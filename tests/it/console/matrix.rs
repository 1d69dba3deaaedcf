//! Who sees what: every page of the console, asked by every role. The pages are those of the router: whoever adds
//! one sees it here.

use std::fmt::Write;

use footfall::auth::role::Role;
use hyper::Method;
use uuid::Uuid;

use super::operator;
use crate::support::{
    reader::Reader,
    stage::{PASSWORD, Person, Stage},
};

/// What never ends by itself.
const STREAMS: [&str; 1] = ["/console/live"];

/// The pattern of each page, and those that end a session last of all.
pub fn patterns() -> Vec<String> {
    let mut all = footfall::app::pages();
    all.retain(|pattern| !STREAMS.contains(&pattern.as_str()));
    all.sort_by_key(|pattern| (pattern.ends_with("/logout"), pattern.clone()));
    all
}

/// A place of this pattern: nothing that is there, so that nothing of it is changed, but of companies.
pub fn place(pattern: &str, company: &str) -> String {
    let id = Uuid::now_v7().to_string();
    let id = if pattern.starts_with("/console/companies/") {
        company
    } else {
        &id
    };
    let path = pattern.replace("{id}", id).replace("{number}", "1");
    let path = path
        .replace("{name}", "none")
        .replace("{file}", "none")
        .replace("{*rest}", "none");
    assert!(
        !path.contains('{'),
        "what stands for the parameter of {pattern}?"
    );
    path
}

async fn reader(stage: &Stage, person: &Person) -> Reader {
    Reader::new(stage.app.client())
        .log_in(&person.email, PASSWORD)
        .await
}

#[tokio::test]
async fn of_pages() {
    let stage = Stage::sqlite().await;
    let mut readers = vec![Reader::new(stage.app.client())];
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        let person = stage.person("acme", role.as_str(), role).await;
        readers.push(reader(&stage, &person).await);
    }
    let chief = stage.person("default", "chief", Role::Operator).await;
    readers.push(reader(&stage, &chief).await);
    readers.push(operator(&stage.app).await);
    let company = stage.person("other", "zoe", Role::Admin).await.company;
    let mut table = String::new();
    let names = [
        "nobody", "viewer", "member", "admin", "operator", "settings",
    ];
    line(&mut table, "", names.map(ToOwned::to_owned).into());
    for method in [Method::GET, Method::POST] {
        for pattern in patterns() {
            let mut cells = Vec::new();
            for reader in &mut readers {
                let path = place(&pattern, &company);
                let reply = match method {
                    Method::GET => reader.get(&path).await,
                    _ => reader.submit(&path, &[]).await,
                };
                let status = reply.status.as_u16().to_string();
                cells.push(match reply.header("location") {
                    Some(to) if to.contains("login") => format!("{status} login"),
                    _ => status,
                });
            }
            if cells.iter().any(|cell| cell != "405") {
                let method = method.as_str().to_lowercase();
                line(&mut table, &format!("{method} {pattern}"), cells);
            }
        }
    }
    insta::assert_snapshot!("pages", table);
}

fn line(table: &mut String, name: &str, cells: Vec<String>) {
    write!(table, "{name:<46}").unwrap();
    for cell in cells {
        write!(table, " {cell:<9}").unwrap();
    }
    table.truncate(table.trim_end().len());
    table.push('\n');
}

/// What is not for a role is not in its navigation, and all that is, it may see.
#[tokio::test]
async fn of_the_navigation() {
    let stage = Stage::sqlite().await;
    let mut lists = Vec::new();
    for (company, role) in [
        ("acme", Role::Viewer),
        ("acme", Role::Member),
        ("acme", Role::Admin),
        ("default", Role::Operator),
    ] {
        let person = stage.person(company, role.as_str(), role).await;
        let mut reader = reader(&stage, &person).await;
        let home = reader.get("/console/").await.text();
        let (_, nav) = home.split_once("aria-label=\"Console\"").unwrap();
        let (nav, _) = nav.split_once("</nav>").unwrap();
        let links: Vec<_> = nav.split("href=\"./").skip(1).collect();
        let links = links
            .iter()
            .map(|rest| rest.split('"').next().unwrap().to_owned());
        let links: Vec<_> = links.collect();
        for link in &links {
            let reply = reader.get(&format!("/console/{link}")).await;
            assert_eq!(reply.status, 200, "{role}: {link}");
        }
        lists.push(format!("{role}: {}", links.join(" ")));
    }
    insta::assert_snapshot!("navigation", lists.join("\n"));
}
