//! `footfall admin`: accounts, by whoever may read the settings. Works beside a running service, on its
//! database; what is ended here is ended there, too.

use std::{process::ExitCode, sync::Arc};

use clap::{Arg, ArgMatches, Command};
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::{Failure, password};
use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        names::Name,
        user::{State, User},
        users::{self, Changes, NewUser, Wanted},
    },
    auth::{
        SETTINGS_ACCOUNT,
        password::hash,
        revocation::{Knowledge, Revocations, metrics::RevocationMetrics},
        role::Role,
        strength::{normalized, weakness},
    },
    config::Settings,
    edge::{Code, Problem, page::Page},
    mail::EmailAddress,
    storage::{
        Store,
        metrics::StoreMetrics,
        sql::{Connection, Database, DatabaseError},
    },
    telemetry::metrics::Registry,
};

/// Rows that are read at once.
const ROWS: usize = 1000;

pub fn command() -> Command {
    let email = Arg::new("email")
        .long("email")
        .value_name("ADDRESS")
        .required(true);
    let email = email
        .help("The e-mail address of the account")
        .value_parser(clap::value_parser!(EmailAddress));
    let company = Arg::new("company").long("company").value_name("NAME");
    let company = company.value_parser(Name::of_company as fn(&str) -> _);
    let username = Arg::new("username").long("username").value_name("NAME");
    let username = username
        .help("What they are called [default: what stands before the @]")
        .value_parser(Name::of_user as fn(&str) -> _);
    let role = Arg::new("role")
        .long("role")
        .value_name("ROLE")
        .default_value("admin");
    let role = role
        .help("viewer, member, admin, or operator (in the company default only)")
        .value_parser(clap::value_parser!(Role));
    let password = "The password is asked for, or read from standard input as one line. It is never an argument, which others on the machine could see.";
    Command::new("admin")
        .about("Create, list, reset and disable accounts; works beside a running service")
        .subcommand_required(true)
        .subcommand(
            Command::new("create")
                .about("Create an account that can log in at once")
                .after_help(password)
                .arg(
                    company
                        .clone()
                        .default_value("default")
                        .help("Its company, which is founded if there is none of this name"),
                )
                .arg(email.clone())
                .arg(username)
                .arg(role),
        )
        .subcommand(
            Command::new("list")
                .about("List all accounts: company, name, address, role, state, id")
                .arg(company.help("Of this company only")),
        )
        .subcommand(
            Command::new("reset")
                .about("Set another password, and end all sessions and tokens of the account")
                .after_help(password)
                .arg(email.clone()),
        )
        .subcommand(
            Command::new("disable")
                .about("Let an account in no more, and end all its sessions and tokens")
                .arg(email),
        )
}

pub fn run(arguments: &ArgMatches, settings: &Settings) -> Result<ExitCode, Failure> {
    let (name, arguments) = arguments.subcommand().expect("clap wants one");
    // Before anything is opened: it may take as long as somebody types.
    let typed = match name {
        "create" | "reset" => Some(password::read()?),
        _ => None,
    };
    super::block_on(async {
        let desk = Desk::open(settings).await?;
        let work = desk.serve(name, arguments, typed);
        match desk.database.monitor() {
            Some(monitor) => tokio::select! {
                done = work => done,
                _ = monitor.run() => Err("the database is no longer watched".into()),
            },
            None => work.await,
        }
    })?
}

/// What the commands work with.
struct Desk<'a> {
    settings: &'a Settings,
    database: Database,
    revocations: Revocations,
}

impl<'a> Desk<'a> {
    async fn open(settings: &'a Settings) -> Result<Self, Failure> {
        let metrics = Arc::new(StoreMetrics::detached()?);
        let store = Store::open(&settings.store, metrics).await?;
        let database = Database::open(&settings.database, &store, &Registry::new()?)?;
        let database = database.ok_or("there is no database, so there are no accounts but that of the settings; DATABASE_URL names one")?;
        let knowledge = Arc::new(Knowledge::new(Arc::new(RevocationMetrics::detached()?)));
        Ok(Self {
            settings,
            revocations: Revocations::new(knowledge, store, Some(database.clone()), settings),
            database,
        })
    }

