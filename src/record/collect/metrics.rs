//! What is measured of visits that web pages send.

use prometheus::IntGauge;

use crate::telemetry::metrics::CountersBy;

crate::label! {
    /// Why a visit of a page was not counted.
    pub enum Reason as "reason" {
        /// A browser fetched a page ahead.
        Prefetch = "prefetch",
        /// A robot that says that it is one.
        Robot = "robot",
        /// A page of an origin that its key is not for.
        Origin = "origin_not_allowed",
        /// No key, or one that was ended.
        Key = "invalid_write_key",
        /// A counter that its key is not for.
        Counter = "counter_not_allowed",
        /// More than the rate of its key.
        Rate = "rate",
        /// Fields that are not as they must be.
        Fields = "invalid_visit",
    }
}

crate::metrics! {
    /// What is measured of visits that web pages send.
    pub struct CollectMetrics {
        /// Visits of web pages that were not counted,
        /// by reason. Those that failed later are in footfall_visits_failed_total.
        pub not_counted: CountersBy<Reason> = "footfall_collect_not_counted_total",
        /// Write keys that this replica knows.
        pub keys: IntGauge = "footfall_collect_write_keys",
        /// Days, from today on, whose salt for visitors this replica knows: 2 if all is well.
        /// Without today's nobody is told apart.
        pub salts: IntGauge = "footfall_collect_salts",
    }
}
