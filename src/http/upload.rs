//! `POST /images`: a picture as `multipart/form-data`, or as the body itself.

use futures_util::TryStreamExt;
use multer::{Constraints, Field, Multipart, SizeLimit};
use serde_json::{Value, json};
use warp::{
    Filter,
    filters::BoxedFilter,
    http::{StatusCode, header},
    reply::Response,
};

use super::{
    body::{self, Body, declared_length, reply, with_header},
    context::{Context, Request},
    fields::{Fields, escape},
    idempotency::Attempt,
    images::{ImageView, check_tags},
    limit::{Limit, RateLimited, Tally},
    problem::answered,
};
use crate::{
    adapters::{db::variants::VariantsOf, storage::Spooled},
    domain::{
        error::{Code, Error, Fault, Result},
        ids::{ImageId, UserId},
        transform::{Profile, Spec},
    },
    flows::{
        overlays,
        upload::{Description, Receiving, store, too_large},
    },
};

/// What a multipart body may have beside its file: boundaries, part headers and fields.
const OVERHEAD: u64 = 256 * 1024;
/// Bytes of a field that is no file.
const MAX_FIELD: u64 = 64 * 1024;
/// Bytes of a filename.
const MAX_FILENAME: usize = 255;
/// Parts of a form. Each fault and each label is kept until all is read.
const MAX_PARTS: usize = 100;
/// Specs that an upload may have run.
const MAX_EAGER: usize = 20;

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "images")
        .and(warp::post())
        .and(context.request())
        .and(body::stream())
        .then(|request, body| answered(upload(request, body)))
        .boxed()
}

/// A picture to upload.
#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
pub(super) struct UploadForm {
    /// The picture.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// Labels: repeated, or separated by commas.
    tags: Option<Vec<String>>,
    /// A JSON array of specs to run as jobs.
    eager: Option<String>,
}

/// The picture itself.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code)]
pub(super) struct RawPicture(Vec<u8>);

/// Uploads a picture.
///
/// What it is, is decided by its bytes. Only its headers are read; its pixels are not.
#[utoipa::path(post, path = "/api/v1/images", operation_id = "upload_image", tag = "images",
    params(
        ("filename" = Option<String>, Query, description = "with a raw body: its name"),
        ("tags" = Option<String>, Query, description = "with a raw body: labels, separated by commas"),
        ("eager" = Option<String>, Query, description = "with a raw body: a JSON array of specs to run as jobs"),
        ("Idempotency-Key" = Option<String>, Header, description = "a retry with it gets the first answer"),
    ),
    request_body(content(
        (UploadForm = "multipart/form-data"),
        (RawPicture = "image/*"),
    )),
    responses(
        (status = 201, body = ImageView, headers(("Location" = String))),
        (status = 429, response = inline(RateLimited)),
    ))]
pub(super) async fn upload(request: Request, body: Body) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = take_in(request, body, &mut tally).await;
    tally.told(answer)
}

async fn take_in(request: Request, body: Body, tally: &mut Tally) -> Result<Response> {
    let receive = receive(&request, body);
    let eager = |received: &Received| received.description.eager.len();
    let (user_id, attempt, received) = accept(&request, tally, receive, eager).await?;
    let Received { spooled, description, overlays, fields } = received;
    let asked = json!({ "sha256": spooled.sha256, "fields": fields });
    let work = async move {
        overlays::check(request.services(), user_id, overlays).await?;
        created(&request, user_id, spooled, description).await
    };
    attempt.settle(&asked, work).await
}

/// Counts an upload, reserves its `Idempotency-Key`, receives it, and counts the specs that come with it: as many as `eager` says.
/// Whatever is refused gives the key back.
pub(super) async fn accept<T>(
    request: &Request,
    tally: &mut Tally,
    receive: impl Future<Output = Result<T>>,
    eager: impl Fn(&T) -> usize,
) -> Result<(UserId, Attempt, T)> {
    let user_id = request.caller().await?.user_id;
    // Before the key is reserved and anything is read: what is refused has cost nothing.
    tally.take_of_account(request, Limit::Uploads, user_id, 1).await?;
    let attempt = Attempt::begin(request, user_id).await?;
    let counted = async {
        let received = receive.await?;
        let specs = eager(&received);
        if specs > 0 {
            tally.take_of_account(request, Limit::Transforms, user_id, specs).await?;
        }
        Ok(received)
    };
    match counted.await {
        Ok(received) => Ok((user_id, attempt, received)),
        Err(error) => Err(attempt.abandon(error).await),
    }
}

