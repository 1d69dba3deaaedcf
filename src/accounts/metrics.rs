//! What is measured of accounts.

use crate::telemetry::metrics::CountersBy;

crate::label! {
    /// How far something that a mail has to confirm has come.
    pub enum Step as "step" {
        /// Somebody asked for it.
        Asked = "asked",
        /// It was done, by the link of the mail.
        Done = "done",
    }
}

crate::metrics! {
    /// Accounts.
    pub struct AccountsMetrics {
        /// Registrations, by step: asked for (whether or not the address has an account already), or done, which is confirmed.
        pub registrations: CountersBy<Step> = "footfall_registrations_total",
        /// Passwords that were forgotten, by step: a link asked for (whether or not anybody has the address), or done, which is a new password set.
        pub password_resets: CountersBy<Step> = "footfall_password_resets_total",
    }
}
