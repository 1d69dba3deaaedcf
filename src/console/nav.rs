//! Where one may go: what a role may not see is not there.

use crate::auth::{
    permission::{
        ManageCompanies, OwnAccount, OwnTokens, Permission, Read, ReadAudit, ReadRecord,
        ReadSettings, ReadUsers, Rule, WriteKeys,
    },
    role::Role,
};

/// Some pages that belong together.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they have in common; empty of the first.
    pub label: &'static str,
    /// The pages.
    pub items: Vec<Item>,
}

/// A page that one can go to.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is called.
    pub label: &'static str,
    /// Where it is, below `/console/`.
    pub path: &'static str,
    /// Whether this is where one is.
    pub is_here: bool,
}

/// What a page is called, where it is below `/console/`, and what it asks for.
type Place = (&'static str, &'static str, Rule);

/// All pages that one can go to, by their groups, with the permission that each asks for.
const ALL: &[(&str, &[Place])] = &[
    (
        "",
        &[
            ("Home", "", Read::RULE),
            ("Counters", "counters", Read::RULE),
        ],
    ),
    (
        "Visitors",
        &[
            ("Audiences", "audiences", ReadRecord::RULE),
            ("Presets", "presets", ReadRecord::RULE),
        ],
    ),
    (
        "Company",
        &[
            ("People", "users", ReadUsers::RULE),
            ("Write keys", "write-keys", WriteKeys::RULE),
            ("Audit trail", "audit", ReadAudit::RULE),
            ("Details", "company", OwnAccount::RULE),
        ],
    ),
    (
        "You",
        &[
            ("Account", "account", OwnAccount::RULE),
            ("Sessions", "sessions", OwnAccount::RULE),
            ("API tokens", "tokens", OwnTokens::RULE),
        ],
    ),
    (
        "Service",
        &[
            ("Companies", "companies", ManageCompanies::RULE),
            ("Settings", "settings", ReadSettings::RULE),
        ],
    ),
];

/// Where somebody of this role may go who is at this path.
pub fn of(role: Role, path: &str) -> Vec<Group> {
    let groups = ALL.iter().map(|(label, items)| {
        let items = items.iter().filter(|(_, _, rule)| role >= rule.role);
        let items = items.map(|(label, place, _)| Item {
            label,
            path: place,
            is_here: is_within(path, place),
        });
        let items: Vec<_> = items.collect();
        Group { label, items }
    });
    groups.filter(|group| !group.items.is_empty()).collect()
}

fn is_within(path: &str, place: &str) -> bool {
    match path.strip_prefix(place) {
        Some(rest) if !place.is_empty() => rest.is_empty() || rest.starts_with('/'),
        _ => path == place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(role: Role, path: &str) -> Vec<(&'static str, bool)> {
        let groups = of(role, path).into_iter();
        let items = groups.flat_map(|group| group.items);
        items.map(|item| (item.path, item.is_here)).collect()
    }

    #[test]
    fn what_a_role_may_not_see_is_not_there() {
        for role in Role::ALL {
            let shown: Vec<_> = seen(role, "").into_iter().map(|(path, _)| path).collect();
            for (_, items) in ALL {
                for (_, path, rule) in *items {
                    assert_eq!(shown.contains(path), role >= rule.role, "{role} {path}");
                }
            }
        }
    }

    #[test]
    fn one_is_in_one_place() {
        for (path, place) in [
            ("", Some("")),
            ("users", Some("users")),
            ("users/invite", Some("users")),
            ("usersx", None),
            ("nothing", None),
        ] {
            let here = seen(Role::Operator, path)
                .into_iter()
                .filter(|(_, is_here)| *is_here);
            let here: Vec<_> = here.map(|(path, _)| path).collect();
            assert_eq!(here, place.into_iter().collect::<Vec<_>>(), "{path}");
        }
    }

    #[test]
    fn places_are_named_once() {
        let items = ALL.iter().flat_map(|(_, items)| items.iter());
        let mut paths: Vec<_> = items.map(|(_, path, _)| path).collect();
        paths.sort_unstable();
        let all = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }
}
