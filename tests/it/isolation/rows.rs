//! PostgreSQL's row-level security by itself, of every table that the catalog has: one that a later
//! migration brings is among them, or named here as one that is of no company.

use footfall::auth::role::Role;
use serde_json::json;

use crate::support::{postgres::Database, stage::Stage};

/// What is about no company's rows: the schema itself, who has registered and has none yet, and what
/// every replica has to know whoever it is about.
const OF_NOBODY: [&str; 9] = [
    "_sqlx_migrations",
    "footfall_layout",
    "footfall_migrations",
    "record_sweeps",
    "registrations",
    "request_ids",
    "revocations",
    "visitor_salts",
    "write_keys_epoch",
];

/// A table or view, and the column that says whose a row is.
struct Table {
    name: String,
    company: String,
}

impl Table {
    /// All of the schema, but for those [`OF_NOBODY`].
    fn all(database: &Database) -> Vec<Self> {
        let listed = database.sql(
            "SELECT relname, coalesce(max(attname), '') FROM pg_class
             LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND NOT attisdropped
                 AND attname = CASE relname WHEN 'companies' THEN 'id' ELSE 'company_id' END
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'f', 'v', 'm')
             GROUP BY relname ORDER BY relname",
        );
        let tables = listed.lines().map(|line| line.split_once('|').unwrap());
        let tables = tables.filter(|(name, _)| !OF_NOBODY.contains(name));
        tables
            .map(|(name, company)| {
                assert!(
                    !company.is_empty(),
                    "{name} does not say whose its rows are: give it a company_id, or name it in OF_NOBODY"
                );
                Self {
                    name: name.to_owned(),
                    company: company.to_owned(),
                }
            })
            .collect()
    }

    /// Those that one may write to.
    fn columns(&self, database: &Database) -> String {
        database.sql(&format!(
            "SELECT string_agg(attname, ', ') FROM pg_attribute
             WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped
                 AND attgenerated = '' AND attidentity <> 'a'",
            self.name
        ))
    }

    /// How many rows of a company a superuser sees.
    fn rows(&self, database: &Database, company: &str) -> i64 {
        let Self {
            name,
            company: column,
        } = self;
        let count = format!("SELECT count(*) FROM {name} WHERE {column} = '{company}'");
        database.sql(&count).parse().unwrap()
    }
}

/// What the service's role gets of a statement in a transaction of this company, or of none.
fn as_service(database: &Database, company: Option<&str>, statement: &str) -> Result<i64, String> {
    let named = company.map_or_else(String::new, |company| {
        format!("DO $$ BEGIN PERFORM set_config('footfall.company_id', '{company}', true); END $$;")
    });
    let said = database.try_sql(&format!(
        "SET ROLE footfall; BEGIN; {named} {statement}; ROLLBACK;"
    ));
    said.map(|number| {
        number
            .parse()
            .unwrap_or_else(|_| panic!("{statement}: {number}"))
    })
}

/// Nothing, or that it may not: the trail takes its rights to change anything from the service.
#[track_caller]
fn assert_nothing(done: Result<i64, String>, what: &str) {
    match done {
        Ok(rows) => assert_eq!(rows, 0, "{what}"),
        Err(refused) => assert!(refused.contains("permission denied"), "{what}: {refused}"),
    }
}

impl Table {
    /// Sees, changes, removes and adds rows of `theirs` in a transaction of another.
    fn is_closed(&self, database: &Database, to: Option<&str>, theirs: &str) {
        let Self { name, company } = self;
        let what = format!("{name} to {to:?}");
        let count = format!("SELECT count(*) FROM {name} WHERE {company} IS NOT NULL");
        // Of what is its own it sees all.
        let own = to.filter(|own| !own.is_empty());
        let own = own.map_or(0, |own| self.rows(database, own));
        assert_eq!(as_service(database, to, &count), Ok(own), "{what}");
        let that = format!("{company} = '{theirs}'");
        for change in [
            format!("UPDATE {name} SET {company} = {company} WHERE {that} RETURNING 1"),
            format!("DELETE FROM {name} WHERE {that} RETURNING 1"),
        ] {
            let counted = format!("WITH done AS ({change}) SELECT count(*) FROM done");
            assert_nothing(as_service(database, to, &counted), &what);
        }
        // Row-level security is asked before it is found that the same row is there, or that a column is missing.
        let row = format!("SELECT to_jsonb({name}) FROM {name} WHERE {that} LIMIT 1");
        let row = database.sql(&row).replace('\'', "''");
        let add = match row.is_empty() {
            true => format!("INSERT INTO {name} ({company}) VALUES ('{theirs}')"),
            false => {
                let columns = self.columns(database);
                format!(
                    "INSERT INTO {name} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{name}, '{row}')"
                )
            }
        };
        let refused = as_service(database, to, &add).expect_err(&what);
        // Of a table in parts, the part is looked for first.
        let says = [
            "violates row-level security",
            "permission denied",
            "no partition of relation",
        ];
        assert!(
            says.iter().any(|reason| refused.contains(reason)),
            "{what}: {refused}"
        );
    }
}

