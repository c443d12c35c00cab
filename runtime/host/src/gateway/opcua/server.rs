//! The server: how it is set up, and the loop that keeps its address space like the machine.

use super::OpcuaConfig;
use super::alarms::{Board, Seen};
use super::condition::Condition;
use super::fields;
use super::front;
use super::managed::{ManagedBuilder, behind};
use super::methods::{CoreBuilder, CoreManager, Operator};
use super::nodes::{NAMESPACE, Nodes};
use super::pki::Pki;
use super::quantities::Look;
use super::space::Space;
use super::users::Users;
use crate::clock::utc_ns;
use crate::error::HostError;
use crate::gateway::context::Context;
use crate::gateway::desk::{Alarm, MAX_ALARMS};
use crate::gateway::doorkeeper::Doorkeeper;
use crate::gateway::sinks::SinkState;
use crate::gateway::web::auth::Door;
use crate::gateway::web::tokens::follow;
use opcua::crypto::SecurityPolicy;
use opcua::nodes::{DefaultTypeTree, Event};
use opcua::server::diagnostics::{DiagnosticsNodeManagerBuilder, NamespaceMetadata};
use opcua::server::node_manager::memory::{
    InMemoryNodeManagerBuilder, SimpleNodeManager, simple_node_manager,
};
use opcua::server::{
    ANONYMOUS_USER_TOKEN_ID, Limits, Server, ServerBuilder, ServerEndpoint, ServerHandle,
    SubscriptionLimits,
};
use opcua::types::{
    BuildInfo, DateTime, MessageSecurityMode, NodeClass, NodeId, ObjectTypeId, QualifiedName,
    VariableId, Variant,
};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Sessions at a time.
const MAX_SESSIONS: usize = 32;
/// Subscriptions of a session.
const MAX_SUBSCRIPTIONS: usize = 8;
/// Monitored items of a subscription.
const MAX_ITEMS: usize = 2000;
/// Events that wait in one of them; of more the oldest go, or the newest, as the client asked for. A refresh of every condition that there
/// can be fits, with the two events around it. Values have a bound of their own ([`super::managed`]).
const MAX_QUEUE: usize = MAX_ALARMS + 2;
/// Longest message (bytes).
const MAX_MESSAGE: usize = 1 << 20;
/// How long a connection may take to say hello (s).
const HELLO_S: u32 = 5;
/// How long a secure channel lasts that is not renewed, and with it a connection of somebody who says nothing more (ms).
const CHANNEL_MS: u32 = 120_000;
/// How often certificates, shelves that have ended and sessions are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until the gateway is to end.
///
/// # Errors
/// [`HostError::Usage`] when the configuration cannot be served; [`HostError::Machine`] when the server fails.
pub async fn run(context: Context, config: OpcuaConfig) -> Result<(), HostError> {
    config.check()?;
    let door = config.tokens.as_deref().map(Door::from_file).transpose()?;
    let door = door.map(Arc::new);
    let listener = TcpListener::bind(config.listen).await;
    let (listener, address) = listener
        .and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        })
        .map_err(|error| {
            HostError::usage(
                format!("OPC UA cannot be served at {}: {error}", config.listen),
                "another server may have the port: give [opcua] another `listen`",
            )
        })?;
    let host = config.host.clone().unwrap_or_else(|| host_of(address));
    // The name that certificates carry: the same as long as the computer keeps its own.
    let uri = format!("urn:{}:twinstep", this_computer());
    let (state, place) = (context.book.folder().to_owned(), host.clone());
    let made = uri.clone();
    let pki = tokio::task::spawn_blocking(move || Pki::open(&state, &made, &place)).await;
    let mut pki =
        pki.unwrap_or_else(|_| Err(HostError::machine("no certificate was made", "try again")))?;
    let board = Board::default();
    let sink = context.sinks.register("opcua");
    let doorkeeper = Doorkeeper::new(&context, Arc::clone(&sink));
    let operator = Operator {
        desk: context.desk.clone(),
        book: context.book.clone(),
        board: board.clone(),
        doorkeeper: doorkeeper.clone(),
    };
    if let Some(door) = door.clone() {
        let output = context.output.clone();
        let say = move |text: &str| output.note(&format!("OPC UA: {text}"));
        tokio::spawn(follow(door, say));
    }
    let users = Users::new(door, config.insecure, doorkeeper.clone());
    let wrong = users.wrong();
    let builder = builder(&config, &pki, &uri, &host, address.port());
    let (server, handle) = build(builder, users, operator)?;
    let managers = handle.node_managers();
    let (Some(ours), Some(core), Some(namespace)) = (
        behind::<SimpleNodeManager>(managers),
        behind::<CoreManager>(managers),
        handle.get_namespace_index(NAMESPACE),
    ) else {
        return Err(HostError::machine(
            "the OPC UA server has lost its nodes",
            "report it",
        ));
    };
    let nodes = Nodes::new(namespace);
    name_fields(&mut handle.type_tree().write(), &nodes);
    let mut keeper = Keeper {
        space: Space::new(
            nodes,
            (ours, core),
            Arc::clone(handle.subscriptions()),
            &config,
        ),
        board,
        callable: BTreeSet::new(),
        sink,
        handle: handle.clone(),
        context,
        doorkeeper: doorkeeper.clone(),
        wrong,
        rejected: 0,
    };
    let inside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let inside = inside.and_then(|inside| Ok((inside.local_addr()?, inside)));
    let (behind, inside) = inside.map_err(|error| {
        HostError::machine(
            format!("no port is left for the OPC UA server: {error}"),
            "close other programs",
        )
    })?;
    let mut served = tokio::spawn(server.run_with(inside));
    // It takes the port that it has for the one that clients know.
    while handle.info().port.load(Ordering::Relaxed) != behind.port() && !served.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (handle.info().port).store(address.port(), Ordering::Relaxed);
    keeper.announce(&format!("opc.tcp://{host}:{}/", address.port()));
    let outcome = tokio::select! {
        ended = &mut served => Err(HostError::machine(
            match ended {
                Ok(Err(error)) => format!("the OPC UA server ended: {error}"),
                _ => "the OPC UA server ended".to_owned(),
            },
            "start the gateway again",
        )),
        () = front::guard(listener, behind, doorkeeper) => Ok(()),
        () = keeper.keep(&mut pki) => Ok(()),
    };
    handle.cancel();
    if outcome.is_ok() {
        // Clients are told; those that do not listen are cut off.
        let _ = tokio::time::timeout(Duration::from_millis(500), served).await;
    }
    outcome
}

