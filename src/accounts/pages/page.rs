//! How a page looks: a title, a few sentences, perhaps a form. No script, and nothing from elsewhere.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::{Html, IntoResponse},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::edge::{Code, Problem, Rendered};

const STYLE: &str = include_str!("../../../templates/form.css");

/// Only the one style above, by its hash, and forms of ours.
static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("it is ASCII")
});

/// A page.
#[derive(Template)]
#[template(path = "form.html")]
pub struct Page {
    /// What it is about.
    pub title: &'static str,
    /// What went wrong, if it is not about a field.
    pub alert: Option<String>,
    /// What is to be read.
    pub paragraphs: Vec<String>,
    /// What is to be filled in.
    pub form: Option<Form>,
    /// Where else to go.
    pub links: Vec<Link>,
    style: &'static str,
}

/// What is to be filled in.
pub struct Form {
    /// The page that gets it, beside this one.
    pub action: &'static str,
    /// The token of the link.
    pub token: Option<String>,
    /// The fields, in their order.
    pub fields: Vec<Field>,
    /// What the button says.
    pub button: &'static str,
}

/// A field of a form.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name in the form, and in the API.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// `text`, `email` or `password`.
    pub kind: &'static str,
    /// What a browser may fill in (HTML, 4.10.18.7).
    pub autocomplete: &'static str,
    /// Longest text, in UTF-16 units.
    pub longest: u16,
    /// What to know before it is filled in.
    pub hint: Option<String>,
    /// What was typed before; never a password.
    pub value: String,
    /// What is wrong with that.
    pub error: Option<String>,
    /// Whether the cursor is in it from the beginning.
    pub focused: bool,
    /// Attributes that say where hint and error are.
    pub described: String,
}

/// A link to another page.
pub struct Link {
    /// The page, beside this one.
    pub target: &'static str,
    /// What it says.
    pub text: &'static str,
}

impl Field {
    /// An empty one.
    pub fn new(name: &'static str, label: &'static str, kind: &'static str) -> Self {
        let autocomplete = match kind {
            "email" => "email",
            _ => "off",
        };
        Self {
            name,
            label,
            kind,
            autocomplete,
            longest: 254,
            hint: None,
            value: String::new(),
            error: None,
            focused: false,
            described: String::new(),
        }
    }

    /// What a browser may fill in.
    #[must_use]
    pub fn filled_by(mut self, autocomplete: &'static str) -> Self {
        self.autocomplete = autocomplete;
        self
    }

    /// What to know before it is filled in.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Page {
    /// One with nothing but a title.
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            alert: None,
            paragraphs: Vec::new(),
            form: None,
            links: Vec::new(),
            style: STYLE,
        }
    }

    /// Another sentence.
    #[must_use]
    pub fn saying(mut self, sentence: impl Into<String>) -> Self {
        self.paragraphs.push(sentence.into());
        self
    }

    /// Another place to go.
    #[must_use]
    pub fn leading(mut self, target: &'static str, text: &'static str) -> Self {
        self.links.push(Link { target, text });
        self
    }

    /// With a form.
    #[must_use]
    pub fn asking(mut self, form: Form) -> Self {
        self.form = Some(form);
        self
    }

    /// Says what is wrong: beside its field, or above all.
    #[must_use]
    pub fn refused(mut self, problem: &Problem) -> Self {
        let fields = self.form.iter_mut().flat_map(|form| &mut form.fields);
        let field = { fields }.find(|field| Some(field.name) == problem.field.as_deref());
        match field {
            Some(field) => {
                // It says what the hint does, and more.
                field.hint = None;
                field.error = Some(problem.detail.to_string());
                field.focused = true;
            }
            None => self.alert = Some(problem.detail.to_string()),
        }
        self
    }

    /// The answer.
    pub fn into_response(mut self, status: StatusCode) -> Response<Body> {
        for field in self.form.iter_mut().flat_map(|form| &mut form.fields) {
            field.describe();
        }
        let Ok(html) = self.render() else {
            return Problem::from(Code::Internal).into_response();
        };
        let headers = [(
            header::CONTENT_SECURITY_POLICY,
            CONTENT_SECURITY_POLICY.clone(),
        )];
        let mut response = (status, headers, Html(html)).into_response();
        response.extensions_mut().insert(Rendered);
        response
    }
}

impl Field {
    fn describe(&mut self) {
        let places = [
            self.hint.is_some().then(|| format!("{}-hint", self.name)),
            self.error.is_some().then(|| format!("{}-error", self.name)),
        ];
        let places: Vec<_> = places.into_iter().flatten().collect();
        if !places.is_empty() {
            self.described = format!(" aria-describedby=\"{}\"", places.join(" "));
        }
        if self.error.is_some() {
            self.described.push_str(" aria-invalid=\"true\"");
        }
    }
}

/// An error that no page of ours was made for.
pub fn error(problem: Problem, request_id: &str) -> Response<Body> {
    let status = problem.code.status();
    let mut page = Page::new("That did not work").saying(format!("The request was {request_id}."));
    page.alert = Some(problem.detail.to_string());
    let headers = problem.into_document(request_id).headers().clone();
    let mut response = page.into_response(status);
    if let Some(wait) = headers.get(header::RETRY_AFTER) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, wait.clone());
    }
    response
}
