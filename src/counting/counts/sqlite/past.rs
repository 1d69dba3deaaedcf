//! Counting visits of the past: for `footfall demo`, which has none of today.

use super::{
    SqliteCounts,
    batch::{Failure, Moment},
};
use crate::{counting::Batch, storage::StoreError};

impl SqliteCounts {
    /// Counts and records batches as if each was counted at its time, in Unix milliseconds: all of them in
    /// one transaction, or none.
    pub async fn count_past(&self, batches: &[(i64, Batch)]) -> Result<(), StoreError> {
        let mut writer = self.sqlite.writer().await?;
        let mut transaction = writer.begin().await?;
        for (at, batch) in batches {
            let mut moment = Moment::new(*at);
            let counted = self.count_batch(&mut transaction, batch, &mut moment).await;
            let outcomes = counted.map_err(Failure::into_error)?;
            if let Some(Err(reason)) = outcomes.iter().find(|outcome| outcome.is_err()) {
                let refused = format!("a visit of {} is not counted: {reason:?}", batch.counter);
                return Err(StoreError::Refused(refused));
            }
        }
        transaction.commit().await.map_err(StoreError::of_commit)
    }
}