/// The name of this computer as the kernel has it: a service may not see `/proc/sys`.
fn this_computer() -> String {
    let name = rustix::system::uname();
    match name.nodename().to_str() {
        Ok(name) if !name.is_empty() => name.to_owned(),
        _ => "localhost".to_owned(),
    }
}

fn host_of(address: SocketAddr) -> String {
    let ip = address.ip();
    if ip.is_unspecified() {
        this_computer()
    } else if ip.is_ipv6() {
        format!("[{ip}]")
    } else {
        ip.to_string()
    }
}

fn limits() -> Limits {
    Limits {
        max_sessions: MAX_SESSIONS,
        max_message_size: MAX_MESSAGE,
        max_chunk_count: 64,
        max_browse_continuation_points: 100,
        subscriptions: SubscriptionLimits {
            max_subscriptions_per_session: MAX_SUBSCRIPTIONS,
            max_monitored_items_per_sub: MAX_ITEMS,
            max_monitored_item_queue_size: MAX_QUEUE,
            max_notifications_per_publish: 1000,
            ..SubscriptionLimits::default()
        },
        ..Limits::default()
    }
}

fn builder(config: &OpcuaConfig, pki: &Pki, uri: &str, host: &str, port: u16) -> ServerBuilder {
    let secret = MessageSecurityMode::SignAndEncrypt;
    let version = env!("CARGO_PKG_VERSION");
    let mut builder = ServerBuilder::new()
        .without_node_managers()
        .application_name("twinstep")
        .application_uri(uri)
        .product_uri("urn:twinstep")
        .build_info(BuildInfo {
            product_uri: "urn:twinstep".into(),
            manufacturer_name: "twinstep".into(),
            product_name: "twinstep gateway".into(),
            software_version: version.into(),
            build_number: version.into(),
            build_date: DateTime::null(),
        })
        .host(host)
        .port(port)
        .hello_timeout(HELLO_S)
        .discovery_urls(vec![format!("opc.tcp://{host}:{port}/")])
        .pki_dir(&pki.folder)
        .certificate_path(pki.certificate())
        .private_key_path(pki.key())
        .limits(limits())
        .diagnostics_enabled(true)
        .max_session_timeout_ms(60_000)
        .max_secure_channel_token_lifetime_ms(CHANNEL_MS)
        .add_endpoint(
            "aes256",
            ServerEndpoint::new("/", SecurityPolicy::Aes256Sha256RsaPss, secret, &[]),
        )
        .add_endpoint(
            "basic256",
            ServerEndpoint::new("/", SecurityPolicy::Basic256Sha256, secret, &[]),
        );
    if config.insecure {
        let anonymous = [ANONYMOUS_USER_TOKEN_ID.to_owned()];
        builder = builder.add_endpoint("none", ServerEndpoint::new_none("/", &anonymous));
    }
    builder
}

