//! `GET /api/audit`
