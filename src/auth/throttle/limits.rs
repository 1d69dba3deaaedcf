//! The limits by name: for whom, how often, within how long.
//!
//! | limit | for each | most | within |
//! | --- | --- | --- | --- |
//! | `login` | address | 10 failures | 5 min |
//! | | user name | 50 failures | 5 min |
//! | | device that has logged this user in before, in place of both | 10 failures | 5 min |
//! | `api-token` | address | 20 failures | 1 min |
//! | `register`, `forgot`, `resend` | address | 5 | 1 h |
//! | | e-mail | 3 | 1 h |
//! | `invite` | inviter | 100 | 1 h |
//! | | company | 300 | 1 h |
//! | | e-mail | 3 | 1 h |
//! | `api-token-make` | user | 100 | 1 h |
//! | `refresh` | session | 30 | 1 min |

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How long failed logins are remembered.
pub const LOGIN_WINDOW: Duration = Duration::from_mins(5);

/// The longest time anything is remembered.
pub const LONGEST_WINDOW: Duration = HOUR;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A person who forgot, not a program that tries.
const LOGINS_OF_ADDRESS: u64 = 10;

/// From anywhere. Higher, because it locks out the rightful user too.
const LOGINS_OF_USER: u64 = 50;

/// Failures are charged to the device alone: what strangers try locks out nobody who has logged in
/// there before, and what is tried there locks out nobody elsewhere. Whoever steals the cookie
/// has no more tries than from an address.
const LOGINS_OF_DEVICE: u64 = 10;

const API_TOKENS_OF_ADDRESS: u64 = 20;
const MAILS_OF_ADDRESS: u64 = 5;
const MAILS_TO_ADDRESSEE: u64 = 3;

/// A class or a department in one go. Whoever takes an admin's token must not send mails without end.
const INVITATIONS_OF_USER: u64 = 100;

/// Several admins at once; but admins can be invited, and each would have a hundred more.
const INVITATIONS_OF_COMPANY: u64 = 300;

/// Twice as many as a user may have. Each that ends is remembered for an hour by every replica
/// ([`Rules`](crate::auth::revocation)).
const API_TOKENS_OF_USER: u64 = 100;
const REFRESHES_OF_SESSION: u64 = 30;

/// A try at a secret: only those that fail count.
#[derive(Debug, Clone, Copy)]
pub enum Guess<'a> {
    /// A password.
    Login {
        /// Who tries; not limited if nobody told.
        client: Option<IpAddr>,
        /// The name as it was sent. Never what it was found to stand for: then names that have
        /// their failures in common would be seen to exist.
        username: &'a str,
        /// The id of the device, if it has logged in this very user before.
        device: Option<Uuid>,
    },
    /// An API token that is not known to be right yet.
    ApiToken {
        /// Who tries; not limited if nobody told.
        client: Option<IpAddr>,
    },
}

/// What counts each time, however it ends: nothing of it depends on what is known, so that it
/// costs and answers the same for addresses that are and that are not.
#[derive(Debug, Clone, Copy)]
pub enum Action<'a> {
    /// Founding a company: before the password is judged, which takes longer than all the rest.
    Register {
        /// Who asks; not limited if nobody told.
        client: Option<IpAddr>,
    },
    /// The mail of a registration, once there will be one: who needs several tries to find a good
    /// password must not lose their mail by it.
    RegisterMail {
        /// Where the mail would go.
        email: &'a str,
    },
    /// Inviting somebody into a company.
    Invite {
        /// Who invites.
        user: Uuid,
        /// The company of whoever invites.
        company: Uuid,
        /// Where the mail would go.
        email: &'a str,
    },
    /// Making an API token.
    MakeApiToken {
        /// Its owner.
        user: Uuid,
    },
    /// Asking for a link that sets a new password.
    Forgot {
        /// Who asks; not limited if nobody told.
        client: Option<IpAddr>,
        /// Where the mail would go.
        email: &'a str,
    },
    /// Asking for the link of a registration again.
    Resend {
        /// Who asks; not limited if nobody told.
        client: Option<IpAddr>,
        /// Where the mail would go.
        email: &'a str,
    },
    /// Getting the next access token. To be asked when the refresh token is known to be
    /// genuine: strangers must not use up what is the session's.
    Refresh {
        /// Its session.
        session: Uuid,
    },
}

