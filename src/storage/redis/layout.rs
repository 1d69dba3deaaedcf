//! The layout of the keys, as it is noted in Redis.
//!
//! | key | holds |
//! | --- | --- |
//! | `footfall:layout` | the layout's version |
//! | `footfall:schema` | the oldest layout it can be read from |
//!
//! The first release knows only the second key, and lives with no number in it that is above 1.
//! Both only ever grow, each by itself: in a cluster they may be on two servers. What is missing
//! is not above what there is.

use futures_util::future::join;

use super::RedisStore;
use crate::storage::{Layout, StoreError};

/// The layout that this version writes.
pub const LAYOUT: Layout = Layout {
    version: 2,
    readable_from: 1,
};

const VERSION_KEY: &str = "footfall:layout";
const READABLE_FROM_KEY: &str = "footfall:schema";

const RAISE_SCRIPT: &str = include_str!("layout.lua");

/// Bytes shown of what is no number.
const SHOWN: usize = 40;

impl RedisStore {
    /// The layout that is noted; `None` if none is: nobody has run `footfall migrate` yet.
    ///
    /// # Errors
    ///
    /// If Redis does not answer, or what is noted is no layout.
    pub async fn layout(&self) -> Result<Option<Layout>, StoreError> {
        let (version, readable_from) =
            join(self.noted(VERSION_KEY), self.noted(READABLE_FROM_KEY)).await;
        judge(version, readable_from)
    }

    /// Notes the layout of this version, unless a newer one is noted.
    ///
    /// # Errors
    ///
    /// If Redis does not answer, or what is noted is no layout; it is left as it is.
    pub async fn note_layout(&self) -> Result<(), StoreError> {
        // In this order: whoever cannot read the data knows before anything else says that it is new.
        self.raise(READABLE_FROM_KEY, LAYOUT.readable_from).await?;
        self.raise(VERSION_KEY, LAYOUT.version).await
    }

    async fn noted(&self, key: &str) -> Result<Option<u64>, StoreError> {
        let mut read = redis::pipe();
        read.get(key);
        let read = self.query(key, &read).await.map_err(naming(key));
        let (value,): (Option<Vec<u8>>,) = read.map_err(|error| match error {
            // Whoever may not read it can say nothing of it; anything else may be news of a newer
            // version.
            error if error.is_denied() => error,
            StoreError::Refused(reason) => StoreError::Unavailable(reason),
            error => error,
        })?;
        value.map(|value| parse(key, &value)).transpose()
    }

    async fn raise(&self, key: &str, number: u64) -> Result<(), StoreError> {
        let mut raise = redis::pipe();
        raise
            .cmd("EVAL")
            .arg(RAISE_SCRIPT)
            .arg(1)
            .arg(key)
            .arg(number);
        let (noted,): (Vec<u8>,) = self.query(key, &raise).await.map_err(naming(key))?;
        parse(key, &noted).map(drop)
    }
}

/// What two answers say together. Data that this version must not touch is not touched, even if
/// one of them is no number; and a permission that is missing hides nothing worse.
fn judge(
    version: Result<Option<u64>, StoreError>,
    readable_from: Result<Option<u64>, StoreError>,
) -> Result<Option<Layout>, StoreError> {
    match (version, readable_from) {
        (Ok(version), Ok(readable_from)) => Ok(combine(version, readable_from)),
        (Err(error), Ok(Some(oldest))) => {
            let layout = Layout {
                version: oldest,
                readable_from: oldest,
            };
            let usable = layout.admits(LAYOUT.version);
            usable.map_err(StoreError::Unavailable)?;
            Err(error)
        }
        (Err(StoreError::Refused(_)), Err(error)) | (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Two numbers of which one may be missing. An update that was interrupted has raised only the
/// second.
fn combine(version: Option<u64>, readable_from: Option<u64>) -> Option<Layout> {
    let any = version.or(readable_from)?;
    let readable_from = readable_from.unwrap_or(LAYOUT.readable_from);
    Some(Layout {
        version: version.unwrap_or(any).max(readable_from),
        readable_from,
    })
}

fn parse(key: &str, value: &[u8]) -> Result<u64, StoreError> {
    let digits = value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits);
    number.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let shown = String::from_utf8_lossy(&value[..value.len().min(SHOWN)]);
        StoreError::Unavailable(format!(
            "its key {key} holds {shown:?}, and should hold the number of a layout; look who wrote it, and correct it"
        ))
    })
}

/// Says which key Redis' own words, which stay first, are about: one of another type, perhaps, or
/// one that this user may not read.
fn naming(key: &str) -> impl Fn(StoreError) -> StoreError {
    move |error| match error {
        StoreError::Refused(message) => StoreError::Refused(format!("{message} ({key})")),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_read_from_what_there_is() {
        let layout = |version, readable_from| {
            Some(Layout {
                version,
                readable_from,
            })
        };
        for (version, readable_from, read) in [
            (None, None, None),
            // The first release notes only this.
            (None, Some(1), layout(1, 1)),
            (Some(2), Some(1), layout(2, 1)),
            (Some(3), Some(2), layout(3, 2)),
            // Between the two steps of an update.
            (Some(1), Some(2), layout(2, 2)),
            (Some(2), None, layout(2, 1)),
        ] {
            assert_eq!(combine(version, readable_from), read);
        }
    }

    #[test]
    fn each_number_is_judged_even_if_the_other_cannot_be_read() {
        let denied = || Err(StoreError::Refused("NOPERM".to_owned()));
        let spoilt = || Err(StoreError::Unavailable("WRONGTYPE".to_owned()));
        for (version, readable_from, said) in [
            (spoilt(), Ok(Some(9)), "upgrade"),
            (denied(), Ok(Some(9)), "upgrade"),
            (spoilt(), Ok(Some(1)), "WRONGTYPE"),
            (Ok(Some(1)), spoilt(), "WRONGTYPE"),
            (denied(), spoilt(), "WRONGTYPE"),
            (spoilt(), denied(), "WRONGTYPE"),
            (Ok(Some(1)), denied(), "NOPERM"),
            (denied(), Ok(None), "NOPERM"),
        ] {
            let error = judge(version, readable_from).unwrap_err();
            assert!(error.to_string().contains(said), "{error}: {said}");
            assert_eq!(error.is_denied(), said == "NOPERM", "{error}");
        }
    }

    #[test]
    fn what_is_no_number_is_named_with_its_key() {
        for good in ["0", "1", "18446744073709551615"] {
            assert_eq!(parse("k", good.as_bytes()).unwrap().to_string(), good);
        }
        let long = "9".repeat(1000);
        for bad in ["", "-1", "+1", " 1", "1\n", "1.0", "one", "ä", &long] {
            let message = parse(VERSION_KEY, bad.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(VERSION_KEY), "{message}");
            assert!(message.len() < 250, "{message}");
        }
        parse(VERSION_KEY, b"\xff\xfe").unwrap_err();
    }
}
