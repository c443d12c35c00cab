//! Connections to a broker, one after the other: the loop of every sink that has one.

use super::backoff::Backoff;
use super::tell;
use crate::gateway::context::Context;
use crate::gateway::sinks::SinkState;
use tokio::time::sleep;

/// Why a connection has ended.
#[derive(Debug)]
pub enum End {
    /// The gateway ends.
    Stopped,
    /// The broker, the network or the store.
    Broken(String),
}

/// Who speaks to a broker.
pub trait Connect: Sync {
    /// One connection from its beginning to its end, which it does not come to by itself while the gateway is to go on. Resets the wait
    /// once something has arrived.
    fn connection(&self, backoff: &mut Backoff) -> impl Future<Output = End> + Send;
}

/// Makes one connection after the other until the gateway is to end. What has broken one is told, and waited out.
pub async fn again(context: &Context, state: &SinkState, broker: &str, sender: &impl Connect) {
    let mut backoff = Backoff::default();
    while let End::Broken(trouble) = sender.connection(&mut backoff).await {
        tell(context, state, broker, Some(&trouble));
        tokio::select! {
            () = sleep(backoff.wait()) => {}
            () = context.stopped() => return,
        }
    }
}
