//! What an error that Redis answers says of the command it answers.
//!
//! Redis executes a command or answers an error, so what was answered with one
//! was not done. Our own script alone can be in between, and says so.

use redis::ServerError;

use crate::storage::StoreError;

/// Codes of a server that executes nothing that writes, whatever is asked: out of memory, a
/// failing disk, a replica, too few replicas, not ready, busy with another's script.
const CANNOT_WRITE: &[&str] = &[
    "OOM",
    "MISCONF",
    "READONLY",
    "NOREPLICAS",
    "MASTERDOWN",
    "LOADING",
    "BUSY",
    "CLUSTERDOWN",
    "NOAUTH",
];

/// What a cluster that is otherwise well says of a key in a slot that no node serves.
const SLOT_NOT_SERVED: &str = "Hash slot not served";

/// What a script of ours says that has written and could not take it back.
const PARTIAL: &str = "PARTIAL";

/// What a script of ours says that has taken back what it wrote; the reason follows.
const TAKEN_BACK: &str = "REFUSED";

/// What the answer to a command says of it.
pub fn meaning(error: &ServerError) -> StoreError {
    let (code, detail) = (error.code(), error.details().unwrap_or_default());
    if code == PARTIAL {
        return StoreError::Failed(detail.to_owned());
    }
    let (code, reason) = reason(code, detail);
    let said = format!("{code} {reason}");
    let one_slot = code == "CLUSTERDOWN" && reason.starts_with(SLOT_NOT_SERVED);
    match CANNOT_WRITE.contains(&code) && !one_slot {
        true => StoreError::Unavailable(said),
        false => StoreError::Refused(said),
    }
}

/// The code and the words of the command that failed, in a script or outside of one.
fn reason<'a>(code: &'a str, detail: &'a str) -> (&'a str, &'a str) {
    let of_script = match code {
        TAKEN_BACK => Some(detail),
        // Redis before version 7 packs what a script raises into an error of its own.
        "ERR" if detail.starts_with("Error running script") => {
            detail.split_once("): ").map(|(_, raised)| raised)
        }
        _ => None,
    };
    let Some(raised) = of_script else {
        return (code, without_script(detail));
    };
    let raised = without_script(without_places(raised));
    let (first, rest) = raised.split_once(' ').unwrap_or((raised, ""));
    // Shared replies of Redis keep their sign in there.
    let first = first.strip_prefix('-').unwrap_or(first);
    if first.len() > 2 && first.bytes().all(|byte| byte.is_ascii_uppercase()) {
        (first, rest)
    } else {
        ("ERR", raised)
    }
}

/// Without `@user_script:41: ` and `@user_script: 41: `, which may stand there twice.
fn without_places(mut raised: &str) -> &str {
    while let Some(place) = raised.strip_prefix("@user_script:")
        && let Some((line, rest)) = place.trim_start().split_once(": ")
        && line.parse::<u32>().is_ok()
    {
        raised = rest;
    }
    raised
}

