//! What a form of the console sends.

use std::{ops::Deref, sync::Arc};

use axum::{
    body::Bytes,
    extract::{FromRef, FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue},
};
use sha2::{Digest, Sha256};

pub use super::typed::Typed;
use super::{
    form::FORM_ID,
    view::{Refusal, View},
};
use crate::{
    accounts::{origin::Origin, sessions::Sessions},
    auth::{is_form, permission::Permission},
    edge::{Code, Problem},
};

/// A form that came from a page of ours, of somebody who may send it.
pub struct Sent<P> {
    /// Whose page it is.
    pub view: View<P>,
    /// What was typed.
    pub typed: Typed,
    /// Where it comes from. Sent twice, by a proxy or by a second press of the button, it is one request.
    pub origin: Origin,
}

impl<P> Deref for Sent<P> {
    type Target = View<P>;

    fn deref(&self) -> &View<P> {
        &self.view
    }
}

impl<S, P> FromRequest<S> for Sent<P>
where
    S: Send + Sync,
    P: Permission,
    Arc<Sessions>: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (mut parts, stream) = request.into_parts();
        let view = View::<P>::from_request_parts(&mut parts, state).await?;
        let Ok(origin) = Origin::from_request_parts(&mut parts, state).await;
        let request = Request::from_parts(parts.clone(), stream);
        let body = body(request).await?;
        let typed = Typed::new(&body);
        let sessions = Arc::<Sessions>::from_ref(state);
        let field = typed.get("csrf_token");
        let (caller, callers) = (&view.reader.caller, &sessions.callers);
        callers.check_csrf(caller, &parts, P::RULE, Some(field))?;
        let origin = match form_id(&typed, &body) {
            Some(id) => origin.under(id),
            None => origin,
        };
        Ok(Self {
            view,
            typed,
            origin,
        })
    }
}

/// The body of a form.
///
/// # Errors
///
/// `unsupported_media_type` of anything else, and what the framework says of one that did not arrive.
pub async fn body(request: Request) -> Result<Bytes, Problem> {
    check_form(request.headers())?;
    let body = Bytes::from_request(request, &()).await;
    body.map_err(|rejection| {
        Problem::of_status(rejection.status()).unwrap_or(Code::BadRequest.into())
    })
}

fn check_form(headers: &HeaderMap) -> Result<(), Problem> {
    match is_form(headers) {
        true => Ok(()),
        false => Err(Problem::from(Code::UnsupportedMediaType)
            .with_detail("This is for the form of the page.")),
    }
}

/// What is done at most once: this form with this in it. Who goes back, changes something and sends it
/// again means something else.
fn form_id(typed: &Typed, body: &[u8]) -> Option<HeaderValue> {
    let id = typed.get(FORM_ID);
    (!id.is_empty()).then_some(())?;
    let digest = Sha256::digest(body);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("form-{hex}")).ok()
}
