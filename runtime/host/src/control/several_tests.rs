//! One server for several cycles.

use crate::control::bus::Setting;
use crate::control::place::Place;
use crate::control::queue::{self, Answer, Command, CycleEnd, Request};
use crate::control::server::Server;
use crate::control::status::Identity;
use crate::names::{Names, RunInfo};
use crate::snapshot::Control;
use crate::store::StoreWriter;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

struct Bench {
    _folder: tempfile::TempDir,
    _server: Server,
    cycles: Vec<CycleEnd>,
    controls: Vec<Control>,
    talk: BufReader<UnixStream>,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("../../../../rt-config/machines/two-buses.toml");
    let place = Place::at(&folder.path().join("two.sock"), None).unwrap();
    drop(StoreWriter::open(folder.path()).unwrap());
    let (mut cycles, mut controls, mut buses) = (Vec::new(), Vec::new(), Vec::new());
    for machine in twinstep_config::load_buses(text, "two").unwrap() {
        let (control_end, cycle) = queue::channel();
        let control = controls
            .first()
            .map_or_else(Control::default, Control::beside);
        control.count_beat();
        let setting = Setting {
            identity: Identity {
                machine: machine.name.clone(),
                version: "0".to_owned(),
                pid: 1,
                plan: "p".to_owned(),
                simulated: true,
                state: folder.path().display().to_string(),
                period_ns: machine.cycle.period_ns,
                model_cores: Vec::new(),
            },
            info: Arc::new(RunInfo::new(Names::of(&machine), "p".to_owned(), 1.0, 0)),
            machine,
            state: folder.path().to_owned(),
            causes: None,
            interfaces: Vec::new(),
            strokes: crate::strokes::StrokeBoard::default(),
            control: control.clone(),
        };
        buses.push((setting, control_end));
        cycles.push(cycle);
        controls.push(control);
    }
    let server = Server::start(place, buses, Box::new(|_| {})).unwrap();
    let talk = BufReader::new(UnixStream::connect(server.path()).unwrap());
    Bench {
        _folder: folder,
        _server: server,
        cycles,
        controls,
        talk,
    }
}

impl Bench {
    fn ask(&mut self, request: &Value) {
        let text = format!("{request}\n");
        self.talk.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.talk.read_line(&mut line).unwrap() > 0, "closed");
        serde_json::from_str(&line).unwrap()
    }

    /// Answers the next command on this bus as its cycle would; the test hangs where none comes, and is ended by its runner.
    fn obey(&mut self, bus: usize, cycle: u64) -> String {
        loop {
            let Some(Request { id, command }) = self.cycles[bus].take() else {
                std::thread::yield_now();
                continue;
            };
            let text = format!("{command:?}");
            let answer = match command {
                Command::Health(buffer) => {
                    self.cycles[bus].answer(id, Answer::Health(buffer));
                    continue;
                }
                Command::Status(mut buffer) => {
                    buffer.clear();
                    buffer.cycle = cycle;
                    Answer::Status(buffer)
                }
                Command::Inject(fault) => Answer::Injected {
                    result: Ok(()),
                    fault,
                },
                _ => Answer::Done,
            };
            self.cycles[bus].answer(id, answer);
            return text;
        }
    }
}

#[test]
fn a_status_tells_all_buses_or_one() {
    let mut bench = bench();
    bench.ask(&json!({"request": "status", "id": 7}));
    bench.obey(1, 20);
    bench.obey(0, 10);
    let all = bench.answer();
    assert_eq!(
        (&all["id"], &all["bus_name"], &all["cycle"]),
        (&json!(7), &json!("front"), &json!(10))
    );
    let each = |key: &str| [all["buses"][0][key].clone(), all["buses"][1][key].clone()];
    assert_eq!(each("bus_name"), ["front", "rear"]);
    assert_eq!(each("cycle"), [10, 20]);
    assert_eq!(each("period_ns"), [1_000_000, 500_000]);
    bench.ask(&json!({"request": "status", "bus": "rear"}));
    bench.obey(0, 11);
    bench.obey(1, 21);
    let one = bench.answer();
    assert_eq!(
        (&one["bus_name"], &one["cycle"], &one["buses"]),
        (&json!("rear"), &json!(21), &Value::Null)
    );
    // One that has ended leaves its last status, and nobody waits for it.
    bench.controls[1].finish();
    bench.ask(&json!({"request": "status"}));
    bench.obey(0, 12);
    let all = bench.answer();
    assert_eq!(
        (&all["cycle"], &all["buses"][1]["cycle"]),
        (&json!(12), &json!(21))
    );
}

#[test]
fn wishes_go_to_all_buses_or_to_the_one_that_is_named() {
    let mut bench = bench();
    bench.ask(&json!({"request": "reset"}));
    assert_eq!(
        (bench.obey(0, 0), bench.obey(1, 0)),
        ("Reset".to_owned(), "Reset".to_owned())
    );
    assert_eq!(bench.answer()["type"], "done");
    bench.ask(&json!({"request": "budget", "set": {"wake": "400us"}, "bus": "rear"}));
    assert!(bench.obey(1, 0).contains("400000"));
    assert_eq!(bench.answer()["type"], "done");
    bench.ask(&json!({"request": "save", "bus": "rear"}));
    let toml = bench.answer()["toml"].as_str().unwrap().to_owned();
    assert!(
        toml.contains("name = \"rear\"")
            && toml.contains("wake = \"400us\"")
            && !toml.contains("front"),
        "{toml}"
    );
    // Longer than the period of one of them.
    bench.ask(&json!({"request": "budget", "set": {"wake": "600us"}}));
    assert!(
        bench.answer()["error"]
            .as_str()
            .unwrap()
            .contains("500000 ns")
    );
    bench.ask(&json!({"request": "inject", "faults": ["frame_loss:rear:count=3"]}));
    let fault = bench.obey(1, 0);
    assert!(
        fault.contains("FrameLoss") && fault.contains("\"bus\""),
        "{fault}"
    );
    assert_eq!(bench.answer()["type"], "done");
    bench.ask(&json!({"request": "inject", "faults": ["friction:infeed:factor=2"]}));
    assert!(bench.obey(0, 0).contains("infeed"));
    assert_eq!(bench.answer()["type"], "done");
    bench.ask(&json!({"request": "baseline", "source": "pusher"}));
    assert_eq!(bench.obey(1, 0), "Baseline(1)");
    assert_eq!(bench.answer()["type"], "done");
    for (wish, says) in [
        (
            json!({"request": "inject", "faults": ["frame_loss:bus:count=3"]}),
            "any of the buses",
        ),
        (
            json!({"request": "inject", "faults": ["friction:roof:factor=2"]}),
            "roof",
        ),
        (
            json!({"request": "reset", "bus": "roof"}),
            "no bus is called 'roof'",
        ),
    ] {
        bench.ask(&wish);
        let answer = bench.answer();
        assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
    }
    // Whoever has ended is left out.
    bench.controls[0].finish();
    bench.ask(&json!({"request": "clear"}));
    assert_eq!(bench.obey(1, 0), "ClearFaults");
    assert_eq!(bench.answer()["type"], "done");
}
