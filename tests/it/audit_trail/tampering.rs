//! Somebody who may do everything changes what is there, and is found out.

use super::*;

/// Ten entries, and what is found after a change of them. `C` is the company.
async fn found(change: &str, expected: &[Break]) {
    for trail in both().await {
        let other = trail.company("other").await;
        record_each(trail.database(), vec![entry(DEFAULT_ID); 10]).await;
        record_each(trail.database(), vec![entry(other); 3]).await;
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
        let company = trail.literal(DEFAULT_ID);
        trail
            .tamper(&change.replace("= C", &format!("= {company}")))
            .await;
        let breaks = trail.breaks(DEFAULT_ID, vec![]).await;
        assert_eq!(breaks, expected, "{}: {change}", trail.kind());
        // Nobody else's.
        assert_eq!(trail.breaks(other, vec![]).await, [], "{change}");
    }
}

#[tokio::test]
async fn a_changed_field() {
    for field in [
        "id = (SELECT id FROM companies WHERE id <> company_id)",
        "recorded_at = recorded_at + 1",
        "events = 2",
        "first_at = first_at - 1",
        "last_at = last_at + 1",
        "actor = 'system'",
        "actor_id = NULL",
        "actor_id = company_id",
        "action = 'account.delete'",
        "object = 'session'",
        "object = NULL, object_id = NULL",
        "object_id = 'another'",
        "outcome = 'failure'",
        "request_id = NULL",
        "request_id = ''",
        "details = '{}'",
        // As JSON it is the same.
        "details = ' ' || details",
    ] {
        let change = format!("UPDATE audit_entries SET {field} WHERE company_id = C AND seq = 4");
        found(&change, &[Break::Changed(4)]).await;
    }
}

/// With its own hash made anew, it does not fit the one after.
#[tokio::test]
async fn a_changed_hash() {
    let zeros = "0".repeat(64);
    let change = format!(
        "UPDATE audit_entries SET hash = '\\x{zeros}'::bytea WHERE company_id = C AND seq = 4"
    );
    found(&change, &[Break::Changed(4), Break::Changed(5)]).await;
    let last = format!(
        "UPDATE audit_entries SET hash = '\\x{zeros}'::bytea WHERE company_id = C AND seq = 10"
    );
    found(&last, &[Break::Changed(10), Break::OtherEnd(10)]).await;
}

#[tokio::test]
async fn a_removed_row() {
    let removed = |which: &str| {
        format!(
            "DELETE FROM audit_addresses WHERE company_id = C AND seq {which};
             DELETE FROM audit_entries WHERE company_id = C AND seq {which}"
        )
    };
    found(&removed("= 4"), &[Break::Missing(4, 4), Break::Changed(5)]).await;
    found(
        &removed("BETWEEN 4 AND 6"),
        &[Break::Missing(4, 6), Break::Changed(7)],
    )
    .await;
    found(&removed("= 1"), &[Break::Missing(1, 1), Break::Changed(2)]).await;
    found(&removed("> 7"), &[Break::Missing(8, 10)]).await;
    found(&removed("> 0"), &[Break::Missing(1, 10)]).await;
}

#[tokio::test]
async fn a_closed_gap() {
    let closed = "DELETE FROM audit_addresses WHERE company_id = C;
         DELETE FROM audit_entries WHERE company_id = C AND seq = 10;
         UPDATE audit_entries SET seq = 100 WHERE company_id = C AND seq = 9";
    found(
        closed,
        &[
            Break::Outside(100, 1, 10),
            Break::Missing(9, 99),
            Break::Changed(100),
        ],
    )
    .await;
}

#[tokio::test]
async fn swapped_rows() {
    let swapped = "DELETE FROM audit_addresses WHERE company_id = C;
         UPDATE audit_entries SET seq = 100 WHERE company_id = C AND seq = 4;
         UPDATE audit_entries SET seq = 4 WHERE company_id = C AND seq = 5;
         UPDATE audit_entries SET seq = 5 WHERE company_id = C AND seq = 100";
    found(
        swapped,
        &[Break::Changed(4), Break::Changed(5), Break::Changed(6)],
    )
    .await;
}

/// An entry of one company is none of another's.
#[tokio::test]
async fn a_row_of_another_company() {
    let moved = "DELETE FROM audit_addresses;
         DELETE FROM audit_entries WHERE company_id = C AND seq = 2;
         INSERT INTO audit_entries SELECT
             (SELECT company_id FROM audit_entries WHERE company_id = C AND seq = 1), seq,
             (SELECT id FROM companies WHERE id <> company_id), recorded_at,
             events, first_at, last_at, actor, actor_id, action, object, object_id, outcome,
             request_id, details, hash
         FROM audit_entries WHERE seq = 2";
    found(moved, &[Break::Changed(2), Break::Changed(3)]).await;
}

#[tokio::test]
async fn a_moved_head() {
    let back = "UPDATE audit_chains SET last_seq = 8, last_hash = (
             SELECT hash FROM audit_entries WHERE company_id = C AND seq = 8)
         WHERE company_id = C";
    found(back, &[Break::Outside(9, 1, 8), Break::Outside(10, 1, 8)]).await;
    let begin = "UPDATE audit_chains SET first_seq = 3, first_hash = (
             SELECT hash FROM audit_entries WHERE company_id = C AND seq = 2)
         WHERE company_id = C";
    found(begin, &[Break::Outside(1, 3, 10), Break::Outside(2, 3, 10)]).await;
}

/// The address is beside the chain, since it is to be cut: a change of it breaks nothing.
#[tokio::test]
async fn an_address_is_no_part_of_the_chain() {
    let changed =
        "UPDATE audit_addresses SET address = '\\x010203'::bytea WHERE company_id = C AND seq = 4;
         DELETE FROM audit_addresses WHERE company_id = C AND seq = 5";
    found(changed, &[]).await;
}

/// What cannot be found from the inside: who cuts off the tail and moves the head with it. An anchor
/// kept elsewhere finds it.
#[tokio::test]
async fn an_anchor_finds_what_was_written_anew() {
    for trail in both().await {
        record_each(trail.database(), vec![entry(DEFAULT_ID); 10]).await;
        let head = trail.chains().await.remove(0);
        let anchor = |seq: i64, hash: &[u8]| Anchor {
            company: DEFAULT_ID,
            seq,
            hash: hash.try_into().unwrap(),
        };
        let noted = anchor(10, &head.last_hash);
        assert_eq!(noted.to_string().parse(), Ok(noted.clone()));
        assert_eq!(trail.breaks(DEFAULT_ID, vec![noted.clone()]).await, []);
        let company = trail.literal(DEFAULT_ID);
        trail
            .tamper(&format!(
                "DELETE FROM audit_addresses WHERE company_id = {company};
                 UPDATE audit_chains SET last_seq = 8, last_hash = (
                     SELECT hash FROM audit_entries WHERE company_id = {company} AND seq = 8)
                 WHERE company_id = {company};
                 DELETE FROM audit_entries WHERE company_id = {company} AND seq > 8"
            ))
            .await;
        assert_eq!(
            trail.breaks(DEFAULT_ID, vec![]).await,
            [],
            "from the inside"
        );
        assert_eq!(
            trail.breaks(DEFAULT_ID, vec![noted]).await,
            [Break::EndsBefore(10, 8)]
        );
        let other = anchor(5, &head.last_hash);
        assert_eq!(
            trail.breaks(DEFAULT_ID, vec![other]).await,
            [Break::NotAnchored(5)]
        );
    }
}
