//! What needs somebody's attention: nothing of it on a good day.

use crate::{
    auth::permission::{Read, ReadUsers},
    console::{
        counters::tallies::{Counter, Tallies},
        shown::Exact,
        view::View,
    },
    mail,
    record::{Record, path::NameInPath, recording::get_recording},
};
use axum::{
    Json,
    extract::{Path, State},
};

/// Visits are recorded within a second or two: what waits longer is behind.
const BEHIND_SECONDS: u64 = 10;

/// Something that is not as it should be.
pub struct Attention {
    /// What it is.
    pub text: String,
    /// Where more is seen, below `/console/`, and what is there.
    pub link: Option<(String, String)>,
}

impl Attention {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            link: None,
        }
    }
}

/// All that its reader may know of.
pub async fn of(view: &View<Read>, record: &Record, read: &Tallies) -> Vec<Attention> {
    let mut all = Vec::new();
    if read.store_is_away {
        all.push(Attention::new("The store of the counters does not answer. Visits cannot be counted now; the numbers here are those that were recorded."));
    }
    if read.database_is_away {
        all.push(Attention::new("Recording is behind: the database does not answer. Visits are counted all the same, and recorded when it is back."));
    }
    all.extend(behind(view, record, read).await);
    if !read.database_is_away && view.may_also::<ReadUsers>().is_ok() {
        all.extend(failed_mails(view, record).await);
    }
    all
}

/// The counter that most waits of to be recorded, if it does so for too long.
async fn behind(view: &View<Read>, record: &Record, read: &Tallies) -> Option<Attention> {
    let waiting = |counter: &&Counter| {
        let extent = counter.extent.as_ref().filter(|extent| extent.recorded);
        extent.map_or(0, |extent| counter.count.saturating_sub(extent.through))
    };
    let counter = read.counters.iter().max_by_key(waiting)?;
    if waiting(&counter) == 0 {
        return None;
    }
    let path = Path(NameInPath::from(counter.name.to_string()));
    let recording = get_recording(State(record.clone()), view.may(), path).await;
    let Json(recording) = recording.ok()?;
    let seconds = recording.oldest_waiting_seconds?;
    (seconds >= BEHIND_SECONDS).then(|| Attention {
        text: format!(
            "Recording is behind: {} visits of {} wait, the oldest for {} seconds. They are counted, and nothing is lost.",
            Exact::from(recording.waiting),
            counter.name,
            Exact::from(seconds)
        ),
        link: Some((
            format!("counters/{}", counter.name),
            format!("Look at {}", counter.name),
        )),
    })
}

async fn failed_mails(view: &View<Read>, record: &Record) -> Option<Attention> {
    let company = view.reader.caller.company.id();
    let failed = mail::failed(record.database().ok()?, company).await.ok()?;
    let text = match failed {
        0 => return None,
        1 => "One mail could not be sent in the last week.".to_owned(),
        failed => format!(
            "{} mails could not be sent in the last week.",
            Exact::from(failed)
        ),
    };
    Some(Attention {
        text,
        link: Some((
            "audit?action=mail.failed".to_owned(),
            "See why in the audit trail".to_owned(),
        )),
    })
}
