//! What a run may not set on an interface without CAP_NET_ADMIN is refused, with what to do, and the interface is left as it was.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use twinstep_tests::cable::{Cable, SECOND_ENDS};
use twinstep_tests::run::{Place, shipped};
use twinstep_tests::{program, release_binary};

#[test]
fn what_takes_cap_net_admin_is_refused_by_name_without_it() {
    const TEST: &str = "what_takes_cap_net_admin_is_refused_by_name_without_it";
    let (Some(cable), Some(setpriv)) = (Cable::new(TEST), program(TEST, "setpriv")) else {
        return;
    };
    cable.lay(SECOND_ENDS);
    let [end, _] = SECOND_ENDS;
    let place = Place::new();
    let cell = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let links = || {
        let found = cable.command("ip", ["-d", "link"]).output().unwrap();
        String::from_utf8(found.stdout).unwrap()
    };
    let before = links();
    let require = "[realtime]\nrequire = true\n[realtime.nic]\nrx_coalescing = \"0us\"\n";
    let bus = format!("[bus]\nkind = \"tsn\"\ninterface = \"{end}\"\n");
    for (text, code, says) in [
        (
            format!("{cell}\n[tsn]\ninterface = \"{end}\"\nvlan = 5\n"),
            1,
            vec![end, "CAP_NET_ADMIN is needed", "setcap"],
        ),
        (
            format!("{}\n{require}", cell.replacen("[bus]\n", &bus, 1)),
            1,
            vec![end, "coalescing", "CAP_NET_ADMIN"],
        ),
    ] {
        let config = place.file("cell.toml", text).display().to_string();
        let state = place.path("state").display().to_string();
        let less = ["--bounding-set=-net_admin", "--inh-caps=-all"];
        let mut command = cable.command(&setpriv, less);
        command.arg(release_binary());
        command.args([
            "run", &config, "--json", "--cycles", "10", "--state", &state,
        ]);
        let run = command.output().unwrap();
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        let words: Vec<_> = text
            .split_whitespace()
            .filter(|word| *word != "|")
            .collect();
        let said = words.join(" ");
        assert_eq!(run.status.code(), Some(code), "{said}");
        for one in says {
            assert!(said.contains(one), "{one}: {said}");
        }
        assert_eq!(links(), before);
    }
}
