//! The one who empties the outbox, in each replica: one mail at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout_at};
use uuid::Uuid;

use super::{
    composer::{Composer, Tokens},
    mailer::Mailer,
    metrics::{MailMetrics, Reason},
    outbox::{self, Claimed, Queue},
    template::Template,
    transport::{Failure, Transport},
};
use crate::{
    config::MailSettings,
    storage::sql::{Connection, Database, DatabaseError},
    supervision::Piece,
    telemetry::metrics::{Label, Registry},
};

/// The longest one try may take, from looking up the server's name to its last answer.
pub const TRY: Duration = Duration::from_secs(20);

/// For so long nobody else takes a mail that was taken: for a try, and then to note how it ended.
const LEASE: Duration = Duration::from_secs(30);

/// Before the second try; doubled for each one after, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Between two tries at most.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Between two looks at the outbox: so late at most the mails of other replicas are found, when they
/// do not send them themselves. Also between two at how much there is.
const LOOK: Duration = Duration::from_secs(2);

/// Between two tries to note what is known already, while the database is away.
const NOTE: Duration = Duration::from_millis(250);

/// Between two looks for what has been over for a week.
const CLEANING: Duration = Duration::from_hours(1);

/// A mail that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Its id.
    pub mail: Uuid,
    /// The company it was about.
    pub company: Option<Uuid>,
    /// The name of its template.
    pub template: String,
    /// Why: the value of the metric's label.
    pub reason: &'static str,
}

/// What else is to be written when a mail is given up, in the same transaction.
pub trait OnFailure: Send + Sync {
    /// Writes it.
    fn record<'c>(
        &'c self,
        connection: &'c mut Connection<'_>,
        mail: &'c Undelivered,
    ) -> BoxFuture<'c, Result<(), DatabaseError>>;
}

/// Sends what is in the outbox, for as long as the process lives.
pub struct Sender {
    database: Database,
    transport: Transport,
    composer: Composer,
    metrics: MailMetrics,
    on_failure: Option<Arc<dyn OnFailure>>,
    told: Mailer,
}

/// How a try ended.
enum Outcome {
    Sent,
    Failed(Failure),
    GivenBack,
}

impl Sender {
    /// The sender of this process, which hears what `told` is told.
    ///
    /// # Errors
    ///
    /// If there are metrics of another one.
    pub fn new(
        settings: &MailSettings,
        database: Database,
        registry: &Registry,
        tokens: Tokens,
        on_failure: Option<Arc<dyn OnFailure>>,
        told: &Mailer,
    ) -> prometheus::Result<Self> {
        Ok(Self {
            database,
            transport: Transport::new(settings),
            composer: Composer::new(settings, tokens),
            metrics: MailMetrics::register(registry)?,
            on_failure,
            told: told.clone(),
        })
    }

