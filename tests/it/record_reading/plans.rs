//! What is asked again and again is looked up in an index, by who may see only the rows of one company: of what might
//! tell of other rows PostgreSQL looks at each row of the counter.

use footfall::record::{history::numbers, reading::rows, upkeep::thinning};

use super::{MINUTE, Place, at, plain};

/// Statements, what their parameters are, and by what their plans must look into an index.
const STATEMENTS: [(&str, &[&str], &str); 4] = [
    (
        numbers::BEFORE_IN_POSTGRES,
        &["ARRAY[29538000, 29538001]::bigint[]"],
        "(minute < asked.minute)",
    ),
    (numbers::OF_NUMBER, &["4000"], "(minute > $"),
    (rows::RUNS, &["4000", "4100", "10"], "(first >= $"),
    (
        thinning::THIN,
        &["29538000", "29548080"],
        "(minute >= 29538000) AND (minute < 29548080)",
    ),
];

#[tokio::test]
async fn what_is_read_often_is_looked_up_in_an_index() {
    let [_, place] = Place::both().await;
    let start = at("2026-03-01T12:00:00Z");
    let entries: Vec<_> = (1..5000)
        .map(|number| plain(number, 1, start + number as i64 * MINUTE))
        .collect();
    place.append("a", 0, &entries).await;
    let (_, postgres) = place.stage.servers.as_ref().unwrap();
    postgres.sql("ANALYZE marks; ANALYZE runs");
    let company = format!("'{}'::uuid", place.anna.company);
    let recording = postgres.sql("SELECT id FROM recordings");
    for (text, parameters, condition) in STATEMENTS {
        let known = [company.as_str(), &recording];
        let mut text = text.to_owned();
        for (place, value) in known.iter().chain(parameters).enumerate() {
            text = text.replace(&format!("${}", place + 1), value);
        }
        let plan = postgres.sql(&format!(
            "SET enable_seqscan = off; SET ROLE footfall;
             SELECT set_config('footfall.company_id', 'all', false); EXPLAIN {text}"
        ));
        let is_looked_up = |line: &str| line.contains("Index Cond:") && line.contains(condition);
        assert!(plan.lines().any(is_looked_up), "{text}:\n{plan}");
        assert!(!plan.contains("Nested Loop"), "{text}:\n{plan}");
    }
}
