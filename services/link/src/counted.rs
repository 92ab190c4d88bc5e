//! A stream whose reads count against a [`Budget`](crate::Budget), and wait while that is full.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::budget::Share;

/// A stream and its connection's share; without one (a client has one connection) nothing is counted.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    share: Option<Arc<Share>>,
}

impl<S> Counted<S> {
    pub(crate) fn new(stream: S, share: Option<Arc<Share>>) -> Self {
        Self { stream, share }
    }

    pub(crate) fn share(&self) -> Option<&Arc<Share>> {
        self.share.as_ref()
    }

    /// Counts no more, because what is read from now on is thrown away. What has been read counts until
    /// [`Share::give_back`].
    pub(crate) fn let_go(&mut self) -> Option<Lease> {
        self.share.take().map(Lease)
    }
}

/// Gives back what a connection holds when its buffers go.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Share>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        drop(self.let_go());
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self
            .share
            .as_ref()
            .is_some_and(|share| !share.may_read(context.waker()))
        {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if let Some(share) = &self.share {
            share.read(buffer.filled().len() - before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
