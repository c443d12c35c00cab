//! Connections that never get as far as a request: no TLS, no HTTP, half a head, one too many. The server ends them without a word to
//! us; here they are counted, and each kind is said once. Who says nothing at all is nobody, TLS or not.

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
    A: Accept<Noted<TcpStream>, Asked<S>>,
    A::Future: Send + 'static,
    A::Stream: 'static,
    A::Service: 'static,
{
    type Stream = Noted<A::Stream>;
    type Service = A::Service;
    type Future = Accepted<Self::Stream, Self::Service>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // One connection is served by one task at a time: the flag orders nothing else.
        let asked = Arc::new(AtomicBool::new(false));
        let service = Asked {
            inner: service,
            asked: Arc::clone(&asked),
        };
        let stream = Noted::new(stream);
        let signs = Arc::clone(&stream.signs);
        let accepting = self.inner.accept(stream, service);
        let doorkeeper = self.doorkeeper.clone();
        Box::pin(async move {
            let (stream, service) = accepting
                .await
                .inspect_err(|error| tell(&doorkeeper, error, &signs))?;
            // With TLS what is heard from here on is another thing than what came over the wire.
            let mut noted = Noted::new(stream);
            noted.end = Some(End {
                asked,
                signs: Arc::clone(&noted.signs),
                doorkeeper,
            });
            Ok((noted, service))
        })
    }
}

/// Who goes by himself is not refused, and who is silent until his time is over is nobody.
fn tell(doorkeeper: &Doorkeeper, error: &io::Error, signs: &Signs) {
    let kind = match error.kind() {
        io::ErrorKind::TimedOut if !signs.heard.load(Ordering::Relaxed) => return,
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

/// What became of a connection. One task at a time serves it: the flags order nothing else.
#[derive(Debug, Default)]
struct Signs {
    /// Something was heard on it.
    heard: AtomicBool,
    /// The server has answered.
    answered: AtomicBool,
}

/// A connection that is noted.
pub struct Noted<T> {
    stream: T,
    signs: Arc<Signs>,
    end: Option<End>,
}

impl<T> Noted<T> {
    fn new(stream: T) -> Self {
        Self {
            stream,
            signs: Arc::default(),
            end: None,
        }
    }

    /// The connection itself.
    pub const fn get_ref(&self) -> &T {
        &self.stream
    }
}

/// Counts at the end of a connection who never asked for anything.
struct End {
    asked: Arc<AtomicBool>,
    signs: Arc<Signs>,
    doorkeeper: Doorkeeper,
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.signs.heard.load(Ordering::Relaxed) || self.asked.load(Ordering::Relaxed) {
            return;
        }
        // What cannot be read is answered at once, what is not whole is not.
        if self.signs.answered.load(Ordering::Relaxed) {
            (self.doorkeeper).refuse("no HTTP", "page: somebody speaks no HTTP and was refused");
        } else {
            let what = "page: a connection ended with half a request";
            self.doorkeeper.refuse("half", what);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Noted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.signs.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Noted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.signs.answered.store(true, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.signs.answered.store(true, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::sinks::Sinks;
    use crate::output::Output;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    /// Loses its patience once it has heard so many bytes.
    struct Impatient(usize);

    impl Accept<Noted<TcpStream>, Asked<()>> for Impatient {
        type Stream = Noted<TcpStream>;
        type Service = Asked<()>;
        type Future = Accepted<Noted<TcpStream>, Asked<()>>;

        fn accept(&self, mut stream: Noted<TcpStream>, _: Asked<()>) -> Self::Future {
            let mut bytes = vec![0; self.0];
            Box::pin(async move {
                stream.read_exact(&mut bytes).await?;
                Err(io::ErrorKind::TimedOut.into())
            })
        }
    }

    /// How many are counted of one who says three bytes to somebody who hears the first `bytes` of them.
    async fn counted(bytes: usize) -> u64 {
        let sink = Sinks::default().register("web");
        let doorkeeper = Doorkeeper::telling(
            Output::new(true, false, Box::new(std::io::sink())),
            Arc::clone(&sink),
        );
        let watched = Watched::new(Impatient(bytes), doorkeeper);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, taken) = tokio::join!(client, listener.accept());
        client.unwrap().try_write(b"abc").unwrap();
        let refused = watched.accept(taken.unwrap().0, ()).await;
        assert_eq!(refused.err().unwrap().kind(), io::ErrorKind::TimedOut);
        sink.failed.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn whose_time_is_over_is_counted_where_anything_was_heard_of_him() {
        assert_eq!(counted(3).await, 1);
        assert_eq!(counted(0).await, 0);
    }
}
