//! What ids of the trail are called, as far as its reader may know.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};

use crate::{
    accounts::{
        Accounts,
        api_tokens::routes::get_tokens,
        companies::routes::get_companies,
        users::routes::{UsersQuery, get_users},
    },
    auth::{
        SETTINGS_ACCOUNT,
        permission::{ManageCompanies, OwnTokens, ReadAudit, ReadUsers},
    },
    console::view::View,
    edge::{Problem, QueryOf, page::PageQuery},
};

/// So many of each kind are looked up: others are shown by their ids.
const MOST: &str = "1000";

/// What some ids are called.
pub struct Names {
    names: BTreeMap<String, String>,
    /// Of an operator, who sees the trails of all.
    companies: Vec<(String, String)>,
}

impl Names {
    /// Of the people, tokens and companies that the reader sees elsewhere in the console.
    pub async fn read(view: &View<ReadAudit>, accounts: &Arc<Accounts>) -> Result<Self, Problem> {
        let state = || State(accounts.clone());
        let all = || {
            QueryOf(PageQuery {
                cursor: None,
                limit: Some(MOST.to_owned()),
            })
        };
        let mut names = BTreeMap::new();
        let query = QueryOf(UsersQuery {
            state: None,
            role: None,
            cursor: None,
            limit: Some(MOST.to_owned()),
        });
        let Json(users) = get_users(state(), view.may_also::<ReadUsers>()?, query).await?;
        for user in users.users {
            let name = user.username.or(user.email).unwrap_or_default();
            names.insert(user.id.to_string(), name);
        }
        names.insert(
            SETTINGS_ACCOUNT.to_string(),
            accounts.settings_username().to_owned(),
        );
        let Json(tokens) = get_tokens(state(), view.may_also::<OwnTokens>()?, all()).await?;
        for token in tokens.tokens {
            names.insert(token.id.to_string(), token.name);
        }
        let mut companies = Vec::new();
        if let Ok(may) = view.may_also::<ManageCompanies>() {
            let Json(listed) = get_companies(state(), may, all()).await?;
            for company in listed.companies {
                companies.push((company.id.to_string(), company.name));
            }
        }
        names.extend(companies.iter().cloned());
        Ok(Self { names, companies })
    }

    /// Whether its reader sees the trails of all companies.
    pub fn has_companies(&self) -> bool {
        !self.companies.is_empty()
    }

    /// All companies, to choose from.
    pub fn companies(&self) -> Vec<(String, String)> {
        let any = [(String::new(), "All".to_owned())];
        any.into_iter().chain(self.companies.clone()).collect()
    }

    /// What is called so, else the id itself.
    pub fn of(&self, id: &str) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// Who did something.
    pub fn of_actor(&self, kind: &str, id: Option<&str>) -> String {
        match (kind, id) {
            ("user", None) => "People".to_owned(),
            ("api_token", None) => "API tokens".to_owned(),
            ("operator", _) => self.of(&SETTINGS_ACCOUNT.to_string()),
            ("command", _) => "Command line".to_owned(),
            ("system", _) => "Footfall itself".to_owned(),
            ("anonymous", _) => "Nobody known".to_owned(),
            ("api_token", Some(id)) => format!("token {}", self.of(id)),
            (_, Some(id)) => self.of(id),
            (kind, None) => kind.to_owned(),
        }
    }
}
