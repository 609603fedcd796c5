//! A request's body that is read to its end even if the handler doesn't want it.
//!
//! Clients that write their whole body before they read would see a reset instead of the answer to
//! it, if the connection were closed under them.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// The most that is read for nothing.
const MOST: u64 = 32 * 1024 * 1024;
/// The longest time spent on it.
const LONGEST: Duration = Duration::from_secs(5);

/// A body; what is left of it when it is dropped is read and discarded.
pub struct Unread {
    body: Option<Incoming>,
    begun: bool,
    /// The client waits for a sign before it sends: not giving one is better than discarding.
    waits: bool,
}

impl Unread {
    /// Wraps a body; `waits` if the client sent `Expect: 100-continue`.
    pub const fn new(body: Incoming, waits: bool) -> Self {
        Self { body: Some(body), begun: false, waits }
    }
}

impl Body for Unread {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.begun = true;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        if body.is_end_stream() || (self.waits && !self.begun) {
            return;
        }
        // Outside a runtime the process is ending.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LONGEST, discard(body)));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > MOST {
            return;
        }
    }
}