/// Stores a file that has arrived; the answer that shows it.
pub(super) async fn created(
    request: &Request,
    user_id: UserId,
    spooled: Spooled,
    description: Description,
) -> Result<Response> {
    let services = request.services();
    let image = store(services, user_id, spooled, description).await?;
    let location = request.url(&format!("/api/v1/images/{}", image.id));
    let variants = services.database.ask(VariantsOf { user_id, image_id: image.id }).await?;
    let view = ImageView::new(request, image, variants);
    with_header(reply(StatusCode::CREATED, &view)?, "location", &location)
}

/// An upload that has arrived whole.
struct Received {
    spooled: Spooled,
    description: Description,
    /// The pictures that eager specs lay over this one, and where they name them.
    overlays: Vec<(String, ImageId)>,
    /// All that was said beside the file.
    fields: Value,
}

/// The upload, in the shape that its `Content-Type` names.
async fn receive(request: &Request, body: Body) -> Result<Received> {
    let content_type = request.header(header::CONTENT_TYPE).unwrap_or_default().trim();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "multipart/form-data" => multipart(request, content_type, body).await,
        "" | "application/octet-stream" => raw(request, body).await,
        other if other.starts_with("image/") => raw(request, body).await,
        _ => {
            let detail = "send multipart/form-data with a `file`, or the picture as the body with \
                          a Content-Type of image/*";
            Err(Error::new(Code::UnsupportedMediaType, detail))
        }
    }
}

/// The body is the picture; what is said of it stands in the query.
async fn raw(request: &Request, mut body: Body) -> Result<Received> {
    let mut query = Fields::of_query(&request.query)?;
    let mut said = Said {
        filename: query.verbatim("filename"),
        tags: query.optional::<String>("tags", "labels, separated by commas").into_iter().collect(),
        eager: query.optional("eager", "a JSON array of specs"),
    };
    query.finish()?;
    said.filename.get_or_insert_with(|| "image".to_owned());
    let limit = request.services().limits.upload_size;
    if declared_length(request).is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut file = Receiving::begin(request.services()).await?;
    while let Some(piece) = body.try_next().await? {
        file.write(&piece).await?;
    }
    said.received(file.finish().await?, request.services().profile)
}

/// The picture is the part `file` of a form.
async fn multipart(request: &Request, content_type: &str, body: Body) -> Result<Received> {
    let query = Fields::of_query(&request.query)?;
    query.finish()?;
    let limit = request.services().limits.upload_size;
    if declared_length(request).is_some_and(|length| length > limit.saturating_add(OVERHEAD)) {
        return Err(too_large(limit));
    }
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let sizes = SizeLimit::new().whole_stream(limit.saturating_add(OVERHEAD));
    let constraints = Constraints::new().size_limit(sizes);
    let mut form = Multipart::with_constraints(body, boundary, constraints);
    let mut said = Said::default();
    let mut file = None;
    let mut faults = Vec::new();
    let mut parts = 0;
    while let Some(mut part) = form.next_field().await.map_err(|error| refused(error, limit))? {
        parts += 1;
        if parts > MAX_PARTS {
            return Err(Error::field("", format!("the form must have at most {MAX_PARTS} parts")));
        }
        match part.name().unwrap_or_default() {
            "file" if file.is_some() => {
                // What else is wrong can't be told without reading it all.
                return Err(Error::field("/file", "must be given once"));
            }
            "file" => {
                said.filename = part.file_name().map(str::to_owned);
                let mut receiving = Receiving::begin(request.services()).await?;
                while let Some(piece) = part.chunk().await.map_err(|error| refused(error, limit))? {
                    receiving.write(&piece).await?;
                }
                file = Some(receiving.finish().await?);
            }
            "tags" => said.tags.push(text(part, limit).await?),
            "eager" if said.eager.is_none() => said.eager = Some(text(part, limit).await?),
            "eager" => faults.push(Fault::new("/eager", "must be given once")),
            other => {
                let detail = "is unknown; known are file, tags, eager";
                faults.push(Fault::new(format!("/{}", escape(other)), detail));
            }
        }
    }
    if file.is_none() {
        faults.insert(0, Fault::new("/file", "is missing; must be the picture"));
    }
    match file {
        Some(spooled) if faults.is_empty() => said.received(spooled, request.services().profile),
        _ => Err(Error::invalid(faults)),
    }
}

/// A field that is no file.
async fn text(mut part: Field<'_>, limit: u64) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.chunk().await.map_err(|error| refused(error, limit))? {
        if (bytes.len() + piece.len()) as u64 > MAX_FIELD {
            let name = part.name().unwrap_or_default().to_owned();
            return Err(Error::field(
                format!("/{name}"),
                format!("must be at most {MAX_FIELD} bytes"),
            ));
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| Error::new(Code::MalformedRequest, "a field is not UTF-8"))
}

