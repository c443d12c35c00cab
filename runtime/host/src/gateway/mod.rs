//! `twinstep gateway`: serves people and plant systems from the event store and a running instance.
//!
//! It is a process of its own that the cycle knows nothing of: it reads the event store, and asks the control socket as any
//! other client does. When it dies, lags or is stopped, no cycle is later and no event is missing. Every sink keeps its
//! own cursor in the [`book`].

pub mod args;
pub mod book;
pub mod buses;
pub mod config;
pub mod context;
mod cores;
pub mod desk;
pub mod doorkeeper;
pub mod find;
pub mod journal;
pub mod live;
pub mod metrics;
pub mod mqtt;
pub mod opcua;
mod service;
pub mod sinks;
pub mod sparkplug;
pub mod web;

use crate::error::{Exit, HostError};
use crate::output::Output;
use args::GatewayArgs;
use book::Book;
use config::GatewayConfig;
use context::Context;
use cores::Cores;
use desk::Desk;
use journal::Journal;
use sinks::Sinks;
use std::io::Read;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Threads that serve; what blocks has threads of its own.
const WORKERS: usize = 2;
/// Threads at most for what blocks: pages of the store and writes to the book.
const BLOCKING: usize = 4;
/// Stack of each, that of a main thread: a report replays a recording, whose checkpoints have large parts.
const STACK_BYTES: usize = 8 << 20;

/// Serves until SIGINT or SIGTERM, or until a sink fails that cannot go on.
///
/// # Errors
/// [`HostError::Usage`] for a configuration that cannot be served; [`HostError::Machine`] when a sink fails.
pub fn run(args: &GatewayArgs, output: &Output) -> Result<Exit, HostError> {
    let mut config = match &args.config {
        Some(path) => GatewayConfig::load(path)?,
        None => GatewayConfig::default(),
    };
    if let Some(address) = args.listen {
        config.web.listen = address;
        config.web.strict = true;
    }
    if let Some(opcua) = &config.opcua {
        opcua.check()?;
    }
    let (target, folder) = find::resolve(args.control.as_deref(), args.state.as_deref())?;
    let book = Book::open(args.book.as_deref().unwrap_or(&folder))?;
    let cores = Cores::new(output.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .thread_stack_size(STACK_BYTES)
        .thread_name("gateway")
        .enable_all()
        .build()
        .map_err(|error| no_thread(&error))?;
    let (stop, stopped) = watch::channel(false);
    let (live, steer) = live::start(target, cores).map_err(|error| no_thread(&error))?;
    let context = Context {
        live,
        steer,
        journal: Journal::open(&folder).map_err(|error| no_thread(&error))?,
        desk: Desk::new(book.clone())?,
        book,
        sinks: Sinks::default(),
        output: output.clone(),
        stop: stopped,
    };
    runtime.block_on(serve(args, config, context, stop))?;
    // What still blocks reads the store or the disk, and nothing is lost with it.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    Ok(Exit::Fine)
}

async fn serve(
    args: &GatewayArgs,
    config: GatewayConfig,
    context: Context,
    stop: watch::Sender<bool>,
) -> Result<(), HostError> {
    let cannot = |error: std::io::Error| {
        HostError::machine(format!("signals cannot be caught: {error}"), "try again")
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut left = left_alone(args.attached)?;
    tokio::spawn(context.desk.clone().follow(context.journal.clone()));

    let (journal, output) = (context.journal.clone(), context.output.clone());
    tokio::spawn(async move { journal.tell_trouble(|text| output.note(text)).await });

    if args.attached && !first_answer(&context, &mut left).await {
        return Ok(());
    }
    // Whoever is told that it serves finds it there: the address is taken before.
    let post = web::serve::Post::take(&config.web).await?;
    let mut sinks = tokio::task::JoinSet::new();
    sinks.spawn(web::run(context.clone(), post));
    if let Some(config) = config.opcua {
        sinks.spawn(opcua::run(context.clone(), config));
    }
    let told = tokio::spawn(service::attend(context.clone()));
    if let Some(config) = config.mqtt {
        sinks.spawn(mqtt::run(context.clone(), config));
    }
    if let Some(config) = config.sparkplug {
        sinks.spawn(sparkplug::run(context.clone(), config));
    }

    let outcome = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        Some(()) = left.recv() => Ok(()),
        Some(ended) = sinks.join_next() => ended.unwrap_or_else(|_| {
            Err(HostError::machine("a sink panicked", "what was stored is complete; start the gateway again"))
        }),
    };
    // Sinks end in order; what they do not manage within their time is cut off with the runtime.
    stop.send_replace(true);
    let rest = async {
        while sinks.join_next().await.is_some() {}
        let _ = told.await;
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), rest).await;
    outcome
}

/// Waits until the instance that has started this gateway answers; false when it has gone instead.
async fn first_answer(context: &Context, left: &mut mpsc::Receiver<()>) -> bool {
    let mut live = context.live.clone();
    let answer = live.wait_for(|moment| moment.status.is_some());
    tokio::select! {
        answer = answer => answer.is_ok(),
        Some(()) = left.recv() => false,
    }
}

/// Tells when standard input ends, where that is asked for; ends without a word where it is not.
fn left_alone(attached: bool) -> Result<mpsc::Receiver<()>, HostError> {
    let (tell, left) = mpsc::channel(1);
    if attached {
        std::thread::Builder::new()
            .name("attached".into())
            .spawn(move || {
                let mut nothing = [0; 64];
                while std::io::stdin()
                    .read(&mut nothing)
                    .is_ok_and(|read| read > 0)
                {}
                let _ = tell.blocking_send(());
            })
            .map_err(|error| no_thread(&error))?;
    }
    Ok(left)
}

fn no_thread(error: &std::io::Error) -> HostError {
    HostError::machine(
        format!("cannot start a thread: {error}"),
        "raise the limit of processes",
    )
}
