//! The codes of all problems: what each means, and its status.

use axum::http::StatusCode;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $status:ident, $detail:literal;)+) => {
        /// What went wrong, as a stable code that programs may rely on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// All codes, in the order of their statuses.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as it stands in the document.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The status of the response.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What it means, and what to do about it, where nothing more is known.
            pub fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    InvalidJson = "invalid_json", BAD_REQUEST, "The body is not valid JSON.";
    /// A parameter of the query is wrong.
    InvalidQuery = "invalid_query", BAD_REQUEST, "A parameter of the query is wrong.";
    /// No counter can have this name.
    InvalidCounterName = "invalid_counter_name", BAD_REQUEST, "A counter's name is 1 to 64 of a-z, 0-9, `.`, `_` and `-`, the first of them a letter or digit.";
    /// The `Idempotency-Key` is malformed.
    InvalidIdempotencyKey = "invalid_idempotency_key", BAD_REQUEST, "Idempotency-Key must be sent once and be 1 to 255 visible ASCII characters.";
    /// Any other malformed request.
    BadRequest = "bad_request", BAD_REQUEST, "The request is malformed.";
    /// No token was sent.
    MissingToken = "missing_token", UNAUTHORIZED, "This needs a token: send `Authorization: Bearer <token>` with one from POST /auth/login.";
    /// The token is not one of ours.
    InvalidToken = "invalid_token", UNAUTHORIZED, "The token is not valid here; get a new one from POST /auth/login.";
    /// The token has expired.
    ExpiredToken = "expired_token", UNAUTHORIZED, "The token has expired; get a new one from POST /auth/login.";
    /// The refresh token is not one of ours.
    InvalidRefreshToken = "invalid_refresh_token", UNAUTHORIZED, "The refresh token is not valid here; log in again by POST /auth/login.";
    /// The refresh token was used before.
    RefreshTokenReused = "refresh_token_reused", UNAUTHORIZED, "The refresh token was used before, so somebody else may have it: its session has been ended. Log in again by POST /auth/login.";
    /// The session has ended.
    SessionEnded = "session_ended", UNAUTHORIZED, "The session has ended; log in again by POST /auth/login.";
    /// Wrong name or password.
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "The user name or the password is wrong.";
    /// The caller is known, and may not.
    Forbidden = "forbidden", FORBIDDEN, "Your role does not allow this.";
    /// No key by which web pages send visits.
    InvalidWriteKey = "invalid_write_key", FORBIDDEN, "There is no such write key, or it was ended. Nothing was counted. Was it copied whole? An admin makes another by POST /api/write-keys.";
    /// A page of an origin that the write key is not for.
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN, "This write key is not for pages of the origin that sent this, or the browser did not say which it is. Nothing was counted. The origins of a key are listed by GET /api/write-keys.";
    /// The request of a page, but not of one of ours.
    CsrfFailed = "csrf_failed", FORBIDDEN, "With cookies a request that changes something must come from a page of this service and send X-CSRF-Token with the value of the csrf cookie.";
    /// Nobody can register.
    RegistrationClosed = "registration_closed", FORBIDDEN, "Nobody can register here by themselves: ask an administrator for an invitation.";
    /// The right password, but the address is not confirmed.
    EmailUnconfirmed = "email_unconfirmed", FORBIDDEN, "The e-mail address is not confirmed yet: follow the link in the mail, or have it sent again by POST /auth/confirm/resend.";
    /// There is nothing at this path.
    NotFound = "not_found", NOT_FOUND, "There is nothing at this path; the public listener's GET /openapi.json lists what there is.";
    /// Nothing was ever counted under this name.
    CounterNotFound = "counter_not_found", NOT_FOUND, "Nothing was ever counted under this name; POST counts the first visit.";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This path does not know this method; the Allow header lists those it knows.";
    /// The request did not arrive, or was not served, in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The request took too long to arrive or to serve. If it was a visit, it may have been counted; to repeat it with the same Idempotency-Key is safe.";
    /// Another user of the company has the address.
    EmailTaken = "email_taken", CONFLICT, "Somebody in the company has this e-mail address already.";
    /// Another user of the company has the name.
    UsernameTaken = "username_taken", CONFLICT, "Somebody in the company has this user name, or one that looks like it.";
    /// Another company has the name.
    CompanyTaken = "company_taken", CONFLICT, "Another company has this name, or one that looks like it.";
    /// The company would have nobody to administer it.
    LastAdmin = "last_admin", CONFLICT, "This is the company's last active admin: make somebody else one first.";
    /// The account is that of the settings.
    ManagedBySettings = "managed_by_settings", CONFLICT, "This account is set by FOOTFALL_ADMIN_USERNAME and FOOTFALL_ADMIN_PASSWORD: change it there.";
    /// The user has as many API tokens as one may have.
    TokensFull = "tokens_full", CONFLICT, "You have 50 API tokens, and nobody may have more: end one that is not used any more.";
    /// The company has as many write keys as one may have.
    WriteKeysFull = "write_keys_full", CONFLICT, "The company has 100 write keys, and none may have more: end one that is not used any more.";
    /// Another audience has the name.
    AudienceNameTaken = "audience_name_taken", CONFLICT, "Another audience of the company has this name, or one that looks like it.";
    /// Another audience has the filter.
    AudienceFilterExists = "audience_filter_exists", CONFLICT, "Another audience of the company has this filter, or one that means the same: use that one.";
    /// Others refer to the audience.
    AudienceInUse = "audience_in_use", CONFLICT, "Other audiences or presets refer to this audience: change or delete those first.";
    /// The company has as many audiences as one may have.
    AudiencesFull = "audiences_full", CONFLICT, "The company has 1,000 audiences, and none may have more: delete one that is not used any more.";
    /// Another preset has the name.
    PresetNameTaken = "preset_name_taken", CONFLICT, "Another preset of the company has this name, or one that looks like it.";
    /// Another preset has the filter.
    PresetFilterExists = "preset_filter_exists", CONFLICT, "Another preset of the company has this filter, or one that means the same: use that one.";
    /// The company has as many presets as one may have.
    PresetsFull = "presets_full", CONFLICT, "The company has 1,000 presets, and none may have more: delete one that is not used any more.";
    /// The visit carries something, and its counter records nothing.
    RecordingOff = "recording_off", CONFLICT, "This counter does not record what visits carry, so this one was not counted. Send it without a body, or have an admin turn recording on by PUT /api/counters/{name}/recording.";
    /// The link was used, has expired, or never was one.
    LinkInvalid = "link_invalid", GONE, "The link is not valid: it was used already, or has expired, or was not copied whole. Have another sent.";
    /// The body is too large.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The body is larger than this path takes.";
    /// The URI is too long.
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The request target is longer than 8 KiB.";
    /// The body is not declared to be JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be sent as `Content-Type: application/json`.";
    /// The body is compressed.
    UnsupportedContentEncoding = "unsupported_content_encoding", UNSUPPORTED_MEDIA_TYPE, "The body must be sent as it is, without a Content-Encoding such as gzip.";
    /// The body is JSON, but not the right one.
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY, "The JSON does not have the fields, or the types, that GET /openapi.json describes.";
    /// What the visit carries is not what it may.
    InvalidVisit = "invalid_visit", UNPROCESSABLE_ENTITY, "What the visit carries is not what GET /openapi.json describes. It was not counted.";
    /// The filter is not one.
    InvalidFilter = "invalid_filter", UNPROCESSABLE_ENTITY, "The filter is not what GET /openapi.json describes; `errors` says where, and what was expected.";
    /// A counter whose visitors are told apart for a day is asked over more.
    VisitorsOfADay = "visitors_of_a_day", UNPROCESSABLE_ENTITY, "The visitors of this counter are told apart for a day only: ask for 24 hours at most.";
    /// More counters than an `as_of` has room for.
    TooManyCounters = "too_many_counters", UNPROCESSABLE_ENTITY, "The filter looks at more counters than can be held together in an `as_of`: name those that matter.";
    /// The answer that is to be given again is too old.
    AsOfTooOld = "as_of_too_old", UNPROCESSABLE_ENTITY, "This `as_of` is too old: a filter that it names is kept no longer. Leave it out for the newest answer.";
    /// The history would have too many buckets.
    UnitTooSmall = "unit_too_small", UNPROCESSABLE_ENTITY, "There would be more than 2,000 buckets, or minutes of more than 90 days ago: ask for the next larger unit, or for less by `from` and `to`.";
    /// The password is too easy to guess.
    WeakPassword = "weak_password", UNPROCESSABLE_ENTITY, "The password is too easy to guess.";
    /// The text is no e-mail address.
    InvalidEmail = "invalid_email", UNPROCESSABLE_ENTITY, "This is no e-mail address that a mail can be sent to.";
    /// Too many requests of one kind.
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests of this kind from this address, or with this session or token; wait as long as Retry-After says.";
    /// Too many failed logins.
    TooManyLogins = "too_many_logins", TOO_MANY_REQUESTS, "Too many failed logins from this address or for this user; wait as long as Retry-After says.";
    /// The header fields are too large.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The header fields are larger than 16 KiB together.";
    /// A bug of ours.
    Internal = "internal_error", INTERNAL_SERVER_ERROR, "Something went wrong inside; the log has the details under this request id.";
    /// Too many requests are waiting for the store.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too many requests are waiting for the store. Nothing was counted; try again.";
    /// The database took too long over a question.
    QueryTooSlow = "query_too_slow", SERVICE_UNAVAILABLE, "The database took too long. Ask for a shorter time (`within`), or for fewer conditions on properties, which have to be looked for visit by visit.";
    /// Too many logins are waiting.
    LoginBusy = "login_busy", SERVICE_UNAVAILABLE, "Too many logins are waiting; try again.";
    /// The store is away, and the visit was not counted.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The store cannot be reached, or refuses. Nothing was counted; try again.";
    /// The store did not answer, and the visit may have been counted.
    OutcomeUnknown = "outcome_unknown", SERVICE_UNAVAILABLE, "The store did not answer in time, or failed. The visit may have been counted; to repeat it with the same Idempotency-Key is safe.";
    /// As many identities are remembered as may be.
    IdentitiesFull = "identities_full", SERVICE_UNAVAILABLE, "There is no room to remember another Idempotency-Key or request id. This visit was not counted; there is room again after the seconds that Retry-After says.";
    /// As much waits to be recorded as may.
    RecordingBehind = "recording_behind", SERVICE_UNAVAILABLE, "So many visits wait to be recorded that none which carries anything is taken. It was not counted; visits without a body are.";
    /// The process has not taken its addresses yet.
    Starting = "starting", SERVICE_UNAVAILABLE, "This replica is starting: its public addresses do not lead to it yet.";
    /// The process is shutting down.
    Draining = "draining", SERVICE_UNAVAILABLE, "This replica is shutting down.";
    /// A thread of the process is stuck.
    ReplicaStuck = "replica_stuck", SERVICE_UNAVAILABLE, "A thread of this replica has not moved for two seconds, so some of its answers may never come. Restart it.";
    /// There is no database.
    NoDatabase = "no_database", NOT_IMPLEMENTED, "This Footfall has no database, so there are no accounts but that of the settings; DATABASE_URL names one.";
    /// The database is away.
    DatabaseUnavailable = "database_unavailable", SERVICE_UNAVAILABLE, "The database cannot be reached, or did not answer in time. What was asked may or may not have been done; visits are counted all the same.";
    /// The counter is new, and there are as many as there may be.
    CountersFull = "counters_full", INSUFFICIENT_STORAGE, "There is no counter of this name, and no room for another one. Nothing was counted, and trying again would not help; FOOTFALL_COUNTER_LIMIT bounds them.";
}
