use super::*;
use crate::control::queue::{self, CycleEnd, Request};
use crate::control::queue::{Command, Refusal};
use crate::control::status::Identity;
use crate::false_alarms::Exposure;
use crate::lines::EventRecord;
use crate::lines::tests::{leak, run_info};
use crate::names::{Names, RunInfo};
use crate::phases::Phase;
use crate::snapshot::Control;
use crate::store::StoreWriter;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;

/// A server whose cycle is the test itself.
struct Bench {
    folder: tempfile::TempDir,
    server: Server,
    cycle: CycleEnd,
    /// What the user was told.
    said: std::sync::mpsc::Receiver<String>,
}

/// A client that sends and reads lines.
struct Talk(BufReader<UnixStream>);

impl Bench {
    fn new(simulated: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "cell").unwrap();
        let place = Place::at(&folder.path().join("cell.sock"), None).unwrap();
        let (control, cycle) = queue::channel();
        drop(StoreWriter::open(folder.path()).unwrap());
        let setting = Setting {
            identity: Identity {
                machine: machine.name.clone(),
                version: "0".to_owned(),
                pid: 1,
                plan: "p".to_owned(),
                simulated,
                state: folder.path().display().to_string(),
                period_ns: machine.cycle.period_ns,
                model_cores: Vec::new(),
            },
            info: Arc::new(RunInfo::new(Names::of(&machine), "p".to_owned(), 1.0, 0)),
            machine,
            state: folder.path().to_owned(),
            causes: None,
            interfaces: vec!["lo".to_owned()],
            control: Control::default(),
            strokes: crate::strokes::StrokeBoard::default(),
        };
        let (tell, said) = std::sync::mpsc::channel();
        let say = Box::new(move |text: &str| drop(tell.send(text.to_owned())));
        let server = Server::start(place, vec![(setting, control)], say).unwrap();
        Self {
            folder,
            server,
            cycle,
            said,
        }
    }

    fn talk(&self) -> Talk {
        Talk(BufReader::new(
            UnixStream::connect(self.server.path()).unwrap(),
        ))
    }

    /// The next command; the test hangs where none comes, and is ended by its runner.
    fn command(&mut self) -> Request {
        loop {
            match self.cycle.take() {
                // The control thread's own wish, whoever asked for a status.
                Some(Request {
                    id,
                    command: Command::Health(buffer),
                }) => self.cycle.answer(id, Answer::Health(buffer)),
                Some(request) => return request,
                None => std::thread::yield_now(),
            }
        }
    }

    /// Answers the next command as a cycle would.
    fn obey(&mut self) -> String {
        let Request { id, command } = self.command();
        let text = format!("{command:?}");
        let answer = match command {
            Command::Status(mut buffer) => {
                buffer.clear();
                buffer.cycle = 4711;
                for n in 0..9 {
                    buffer.axes.push(crate::snapshot::LiveAxis {
                        valid: n != 3,
                        position_m: f64::from(n),
                        confidence: f64::NAN,
                        ..Default::default()
                    });
                }
                buffer.phases.cycles = 2;
                buffer.phases.what_if.add(300_000);
                buffer.buckets[0].add(100);
                buffer.not_operational.push(1).unwrap();
                Answer::Status(buffer)
            }
            Command::Inject(fault) => Answer::Injected {
                result: if fault.target == "bus" {
                    Err("no room".to_owned())
                } else {
                    Ok(())
                },
                fault,
            },
            Command::Arm => Answer::Refused(Refusal::NoOutputs),
            _ => Answer::Done,
        };
        self.cycle.answer(id, answer);
        text
    }
}

impl Talk {
    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn ask(&mut self, request: &Value) {
        self.send(&format!("{request}\n"));
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "closed");
        serde_json::from_str(&line).unwrap()
    }

    fn is_closed(&mut self) -> bool {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).is_ok() && rest.is_empty()
    }
}

#[test]
fn a_status_has_names_and_no_number_that_is_none() {
    let mut bench = Bench::new(true);
    let mut talk = bench.talk();
    talk.ask(&json!({"request": "status", "id": 5, "protocol": 1}));
    bench.obey();
    let status = talk.next();
    assert_eq!(
        (&status["type"], &status["protocol"], &status["id"]),
        (&json!("status"), &json!(1), &json!(5))
    );
    assert_eq!(status["cycle"], 4711);
    assert_eq!(status["axes"][0]["name"], "infeed");
    assert_eq!(status["axes"][1]["position_m"], 1.0);
    assert_eq!(status["axes"][1]["confidence"], Value::Null);
    assert_eq!(status["axes"][3]["position_m"], Value::Null);
    assert_eq!(status["phases"].as_array().unwrap().len(), Phase::COUNT);
    assert_eq!(status["models"][1]["name"], "press");
    assert_eq!(status["phases"][0]["histogram"], json!([[128, 1]]));
    assert_eq!(status["busy"]["budget_ns"], 1_000_000);
    assert_eq!(
        status["what_if"]["periods"][3],
        json!({"period_ns": 250_000, "overruns": 1})
    );
    assert_eq!(
        status["bus"]["not_operational"].as_array().unwrap().len(),
        1
    );
    assert_eq!(status["bus"]["subdevices"], 10);
    assert_eq!(status["bus"]["links"][0]["name"], "lo");
    // What a client of this program reads is the same.
    let typed: StatusLine = serde_json::from_value(status.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), status);
}

