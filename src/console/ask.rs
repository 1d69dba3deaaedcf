//! The question before something is destroyed: a page that names it, with a button.

use askama::Template;
use axum::{body::Body, http::Response};

use super::{
    form::Form,
    frame::Frame,
    response::{again, page},
};
use crate::edge::Problem;

/// A question.
#[derive(Template)]
#[template(path = "console/ask.html")]
pub struct Ask {
    /// Its title is the question itself.
    pub frame: Frame,
    /// What becomes of it.
    pub said: Vec<String>,
    /// What is needed, and the button.
    pub form: Form,
}

impl Ask {
    /// Asks.
    pub fn new(frame: Frame, form: Form, said: &[&str]) -> Self {
        Self {
            frame,
            said: said.iter().map(|text| (*text).to_owned()).collect(),
            form,
        }
    }

    /// The page.
    ///
    /// # Errors
    ///
    /// If its template fails, which is a bug.
    pub fn page(&self) -> Result<Response<Body>, Problem> {
        page(self)
    }

    /// The page again, which says why it was not done.
    ///
    /// # Errors
    ///
    /// The problem, where asking again does not help.
    pub fn again(mut self, problem: Problem) -> Result<Response<Body>, Problem> {
        again(problem, |problem| {
            self.form = self.form.refused(problem);
            page(&self)
        })
    }
}