/// One count of what a limit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Its name beside all others'.
    pub name: String,
    /// How much there may be …
    pub limit: u64,
    /// … within this time.
    pub window: Duration,
    /// Whether it is about who would get a mail, and not about who asks.
    pub is_addressee: bool,
}

impl Bucket {
    fn new(name: String, limit: u64, window: Duration) -> Self {
        Self {
            name,
            limit,
            window,
            is_addressee: false,
        }
    }
}

impl Guess<'_> {
    pub(super) fn buckets(&self) -> Vec<Bucket> {
        match *self {
            // Login's have no `login:` before them: replicas of older versions count in these.
            Self::Login {
                device: Some(device),
                ..
            } => vec![Bucket::new(
                format!("device:{device}"),
                LOGINS_OF_DEVICE,
                LOGIN_WINDOW,
            )],
            Self::Login {
                client, username, ..
            } => {
                let address = client.map(|client| {
                    let name = format!("address:{}", network(client));
                    Bucket::new(name, LOGINS_OF_ADDRESS, LOGIN_WINDOW)
                });
                let user = format!("user:{}", hashed(username));
                let user = Bucket::new(user, LOGINS_OF_USER, LOGIN_WINDOW);
                address.into_iter().chain([user]).collect()
            }
            Self::ApiToken { client } => client
                .map(|client| {
                    let name = format!("api-token:address:{}", network(client));
                    Bucket::new(name, API_TOKENS_OF_ADDRESS, MINUTE)
                })
                .into_iter()
                .collect(),
        }
    }
}

impl Action<'_> {
    /// Who asks comes first: from an address that has asked too often nothing is charged to anybody's e-mail.
    pub(super) fn buckets(&self) -> Vec<Bucket> {
        match *self {
            Self::Register { client } => asker("register", client).into_iter().collect(),
            Self::RegisterMail { email } => vec![addressee("register", email)],
            Self::Invite {
                user,
                company,
                email,
            } => {
                let user = format!("invite:user:{user}");
                let company = format!("invite:company:{company}");
                vec![
                    Bucket::new(user, INVITATIONS_OF_USER, HOUR),
                    Bucket::new(company, INVITATIONS_OF_COMPANY, HOUR),
                    addressee("invite", email),
                ]
            }
            Self::MakeApiToken { user } => {
                let name = format!("api-token-make:user:{user}");
                vec![Bucket::new(name, API_TOKENS_OF_USER, HOUR)]
            }
            Self::Forgot { client, email } => mail("forgot", client, email),
            Self::Resend { client, email } => mail("resend", client, email),
            Self::Refresh { session } => {
                let name = format!("refresh:session:{session}");
                vec![Bucket::new(name, REFRESHES_OF_SESSION, MINUTE)]
            }
        }
    }

    /// Whether it goes on when the store cannot say how often it was done. Whoever is logged in
    /// stays so; but mails to strangers, without any limit, would be worse than a wait.
    pub(super) fn goes_on_without_store(&self) -> bool {
        matches!(self, Self::Refresh { .. } | Self::MakeApiToken { .. })
    }
}

fn mail(limit: &str, client: Option<IpAddr>, email: &str) -> Vec<Bucket> {
    let asker = asker(limit, client).into_iter();
    asker.chain([addressee(limit, email)]).collect()
}

/// Who asks for mails.
fn asker(limit: &str, client: Option<IpAddr>) -> Option<Bucket> {
    client.map(|client| {
        let name = format!("{limit}:address:{}", network(client));
        Bucket::new(name, MAILS_OF_ADDRESS, HOUR)
    })
}