#[test]
fn budgets_reach_the_cycle_and_are_saved_as_a_patch() {
    let mut bench = Bench::new(true);
    let mut talk = bench.talk();
    talk.ask(&json!({"request": "budget", "set": {"predict": "80us", "press": "5us"}}));
    let told = [bench.obey(), bench.obey()];
    assert_eq!(talk.next()["type"], "done");
    assert!(
        told.iter()
            .any(|t| t.contains("Predict") && t.contains("80000"))
    );
    assert!(
        told.iter()
            .any(|t| t.contains("Press") && t.contains("5000"))
    );
    // The others leave 210 us.
    talk.ask(&json!({"request": "budget", "set": {"wake": "290us"}}));
    let refused = talk.next();
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("more than the period"),
        "{refused}"
    );
    talk.ask(&json!({"request": "save"}));
    let saved = talk.next();
    let toml = saved["toml"].as_str().unwrap();
    let merged = twinstep_config::apply_budgets(twinstep_config::PRESS_CELL, toml).unwrap();
    let cycle = twinstep_config::load(&merged, "merged").unwrap().cycle;
    assert_eq!(cycle.budget_ns[Phase::Predict as usize], Some(80_000));
    assert_eq!(cycle.model_budget_ns, [None, Some(5_000), None]);
}

#[test]
fn requests_of_one_client_are_answered_in_order() {
    let mut bench = Bench::new(true);
    let mut talk = bench.talk();
    talk.send(
        "{\"request\":\"reset\",\"id\":1}\n{\"request\":\"arm\",\"id\":2}\n{\"request\":\"save\",\"id\":3}\n",
    );
    assert_eq!(bench.obey(), "Reset");
    assert_eq!(bench.obey(), "Arm");
    let answers = [talk.next(), talk.next(), talk.next()];
    assert_eq!(
        answers.clone().map(|a| a["id"].as_u64()),
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!(
        answers.map(|a| a["type"].as_str().unwrap().to_owned()),
        ["done", "error", "budgets"]
    );
}

#[test]
fn faults_go_to_simulated_machines_only() {
    let mut bench = Bench::new(true);
    let mut talk = bench.talk();
    talk.ask(&json!({"request": "inject", "faults": ["friction:carriage:factor=1.2", "frame_loss:bus:count=3", "friction:lift:factor=2"]}));
    assert!(bench.obey().contains("Friction"));
    assert!(bench.obey().contains("FrameLoss"));
    // The segment refused the second; the third is not tried.
    assert_eq!(talk.next()["error"], "no room");
    talk.ask(&json!({"request": "inject", "faults": ["friction:nobody:factor=1.2"]}));
    let wrong = talk.next();
    assert_eq!(wrong["type"], "error");
    assert!(
        wrong["remedy"].as_str().unwrap().contains("carriage"),
        "{wrong}"
    );
    talk.ask(&json!({"request": "clear"}));
    assert_eq!(bench.obey(), "ClearFaults");
    assert_eq!(talk.next()["type"], "done");

    let mut bench = Bench::new(false);
    let mut talk = bench.talk();
    talk.ask(&json!({"request": "inject", "faults": ["friction:carriage:factor=1.2"]}));
    let refused = talk.next();
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("real interface"),
        "{refused}"
    );
    assert!(
        bench.cycle.take().is_none(),
        "the cycle has never heard of it"
    );
}

#[test]
fn hostile_clients_are_told_and_bounded() {
    let bench = Bench::new(true);
    let mut talk = bench.talk();
    talk.send("hello\n");
    assert_eq!(talk.next()["type"], "error");
    talk.send("{\"request\":\"dance\"}\n");
    assert_eq!(talk.next()["type"], "error");
    // A line without an end.
    talk.send(&"x".repeat(MAX_LINE));
    let error = talk.next();
    assert!(error["error"].as_str().unwrap().contains("longer than"));
    assert!(talk.is_closed());

    let mut talks: Vec<Talk> = (0..MAX_CLIENTS).map(|_| bench.talk()).collect();
    for talk in &mut talks {
        talk.ask(&json!({"request": "save"}));
        assert_eq!(talk.next()["type"], "budgets");
    }
    let mut one_more = bench.talk();
    assert!(one_more.next()["error"].as_str().unwrap().contains("limit"));
    assert!(one_more.is_closed());
    // Two lines that were no request are said once.
    let said: Vec<_> = bench.said.try_iter().collect();
    assert_eq!(said.len(), 3, "{said:?}");
    for (text, kind) in said.iter().zip(["no JSON object", "longer than", "limit"]) {
        assert!(text.contains(kind) && text.ends_with("counted"), "{said:?}");
    }
    // Its place is free again once one has gone: not at once, but without any other doing.
    talks.pop();
    loop {
        let mut talk = bench.talk();
        talk.ask(&json!({"request": "save"}));
        if talk.next()["type"] == "budgets" {
            break;
        }
    }
    bench.server.stop();
    assert!(talks.iter_mut().all(Talk::is_closed));
}

