//! Certificates: those that this box signed, byte for byte, as page and as PDF; and the check of any.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Response};
use certificate::{Fingerprint, Revocations, Signed, Trust, revoke, signed};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use wire::boxes::{CertificateEntry, CheckRequest};
use wire::certificate::{CertificateCheck, Revocation};
use wire::job::Job;

use super::jobs;
use crate::app::App;
use crate::http::Refusal;
use crate::http::doc::{Body, LoggedIn, Stored};
use crate::http::door::body::{self, Text, not_json};
use crate::http::people::person::Person;
use crate::http::task::blocking;
use crate::hub::Hub;

/// The certificates that this box signed, with those that it revoked, the newest first.
#[utoipa::path(get, path = "/certificates", tag = "certificates",
    responses((status = 200, body = Vec<CertificateEntry>), LoggedIn, Stored))]
pub(super) async fn list(State(app): State<Arc<App>>, _: Person) -> Result<Json<Vec<CertificateEntry>>, Refusal> {
    Ok(Json(app.certificates()?))
}

/// A job's certificate: the one that the job has now, of no earlier end of it.
fn text_of(app: &App, job: &Job) -> Result<String, Refusal> {
    let kept = app.certificate(job.id)?;
    kept.filter(|text| signed::is_of(text, job)).ok_or_else(|| {
        Refusal::new("certificate-unknown", 404, "This job has no certificate").with(match job.state.is_over() {
            true => "it ended without a verdict, or its certificate has not come yet",
            false => "it is signed when the job has ended",
        })
    })
}

/// The same for a page that is handed on: of a certificate that was revoked there is none, since the page cannot say so.
fn drawable(app: &App, id: &str) -> Result<String, Refusal> {
    let mut job = jobs::find(app, id)?;
    // What was revoked by an earlier version stands in the list alone.
    for entry in app.certificates()? {
        revoke::stay(job.certificate.as_mut(), Some(&entry.info));
    }
    let revoked = job.certificate.as_ref().and_then(|info| info.revoked.as_ref());
    if let Some(Revocation { at, why, .. }) = revoked {
        return Err(
            Refusal::new("certificate-revoked", 409, "This certificate was revoked").with(format!(
                "on {}: {why}. What was signed is kept as /jobs/{id}/certificate, and no page is made of it",
                certificate::report::day(*at),
                why = why.trim_end_matches('.'),
            )),
        );
    }
    text_of(app, &job)
}

fn file(kind: &'static str, name: &str, disposition: &str, bytes: Vec<u8>) -> Response {
    // A certificate's id has letters, digits and hyphens; anything else must not reach a header.
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '.' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let disposition = HeaderValue::from_str(&format!("{disposition}; filename=\"{name}\""));
    let mut response = ([(CONTENT_TYPE, HeaderValue::from_static(kind))], bytes).into_response();
    if let Ok(disposition) = disposition {
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

fn parse(text: &str) -> Result<Signed, Refusal> {
    Signed::parse(text).map_err(|bad| {
        Refusal::new("certificate-bad", 500, "The certificate that is kept here is damaged").with(bad.to_string())
    })
}

/// Makes something of a certificate on a thread of its own: drawing a page takes longer than a request may hold one.
async fn make<T: Send + 'static>(
    text: String,
    work: impl FnOnce(&Signed) -> T + Send + 'static,
) -> Result<(String, T), Refusal> {
    blocking(move || {
        let signed = parse(&text)?;
        Ok((signed.certificate().id.clone(), work(&signed)))
    })
    .await?
}

/// A job's certificate as canonical JSON with its signature, byte for byte as it was signed.
#[utoipa::path(get, path = "/jobs/{id}/certificate", operation_id = "certificate", tag = "certificates", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = String, content_type = "application/json"), LoggedIn, Stored,
        (status = 404, description = "`job-unknown`, or `certificate-unknown`: the job has none")))]
pub(super) async fn json(State(app): State<Arc<App>>, _: Person, Path(id): Path<String>) -> Result<Response, Refusal> {
    let text = text_of(&app, &jobs::find(&app, &id)?)?;
    let name = Signed::parse(&text).map_or(id, |signed| signed.certificate().id.clone());
    Ok(file(
        "application/json",
        &format!("{name}.json"),
        "inline",
        text.into_bytes(),
    ))
}

