//! The door in front of the library's server, which bounds how many connections there are: the library does not.
//!
//! Clients connect here. Each that has a place is joined to the server, which listens on this computer alone; for one too many
//! there is the refusal that OPC 10000-6 has for it, and the end. What is said passes through as it is; who does not begin with a
//! Hello, is refused it, or is refused a message behind it, is counted.

use super::messages::Messages;
use crate::gateway::doorkeeper::Doorkeeper;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Connections at a time: sessions, and as many that do not have one yet.
const MAX_CONNECTIONS: usize = 64;
/// BadTcpServerTooBusy (OPC 10000-6).
const TOO_BUSY: u32 = 0x807d_0000;
/// How long a refusal may take to leave.
const FAREWELL: Duration = Duration::from_secs(1);
/// Wait after a connection that could not be taken, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How a message begins (OPC 10000-6).
const HEAD: usize = 4;
/// Bytes of the server that are passed on at once.
const PIECE: usize = 16 << 10;
/// BadTimeout, BadServerHalted and BadShutdown (OPC 10000-6).
const TIMEOUT: u32 = 0x800a_0000;
const HALTED: u32 = 0x800e_0000;
const SHUTDOWN: u32 = 0x800c_0000;

/// Lets clients through to the server at `inside`, until it is dropped.
pub async fn guard(listener: TcpListener, inside: SocketAddr, doorkeeper: Doorkeeper) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let refusals = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // They end with this function.
    let mut joined = JoinSet::new();
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            Some(_) = joined.join_next() => continue,
        };
        let Ok((client, _)) = taken else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                joined.spawn(join(client, inside, doorkeeper.clone(), place));
            }
            Err(_) => {
                let what =
                    format!("OPC UA: a connection was refused: {MAX_CONNECTIONS} others are open");
                doorkeeper.refuse("busy", &what);
                // Of very many some are closed without a word.
                if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
                    joined.spawn(refuse(client, place));
                }
            }
        }
    }
}

/// Passes on what both sides say until the server is done: it ends connections that stay silent, and their place is given back.
async fn join(
    mut client: TcpStream,
    inside: SocketAddr,
    doorkeeper: Doorkeeper,
    _place: OwnedSemaphorePermit,
) {
    if let Ok(mut server) = TcpStream::connect(inside).await {
        // Neither side waits for a fuller packet.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (mut asked, mut answered) = (Vec::new(), Messages::default());
        {
            let (mut from_client, mut to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            let up = async {
                let _ = head(&mut from_client, &mut to_server, &mut asked).await;
                let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
                // The server answers the end with its own.
                let _ = to_server.shutdown().await;
                std::future::pending::<()>().await;
            };
            let down = async {
                let _ = followed(&mut from_server, &mut to_client, &mut answered).await;
            };
            tokio::select! {
                () = down => {}
                () = up => {}
            }
        }
        if let Some((kind, what)) = wrong(&asked, &answered) {
            doorkeeper.refuse(kind, what);
        }
    }
    let _ = tokio::time::timeout(FAREWELL, hear_out(&mut client)).await;
}

/// Passes the head of the first message on, byte by byte as it comes, and keeps it.
async fn head(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    kept: &mut Vec<u8>,
) -> std::io::Result<()> {
    let mut piece = [0; HEAD];
    while let Some(left) = piece.get_mut(kept.len()..).filter(|left| !left.is_empty()) {
        let count = from.read(left).await?;
        let read = left.get(..count).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        kept.extend_from_slice(read);
        to.write_all(read).await?;
    }
    Ok(())
}

/// Passes on what the server says as it comes, and follows its messages.
async fn followed(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    messages: &mut Messages,
) -> std::io::Result<()> {
    let mut piece = [0; PIECE];
    loop {
        let count = from.read(&mut piece).await?;
        let read = piece.get(..count).unwrap_or_default();
        if read.is_empty() {
            return Ok(());
        }
        messages.pass(read);
        to.write_all(read).await?;
    }
}

/// What was wrong with a connection, where the client said anything at all.
fn wrong(asked: &[u8], answered: &Messages) -> Option<(&'static str, &'static str)> {
    match (asked, answered.error()) {
        (b"", _) => None,
        (b"HELF", Some((1, _))) => Some(("hello", "OPC UA: a Hello was refused")),
        // Whose time is over has said nothing wrong.
        (b"HELF", Some((_, TIMEOUT | HALTED | SHUTDOWN))) => None,
        (b"HELF", Some(_)) => Some((
            "message",
            "OPC UA: a message behind a Hello was refused: it cannot be read, or is not allowed there",
        )),
        // One that is whole may be left by its client before it is answered.
        (b"HELF", None) => None,
        _ => Some((
            "no OPC UA",
            "OPC UA: somebody speaks no OPC UA and was refused",
        )),
    }
}

/// Closed before the client's words are heard, a connection takes the last answer with it.
async fn hear_out(client: &mut TcpStream) -> std::io::Result<()> {
    client.shutdown().await?;
    let mut unheard = [0; 1024];
    while client.read(&mut unheard).await? > 0 {}
    Ok(())
}

/// Says why, and hears out what the client has sent already.
async fn refuse(mut client: TcpStream, _place: OwnedSemaphorePermit) {
    let farewell = async {
        let message = error_message(TOO_BUSY, "too many connections");
        client.write_all(&message).await?;
        hear_out(&mut client).await
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// An Error message (OPC 10000-6).
fn error_message(status: u32, reason: &str) -> Vec<u8> {
    let words = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut message = b"ERRF".to_vec();
    message.extend(words(16 + reason.len()));
    message.extend(status.to_le_bytes());
    message.extend(words(reason.len()));
    message.extend(reason.as_bytes());
    message
}
