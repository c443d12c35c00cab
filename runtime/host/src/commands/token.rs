//! `twinstep token`: a new token for the gateway. It is shown once; the file keeps its hash.

use crate::error::{Exit, HostError, read_text};
use crate::gateway::args::TokenArgs;
use crate::gateway::web::auth::{check_name, hash_of, random};
use crate::gateway::web::tokens::Tokens;
use crate::output::Output;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// Makes a token, adds its hash to the file and prints it.
///
/// # Errors
/// [`HostError::Usage`] for a name that is none, and a file that cannot be written or holds something else.
pub fn run(args: &TokenArgs, output: &Output) -> Result<Exit, HostError> {
    let path = &args.file;
    check_name(&args.name)
        .map_err(|what| HostError::usage(what, "name the person or program that gets the token"))?;
    let old = if path.exists() {
        read_text(path, "file of tokens")?
    } else {
        String::new()
    };
    let token = random()?;
    // A name without control characters is written as JSON does, which is TOML too.
    let end = if old.is_empty() || old.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let entry = format!(
        "{end}[[token]]\nname = {}\nrole = \"{}\"\nsha256 = \"{}\"\n",
        json!(args.name),
        args.role,
        hash_of(&token)
    );
    // A file that no gateway takes is left as it is.
    Tokens::from_text(&(old + &entry), path)?;
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(entry.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| {
        HostError::usage(
            format!("cannot write {}: {error}", path.display()),
            "name a file in a folder that this user may write to",
        )
    })?;
    if output.json() {
        output.json_line(
            &json!({"type": "token", "name": args.name, "role": args.role, "token": token}),
        );
    } else {
        output.line(&format!(
            "{token}\nThis is the token of {} ({}). It is not shown again; {} holds its hash. Gateways that run take it within two seconds.",
            args.name,
            args.role,
            path.display()
        ));
    }
    Ok(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::web::auth::{Door, Role};
    use crate::output::tests::Buffer;
    use std::path::Path;

    #[test]
    fn what_is_printed_opens_the_door_and_is_not_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.toml");
        let mut tokens = Vec::new();
        for (name, role) in [
            ("eva \"the\" tuner", Role::Tuner),
            ("grafana", Role::Viewer),
        ] {
            let buffer = Buffer::endless();
            let output = Output::new(true, false, Box::new(buffer.clone()));
            let args = TokenArgs {
                name: name.into(),
                role,
                file: file.clone(),
                json: true,
            };
            run(&args, &output).unwrap();
            let said: serde_json::Value = serde_json::from_str(&buffer.text()).unwrap();
            tokens.push((said["token"].as_str().unwrap().to_owned(), name, role));
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let door = Door::from_file(&file).unwrap();
        for (token, name, role) in &tokens {
            assert!(!text.contains(token));
            let who = door.who(Some(token), None, "", 0).unwrap();
            assert_eq!((who.name.as_str(), who.role), (*name, *role));
        }
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    fn for_eva(file: &Path) -> TokenArgs {
        TokenArgs {
            name: "eva".into(),
            role: Role::Viewer,
            file: file.to_owned(),
            json: true,
        }
    }

    #[test]
    fn an_empty_file_and_one_without_a_last_line_end_will_do_and_a_full_one_will_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.toml");
        std::fs::write(&file, "").unwrap();
        let output = Output::new(true, false, Box::new(Buffer::endless()));
        let args = for_eva(&file);
        run(&args, &output).unwrap();
        let cut = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, cut.trim_end()).unwrap();
        run(&args, &output).unwrap();
        Door::from_file(&file).unwrap();
        let full: String = (0..256)
            .map(|n| {
                format!(
                    "[[token]]\nname = \"a\"\nrole = \"viewer\"\nsha256 = \"{}\"\n",
                    hash_of(&n.to_string())
                )
            })
            .collect();
        std::fs::write(&file, &full).unwrap();
        assert!(run(&args, &output).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), full);
    }

    #[test]
    fn a_file_that_is_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("machine.toml");
        std::fs::write(&file, "[machine]\nname = \"x\"\n").unwrap();
        let output = Output::new(true, false, Box::new(Buffer::endless()));
        let args = for_eva(&file);
        assert!(run(&args, &output).is_err());
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "[machine]\nname = \"x\"\n"
        );
    }
}
