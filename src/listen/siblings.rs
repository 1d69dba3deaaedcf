//! What is known of the other replicas of a directory: each is asked whether it
//! is fit to be sent visits, over its socket, as a proxy would reach it.
//!
//! A connect says nothing: the kernel completes it for a process that is
//! stopped, too. So a sibling is taken to hang when a request has waited too long
//! for its answer. Only time in which we were well ourselves counts: whoever is
//! starved finds everyone slow, and must not judge.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use futures_util::FutureExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use super::directory::FileIdentity;
use crate::supervision::Piece;

/// `OPTIONS *` asks for nothing but an answer, "a type of ping" (RFC 9110, 9.3.7).
const LOOK_TARGET: &str = "*";

/// Proxies pass on what others ask so; this field says that a sibling does.
const LOOK_FIELD: (&str, &str) = ("footfall-sibling", "fit?");

/// How often siblings are asked, and looked at whether they have answered.
pub const ROUND: Duration = Duration::from_millis(200);

/// Rounds without an answer after which a sibling is taken to hang: 0.8 s, as long
/// as nginx waits for an answer, so that what it repeats then finds the slots in
/// order. With the round in which it was asked, far within the 3 s that are promised.
pub const HUNG_ROUNDS: u32 = 4;

/// What a sibling says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It can be sent visits.
    Fit,
    /// It is there, and cannot count or is about to leave.
    Unfit,
    /// Nobody listens there any more.
    Nobody,
}

/// A question that is on its way. Dropped, it is no longer asked.
pub type Look = AbortOnDropHandle<Option<Answer>>;

/// Asks who listens at the path. Never ends if it hangs; `None` if it hangs up.
pub fn look(path: &Path) -> Look {
    let path = path.to_owned();
    AbortOnDropHandle::new(Piece::Look.spawn(async move { ask(&path).await }))
}

/// Whether this is what siblings ask.
pub fn is_look<B>(request: &Request<B>) -> bool {
    let (name, value) = LOOK_FIELD;
    request.uri().path() == LOOK_TARGET
        && request.method() == Method::OPTIONS
        && request.headers().get(name).is_some_and(|is| is == value)
}

async fn ask(path: &Path) -> Option<Answer> {
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                ErrorKind::ConnectionRefused => Some(Answer::Nobody),
                // Another user's, whom we cannot ask and so not judge.
                ErrorKind::PermissionDenied => Some(Answer::Unfit),
                // Its queue is full, or the path has just gone.
                _ => None,
            };
        }
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let _driven = AbortOnDropHandle::new(Piece::Look.spawn(connection));
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(LOOK_TARGET)
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "close")
        .header(LOOK_FIELD.0, LOOK_FIELD.1)
        .body(Body::empty())
        .expect("these are valid");
    let response = sender.send_request(request).await.ok()?;
    // A replica of an older version knows no such question, and never left its slot.
    Some(match response.status() {
        StatusCode::SERVICE_UNAVAILABLE => Answer::Unfit,
        _ => Answer::Fit,
    })
}

/// One sibling.
#[derive(Debug)]
struct Sibling {
    path: PathBuf,
    identity: FileIdentity,
    look: Option<Look>,
    /// Rounds in which it owed an answer.
    unanswered: u32,
    last: Option<Answer>,
}

impl Sibling {
    fn hangs(&self) -> bool {
        self.unanswered >= HUNG_ROUNDS
    }

    /// Takes in its answer, or notes that it owes one.
    fn collect(&mut self, sound: bool) {
        let Some(look) = &mut self.look else {
            return;
        };
        let ended = look.now_or_never();
        if ended.is_some() {
            self.look = None;
        }
        match ended {
            Some(Ok(Some(answer))) => {
                self.last = Some(answer);
                self.unanswered = 0;
            }
            None | Some(Ok(None)) => self.unanswered += u32::from(sound),
            // A bug of ours says nothing of it.
            Some(Err(_)) => {}
        }
    }
}

/// The others, in the order of their slots, beginning after ours.
#[derive(Debug, Default)]
pub struct Siblings(Vec<Sibling>);

impl Siblings {
    /// Takes in who is there now. What is known of the others is forgotten.
    pub fn update(&mut self, there: impl Iterator<Item = (PathBuf, FileIdentity)>) {
        let mut known = std::mem::take(&mut self.0);
        self.0 = there
            .map(|(path, identity)| {
                let same = |sibling: &Sibling| sibling.identity == identity && sibling.path == path;
                match known.iter().position(same) {
                    Some(position) => known.swap_remove(position),
                    None => Sibling {
                        path,
                        identity,
                        look: None,
                        unanswered: 0,
                        last: None,
                    },
                }
            })
            .collect();
    }

    /// Takes in the answers of a round. If it was not sound, because we were not
    /// well ourselves, nobody is blamed for it.
    pub fn collect(&mut self, sound: bool) {
        for sibling in &mut self.0 {
            sibling.collect(sound);
        }
    }

    /// Asks the next one, as each replica does, so that all of them are asked and
    /// the questions are as many as the replicas; everyone, if there is a reason to.
    pub fn ask(&mut self, reason: bool) {
        let doubt = |sibling: &Sibling| {
            sibling.unanswered > 0 || sibling.last.is_some_and(|last| last == Answer::Nobody)
        };
        let everyone = reason || self.0.iter().any(doubt);
        let number = if everyone { self.0.len() } else { 1 };
        for sibling in self.0.iter_mut().take(number) {
            if sibling.look.is_none() {
                sibling.look = Some(look(&sibling.path));
            }
        }
    }

    /// Whether this one serves, as far as is known.
    pub fn serves(&self, identity: FileIdentity) -> bool {
        let known = self.0.iter().find(|sibling| sibling.identity == identity);
        known.is_none_or(|known| !known.hangs() && known.last != Some(Answer::Nobody))
    }

    /// Whether one of them has said that it can be sent visits, and owes no answer.
    pub fn one_is_fit(&self) -> bool {
        let fit = |sibling: &Sibling| sibling.last == Some(Answer::Fit) && sibling.unanswered == 0;
        self.0.iter().any(fit)
    }

    /// Whether one of them may still be fit: it was, and is not known to hang.
    pub fn one_may_be_fit(&self) -> bool {
        let fit = |sibling: &Sibling| sibling.last == Some(Answer::Fit) && !sibling.hangs();
        self.0.iter().any(fit)
    }

    /// Whether an answer is owed that may still come.
    pub fn may_yet_answer(&self) -> bool {
        let owes = |sibling: &Sibling| sibling.look.is_some() && !sibling.hangs();
        self.0.iter().any(owes)
    }
}