impl Table {
    /// Where there is no row to be seen: its rows are those of the same condition as in tables that have some.
    fn says_what_the_others_say(&self, database: &Database) {
        let name = &self.name;
        let is_on = format!("SELECT relrowsecurity FROM pg_class WHERE oid = '{name}'::regclass");
        assert_eq!(
            database.sql(&is_on),
            "t",
            "{name} has no row-level security"
        );
        let policies = format!(
            "SELECT permissive, cmd, qual, with_check FROM pg_policies WHERE tablename = '{name}'"
        );
        let policies = database.sql(&policies);
        // Partitions have none, and so are closed to whoever does not go by their table.
        let as_others = [
            "",
            "PERMISSIVE|ALL|((company_id = ( SELECT footfall_company() AS footfall_company)) OR \
             ( SELECT footfall_sees_all() AS footfall_sees_all))|",
        ];
        assert!(as_others.contains(&policies.as_str()), "{name}: {policies}");
    }
}

impl Table {
    /// What names no company opens nothing, and is an error as soon as there is a row to decide about.
    fn is_closed_to_nonsense(&self, database: &Database, nonsense: &str, theirs: &str) {
        let Self { name, company } = self;
        let what = format!("{name} to {nonsense:?}");
        let no_company = "invalid input syntax for type uuid";
        match as_service(
            database,
            Some(nonsense),
            &format!("SELECT count(*) FROM {name}"),
        ) {
            Ok(rows) => assert_eq!((rows, self.rows(database, theirs)), (0, 0), "{what}"),
            Err(refused) => assert!(refused.contains(no_company), "{what}: {refused}"),
        }
        let add = format!("INSERT INTO {name} ({company}) VALUES ('{theirs}')");
        let refused = as_service(database, Some(nonsense), &add).expect_err(&what);
        // The last is of a part of a table, which nobody may write to.
        let says = [
            no_company,
            "permission denied",
            "no partition of relation",
            "violates row-level security",
        ];
        assert!(
            says.iter().any(|reason| refused.contains(reason)),
            "{what}: {refused}"
        );
    }

    /// Of which company a transaction is, is asked once for a statement: what is asked for each row takes longer than
    /// the row, and misleads the planner.
    fn asks_once(&self, database: &Database) {
        let plan = database.sql(&format!(
            "SET ROLE footfall; EXPLAIN SELECT count(*) FROM {} WHERE {} IS NOT NULL",
            self.name, self.company
        ));
        let asked = |line: &&str| line.contains("current_setting") || line.contains("footfall_");
        assert_eq!(plan.lines().find(asked), None, "{plan}");
    }
}

/// One company with rows in each table of accounts; its id.
async fn company(stage: &Stage, name: &str) -> String {
    let person = stage.person(name, "anna", Role::Admin).await;
    stage.api_token(&person, &["visits:write"]).await;
    let invited = json!({ "email": format!("bo@{name}.example"), "role": "member" });
    let mut client = stage.client(&person);
    let reply = client.post_json("/api/users", &invited.to_string()).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let key = json!({ "name": "n", "counters": ["a"], "origins": ["https://a.example"] });
    let reply = client.post_json("/api/write-keys", &key.to_string()).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let filter = json!({ "version": 1, "include": { "did": { "counter": "a" } } });
    let audience = json!({ "name": "n", "filter": filter });
    let reply = client
        .post_json("/api/audiences", &audience.to_string())
        .await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let id = reply.json()["id"].clone();
    let filter = json!({ "version": 1, "include": { "audience": id } });
    for (path, body) in [
        (
            "/api/audiences",
            json!({ "name": "of n", "filter": filter }),
        ),
        (
            "/api/presets",
            json!({ "preset_name": "n", "preset_filter_json": filter }),
        ),
    ] {
        let reply = client.post_json(path, &body.to_string()).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    person.company
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_companies_is_closed_to_others() {
    let stage = Stage::postgres().await;
    let [ours, theirs] = [
        company(&stage, "acme").await,
        company(&stage, "other").await,
    ];
    let (_, database) = stage.servers.as_ref().unwrap();
    let may_pass_by =
        "SELECT count(*) FROM pg_roles WHERE rolname = 'footfall' AND (rolsuper OR rolbypassrls)";
    assert_eq!(database.sql(may_pass_by), "0");
    let tables = Table::all(database);
    assert!(tables.len() >= 9, "{}", tables.len());
    let mut filled = 0;
    for table in &tables {
        let is_filled = [&ours, &theirs].map(|company| table.rows(database, company) > 0);
        assert_eq!(is_filled[0], is_filled[1], "{}", table.name);
        if is_filled == [false; 2] {
            table.says_what_the_others_say(database);
        }
        filled += usize::from(is_filled[0]);
        let nobody = uuid::Uuid::now_v7().to_string();
        for to in [None, Some(""), Some(ours.as_str()), Some(&nobody)] {
            table.is_closed(database, to, &theirs);
        }
        for nonsense in ["ALL", &theirs[1..]] {
            table.is_closed_to_nonsense(database, nonsense, &theirs);
        }
        table.asks_once(database);
    }
    assert!(filled >= 15, "{filled}");
}

/// What the owner's functions do for the service, they do not do for another company.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_the_trail_has_no_end_for_others() {
    let stage = Stage::postgres().await;
    let [ours, theirs] = [
        company(&stage, "acme").await,
        company(&stage, "other").await,
    ];
    let (_, database) = stage.servers.as_ref().unwrap();
    let end = |of: &str| format!("SELECT seq FROM footfall_audit_end('{of}')");
    let last = |to| as_service(database, to, &end(&theirs));
    assert!(last(Some(&theirs)).unwrap() > 0);
    for to in [None, Some(ours.as_str())] {
        let refused = last(to).unwrap_err();
        assert!(refused.contains("of another company"), "{refused}");
    }
}