fn build(
    builder: ServerBuilder,
    users: Users,
    operator: Operator,
) -> Result<(Server, ServerHandle), HostError> {
    let namespace = NamespaceMetadata {
        namespace_uri: NAMESPACE.to_owned(),
        ..NamespaceMetadata::default()
    };
    let doorkeeper = operator.doorkeeper.clone();
    let core = InMemoryNodeManagerBuilder::new(CoreBuilder(operator));
    let ours = simple_node_manager(namespace, "twinstep");
    builder
        .with_node_manager(ManagedBuilder {
            builder: core,
            doorkeeper: doorkeeper.clone(),
        })
        .with_node_manager(DiagnosticsNodeManagerBuilder)
        .with_node_manager(ManagedBuilder {
            builder: ours,
            doorkeeper,
        })
        .with_authenticator(Arc::new(users))
        .build()
        .map_err(|error| {
            HostError::usage(
                format!("OPC UA cannot be served: {error}"),
                "docs/opcua.md describes [opcua]",
            )
        })
}

/// The library knows a field of an event only at the type that declares it, and no ConditionId. Clients may ask for a field at
/// every type below that one (OPC 10000-4, SimpleAttributeOperand), and do.
fn name_fields(types: &mut DefaultTypeTree, nodes: &Nodes) {
    let chain = [
        NodeId::from(ObjectTypeId::ConditionType),
        ObjectTypeId::AcknowledgeableConditionType.into(),
        ObjectTypeId::AlarmConditionType.into(),
        ObjectTypeId::LimitAlarmType.into(),
        ObjectTypeId::ExclusiveLimitAlarmType.into(),
        ObjectTypeId::ExclusiveDeviationAlarmType.into(),
        nodes.event_type(),
    ];
    for (n, kind) in chain.iter().enumerate() {
        // What stands here is no node: it only has to be unlike every other.
        types.add_type_property(&nodes.at(&format!("{n}")), kind, &[], NodeClass::Object);
        for field in fields::all() {
            let own = fields::OWN.iter().any(|own| own.path == field.path);
            let namespace = if own { nodes.namespace() } else { 0 };
            let path: Vec<_> = (field.path.split('/'))
                .map(|name| QualifiedName::new(namespace, name))
                .collect();
            let path: Vec<_> = path.iter().collect();
            let name = nodes.at(&format!("{n}/{}", field.path));
            types.add_type_property(&name, kind, &path, NodeClass::Variable);
        }
    }
}

/// Keeps the address space like the machine, and tells of alarms.
struct Keeper {
    space: Space,
    board: Board,
    callable: BTreeSet<String>,
    sink: Arc<SinkState>,
    handle: ServerHandle,
    context: Context,
    doorkeeper: Doorkeeper,
    /// Names and tokens that were refused: those are counted already.
    wrong: Arc<AtomicU64>,
    /// Requests that the library has refused for want of a session or a channel, and that are counted.
    rejected: u64,
}

