//! How the page is served: plain to this computer, with TLS and tokens to others; bounded connections, and patience for none.

use super::WebConfig;
use super::auth::Door;
use super::certificate::Certificate;
use super::guard::Guard;
use super::unheard::{Noted, Watched};
use crate::error::HostError;
use crate::gateway::doorkeeper::Doorkeeper;
use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use hyper_util::rt::TokioTimer;
use std::future::{Ready, ready};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::net::TcpStream;

/// Connections at a time; of more, the newest are closed.
const MAX_CONNECTIONS: usize = 256;
/// How long a request's head may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// How long somebody may leave what was sent to him unread (ms): the kernel ends the connection then, so that who has gone without a
/// word, or never reads, gives his place back.
const UNREAD_MS: u32 = 20_000;
/// What the kernel keeps for somebody who does not read (bytes; it takes twice as much). Left to itself it keeps up to 4 MB for each, old
/// states that nobody wants any more, and its sender would not notice for a minute.
const SEND_BUFFER: usize = 64 * 1024;
/// How long open answers may take at the end.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// What stands at the address before anybody is served.
pub struct Post {
    listener: TcpListener,
    address: SocketAddr,
    certificate: Option<Certificate>,
    /// Who may come in.
    pub guard: Guard,
}

impl Post {
    /// Takes the address of `config`, reads its certificate and its tokens.
    ///
    /// # Errors
    /// [`HostError::Usage`] when the address is taken, or not on this computer alone without TLS and tokens.
    pub async fn take(config: &WebConfig) -> Result<Self, HostError> {
        let asked = config.listen;
        let local = asked.ip().is_loopback();
        let door = match &config.tokens {
            Some(path) => Door::from_file(path)?,
            None => Door::open(),
        };
        let certificate = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(Certificate::read(certificate, key).await?),
            (None, None) => None,
            _ => {
                return Err(HostError::usage(
                    "`tls_certificate` and `tls_key` belong together, and one of them is missing",
                    "name both in [web]",
                ));
            }
        };
        if !local && (certificate.is_none() || !door.is_guarded()) {
            return Err(HostError::usage(
                format!("{asked} can be reached from other computers; that needs TLS and tokens"),
                "give [web] `tls_certificate`, `tls_key` and `tokens` (docs/gateway.md), or listen on 127.0.0.1",
            ));
        }
        let bound = match TcpListener::bind(asked) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && config.may_move() => {
                TcpListener::bind((asked.ip(), 0))
            }
            bound => bound,
        };
        let listener = bound.map_err(|error| cannot(asked, &error))?;
        let address = listener
            .local_addr()
            .map_err(|error| cannot(asked, &error))?;
        let hosts = local.then(|| {
            let usual = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
            usual
                .into_iter()
                .chain(config.hosts.iter().cloned())
                .collect()
        });
        let hosts = hosts.or_else(|| (!config.hosts.is_empty()).then(|| config.hosts.clone()));
        let guard = Guard::new(door, hosts, certificate.is_some(), address.port());
        Ok(Self {
            listener,
            address,
            certificate,
            guard,
        })
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}/", self.address)
    }

    /// Serves `router` until `stopped`; `doorkeeper` counts who never gets as far, and `say` is told what becomes of the certificate.
    ///
    /// # Errors
    /// [`HostError::Machine`] when the listener fails.
    pub async fn serve(
        self,
        router: Router,
        doorkeeper: Doorkeeper,
        say: impl Fn(&str) + Send + 'static,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), HostError> {
        let address = self.address;
        let handle = Handle::new();
        let end = handle.clone();
        tokio::spawn(async move {
            stopped.await;
            end.graceful_shutdown(Some(END_PATIENCE));
        });
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let door = Bounded(handle.clone());
        let at_the_door = doorkeeper.clone();
        // Others than the listener's own are counted where a connection is accepted.
        let unaccepted = move |from: Option<&SocketAddr>, error: &io::Error| {
            if from.is_none() {
                let what = format!("page: no connection can be taken: {error}");
                at_the_door.refuse("listener", &what);
            }
        };
        let served = match self.certificate {
            None => {
                let server = axum_server::from_tcp(self.listener)
                    .map_err(|error| cannot(address, &error))?;
                let mut server = server
                    .acceptor(Watched::new(door, doorkeeper))
                    .handle(handle)
                    .accept_error_handler(unaccepted)
                    .http1_only()
                    .first_request_timeout(HEAD_PATIENCE);
                patience(server.http_builder());
                server.serve(service).await
            }
            Some(certificate) => {
                let tls = certificate.tls();
                tokio::spawn(certificate.follow(say));
                let server = axum_server::from_tcp_rustls(self.listener, tls)
                    .map_err(|error| cannot(address, &error))?;
                let mut server = server
                    .map(|tls| tls.handshake_timeout(HEAD_PATIENCE).acceptor(door))
                    .map(|tls| Watched::new(tls, doorkeeper))
                    .handle(handle)
                    .accept_error_handler(unaccepted)
                    .http1_only()
                    .first_request_timeout(HEAD_PATIENCE);
                patience(server.http_builder());
                server.serve(service).await
            }
        };
        served.map_err(|error| {
            HostError::machine(
                format!("the page at {address} failed: {error}"),
                "start the gateway again",
            )
        })
    }
}

fn patience<E>(builder: &mut hyper_util::server::conn::auto::Builder<E>) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE);
}

fn cannot(address: SocketAddr, error: &io::Error) -> HostError {
    HostError::usage(
        format!("cannot listen on {address}: {error}"),
        "name another port with --listen",
    )
}

/// Lets no more connections in than there is room for.
#[derive(Clone)]
struct Bounded(Handle<SocketAddr>);

impl<S> Accept<Noted<TcpStream>, S> for Bounded {
    type Stream = Noted<TcpStream>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: Noted<TcpStream>, service: S) -> Self::Future {
        if self.0.connection_count() > MAX_CONNECTIONS {
            let error = format!("{MAX_CONNECTIONS} others are open");
            return ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, error)));
        }
        let socket = stream.get_ref();
        let set = socket.set_nodelay(true).and_then(|()| {
            rustix::net::sockopt::set_socket_send_buffer_size(socket, SEND_BUFFER)?;
            rustix::net::sockopt::set_tcp_user_timeout(socket, UNREAD_MS).map_err(Into::into)
        });
        ready(set.map(|()| (stream, service)))
    }
}