/// Without ` script: HASH, on @user_script:41.`, which Redis 7 adds, and the line end of older ones.
fn without_script(detail: &str) -> &str {
    let words = match detail.rsplit_once(" script: ") {
        Some((words, place)) if place.contains(", on @user_script") => words,
        _ => detail,
    };
    words.trim_end()
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    const AWAY: &str = "away";
    const REFUSED: &str = "refused";
    const FAILED: &str = "failed";

    /// What is meant, and what is said of it, for an error as it comes over the wire.
    fn read(line: &str) -> (&'static str, String) {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        match StoreError::from(value.extract_error().unwrap_err()) {
            StoreError::Unavailable(said) => (AWAY, said),
            StoreError::Refused(said) => (REFUSED, said),
            StoreError::Failed(said) => (FAILED, said),
            other => panic!("{line}: {other:?}"),
        }
    }

    /// The words of Redis 7.0, as it has sent them.
    #[test]
    fn redis_7() {
        let place = "script: 9e8ca2f8c84ec1a2aff35b05f72f6a2ea2e2a7c8, on @user_script:41.";
        for (line, meaning) in [
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                AWAY,
            ),
            ("NOREPLICAS Not enough good replicas to write.", AWAY),
            (
                "READONLY You can't write against a read only replica.",
                AWAY,
            ),
            (
                "MISCONF Errors writing to the AOF file: No space left on device",
                AWAY,
            ),
            ("LOADING Redis is loading the dataset in memory", AWAY),
            (
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
                AWAY,
            ),
            (
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                AWAY,
            ),
            ("CLUSTERDOWN The cluster is down", AWAY),
            (
                "CLUSTERDOWN The cluster is down and only accepts read commands",
                AWAY,
            ),
            ("CLUSTERDOWN Hash slot not served", REFUSED),
            ("NOAUTH Authentication required.", AWAY),
            (
                "NOPERM this user has no permissions to run the 'evalsha' command",
                REFUSED,
            ),
            (
                "NOPERM this user has no permissions to access one of the keys used as arguments",
                REFUSED,
            ),
            (
                "NOPERM User clerk has no permissions to run the 'evalsha' command",
                REFUSED,
            ),
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                REFUSED,
            ),
            ("ERR value is not an integer or out of range", REFUSED),
            ("ERR increment or decrement would overflow", REFUSED),
            (
                "ERR The user executing the script can't run this command or subcommand",
                REFUSED,
            ),
            (
                "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
                REFUSED,
            ),
            (
                "ERR Error running script: Script killed by user with SCRIPT KILL.",
                REFUSED,
            ),
            (
                "ERR unknown command 'EVALSHA', with args beginning with: ",
                REFUSED,
            ),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                REFUSED,
            ),
            (
                "CROSSSLOT Keys in request don't hash to the same slot",
                REFUSED,
            ),
            (
                "EXECABORT Transaction discarded because of previous errors.",
                REFUSED,
            ),
        ] {
            let said = line.trim_end().to_owned();
            assert_eq!(read(line), (meaning, said.clone()));
            assert_eq!(read(&format!("{line} {place}")), (meaning, said));
        }
    }

    /// `src/scripting.c` of Redis 6: `luaPushError` adds a place, the handler of errors another,
    /// and `evalGenericCommand` the rest.
    #[test]
    fn redis_6_packs_them() {
        let call =
            "ERR Error running script (call to f_9e8ca2f8c84ec1a2aff35b05f72f6a2ea2e2a7c8): ";
        for (raised, meaning, said) in [
            (
                "@user_script:41: @user_script: 41: -OOM command not allowed when used memory > 'maxmemory'.  ",
                AWAY,
                "OOM command not allowed when used memory > 'maxmemory'.",
            ),
            (
                "@user_script:41: @user_script: 41: -READONLY You can't write against a read only replica. ",
                AWAY,
                "READONLY You can't write against a read only replica.",
            ),
            (
                "@user_script:41: @user_script: 41: -MISCONF Errors writing to the AOF file: No space left on device ",
                AWAY,
                "MISCONF Errors writing to the AOF file: No space left on device",
            ),
            (
                "@user_script:41: WRONGTYPE Operation against a key holding the wrong kind of value ",
                REFUSED,
                "WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            (
                "@user_script:41: ERR value is not an integer or out of range ",
                REFUSED,
                "ERR value is not an integer or out of range",
            ),
            (
                "@user_script:41: @user_script: 41: The user executing the script can't run this command or subcommand ",
                REFUSED,
                "ERR The user executing the script can't run this command or subcommand",
            ),
            (
                "@user_script:41: Script killed by user with SCRIPT KILL... ",
                REFUSED,
                "ERR Script killed by user with SCRIPT KILL...",
            ),
        ] {
            assert_eq!(read(&format!("{call}{raised}")), (meaning, said.to_owned()));
        }
    }

    #[test]
    fn what_a_script_of_ours_has_taken_back_was_not_done() {
        for (raised, meaning, said) in [
            (
                "ERR The user executing the script can't run this command or subcommand",
                REFUSED,
                "ERR The user executing the script can't run this command or subcommand",
            ),
            (
                "@user_script: 70: The user executing the script can't run this command or subcommand",
                REFUSED,
                "ERR The user executing the script can't run this command or subcommand",
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                AWAY,
                "OOM command not allowed when used memory > 'maxmemory'.",
            ),
        ] {
            assert_eq!(
                read(&format!("REFUSED {raised}")),
                (meaning, said.to_owned())
            );
            assert_eq!(
                read(&format!("PARTIAL {raised}")),
                (FAILED, raised.to_owned())
            );
        }
    }

    /// Whatever a server may say: only our own script says that something may have been done.
    #[test]
    fn any_other_answer_was_not_executed() {
        for line in [
            "WHATEVER",
            "ERR",
            "",
            "DENIED by a proxy",
            "ERR PARTIAL",
            "PARTIALLY done",
        ] {
            assert_ne!(read(line).0, FAILED, "{line:?}");
        }
    }
}