/// Who would get a mail.
fn addressee(limit: &str, email: &str) -> Bucket {
    let name = format!("{limit}:email:{}", hashed(&email.to_lowercase()));
    Bucket {
        is_addressee: true,
        ..Bucket::new(name, MAILS_TO_ADDRESSEE, HOUR)
    }
}

/// Hashed: people type passwords into the wrong field, and names have any length.
fn hashed(name: &str) -> String {
    let digest = Sha256::digest(name);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One IPv6 client commonly has a whole /64. An IPv4 address may come in IPv6's clothes, which
/// are all in one /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(buckets: &[Bucket]) -> Vec<(String, u64, u64)> {
        let short = |name: &str| match name.rsplit_once(':') {
            Some((kind, hash)) if hash.len() == 64 => format!("{kind}:#"),
            _ => name.to_owned(),
        };
        buckets
            .iter()
            .map(|bucket| (short(&bucket.name), bucket.limit, bucket.window.as_secs()))
            .collect()
    }

    #[test]
    fn each_limit_has_its_buckets() {
        let client = Some("2001:db8::1:2:3:4".parse().unwrap());
        let email = "a@example.org";
        let id = Uuid::nil();
        let login = |client, device| Guess::Login {
            client,
            username: "admin",
            device,
        };
        for (buckets, expected) in [
            (
                login(client, None).buckets(),
                &[("address:2001:db8::", 10, 300), ("user:#", 50, 300)][..],
            ),
            (login(None, None).buckets(), &[("user:#", 50, 300)]),
            (
                login(client, Some(id)).buckets(),
                &[("device:00000000-0000-0000-0000-000000000000", 10, 300)],
            ),
            (
                Guess::ApiToken { client }.buckets(),
                &[("api-token:address:2001:db8::", 20, 60)],
            ),
            (Guess::ApiToken { client: None }.buckets(), &[]),
            (
                Action::Register { client }.buckets(),
                &[("register:address:2001:db8::", 5, 3600)],
            ),
            (Action::Register { client: None }.buckets(), &[]),
            (
                Action::RegisterMail { email }.buckets(),
                &[("register:email:#", 3, 3600)],
            ),
            (
                Action::Invite {
                    user: id,
                    company: id,
                    email,
                }
                .buckets(),
                &[
                    (
                        "invite:user:00000000-0000-0000-0000-000000000000",
                        100,
                        3600,
                    ),
                    (
                        "invite:company:00000000-0000-0000-0000-000000000000",
                        300,
                        3600,
                    ),
                    ("invite:email:#", 3, 3600),
                ],
            ),
            (
                Action::MakeApiToken { user: id }.buckets(),
                &[(
                    "api-token-make:user:00000000-0000-0000-0000-000000000000",
                    100,
                    3600,
                )],
            ),
            (
                Action::Forgot {
                    client: None,
                    email,
                }
                .buckets(),
                &[("forgot:email:#", 3, 3600)],
            ),
            (
                Action::Resend { client, email }.buckets(),
                &[
                    ("resend:address:2001:db8::", 5, 3600),
                    ("resend:email:#", 3, 3600),
                ],
            ),
            (
                Action::Refresh { session: id }.buckets(),
                &[(
                    "refresh:session:00000000-0000-0000-0000-000000000000",
                    30,
                    60,
                )],
            ),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, limit, seconds)| ((*name).to_owned(), *limit, *seconds))
                .collect();
            assert_eq!(names(&buckets), expected);
            let longest = buckets.iter().map(|bucket| bucket.window).max();
            assert!(longest.unwrap_or_default() <= LONGEST_WINDOW);
        }
    }

    #[test]
    fn an_email_is_one_however_it_is_written() {
        let of = |email| {
            Action::Forgot {
                client: None,
                email,
            }
            .buckets()
        };
        assert_eq!(of("Ada@Example.org"), of("ada@example.ORG"));
        assert_ne!(of("ada@example.org"), of("ida@example.org"));
    }

    #[test]
    fn one_client_is_one_network() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let network = |text: &str| network(text.parse().unwrap());
            assert_eq!(network(one) == network(other), same, "{one} {other}");
        }
    }
}
