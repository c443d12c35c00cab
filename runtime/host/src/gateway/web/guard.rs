//! What every request passes before a handler sees it: whose host it names, where it comes from, who asks.

use super::act::Told;
use super::auth::{Door, Pass, Refused, Role, SESSION_NS, Who};
use crate::clock::monotonic_ns;
use crate::error::HostError;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longest name of a host that is looked at (bytes).
const MAX_HOST: usize = 255;

/// How often it is looked at whether somebody may stay.
const STAY_LOOK: Duration = Duration::from_millis(500);

/// The guard. Clones share it.
#[derive(Clone, Debug)]
pub struct Guard {
    door: Arc<Door>,
    /// Names that the page is reached by, without ports; none where any will do because a token is needed.
    hosts: Option<Arc<[String]>>,
    /// The page is served with TLS.
    tls: bool,
    /// Name of the cookie. Browsers send the cookies of one host to all of its ports, and several gateways may stand there.
    cookie: Arc<str>,
}

impl Guard {
    /// The door.
    pub fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door)
    }

    /// A guard at `door` of the page at `port`. `hosts` are the names that it is reached by.
    pub fn new(door: Door, hosts: Option<Vec<String>>, tls: bool, port: u16) -> Self {
        Self {
            door: Arc::new(door),
            hosts: hosts.map(Into::into),
            tls,
            cookie: format!("twinstep-{port}").into(),
        }
    }
}

/// For how long somebody may stay whose answer has no end.
#[derive(Clone, Debug)]
pub struct Stay {
    door: Arc<Door>,
    pass: Pass,
}

impl Stay {
    /// Whether he may now.
    pub fn holds(&self) -> bool {
        self.door.holds(&self.pass, monotonic_ns())
    }

    /// Waits until he may not any more: his login has ended, or his token is none now.
    pub async fn ended(&self) {
        while self.holds() {
            tokio::time::sleep(STAY_LOOK).await;
        }
    }
}

/// A refusal as every route says it.
pub fn refusal(status: StatusCode, error: &str, remedy: &str) -> Response {
    let line = json!({"type": "error", "error": error, "remedy": remedy});
    (status, Json(line)).into_response()
}