    /// Sends what is to be sent, until it is told to stop; then it waits for the end of the process.
    pub async fn run(self) {
        let (mut delivers, mut cleaned, mut looked) = (true, None::<Instant>, None::<Instant>);
        while self.told.goes_on() {
            if cleaned.is_none_or(|at| at.elapsed() >= CLEANING) {
                let clean_up = || {
                    self.database
                        .write("mail_clean_up", |mails| Box::pin(outbox::clean_up(mails)))
                };
                // What fails the next one does.
                while clean_up().await == Ok(true) {}
                cleaned = Some(Instant::now());
            }
            if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                self.look().await;
                looked = Some(Instant::now());
            }
            // A panic costs this try: the mail is tried again when its lease ends.
            let turn = Piece::Mail.isolated(self.turn(&mut delivers)).await;
            if !matches!(turn, Ok(Ok(true))) {
                self.pause().await;
            }
        }
        self.told.has_stopped();
        std::future::pending().await
    }

    /// Until there may be something to do.
    async fn pause(&self) {
        tokio::select! {
            () = sleep(LOOK) => {}
            () = self.told.woken() => {}
            () = self.told.told_to_stop() => {}
        }
    }

    /// Tries one mail, if one is due. `false` if none is.
    async fn turn(&self, delivers: &mut bool) -> Result<bool, DatabaseError> {
        let is_due = self
            .database
            .read("mail_due", |connection| {
                Box::pin(outbox::is_due(connection))
            })
            .await?;
        if !is_due {
            return Ok(false);
        }
        let claimed = self
            .database
            .write("mail_claim", |connection| {
                Box::pin(outbox::claim(connection, LEASE))
            })
            .await?;
        let Some(mail) = claimed else {
            return Ok(false);
        };
        let mail = Arc::new(mail);
        let begin = Instant::now();
        let outcome = self.attempt(&mail, begin).await;
        self.metrics.duration.observe(begin.elapsed().as_secs_f64());
        self.say_changes(delivers, &outcome);
        self.conclude(&mail, outcome).await;
        Ok(true)
    }

    /// Measures what waits. That it could not be looked at is seen by whoever tries to send.
    async fn look(&self) {
        let queue = self
            .database
            .read("mail_look", |connection| Box::pin(outbox::look(connection)));
        let Ok(Queue { waiting, oldest }) = queue.await else {
            return;
        };
        self.metrics.queued.set(waiting);
        let age = i64::try_from(oldest.as_secs());
        self.metrics.oldest.set(age.unwrap_or(i64::MAX));
    }

    /// One try. When the process is to end, a message that the server does not have yet is given
    /// back, and for the answer to one that it has is waited.
    async fn attempt(&self, mail: &Arc<Claimed>, begin: Instant) -> Outcome {
        let template = match serde_json::from_value::<Template>(mail.template.clone()) {
            Ok(template) => template,
            // One of a later version, which another replica may have.
            Err(_) => {
                let what = "its template is not known to this version";
                return Outcome::Failed(Failure::later(Reason::Invalid, what));
            }
        };
        let composed = match self.composer.compose(mail.id, &mail.to, &template) {
            Ok(composed) => composed,
            Err(error) => return Outcome::Failed(Failure::for_good(Reason::Invalid, error)),
        };
        let end = begin + TRY;
        let late = || {
            Failure::later(
                Reason::Timeout,
                format!("it took longer than {} s", TRY.as_secs()),
            )
        };
        let opened = tokio::select! {
            biased;
            () = self.told.told_to_stop() => return Outcome::GivenBack,
            opened = timeout_at(end.into(), self.transport.open(&composed)) => opened,
        };
        let mut opened = match opened.unwrap_or_else(|_| Err(late())) {
            Ok(opened) => opened,
            Err(failure) => return Outcome::Failed(failure),
        };
        // A process that was halted finds out here that the mail may be somebody else's by now.
        if Instant::now() >= end {
            return Outcome::Failed(late());
        }
        let sent = self.transport.send(&mut opened, mail.id, &composed);
        let sent = timeout_at(end.into(), sent).await;
        match sent.unwrap_or_else(|_| Err(late())) {
            Ok(()) => {
                // At once: what dies between the answer and this note makes it two mails.
                self.note_sent(mail).await;
                opened.close().await;
                Outcome::Sent
            }
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Whatever is in the way: nobody else knows it, and a second mail is worse than waiting.
    async fn note_sent(&self, mail: &Arc<Claimed>) {
        let noted = self.until_noted(|| {
            let mail = mail.clone();
            self.database.write("mail_sent", move |connection| {
                Box::pin(async move { outbox::sent(connection, &mail).await })
            })
        });
        noted.await;
    }

    async fn conclude(&self, mail: &Arc<Claimed>, outcome: Outcome) {
        match outcome {
            Outcome::Sent => self.metrics.sent.inc(),
            Outcome::GivenBack => self.give_back(mail).await,
            Outcome::Failed(failure) => {
                self.metrics.tries_failed.of(failure.reason).inc();
                tracing::debug!(mail = %mail.id, template = mail.template_name(), tries = mail.tries, %failure, "a mail was not taken");
                if failure.is_final {
                    self.give_up(mail, failure.reason, &failure).await;
                } else if !self.leave_for_later(mail).await {
                    self.give_up(mail, Reason::Expired, &failure).await;
                }
            }
        }
    }

    async fn give_back(&self, mail: &Arc<Claimed>) {
        let mail = mail.clone();
        // Else its lease ends by itself.
        let _ = self
            .database
            .write("mail_give_back", move |connection| {
                Box::pin(async move { outbox::give_back(connection, &mail).await })
            })
            .await;
    }

    /// `false` if it is to be given up.
    async fn leave_for_later(&self, mail: &Arc<Claimed>) -> bool {
        let pause = pause_after(mail.tries);
        let left = self.until_noted(|| {
            let mail = mail.clone();
            self.database.write("mail_later", move |connection| {
                Box::pin(async move { outbox::later(connection, &mail, pause).await })
            })
        });
        left.await.unwrap_or(true)
    }

    async fn give_up(&self, mail: &Arc<Claimed>, reason: Reason, failure: &Failure) {
        let undelivered = Arc::new(Undelivered {
            mail: mail.id,
            company: mail.company,
            template: mail.template_name().to_owned(),
            reason: reason.value(),
        });
        let noted = self.until_noted(|| {
            let (mail, undelivered) = (mail.clone(), undelivered.clone());
            let on_failure = self.on_failure.clone();
            self.database.write("mail_failed", move |connection| {
                Box::pin(async move {
                    let is_ours = outbox::failed(connection, &mail, reason).await?;
                    if let (true, Some(on_failure)) = (is_ours, on_failure) {
                        on_failure.record(connection, &undelivered).await?;
                    }
                    Ok(is_ours)
                })
            })
        });
        if noted.await == Some(true) {
            self.metrics.failed.of(reason).inc();
            tracing::warn!(
                mail = %mail.id, template = mail.template_name(), reason = reason.value(), tries = mail.tries, %failure,
                "a mail could not be sent and is given up"
            );
        }
    }

    /// Notes something, for as long as the database is away and the process may live. `None` if it is not noted.
    async fn until_noted<T, F>(&self, note: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, DatabaseError>>,
    {
        loop {
            match note().await {
                Ok(value) => return Some(value),
                Err(error @ DatabaseError::Refused(_)) => {
                    tracing::error!(%error, "what became of a mail cannot be noted; it is tried again");
                    return None;
                }
                Err(error) if self.told.is_over() => {
                    tracing::error!(%error, "what became of a mail could not be noted before the end of this process: when its lease ends it is tried again, even if it was sent");
                    return None;
                }
                Err(_) => tokio::select! {
                    () = sleep(NOTE) => {}
                    () = self.told.over() => {}
                },
            }
        }
    }

    /// Says once that nothing is delivered, and once that it is again. What a server says of one
    /// recipient is no news of it.
    fn say_changes(&self, delivers: &mut bool, outcome: &Outcome) {
        match outcome {
            Outcome::Sent if !*delivers => {
                *delivers = true;
                tracing::info!("mails are sent again");
            }
            Outcome::Failed(failure) if *delivers && !is_of_one_mail(failure.reason) => {
                *delivers = false;
                let reason = failure.reason.value();
                tracing::warn!(reason, %failure, "mails cannot be sent; each is tried again for a day");
            }
            _ => {}
        }
    }
}

fn is_of_one_mail(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Deferred | Reason::Refused | Reason::Invalid | Reason::Expired
    )
}

/// How long to wait after so many tries.
fn pause_after(tries: i32) -> Duration {
    let doublings = u32::try_from(tries - 1).unwrap_or(0).min(16);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses: Vec<_> = (1..=12).map(|tries| pause_after(tries).as_secs()).collect();
        assert_eq!(
            pauses,
            [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
        );
        for tries in [i32::MIN + 1, -1, 0] {
            assert_eq!(pause_after(tries), FIRST_PAUSE);
        }
        assert_eq!(pause_after(i32::MAX), LONGEST_PAUSE);
    }
}
