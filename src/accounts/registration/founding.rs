//! A company comes to be, with its first admin.

use secrecy::ExposeSecret;
use uuid::Uuid;

use super::waiting::Waiting;
use crate::{
    accounts::{
        companies,
        names::{MAX_CHARS, Name},
        users::{Newcomer, insert},
    },
    auth::role::Role,
    company::Zone,
    storage::sql::{Connection, DatabaseError},
};

/// What comes after the name of a company if another has it.
const NUMBERS: std::ops::RangeInclusive<u64> = 2..=9;

/// How many longer numbers are tried when these are taken, too, as nobody has by accident.
const TRIES: usize = 5;

/// A company that was founded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founded {
    /// Its id.
    pub company: Uuid,
    /// Its name.
    pub name: String,
    /// Its first admin.
    pub user: Uuid,
}

/// Founds the company of a registration.
///
/// # Errors
///
/// [`DatabaseError::UniqueViolation`], if somebody has the address by now, and those of the database.
pub async fn found(
    connection: &mut Connection<'_>,
    registration: &Waiting,
) -> Result<Founded, DatabaseError> {
    let (company, name) = insert_company(connection, &registration.company).await?;
    let newcomer = Newcomer {
        company,
        email: &registration.email,
        email_key: &registration.email_key,
        username: &registration.username,
        role: Role::Admin,
        password_hash: Some(registration.password_hash.expose_secret()),
    };
    let user = insert(connection, &newcomer).await?;
    Ok(Founded {
        company,
        name,
        user: user.ok_or(DatabaseError::UniqueViolation)?,
    })
}

/// Inserts one under the first name that is free; its id and that name.
async fn insert_company(
    connection: &mut Connection<'_>,
    wanted: &str,
) -> Result<(Uuid, String), DatabaseError> {
    for name in candidates(wanted) {
        // Waits for another one of this name that is being inserted: it may not stay.
        if let Some(id) = companies::insert(connection, &name, &Zone::default()).await? {
            return Ok((id, name.as_str().to_owned()));
        }
    }
    Err(DatabaseError::Busy(
        "no name for the company was free".into(),
    ))
}

/// The name that is wanted, then with numbers.
fn candidates(wanted: &str) -> impl Iterator<Item = Name> {
    let longer = std::iter::repeat_with(|| {
        // The last bytes of an UUID are random.
        let [.., a, b, c] = *Uuid::now_v7().as_bytes();
        u64::from_be_bytes([0, 0, 0, 0, 0, a, b, c])
    });
    let numbers = NUMBERS.chain(longer.take(TRIES));
    let numbered = numbers.map(|number| with_number(wanted, number));
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .filter_map(|name| Name::of_company(&name).ok())
}

/// Cut where it would be too long with it.
fn with_number(name: &str, number: u64) -> String {
    let number = number.to_string();
    let room = MAX_CHARS - 1 - number.len();
    let name: String = name.chars().take(room).collect();
    let end = |letter: char| !letter.is_alphanumeric() && letter.is_ascii();
    format!("{} {number}", name.trim_end_matches(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let names = |wanted: &str| -> Vec<_> {
            candidates(wanted)
                .map(|name| name.as_str().to_owned())
                .collect()
        };
        let acme = names("Acme");
        assert_eq!(acme[..3], ["Acme", "Acme 2", "Acme 3"]);
        assert_eq!(acme.len(), 1 + 8 + TRIES);
        let long = "a".repeat(MAX_CHARS - 3) + " bc";
        for wanted in [
            &long,
            &"語".repeat(MAX_CHARS),
            "O'Neill & Sons, Ltd",
            "анна",
            "a",
        ] {
            let all = names(wanted);
            assert_eq!(all.len(), acme.len(), "each is a name: {all:?}");
            assert!(all.iter().all(|name| name.chars().count() <= MAX_CHARS));
            assert!(all[1].ends_with(" 2"), "{all:?}");
        }
        assert_eq!(names(&long)[1], "a".repeat(MAX_CHARS - 3) + " 2");
    }
}