/// What the client said beside the file, as it said it.
#[derive(Default)]
struct Said {
    filename: Option<String>,
    tags: Vec<String>,
    eager: Option<String>,
}

impl Said {
    fn received(self, spooled: Spooled, profile: Profile) -> Result<Received> {
        let filename = harmless(self.filename.as_deref().unwrap_or_default());
        let tags: Vec<String> = self
            .tags
            .iter()
            .flat_map(|tags| tags.split(','))
            .filter(|tag| !tag.trim().is_empty())
            .map(str::to_owned)
            .collect();
        let mut faults = Vec::new();
        let under = |name: &str, found: Vec<Fault>| {
            let name = name.to_owned();
            found
                .into_iter()
                .map(move |fault| Fault::new(format!("/{name}{}", fault.pointer), fault.detail))
        };
        let tags = check_tags(tags).unwrap_or_else(|found| {
            faults.extend(under("tags", found));
            Vec::new()
        });
        let (eager, overlays) =
            check_eager(self.eager.as_deref(), profile).unwrap_or_else(|found| {
                faults.extend(under("eager", found));
                Default::default()
            });
        if !faults.is_empty() {
            return Err(Error::invalid(faults));
        }
        let specs: Vec<Value> = eager.iter().map(Spec::canonical).collect();
        let fields = json!({ "filename": filename, "tags": tags, "eager": specs });
        Ok(Received {
            spooled,
            description: Description { filename, tags, eager },
            overlays,
            fields,
        })
    }
}

/// Specs, and the pictures that they lay over this one.
pub(super) type Eager = (Vec<Spec>, Vec<(String, ImageId)>);

/// Reads a JSON array of specs; one that names no profile means `profile`.
fn check_eager(text: Option<&str>, profile: Profile) -> Result<Eager, Vec<Fault>> {
    let whole = |detail: &str| vec![Fault::new("", detail)];
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(Eager::default());
    };
    let specs: Vec<Value> =
        serde_json::from_str(text).map_err(|_| whole("must be a JSON array of specs"))?;
    check_specs(&specs, profile)
}

/// Reads specs; one that names no profile means `profile`.
pub(super) fn check_specs(specs: &[Value], profile: Profile) -> Result<Eager, Vec<Fault>> {
    if specs.len() > MAX_EAGER {
        return Err(vec![Fault::new("", format!("must be at most {MAX_EAGER} specs"))]);
    }
    let mut faults = Vec::new();
    let mut parsed = Vec::with_capacity(specs.len());
    let mut overlays = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let named = Spec::overlays_named(spec).into_iter();
        overlays.extend(named.map(|(pointer, id)| (format!("/eager/{index}{pointer}"), id)));
        match Spec::parse_with(spec, profile) {
            Ok(spec) => parsed.push(spec),
            Err(found) => faults.extend(
                found
                    .into_iter()
                    .map(|fault| Fault::new(format!("/{index}{}", fault.pointer), fault.detail)),
            ),
        }
    }
    if faults.is_empty() { Ok((parsed, overlays)) } else { Err(faults) }
}

/// The client's name for the file: its last path segment, without control characters, cut to what
/// file systems take.
pub(super) fn harmless(filename: &str) -> String {
    let last = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last.chars().filter(|c| !c.is_control()).collect();
    while name.len() > MAX_FILENAME {
        name.pop();
    }
    let name = name.trim();
    if matches!(name, "" | "." | "..") { "image".to_owned() } else { name.to_owned() }
}

fn malformed(error: multer::Error) -> Error {
    Error::new(Code::MalformedRequest, "the body is not valid multipart/form-data").caused_by(error)
}

/// What a failure of the parser means.
fn refused(error: multer::Error, limit: u64) -> Error {
    match error {
        multer::Error::StreamSizeExceeded { .. } => too_large(limit),
        multer::Error::StreamReadFailed(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(inner) => {
                Error::new(Code::MalformedRequest, "the body could not be read").caused_by(inner)
            }
        },
        other => malformed(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_filename_keeps_its_last_segment() {
        for (given, expected) in [
            ("cat.png", "cat.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\photos\\cat.png", "cat.png"),
            ("a\r\nb\0.png", "ab.png"),
            ("", "image"),
            ("..", "image"),
        ] {
            assert_eq!(harmless(given), expected);
        }
    }

    proptest! {
        #[test]
        fn a_filename_is_always_harmless(given in "\\PC{0,400}|[\\x00-\\x7f]{0,400}") {
            let name = harmless(&given);
            prop_assert!((1..=MAX_FILENAME).contains(&name.len()));
            prop_assert!(!name.contains(['/', '\\']) && !name.contains(char::is_control));
        }
    }
}
