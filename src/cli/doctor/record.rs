//! The record of visits in PostgreSQL: whether what is made ahead was made, and what is to be gone is gone.

use sqlx::PgConnection;

use super::Findings;

/// Months that come: the next is made while there is time to see that it was not.
const AHEAD: i32 = 1;

const MONTHS: &str = "SELECT to_char(month, 'YYYY-MM'), to_regclass(to_char(month, '\"visits_\"YYYY\"_\"MM')) IS NOT NULL
     FROM generate_series(0, $1) AS months,
       LATERAL (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + months * interval '1 month' AS month) AS start
     ORDER BY month";

/// The days of salts by today: the last that there is, and how many should have been deleted by now. An hour
/// is given, since whoever deletes them may be away for a moment.
const SALTS: &str = "SELECT max(day) - today, count(*) FILTER (WHERE (day + 2) * 86400000 + 3600000 < now)
     FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint AS now, floor(extract(epoch FROM now()) / 86400)::bigint AS today) AS clock
     CROSS JOIN visitor_salts GROUP BY today";

/// Looks at the partitions of `visits`, and at the salts by which visitors of pages are told apart.
///
/// # Errors
///
/// Those of the database.
pub async fn check(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), sqlx::Error> {
    let is_there: bool = sqlx::query_scalar(
        "SELECT to_regclass('visits') IS NOT NULL AND to_regclass('visitor_salts') IS NOT NULL",
    )
    .fetch_one(&mut *connection)
    .await?;
    // Of an older version: that is said by its layout.
    if is_there {
        check_partitions(connection, findings).await?;
        check_salts(connection, findings).await?;
    }
    Ok(())
}

async fn check_partitions(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), sqlx::Error> {
    let months: Vec<(String, bool)> = sqlx::query_as(MONTHS)
        .bind(AHEAD)
        .fetch_all(connection)
        .await?;
    let missing = months.iter().filter(|(_, is_there)| !is_there);
    let missing: Vec<_> = missing.map(|(month, _)| month.as_str()).collect();
    match (missing.as_slice(), months.last()) {
        ([], Some((last, _))) => findings.good(format_args!(
            "partitions of the visits are there up to {last}"
        )),
        _ => findings.warning(
            format_args!("there is no partition of the visits of {}", missing.join(" and ")),
            "a replica that runs makes them ahead, or when they are needed; look whether its user may: GRANT EXECUTE ON FUNCTION footfall_make_visits_partition(bigint)",
        ),
    }
    Ok(())
}

async fn check_salts(
    connection: &mut PgConnection,
    findings: &mut Findings,
) -> Result<(), sqlx::Error> {
    let salts: Option<(i64, i64)> = sqlx::query_as(SALTS).fetch_optional(connection).await?;
    match salts {
        // No replica has run yet.
        None => {}
        Some((_, old)) if old > 0 => findings.bad(
            "salts of visitors are there whose days are long over: who came to a page on them can still be found out",
            "a replica that runs deletes them each minute; start one, and look at its log",
        ),
        Some((last, _)) if last < 0 => findings.warning(
            "there is no salt of today: visitors of pages who send no name are not told apart",
            "a replica that runs makes it; start one, and look at its log",
        ),
        Some(_) => findings.good("the salts of visitors are those of these days"),
    }
    Ok(())
}