    async fn serve(
        &self,
        name: &str,
        arguments: &ArgMatches,
        typed: Option<SecretString>,
    ) -> Result<ExitCode, Failure> {
        self.reached().await?;
        let email = || {
            arguments
                .get_one::<EmailAddress>("email")
                .expect("clap wants one")
                .clone()
        };
        match (name, typed) {
            ("create", Some(typed)) => self.create(arguments, email(), &typed).await?,
            ("reset", Some(typed)) => self.reset(&email(), &typed).await?,
            ("disable", _) => self.disable(&email()).await?,
            _ => self.list(arguments.get_one::<Name>("company")).await?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Waits until the database can be used, or is known to be away.
    async fn reached(&self) -> Result<(), Failure> {
        let Some(health) = self.database.health() else {
            return Ok(());
        };
        let up = health.up_within(self.settings.database.timeout).await;
        up.map_err(|reason| format!("the database cannot be used: {reason}"))?;
        Ok(())
    }

    async fn create(
        &self,
        arguments: &ArgMatches,
        email: EmailAddress,
        typed: &SecretString,
    ) -> Result<(), Failure> {
        let company = arguments
            .get_one::<Name>("company")
            .expect("it has a default")
            .clone();
        let role = *arguments.get_one::<Role>("role").expect("it has a default");
        let local = email.as_str().split('@').next().unwrap_or_default();
        let username = match arguments.get_one::<Name>("username") {
            Some(name) => name.clone(),
            None => Name::of_user(local).map_err(|error| {
                format!("{local} cannot be a name: {error}; give one by --username")
            })?,
        };
        let context = [email.to_string(), username.to_string(), company.to_string()];
        let new = NewUser {
            company,
            email,
            username,
            role,
            password_hash: self.hashed(typed, &context)?,
            settings_username: self.settings.auth.admin_username.clone(),
        };
        let user = self.change("admin_create", move |connection| {
            Box::pin(async move {
                let created = users::create(connection, &new, &By::command()).await?;
                Ok(Change::of(created))
            })
        });
        self.say("created", &user.await?)
    }

    async fn reset(&self, email: &EmailAddress, typed: &SecretString) -> Result<(), Failure> {
        let hash = self.hashed(typed, &[email.to_string()])?;
        let key = email.key();
        let user = self.change("admin_reset", move |connection| {
            Box::pin(async move { users::reset(connection, &key, hash, &By::command()).await })
        });
        self.say("has another password:", &user.await?)
    }

    async fn disable(&self, email: &EmailAddress) -> Result<(), Failure> {
        let key = email.key();
        let user = self.change("admin_disable", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                let Some(user) = User::find_by_email_or_invited(connection, &key).await? else {
                    return Ok(Change::of(Err(Code::NotFound.into())));
                };
                let changes = Changes {
                    state: Some(Wanted::Disabled),
                    ..Changes::default()
                };
                // Its name stays, so that of the settings' account does not matter.
                users::update(
                    connection,
                    (user.company, user.id),
                    changes,
                    &By::command(),
                    "",
                )
                .await
            })
        });
        self.say("disabled", &user.await?)
    }

    async fn list(&self, company: Option<&Name>) -> Result<(), Failure> {
        let asked = company.cloned();
        let users = self.database.read("admin_list", move |connection| {
            Box::pin(async move { everybody(connection, asked).await })
        });
        let Some(users) = users.await? else {
            return Err("there is no company of this name".into());
        };
        for user in users {
            self.say("", &user)?;
        }
        Ok(())
    }

    /// The hash of a password that is good enough.
    fn hashed(&self, typed: &SecretString, context: &[String]) -> Result<String, Failure> {
        let least = self.settings.accounts.password_min_length;
        if let Some(weakness) = weakness(typed, least, context) {
            return Err(weakness.to_string().into());
        }
        Ok(hash(normalized(typed).expose_secret())?)
    }

    /// Changes something, and has it known to every replica before this returns.
    async fn change<T, W>(&self, operation: &'static str, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(
                &'c mut Connection<'_>,
            )
                -> BoxFuture<'c, Result<Change<Result<T, Problem>>, DatabaseError>>
            + Send
            + 'static,
    {
        let revocations = self.revocations.clone();
        let written = self.database.write(operation, move |connection| {
            Box::pin(async move {
                let change = work(connection).await?;
                let noted = revocations.note(connection, &change.revoked).await?;
                Ok((change.value, noted))
            })
        });
        let (value, noted) = written.await?;
        let published = self.revocations.publish(noted).await;
        published.map_err(|error| {
            format!("this is done, but the store could not be told ({error}): tokens may work until it is; run it again")
        })?;
        value.map_err(|problem| match problem.code {
            Code::NotFound => "there is no account with this address".into(),
            _ => problem.detail.into_owned().into(),
        })
    }

    /// One line, its columns between tabs.
    fn say(&self, what: &str, user: &User) -> Result<(), Failure> {
        let name = match user.id {
            SETTINGS_ACCOUNT => Some(self.settings.auth.admin_username.as_str()),
            _ => user.username.as_deref(),
        };
        let columns = [
            user.company_name.as_str(),
            name.unwrap_or("-"),
            user.email.as_deref().unwrap_or("-"),
            user.role.as_str(),
            user.state.as_str(),
        ];
        let (columns, id) = (columns.join("\t"), user.id);
        match what {
            "" => super::print(format_args!("{columns}\t{id}"))?,
            what => super::print(format_args!("{what} {columns}\t{id}"))?,
        }
        Ok(())
    }
}

/// All users, company by company; `None` if there is no company of this name.
async fn everybody(
    connection: &mut Connection<'_>,
    company: Option<Name>,
) -> Result<Option<Vec<User>>, DatabaseError> {
    connection.across_companies().await?;
    let rows = match company {
        Some(name) => match companies::find_by_name(connection, &name).await? {
            Some(row) => vec![row],
            None => return Ok(None),
        },
        None => {
            let mut rows = Vec::new();
            let mut asked = Some(Page::first(ROWS));
            while let Some(page) = asked {
                let (read, next) = companies::page(connection, page).await?;
                rows.extend(read);
                asked = next.map(|next| page.next(next));
            }
            rows
        }
    };
    let mut users = Vec::new();
    for row in rows {
        let mut asked = Some(Page::first(ROWS));
        while let Some(page) = asked {
            let (read, next) = User::page(connection, row.id, (None, None), page).await?;
            users.extend(read.into_iter().filter(|user| user.state != State::Deleted));
            asked = next.map(|next| page.next(next));
        }
    }
    Ok(Some(users))
}
