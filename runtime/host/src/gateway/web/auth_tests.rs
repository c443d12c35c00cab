use super::*;
use crate::gateway::web::guesses::{MAX_WRONG, PENALTY_NS};

fn door(text: &str) -> Result<Door, HostError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    std::fs::write(&path, text).unwrap();
    Door::from_file(&path)
}

fn entry(name: &str, role: &str, token: &str) -> String {
    format!(
        "[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{}\"\n",
        hash_of(token)
    )
}

impl Door {
    /// [`Door::admit`], without what they came in by.
    pub fn who(
        &self,
        token: Option<&str>,
        cookie: Option<&str>,
        from: &str,
        now_ns: u64,
    ) -> Result<Who, Refused> {
        let admitted = self.admit(token, cookie, from, now_ns);
        admitted.map(|(who, _)| who)
    }
}

#[test]
fn the_known_digest_of_nothing_else() {
    // FIPS 180-2, appendix B.1.
    assert_eq!(
        hash_of("abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn without_tokens_everybody_here_is_local() {
    let who = Door::open().who(None, None, "here", 0).unwrap();
    assert_eq!((who.name.as_str(), who.role), ("local", Role::Admin));
}

#[test]
fn roles_may_what_those_before_them_may() {
    let who = |role| Who {
        name: "eva".into(),
        role,
    };
    for (role, may) in [(Role::Viewer, 1), (Role::Tuner, 2), (Role::Admin, 3)] {
        let wanted = [Role::Viewer, Role::Tuner, Role::Admin];
        let allowed = wanted
            .into_iter()
            .filter(|wanted| who(role).require(*wanted).is_ok());
        assert_eq!(allowed.count(), may, "{role}");
    }
}

#[test]
fn a_token_lets_in_and_a_cookie_for_a_while() {
    let door =
        door(&(entry("eva", "tuner", "secret") + &entry("grafana", "viewer", "other"))).unwrap();
    assert_eq!(door.who(None, None, "here", 0), Err(Refused::Unknown));
    assert_eq!(
        door.who(Some("wrong"), None, "here", 0),
        Err(Refused::Unknown)
    );
    let eva = door.who(Some("secret"), None, "here", 0).unwrap();
    assert_eq!((eva.name.as_str(), eva.role), ("eva", Role::Tuner));
    let by = Hash::of("secret");
    let cookie = door.log_in(&eva, by, 0).unwrap();
    assert_eq!(
        door.who(None, Some(&cookie), "here", SESSION_NS - 1),
        Ok(eva.clone())
    );
    assert_eq!(
        door.who(None, Some(&cookie), "here", SESSION_NS),
        Err(Refused::Unknown)
    );
    assert_eq!(
        door.who(None, Some("secret"), "here", 0),
        Err(Refused::Unknown),
        "a token is no cookie"
    );
    door.log_out(&cookie);
    assert_eq!(
        door.who(None, Some(&cookie), "here", 1),
        Err(Refused::Unknown)
    );
    // More browsers than there is room for: the first ones have to log in again.
    let first = door.log_in(&eva, by, 1).unwrap();
    for now_ns in 2..2 + MAX_SESSIONS as u64 {
        door.log_in(&eva, by, now_ns).unwrap();
    }
    assert_eq!(
        door.who(None, Some(&first), "here", 2),
        Err(Refused::Unknown)
    );
    assert_eq!(door.sessions.lock().unwrap().open.len(), MAX_SESSIONS);
}

#[test]
fn whoever_guesses_keeps_no_right_token_out() {
    let door = door(&entry("eva", "admin", "secret")).unwrap();
    let who = |token, from, now_ns| door.who(Some(token), None, from, now_ns);
    for _ in 0..MAX_WRONG {
        assert_eq!(who("guess", "here", 5), Err(Refused::Unknown));
    }
    assert_eq!(who("guess", "here", 6), Err(Refused::TooMany));
    assert_eq!(who("guess", "elsewhere", 6), Err(Refused::Unknown));
    // Many may be behind one address.
    assert!(who("secret", "here", 6).is_ok());
    assert_eq!(who("guess", "here", 6), Err(Refused::TooMany));
    assert_eq!(who("guess", "here", 6 + PENALTY_NS), Err(Refused::Unknown));
}

#[test]
fn who_has_logged_out_or_lost_his_token_may_not_stay() {
    let both = entry("eva", "tuner", "secret") + &entry("max", "viewer", "other");
    let door = door(&both).unwrap();
    let admit = |token| door.admit(Some(token), None, "here", 0).unwrap();
    let (eva, by_token) = admit("secret");
    let (max, by_other) = admit("other");
    let Pass::Token(hash) = by_token else {
        panic!("{by_token:?}")
    };
    let log_in = || {
        let cookie = door.log_in(&eva, hash, 0).unwrap();
        let (_, pass) = door.admit(None, Some(&cookie), "here", 0).unwrap();
        (cookie, pass)
    };
    let (first, second) = (log_in(), log_in());
    for pass in [&by_token, &by_other, &first.1, &second.1] {
        assert!(door.holds(pass, 1), "{pass:?}");
        assert_eq!(door.holds(pass, SESSION_NS), matches!(pass, Pass::Token(_)));
    }
    assert!(!door.holds(&Pass::Local, 1));
    door.log_out(&first.0);
    assert!(!door.holds(&first.1, 1) && door.holds(&second.1, 1));
    let read = |text: &str| Tokens::from_text(text, Path::new("tokens.toml")).unwrap();
    // Nothing has changed for anybody.
    door.replace(read(&(entry("anna", "admin", "third") + &both)));
    assert!(door.holds(&second.1, 1) && door.holds(&by_token, 1));
    // One whose role is another one now has to log in anew.
    door.replace(read(&entry("eva", "viewer", "secret")));
    assert!(!door.holds(&second.1, 1) && door.holds(&by_token, 1));
    assert!(!door.holds(&by_other, 1));
    let known = door.who(Some("other"), None, "here", 1);
    assert_eq!((known, max.role), (Err(Refused::Unknown), Role::Viewer));
    assert!(Door::open().holds(&Pass::Local, 1));
}