/// A refusal that a [`HostError`] explains: 403 is for roles, so that a wrong request is 400 and a machine that is away 503.
pub fn explained(error: &HostError) -> Response {
    let status = match error {
        HostError::Usage(_) => StatusCode::BAD_REQUEST,
        HostError::Machine(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    refusal(status, &error.in_a_line(), "")
}

/// Whether `who` may do what `role` may; the answer for those who may not.
///
/// # Errors
/// The answer, 403.
pub fn require(who: &Who, role: Role) -> Result<(), Box<Response>> {
    who.require(role)
        .map_err(|error| Box::new(refusal(StatusCode::FORBIDDEN, &error.in_a_line(), "")))
}

/// The middleware: refuses, or puts [`Who`] and [`Stay`] into the extensions of the request.
pub async fn check(State(guard): State<Guard>, mut request: Request<Body>, next: Next) -> Response {
    let from = place(request.extensions().get());
    match guard.admit(request.method(), request.uri(), request.headers(), &from) {
        Ok(admitted) => {
            if let Some((who, pass)) = admitted {
                let door = guard.door();
                request.extensions_mut().insert(who);
                request.extensions_mut().insert(Stay { door, pass });
            }
            let mut response = next.run(request).await;
            harden(response.headers_mut());
            response
        }
        Err(response) => {
            let mut response = *response;
            harden(response.headers_mut());
            response
        }
    }
}

/// Headers of every answer: nothing of strangers is loaded, nobody frames the page, nothing is guessed or kept.
fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        headers
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
}

impl Guard {
    /// Who asks, and what he came in by; none for what everybody may see: the page itself, which holds nothing, and the login.
    fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        from: &str,
    ) -> Result<Option<(Who, Pass)>, Box<Response>> {
        let no = |status, error: &str, remedy: &str| Box::new(refusal(status, error, remedy));
        // HTTP/2 has the host in the address of the request, and no header.
        let authority = uri.authority().map(|authority| authority.as_str());
        let asked = authority.or_else(|| text(headers, &HOST));
        let asked = asked.filter(|host| host.len() <= MAX_HOST);
        let host = asked.map(without_port);
        let ours = match (&self.hosts, host) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(hosts), Some(host)) => hosts.iter().any(|one| one.eq_ignore_ascii_case(host)),
        };
        if !ours {
            return Err(no(
                StatusCode::MISDIRECTED_REQUEST,
                "this is not the host that was asked for",
                "use the address that the gateway prints, or name the host in `[web] hosts`",
            ));
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            // A program sends no Origin; a browser always does, and `null` where it hides it.
            let scheme = if self.tls { "https://" } else { "http://" };
            let here = asked.map(|host| format!("{scheme}{host}"));
            let origin = headers.get(&ORIGIN).map(HeaderValue::as_bytes);
            if origin.is_some_and(|origin| {
                here.is_none_or(|here| !here.as_bytes().eq_ignore_ascii_case(origin))
            }) {
                return Err(no(
                    StatusCode::FORBIDDEN,
                    "this request comes from a page of somebody else",
                    "",
                ));
            }
            let kind = text(headers, &CONTENT_TYPE).unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if !kind.eq_ignore_ascii_case("application/json") {
                return Err(no(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "what changes something is sent as JSON",
                    "set Content-Type: application/json",
                ));
            }
        }
        let bearer = text(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let cookie = cookie(headers, &self.cookie);
        match (self.door).admit(bearer, cookie, from, monotonic_ns()) {
            Ok(admitted) => Ok(Some(admitted)),
            Err(_) if !private(uri.path()) && bearer.is_none() => Ok(None),
            Err(Refused::Unknown) => Err(no(
                StatusCode::UNAUTHORIZED,
                "a token is needed",
                "log in on the page, or send Authorization: Bearer TOKEN; `twinstep token` makes one",
            )),
            Err(Refused::TooMany) => Err(no(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong tokens from this address",
                "wait ten seconds",
            )),
        }
    }
}

/// Where a request comes from, for who guesses tokens: the address, without its port.
fn place(from: Option<&ConnectInfo<SocketAddr>>) -> String {
    from.map_or_else(String::new, |from| from.0.ip().to_string())
}

/// What holds something of the machine.
fn private(path: &str) -> bool {
    path.starts_with("/api/") || path == "/metrics"
}

/// The body of `POST /login`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    token: String,
}

/// `POST /login`: a token for a cookie.
pub async fn log_in(
    State(guard): State<Guard>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    Told(login): Told<Login>,
) -> Response {
    let now_ns = monotonic_ns();
    let from = place(from.as_deref());
    let (who, pass) = match guard.door.admit(Some(&login.token), None, &from, now_ns) {
        Ok(admitted) => admitted,
        Err(Refused::Unknown) => {
            return refusal(
                StatusCode::UNAUTHORIZED,
                "this token is not known",
                "`twinstep token` makes one",
            );
        }
        Err(Refused::TooMany) => {
            return refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong tokens from this address",
                "wait ten seconds",
            );
        }
    };
    let Pass::Token(token) = pass else {
        return Json(&who).into_response();
    };
    match guard.door.log_in(&who, token, now_ns) {
        Ok(value) => answer(&guard, &who, &value, SESSION_NS / 1_000_000_000),
        Err(error) => explained(&error),
    }
}

/// `POST /logout`.
pub async fn log_out(State(guard): State<Guard>, headers: HeaderMap) -> Response {
    if let Some(cookie) = cookie(&headers, &guard.cookie) {
        guard.door.log_out(cookie);
    }
    answer(&guard, &json!({}), "", 0)
}

