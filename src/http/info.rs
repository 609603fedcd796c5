//! `GET /images/{id}/info`: all that can be told of a picture without decoding it.

use serde::Serialize;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::reply,
    context::{Context, Request},
    fields::Fields,
    images,
    problem::answered,
};
use crate::{
    domain::{
        error::Result,
        ids::ImageId,
        image::{Exif, Image, Position},
    },
    flows::inspect,
    imaging::Details,
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "images" / String / "info")
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(info(request, id)))
        .boxed()
}

/// What a file says of its picture, and what was found out about it.
#[derive(Serialize, ToSchema)]
pub(super) struct InfoView {
    id: ImageId,
    #[schema(example = "jpeg")]
    format: &'static str,
    #[schema(example = "image/jpeg")]
    mime_type: &'static str,
    /// Bytes.
    size: i64,
    /// Pixels across, as displayed.
    width: u32,
    /// Pixels down, as displayed.
    height: u32,
    frames: u32,
    has_alpha: bool,
    /// How it is stored, as EXIF counts: 1 is upright.
    #[schema(minimum = 1, maximum = 8)]
    orientation: u8,
    /// Bits of a channel.
    #[schema(example = 8)]
    bit_depth: u8,
    /// `rgb`, `gray` or `cmyk`; null where the headers don't tell.
    #[schema(example = "rgb")]
    color_space: Option<&'static str>,
    /// The colour profile; null where there is none.
    icc: Option<IccView>,
    /// What EXIF says of the photograph, but for where it was taken; null where there is nothing.
    exif: Option<Exif>,
    /// Only with `gps=true`: where the photograph was taken, read from the file now; null where that is not written in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Position>, required = false)]
    gps: Option<Option<Position>>,
    /// Bytes of what is embedded beside the pixels.
    metadata: MetadataView,
    /// Up to six colours, the most frequent first. Null until a background job has filled it, like the next four.
    palette: Option<Vec<String>>,
    /// The first of them.
    dominant_color: Option<String>,
    /// A ThumbHash, base64.
    thumbhash: Option<String>,
    /// A BlurHash, of four frequencies along the longer side and three along the other.
    #[schema(example = "LEHV6nWB2yk8pyo0adR*.7kCMdnj")]
    blurhash: Option<String>,
    /// How the picture looks in 64 bits, hexadecimal (pHash).
    phash: Option<String>,
}

/// A colour profile.
#[derive(Serialize, ToSchema)]
struct IccView {
    /// What it calls itself; null where it does not.
    #[schema(example = "Display P3")]
    description: Option<String>,
}

/// Bytes of each kind of metadata; null where there is none.
#[derive(Serialize, ToSchema)]
struct MetadataView {
    icc: Option<usize>,
    exif: Option<usize>,
    iptc: Option<usize>,
    xmp: Option<usize>,
}

impl InfoView {
    fn new(image: Image, details: Details, placed: bool) -> Self {
        let Details { probe, color_space, profile, exif, position, embedded } = details;
        Self {
            id: image.id,
            format: image.format.as_str(),
            mime_type: image.format.mime_type(),
            size: image.size,
            width: image.width,
            height: image.height,
            frames: image.frames,
            has_alpha: image.has_alpha,
            orientation: probe.orientation,
            bit_depth: probe.depth,
            color_space,
            icc: embedded.icc.map(|_| IccView { description: profile }),
            exif,
            gps: placed.then_some(position),
            metadata: MetadataView {
                icc: embedded.icc,
                exif: embedded.exif,
                iptc: embedded.iptc,
                xmp: embedded.xmp,
            },
            palette: image.facts.palette,
            dominant_color: image.facts.dominant_color,
            thumbhash: image.facts.thumbhash,
            blurhash: image.facts.blurhash,
            phash: image.facts.phash,
        }
    }
}

/// What a picture's file says, and what was found out about it.
#[utoipa::path(get, path = "/api/v1/images/{id}/info", operation_id = "get_image_info", tag = "images",
    params(
        ("id" = ImageId, Path),
        ("gps" = Option<bool>, Query, description = "say where it was taken, too"),
    ),
    responses((status = 200, body = InfoView)))]
pub(super) async fn info(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let mut query = Fields::of_query(&request.query)?;
    let placed = query.parsed("gps", "true or false", |_: &bool| true).unwrap_or(false);
    query.finish()?;
    let image = images::find(&request, user_id, &id).await?;
    let details = inspect::details(request.services(), &image, placed).await?;
    reply(StatusCode::OK, &InfoView::new(image, details, placed))
}