impl Keeper {
    fn announce(&self, url: &str) {
        let output = &self.context.output;
        if output.json() {
            output.json_line(&json!({"type": "listening", "sink": "opcua", "url": url}));
        } else {
            output.line(&format!("opcua: {url}"));
        }
    }

    async fn keep(&mut self, pki: &mut Pki) {
        let mut live = self.context.live.clone();
        let mut changes = self.context.desk.changes();
        let news = Arc::clone(&self.board.news);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let gone = self.context.clone();
        let stopped = gone.stopped();
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                Ok(()) = live.changed() => self.show(),
                Ok(()) = changes.changed() => self.tell(),
                () = news.notified() => self.tell(),
                _ = look.tick() => {
                    self.tell();
                    self.look(pki);
                }
                else => return,
            }
        }
    }

    fn show(&mut self) {
        let moment = self.context.live.borrow().clone();
        let last = self.context.journal.newest();
        let sinks = self.context.sinks.lines(last);
        self.space.show(moment.status.as_deref().map(|status| Look {
            status,
            sinks: &sinks,
        }));
    }

    /// Tells of what has changed with the alarms.
    fn tell(&mut self) {
        let desk = &self.context.desk;
        let ((store, alarms), shelves) = (desk.of_store(), desk.shelves());
        let seen = desk.seen();
        let book = &self.context.book;
        let looked = Seen {
            now_utc_ns: utc_ns(),
            answers: self.context.live.borrow().status.is_some(),
            store,
        };
        let known = (alarms, |alarm: &Alarm| desk.left(alarm));
        let told = (self.board).take(known, &shelves, book, &self.space.nodes, looked);
        for condition in &told {
            let name = Condition::name(&condition.alarm);
            if self.callable.len() < MAX_ALARMS && self.callable.insert(name) {
                self.space.allow_methods(&condition.id, &self.space.nodes);
            }
            self.space.show_condition(condition);
        }
        let machine = self.space.nodes.machine();
        let events = told
            .iter()
            .map(|condition| (condition as &dyn Event, &machine));
        self.handle.subscriptions().notify_events(events);
        self.sink
            .sent
            .fetch_add(told.len() as u64, Ordering::Relaxed);
        self.sink.cursor.store(seen, Ordering::Relaxed);
    }

    fn look(&mut self, pki: &mut Pki) {
        if !pki.has_strangers() {
            self.sink.set_trouble(None);
        }
        for stranger in pki.sweep() {
            self.trouble(&format!(
                "an OPC UA client is not known, and was refused; it calls itself '{}'; `mv '{}' '{}'` lets it in",
                stranger.called,
                stranger.file.display(),
                pki.folder.join("trusted").display()
            ));
        }
        let sessions =
            VariableId::Server_ServerDiagnostics_ServerDiagnosticsSummary_CurrentSessionCount;
        let connected = self.diagnosis(sessions) > 0;
        self.sink.connected.store(connected, Ordering::Relaxed);
        // A wrong token is one of these, and counted where it is looked at.
        let wrong = self.wrong.load(Ordering::Relaxed);
        let rejected = VariableId::Server_ServerDiagnostics_ServerDiagnosticsSummary_SecurityRejectedRequestsCount;
        let rejected = u64::from(self.diagnosis(rejected)).saturating_sub(wrong);
        for _ in self.rejected..rejected {
            let what = "OPC UA: a request was refused: it has no session that is active, or a channel that is not offered";
            self.doorkeeper.refuse("request", what);
        }
        self.rejected = self.rejected.max(rejected);
    }

    /// What the library counts.
    fn diagnosis(&self, variable: VariableId) -> u32 {
        let value = self.handle.info().diagnostics.get(variable);
        match value.and_then(|value| value.value) {
            Some(Variant::UInt32(count)) => count,
            _ => 0,
        }
    }

    fn trouble(&self, text: &str) {
        if self.sink.set_trouble(Some(text)) {
            self.context.output.note(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_has_the_name_that_the_kernel_knows() {
        let said = std::process::Command::new("uname").arg("-n").output();
        let said = String::from_utf8(said.unwrap().stdout).unwrap();
        assert_eq!(this_computer(), said.trim());
    }
}