fn answer(guard: &Guard, body: &impl serde::Serialize, cookie: &str, seconds: u64) -> Response {
    let secure = if guard.tls { "; Secure" } else { "" };
    let name = &guard.cookie;
    let cookie =
        format!("{name}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let mut response = Json(body).into_response();
    // Hexadecimal digits and words of ours are always a header.
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    pairs
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The host of `HOST:PORT`; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(
            Door::open(),
            Some(vec!["localhost".into(), "127.0.0.1".into(), "[::1]".into()]),
            false,
            8650,
        )
    }

    fn status(guard: &Guard, method: Method, path: &str, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        guard
            .admit(&method, &path.parse().unwrap(), &map, "")
            .map_or_else(|response| response.status().as_u16(), |_| 200)
    }

    #[test]
    fn names_that_were_made_to_point_here_are_refused() {
        let guard = guard();
        for (host, expected) in [
            ("127.0.0.1:8650", 200),
            ("localhost", 200),
            ("LOCALHOST:1", 200),
            ("[::1]:8650", 200),
            ("evil.example:8650", 421),
            ("127.0.0.1.evil.example", 421),
            ("localhost:8650@evil.example", 421),
            (&"x".repeat(300), 421),
        ] {
            assert_eq!(
                status(&guard, Method::GET, "/api/status", &[("host", host)]),
                expected,
                "{host}"
            );
        }
        assert_eq!(status(&guard, Method::GET, "/", &[]), 421);
        // As HTTP/2 has it: the address counts, whatever a header says.
        let lies = [("host", "localhost")];
        assert_eq!(
            status(&guard, Method::GET, "https://localhost:1/", &[]),
            200
        );
        assert_eq!(
            status(&guard, Method::GET, "https://evil.example/", &lies),
            421
        );
    }

    #[test]
    fn a_page_of_somebody_else_changes_nothing() {
        let guard = guard();
        let host = ("host", "127.0.0.1:8650");
        let json = ("content-type", "application/json; charset=utf-8");
        for (headers, expected) in [
            (vec![host, json], 200),
            (vec![host, json, ("origin", "http://127.0.0.1:8650")], 200),
            (vec![host, json, ("origin", "http://127.0.0.1:8651")], 403),
            (vec![host, json, ("origin", "https://127.0.0.1:8650")], 403),
            (vec![host, json, ("origin", "http://evil.example")], 403),
            (vec![host, json, ("origin", "null")], 403),
            (vec![host, ("content-type", "text/plain")], 415),
            (vec![host], 415),
        ] {
            assert_eq!(
                status(&guard, Method::POST, "/api/inject", &headers),
                expected,
                "{headers:?}"
            );
        }
        assert_eq!(status(&guard, Method::DELETE, "/api/inject", &[host]), 415);
    }

    #[test]
    fn the_host_goes_without_its_port() {
        for (host, name) in [
            ("a:1", "a"),
            ("a", "a"),
            ("[::1]:8", "[::1]"),
            ("[::1]", "[::1]"),
            ("a:", "a:"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }

    #[test]
    fn ours_is_found_among_cookies() {
        let mut headers = HeaderMap::new();
        let sent = "a=b; twinstep-86500=no; twinstep=no; twinstep-8650=yes; twinstep-8651=no";
        headers.append(COOKIE, sent.parse().unwrap());
        assert_eq!(cookie(&headers, &guard().cookie), Some("yes"));
    }

    #[test]
    fn gateways_at_two_ports_of_a_host_have_cookies_of_their_own() {
        let at = |port| {
            let guard = Guard::new(Door::open(), None, false, port);
            let answer = answer(&guard, &json!({}), "abc", 60);
            let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
            cookie.split(';').next().unwrap().to_owned()
        };
        assert_eq!(
            [at(8650), at(8651)],
            ["twinstep-8650=abc", "twinstep-8651=abc"]
        );
    }
}
