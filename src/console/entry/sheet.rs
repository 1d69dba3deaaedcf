//! How a page looks that fills the screen by itself: a title, a few sentences, perhaps a form.

use askama::Template;
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};

use crate::{
    console::{exchange::Exchange, form::Form, frame::Frame, response::page_of},
    edge::Problem,
};

/// A page.
#[derive(Template)]
#[template(path = "console/entry/sheet.html")]
pub struct Sheet {
    frame: Frame,
    /// What is to be read.
    paragraphs: Vec<String>,
    /// What is to be filled in.
    form: Option<Form>,
    /// Where else to go: below `/console/`, and what it is called.
    links: Vec<(&'static str, &'static str)>,
    /// Whether its address has a token in it, which no other page is to be told.
    is_secret: bool,
}

impl Sheet {
    /// One with nothing but a title.
    pub fn new(exchange: &Exchange, title: &'static str) -> Self {
        Self {
            frame: Frame::new(exchange, title),
            paragraphs: Vec::new(),
            form: None,
            links: Vec::new(),
            is_secret: false,
        }
    }

    /// Another sentence.
    #[must_use]
    pub fn saying(mut self, sentence: impl Into<String>) -> Self {
        self.paragraphs.push(sentence.into());
        self
    }

    /// Another place to go, below `/console/`.
    #[must_use]
    pub fn leading(mut self, place: &'static str, text: &'static str) -> Self {
        self.links.push((place, text));
        self
    }

    /// With a form.
    #[must_use]
    pub fn asking(mut self, form: Form) -> Self {
        self.form = Some(form);
        self
    }

    /// Its address has a token in it.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// The answer.
    ///
    /// # Errors
    ///
    /// If the template fails, which is a bug.
    pub fn show(mut self, status: StatusCode) -> Result<Response<Body>, Problem> {
        if self.is_secret {
            self.frame.here = None;
        }
        let mut response = page_of(status, &self)?;
        if self.is_secret {
            let none = HeaderValue::from_static("no-referrer");
            response.headers_mut().insert(header::REFERRER_POLICY, none);
        }
        Ok(response)
    }
}