#[test]
fn who_hangs_up_at_once_is_obeyed_all_the_same() {
    let mut bench = Bench::new(true);
    let mut talk = bench.talk();
    talk.send("{\"request\":\"reset\"}\n{\"request\":\"clear\"}\n");
    drop(talk);
    assert_eq!(bench.obey(), "Reset");
    assert_eq!(bench.obey(), "ClearFaults");
}

#[test]
fn a_client_that_does_not_read_is_not_answered_for_ever() {
    let mut bench = Bench::new(true);
    let mut talk = bench.talk();
    // More answers than any buffer holds; the server must neither wait nor grow.
    let request = "{\"request\":\"save\"}\n".repeat(200);
    let stream = talk.0.get_mut();
    stream.set_nonblocking(true).unwrap();
    let mut refused = 0;
    while refused < 1000 {
        match stream.write(request.as_bytes()) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                refused += 1;
                // Others are served meanwhile.
                if refused % 500 == 0 {
                    let mut other = bench.talk();
                    other.ask(&json!({"request": "reset"}));
                    assert_eq!(bench.obey(), "Reset");
                    assert_eq!(other.next()["type"], "done");
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn followers_get_every_event_once() {
    let bench = Bench::new(true);
    let run = run_info();
    let mut store = StoreWriter::open(bench.folder.path()).unwrap();
    let mut append = |count: u64| {
        let mut records: Vec<_> = (0..count)
            .map(|cycle| EventRecord::of(&leak(cycle), &run, Exposure::default()))
            .collect();
        store.append(&mut records).unwrap();
    };
    append(300);
    let (mut all, mut new) = (bench.talk(), bench.talk());
    all.ask(&json!({"request": "events", "since": 100, "id": "a"}));
    new.ask(&json!({"request": "events"}));
    let (first, second) = (all.next(), new.next());
    assert_eq!(
        (&first["type"], &first["since"]),
        (&json!("following"), &json!(100))
    );
    assert_eq!(second["since"], 300);
    let mut last = bench.talk();
    last.ask(&json!({"request": "events", "last": 2}));
    assert_eq!(last.next()["since"], 298);
    assert_eq!(last.next()["seq"], 299);
    append(5);
    for seq in 101..=305 {
        assert_eq!(all.next()["seq"], seq);
    }
    for seq in 301..=305 {
        assert_eq!(new.next()["seq"], seq);
    }
}

#[test]
fn what_is_asked_of_the_cycle_is_written_down_with_who_asked() {
    let mut bench = Bench::new(true);
    let written = |bench: &Bench| {
        let text = std::fs::read_to_string(bench.folder.path().join("commands.jsonl"));
        let text = text.unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    let mut talk = bench.talk();
    // What only looks, and what is refused before a cycle hears of it, is no command.
    talk.ask(&json!({"request": "status"}));
    bench.obey();
    assert_eq!(talk.next()["type"], "status");
    talk.ask(&json!({"request": "baseline", "source": "nobody"}));
    assert_eq!(talk.next()["type"], "error");
    assert!(written(&bench).is_empty());
    let wish = json!({"request": "baseline", "source": "lift", "id": 7});
    talk.ask(&wish);
    let Request { id, .. } = bench.command();
    // It is there before the cycle has done it.
    let lines = written(&bench);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["type"], &lines[0]["request"]),
        (&json!("command"), &wish)
    );
    assert_eq!(lines[0]["uid"], rustix::process::getuid().as_raw());
    assert_eq!(lines[0]["pid"], std::process::id());
    assert!(lines[0]["time_utc_ns"].as_u64() > Some(0));
    bench.cycle.answer(id, Answer::Done);
    assert_eq!(talk.next()["type"], "done");
}

#[test]
fn what_cannot_be_written_down_is_said_once_and_done() {
    let mut bench = Bench::new(true);
    std::fs::create_dir(bench.folder.path().join("commands.jsonl")).unwrap();
    let mut talk = bench.talk();
    for _ in 0..2 {
        talk.ask(&json!({"request": "reset"}));
        assert_eq!(bench.obey(), "Reset");
        assert_eq!(talk.next()["type"], "done");
    }
    let said: Vec<_> = bench.said.try_iter().collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("commands.jsonl"), "{said:?}");
}
