//! Connections that never get as far as a request: no TLS, no HTTP, half a head, one too many. The server ends them without a word to
//! us; here they are counted, and each kind is said once. Who says nothing at all is nobody.

use crate::gateway::doorkeeper::Doorkeeper;
use axum_server::accept::Accept;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

/// Around the acceptor that lets connections in, TLS included.
#[derive(Clone)]
pub struct Watched<A> {
    inner: A,
    doorkeeper: Doorkeeper,
}

impl<A> Watched<A> {
    /// Watches whom `inner` lets in.
    pub const fn new(inner: A, doorkeeper: Doorkeeper) -> Self {
        Self { inner, doorkeeper }
    }
}

type Accepted<T, S> = Pin<Box<dyn Future<Output = io::Result<(T, S)>> + Send>>;

impl<A, S> Accept<TcpStream, S> for Watched<A>
where
    A: Accept<TcpStream, Asked<S>>,
    A::Future: Send + 'static,
    A::Stream: 'static,
    A::Service: 'static,
{
    type Stream = Heard<A::Stream>;
    type Service = A::Service;
    type Future = Accepted<Self::Stream, Self::Service>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // One connection is served by one task at a time: the flag orders nothing else.
        let asked = Arc::new(AtomicBool::new(false));
        let service = Asked {
            inner: service,
            asked: Arc::clone(&asked),
        };
        let accepting = self.inner.accept(stream, service);
        let doorkeeper = self.doorkeeper.clone();
        Box::pin(async move {
            let (stream, service) = accepting
                .await
                .inspect_err(|error| tell(&doorkeeper, error))?;
            let heard = Heard {
                stream,
                asked,
                heard: false,
                answered: false,
                doorkeeper,
            };
            Ok((heard, service))
        })
    }
}

/// Who goes by himself is not refused.
fn tell(doorkeeper: &Doorkeeper, error: &io::Error) {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => return,
        kind => kind,
    };
    let what = format!("page: a connection was refused: {error}");
    doorkeeper.refuse(&kind.to_string(), &what);
}

/// Notes that a request came.
#[derive(Clone)]
pub struct Asked<S> {
    inner: S,
    asked: Arc<AtomicBool>,
}

impl<R, S: Service<R>> Service<R> for Asked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.asked.store(true, Ordering::Relaxed);
        self.inner.call(request)
    }
}

/// A connection, and whether anything was heard on it.
pub struct Heard<T> {
    stream: T,
    asked: Arc<AtomicBool>,
    heard: bool,
    /// The server has answered.
    answered: bool,
    doorkeeper: Doorkeeper,
}

impl<T> Drop for Heard<T> {
    fn drop(&mut self) {
        if !self.heard || self.asked.load(Ordering::Relaxed) {
            return;
        }
        // What cannot be read is answered at once, what is not whole is not.
        if self.answered {
            (self.doorkeeper).refuse("no HTTP", "page: somebody speaks no HTTP and was refused");
        } else {
            let what = "page: a connection ended with half a request";
            self.doorkeeper.refuse("half", what);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.heard |= buffer.filled().len() > before;
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answered = true;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.answered = true;
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
