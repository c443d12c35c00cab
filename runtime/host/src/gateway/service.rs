//! What the service manager is told of the gateway: that it serves, that it still turns, that it ends.

use super::context::Context;
use sd_notify::NotifyState;
use std::time::Duration;

/// How often it is told, where it asks for less.
const EVERY: Duration = Duration::from_secs(5);

/// Tells the service manager until the gateway is to end. Returns at once where there is none.
///
/// It runs on the threads that serve: where those hang, nothing is told, and the watchdog of the service manager ends the
/// process. The cycle does not notice.
pub async fn attend(context: Context) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    // A service manager that does not listen any more has nothing to be told.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let every = sd_notify::watchdog_enabled().map_or(EVERY, |patience| EVERY.min(patience / 3));
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(1)));
    loop {
        tokio::select! {
            _ = tick.tick() => drop(sd_notify::notify(&[NotifyState::Watchdog])),
            () = context.stopped() => break,
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}