/// A job's certificate as a page for print.
#[utoipa::path(get, path = "/jobs/{id}/certificate.html", operation_id = "certificate_page", tag = "certificates", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = String, content_type = "text/html"), LoggedIn, Stored,
        (status = 404, description = "`job-unknown`, or `certificate-unknown`: the job has none"),
        (status = 409, description = "`certificate-revoked`: it was, and a page could not say so"),
        (status = 500, description = "`certificate-bad`: what is kept here is damaged")))]
pub(super) async fn html(State(app): State<Arc<App>>, _: Person, Path(id): Path<String>) -> Result<Response, Refusal> {
    let (name, page) = make(drawable(&app, &id)?, certificate::page::html).await?;
    let mut response = file(
        "text/html; charset=utf-8",
        &format!("{name}.html"),
        "inline",
        page.into_bytes(),
    );
    if let Ok(policy) = HeaderValue::from_str(&certificate::page::csp()) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// A job's certificate as PDF, to hand over with the drive.
#[utoipa::path(get, path = "/jobs/{id}/certificate.pdf", operation_id = "certificate_pdf", tag = "certificates", params(("id" = String, Path, description = "Job")),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"), LoggedIn, Stored,
        (status = 404, description = "`job-unknown`, or `certificate-unknown`: the job has none"),
        (status = 409, description = "`certificate-revoked`: it was, and a page could not say so"),
        (status = 500, description = "`certificate-bad`: what is kept here is damaged")))]
pub(super) async fn pdf(State(app): State<Arc<App>>, _: Person, Path(id): Path<String>) -> Result<Response, Refusal> {
    let (name, bytes) = make(drawable(&app, &id)?, certificate::pdf::pdf).await?;
    Ok(file("application/pdf", &format!("{name}.pdf"), "attachment", bytes))
}

/// What is to be checked. By the content type alone: a certificate's file comes from whoever sells the drive, and one that is made like a
/// [`CheckRequest`] would say itself whom to trust.
pub(super) struct Checked(CheckRequest);

impl<S: Send + Sync> FromRequest<S> for Checked {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if not_json(&request).is_none() {
            return Ok(Self(body::Json::<CheckRequest>::from_request(request, state).await?.0));
        }
        let Text(text) = Text::from_request(request, state).await?;
        Ok(Self(CheckRequest {
            text,
            trust: String::new(),
        }))
    }
}

/// Checks a certificate of any box: its signature, whether its key is known here, until when it holds, whether it was
/// revoked as far as this box can know. The body is a [`CheckRequest`], or with another content type than JSON the certificate itself:
/// the signed file, its page, or its PDF as a URL `data:application/pdf;base64,…`.
#[utoipa::path(post, path = "/certificates/check", operation_id = "certificate_check", tag = "certificates",
    request_body(content((CheckRequest = "application/json"), (String = "text/plain"))),
    responses((status = 200, body = CertificateCheck), LoggedIn, Body, Stored,
        (status = 422, description = "`bad-trust`: a line of `trust` says nothing")))]
pub(super) async fn check(
    State(app): State<Arc<App>>,
    _: Person,
    Checked(request): Checked,
) -> Result<Json<CertificateCheck>, Refusal> {
    let mut trust = Trust::parse(&request.trust).map_err(|bad| {
        Refusal::new("bad-trust", 422, "The list of trusted keys cannot be read").with(format!("trust: {bad}"))
    })?;
    // A box may have had several keys: another one after its store was lost, an older one from a backup.
    let remembered = revoke::remembered(app.certificates()?);
    let name = format!("{}, this box", app.hub(|hub| Hub::name(hub).to_owned()));
    let own: BTreeSet<Fingerprint> = remembered.values().map(|(key, _)| *key).collect();
    for key in own {
        trust.add(key, &name);
    }
    let now = app.clock.now().wall;
    let check = move || certificate::check(&request.text, &trust, now, Revocations::Of(&remembered));
    Ok(Json(blocking(check).await?))
}
