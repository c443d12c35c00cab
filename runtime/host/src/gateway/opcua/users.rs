//! Who may come in over OPC UA: the names and tokens that the page knows too.

use crate::clock::monotonic_ns;
use crate::gateway::doorkeeper::Doorkeeper;
use crate::gateway::web::auth::{Door, Pass, Role, Who};
use crate::gateway::web::tokens::Hash;
use async_trait::async_trait;
use opcua::server::ServerEndpoint;
use opcua::server::authenticator::{
    AuthManager, CoreServerPermissions, Password, UserToken, user_pass_security_policy_id,
};
use opcua::types::{
    Error, MessageSecurityMode, MethodId, NodeId, StatusCode, UAString, UserTokenPolicy,
    UserTokenType,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Methods that whoever looks may call: they change nothing.
const HARMLESS: [MethodId; 4] = [
    MethodId::ConditionType_ConditionRefresh,
    MethodId::ConditionType_ConditionRefresh2,
    MethodId::Server_GetMonitoredItems,
    MethodId::Server_ResendData,
];

/// Longest part of a name by which guesses are told apart (characters).
const MAX_NAME: usize = 64;

/// See the module.
pub struct Users {
    door: Option<Arc<Door>>,
    anonymous: bool,
    doorkeeper: Doorkeeper,
    wrong: Arc<AtomicU64>,
}

impl Users {
    /// Those of `door`, and with `anonymous` whoever asks without encryption; `doorkeeper` counts the others.
    pub fn new(door: Option<Arc<Door>>, anonymous: bool, doorkeeper: Doorkeeper) -> Self {
        Self {
            door,
            anonymous,
            doorkeeper,
            wrong: Arc::default(),
        }
    }

    /// Names and tokens that were refused so far. Nothing hangs on its order.
    pub fn wrong(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.wrong)
    }
}

/// The library keeps a text for every session; ours holds the role, so that it need not be looked up, and the hash of the token that opened it.
fn token_of(who: &Who, hash: &Hash) -> UserToken {
    UserToken(format!("{}:{}:{}", who.role, hash.to_hex(), who.name))
}

/// The hash of the token that opened a session; none where nobody came in by one.
fn hash_in(token: &UserToken) -> Option<Hash> {
    Hash::from_hex(token.0.split(':').nth(1)?)
}

/// Who has this token.
pub fn who_has(token: &UserToken) -> Who {
    let mut words = token.0.splitn(3, ':');
    let role = words.next().unwrap_or_default();
    let name = words.nth(1).unwrap_or("anonymous");
    let role = match role {
        "admin" => Role::Admin,
        "tuner" => Role::Tuner,
        _ => Role::Viewer,
    };
    Who {
        name: name.to_owned(),
        role,
    }
}

fn is_open(endpoint: &ServerEndpoint) -> bool {
    endpoint.message_security_mode() == MessageSecurityMode::None
}

#[async_trait]
impl AuthManager for Users {
    async fn authenticate_anonymous_token(&self, endpoint: &ServerEndpoint) -> Result<(), Error> {
        if self.anonymous && is_open(endpoint) {
            return Ok(());
        }
        (self.doorkeeper).refuse("no name", "OPC UA: somebody without a name was refused");
        Err(Error::new(
            StatusCode::BadIdentityTokenRejected,
            "a name and a token are needed here",
        ))
    }

    async fn authenticate_username_identity_token(
        &self,
        endpoint: &ServerEndpoint,
        username: &str,
        password: &Password,
    ) -> Result<UserToken, Error> {
        // The library does not say who asks: names are what can be told apart.
        let from = format!(
            "opcua {}",
            username.chars().take(MAX_NAME).collect::<String>()
        );
        // A name that does not belong to the token is told nothing that a wrong token is not.
        let who = (self.door.as_ref())
            .filter(|_| !is_open(endpoint))
            .and_then(|door| {
                door.admit(Some(password.get()), None, &from, monotonic_ns())
                    .ok()
            })
            .filter(|(who, _)| who.name == username);
        let token = who.and_then(|(who, pass)| match pass {
            Pass::Token(hash) => Some(token_of(&who, &hash)),
            Pass::Local | Pass::Login(_) => None,
        });
        token.ok_or_else(|| {
            let what = "OPC UA: somebody was refused: no such name with such a token";
            self.doorkeeper.refuse("wrong token", what);
            self.wrong.fetch_add(1, Ordering::Relaxed);
            Error::new(
                StatusCode::BadUserAccessDenied,
                "no such name with such a token",
            )
        })
    }

    fn user_token_policies(&self, endpoint: &ServerEndpoint) -> Vec<UserTokenPolicy> {
        let policy = |policy_id: UAString, token_type| UserTokenPolicy {
            policy_id,
            token_type,
            issued_token_type: UAString::null(),
            issuer_endpoint_url: UAString::null(),
            security_policy_uri: UAString::null(),
        };
        match (is_open(endpoint), self.anonymous, &self.door) {
            (true, true, _) => vec![policy("anonymous".into(), UserTokenType::Anonymous)],
            (false, _, Some(_)) => vec![policy(
                user_pass_security_policy_id(endpoint),
                UserTokenType::UserName,
            )],
            _ => Vec::new(),
        }
    }

    fn is_user_executable(&self, token: &UserToken, method_id: &NodeId) -> bool {
        // Asked by who reads whether he may, too: who calls and may not is counted where the call ends.
        let harmless = (method_id.as_method_id()).is_ok_and(|id| HARMLESS.contains(&id));
        let who = who_has(token);
        // A session goes on when the token that opened it is taken away; it changes nothing any more.
        let holds = |door: &Arc<Door>| hash_in(token).is_some_and(|hash| door.knows(&hash, &who));
        harmless || who.role >= Role::Tuner && self.door.as_ref().is_some_and(holds)
    }

    fn core_permissions(&self, token: &UserToken) -> CoreServerPermissions {
        CoreServerPermissions {
            read_diagnostics: who_has(token).role == Role::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::sinks::{SinkState, Sinks};
    use crate::gateway::web::auth::hash_of;
    use crate::output::Output;
    use opcua::crypto::SecurityPolicy;
    use opcua::server::ANONYMOUS_USER_TOKEN_ID;

    fn users(anonymous: bool) -> (Users, Arc<SinkState>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let entry = |name: &str, role: &str, token: &str| {
            let hash = hash_of(token);
            format!("[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n")
        };
        let text = entry("eva", "tuner", "secret") + &entry("max", "viewer", "other");
        std::fs::write(&path, text).unwrap();
        let sink = Sinks::default().register("opcua");
        let output = Output::new(false, false, Box::new(std::io::sink()));
        let doorkeeper = Doorkeeper::telling(output, Arc::clone(&sink));
        let door = Arc::new(Door::from_file(&path).unwrap());
        (Users::new(Some(door), anonymous, doorkeeper), sink)
    }

    fn endpoint(policy: SecurityPolicy, mode: MessageSecurityMode) -> ServerEndpoint {
        ServerEndpoint::new("/", policy, mode, &[])
    }

    #[tokio::test]
    async fn a_name_needs_its_own_token_and_an_encrypted_channel() {
        let (users, sink) = users(true);
        let good = endpoint(
            SecurityPolicy::Basic256Sha256,
            MessageSecurityMode::SignAndEncrypt,
        );
        let open = endpoint(SecurityPolicy::None, MessageSecurityMode::None);
        let ask = async |endpoint, name, token: &str| {
            let password = Password::new(token.to_owned());
            (users.authenticate_username_identity_token(endpoint, name, &password)).await
        };
        let eva = ask(&good, "eva", "secret").await.unwrap();
        assert_eq!(
            (who_has(&eva).name.as_str(), who_has(&eva).role),
            ("eva", Role::Tuner)
        );
        assert!(ask(&good, "eva", "other").await.is_err());
        assert!(ask(&good, "nobody", "secret").await.is_err());
        assert!(ask(&open, "eva", "secret").await.is_err());
        assert!(users.authenticate_anonymous_token(&good).await.is_err());
        assert!(users.authenticate_anonymous_token(&open).await.is_ok());
        assert_eq!(sink.failed.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn who_only_looks_calls_nothing_that_changes() {
        let (users, sink) = users(false);
        let may = |role: &str, token: &str, name: &str, method: MethodId| {
            let text = format!("{role}:{}:{name}", hash_of(token));
            users.is_user_executable(&UserToken(text), &method.into())
        };
        let acknowledge = MethodId::AcknowledgeableConditionType_Acknowledge;
        assert!(may("tuner", "secret", "eva", acknowledge));
        // Of nobody whose token is still there, another one of the same person among them.
        assert!(
            !may("admin", "secret", "eva", acknowledge)
                && !may("tuner", "secret", "anna", acknowledge)
        );
        assert!(!may("tuner", "leaked", "eva", acknowledge));
        let anonymous = UserToken(ANONYMOUS_USER_TOKEN_ID.to_owned());
        assert!(!users.is_user_executable(&anonymous, &acknowledge.into()));
        assert!(!may("viewer", "other", "max", acknowledge));
        assert!(may(
            "viewer",
            "other",
            "max",
            MethodId::ConditionType_ConditionRefresh
        ));
        // Whoever reads whether he may is answered, and not refused.
        assert_eq!(sink.failed.load(Ordering::Relaxed), 0);
    }
}
