//! A control socket that takes faults and nothing else: that of `twinstep sim`, which has no cycle.
//!
//! One client at a time, of the protocol in `docs/control.md`; who says nothing for a while is let go.

use super::lines::{DoneLine, PROTOCOL, line};
use super::place::Place;
use super::request::{self, Asked, MAX_LINE, Wish, Wrong};
use super::visitor::error_line;
use crate::error::HostError;
use crate::refusals::Refusals;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use twinstep_config::fault::{Fault, on_which_bus};
use twinstep_config::machine::Machine;

/// How long a client may be silent, and an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the segment is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// A fault; its time counts from now.
    Inject(Fault),
    /// Faults that last or wait are taken back.
    Clear,
}

/// An order with who waits for its answer.
#[derive(Debug)]
pub struct Errand {
    /// What is to be done.
    pub order: Order,
    answer: Option<SyncSender<Result<(), String>>>,
}

impl Errand {
    /// One that nobody waits for.
    pub const fn unattended(order: Order) -> Self {
        Self {
            order,
            answer: None,
        }
    }

    /// Tells who waits what came of it; gives it back where nobody does. Waits for nobody.
    pub fn done(&self, result: Result<(), String>) -> Result<(), String> {
        match &self.answer {
            Some(answer) => {
                // Who has stopped waiting needs no answer.
                let _ = answer.try_send(result);
                Ok(())
            }
            None => result,
        }
    }
}

/// Serves `place` until the process ends. Orders go to `orders`. What cannot be done is answered; what is no request
/// is counted too, and `say` is told of each kind once.
///
/// # Errors
/// [`HostError::Machine`] when no thread can be started.
pub fn serve(
    place: &Place,
    machine: Machine,
    orders: SyncSender<Errand>,
    say: impl Fn(&str) + Send + 'static,
) -> Result<(), HostError> {
    let failed = |error: io::Error| {
        HostError::machine(
            format!("cannot serve {}: {error}", place.path().display()),
            "raise the limits of processes and open files",
        )
    };
    let listener = place.listener().try_clone().map_err(failed)?;
    listener.set_nonblocking(false).map_err(failed)?;
    let thread = std::thread::Builder::new().name("control".into());
    let served = thread.spawn(move || {
        let mut refusals = Refusals::default();
        let mut refused = |kind: &str, wrong: &Wrong| {
            let what = format!("control socket: {}", wrong.error);
            if let Some(text) = refusals.count(kind, &what) {
                say(&text);
            }
        };
        for stream in listener.incoming() {
            // What goes wrong with one client is its own matter.
            let _ = stream.and_then(|stream| attend(stream, &machine, &orders, &mut refused));
        }
    });
    served.map(drop).map_err(failed)
}

fn attend(
    stream: UnixStream,
    machine: &Machine,
    orders: &SyncSender<Errand>,
    refused: &mut impl FnMut(&str, &Wrong),
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut output = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    loop {
        let mut text = Vec::new();
        let read = (&mut input)
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut text)?;
        if text.pop() != Some(b'\n') {
            if read == MAX_LINE {
                let wrong = Wrong::new(
                    format!("a request is longer than {MAX_LINE} bytes"),
                    "send one JSON object a line",
                );
                refused("long", &wrong);
                output.write_all(error_line(None, &wrong).as_bytes())?;
            }
            return Ok(());
        }
        let (id, asked) = request::parse(&text);
        if let Err(wrong) = &asked {
            refused("request", wrong);
        }
        let done = asked.and_then(|asked| carry_out(&asked, machine, orders));
        let answer = match done {
            Ok(request) => line(&DoneLine {
                protocol: PROTOCOL,
                id: id.as_ref(),
                request,
            }),
            Err(wrong) => error_line(id.as_ref(), &wrong),
        };
        output.write_all(answer.as_bytes())?;
    }
}

fn carry_out(
    Asked { wish, bus }: &Asked,
    machine: &Machine,
    orders: &SyncSender<Errand>,
) -> Result<&'static str, Wrong> {
    let own = machine.place.as_ref().map(|place| place.name.as_str());
    if let Some(bus) = bus.as_deref().filter(|bus| Some(*bus) != own) {
        let shown: String = bus.chars().take(32).collect();
        return Err(Wrong::new(
            format!(
                "this segment is not that of the bus '{}'",
                shown.escape_default()
            ),
            own.map_or("leave `bus` out: the machine has one".to_owned(), |own| {
                format!("it is that of {own}")
            }),
        ));
    }
    let commands = match wish {
        Wish::Inject(faults) => {
            let parsed = faults.iter().map(|text| {
                let own = on_which_bus(text, [machine]).map(|(_, text)| text);
                Fault::parse(own.as_deref().unwrap_or(text), machine)
                    .map(Order::Inject)
                    .map_err(|error| Wrong::new(error.to_string(), error.help))
            });
            parsed.collect::<Result<Vec<_>, _>>()?
        }
        Wish::Clear => vec![Order::Clear],
        other => {
            return Err(Wrong::new(
                format!(
                    "`sim` takes faults alone, it has no cycle: `{}` is for the run on the other end of the cable",
                    other.name()
                ),
                "ask for inject or clear",
            ));
        }
    };
    commands
        .into_iter()
        .try_for_each(|order| tell(order, orders))?;
    Ok(wish.name())
}

/// Has one order carried out.
fn tell(order: Order, orders: &SyncSender<Errand>) -> Result<(), Wrong> {
    let silent = || {
        Wrong::new(
            format!("the segment has not answered for {} s", PATIENCE.as_secs()),
            "it is ending, or has too much to do",
        )
    };
    let (answer, answered) = sync_channel(1);
    let errand = Errand {
        order,
        answer: Some(answer),
    };
    orders.try_send(errand).map_err(|_| silent())?;
    match answered.recv_timeout(PATIENCE) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(Wrong::new(why, Fault::usage())),
        Err(_) => Err(silent()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::Client;
    use super::*;
    use serde_json::json;
    use std::sync::mpsc::Receiver;

    /// Answers as a segment would that knows no cables.
    fn segment(orders: Receiver<Errand>) -> Vec<String> {
        let mut told = Vec::new();
        for errand in orders {
            let text = format!("{:?}", errand.order);
            let result = if text.contains("Cable") {
                Err("no such cable".to_owned())
            } else {
                Ok(())
            };
            assert_eq!(errand.done(result), Ok(()));
            told.push(text);
            if told.len() == 4 {
                break;
            }
        }
        told
    }

    #[test]
    fn faults_are_taken_and_all_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sim.sock");
        let place = Place::at(&path, None).unwrap();
        let machine = crate::commands::built_in_machine().unwrap();
        let (out, orders) = sync_channel(8);
        serve(&place, machine, out, |_| ()).unwrap();
        let segment = std::thread::spawn(move || segment(orders));
        let mut client = Client::connect_to(path.clone()).unwrap();
        let mut ask = |request| client.ask(request).map_err(|error| error.render(false));
        let faults = ["friction:infeed:factor=1.2", "frame_loss:bus:count=3"];
        let done = ask(json!({"request": "inject", "faults": faults})).unwrap();
        assert_eq!(done["request"], "inject");
        ask(json!({"request": "clear"})).unwrap();
        for (request, part) in [
            (
                json!({"request": "inject", "faults": ["friction:nobody:factor=2"]}),
                "nobody",
            ),
            (json!({"request": "status"}), "takes faults alone"),
            (json!({"request": "clear", "bus": "roof"}), "'roof'"),
            (
                json!({"request": "inject", "faults": ["cable:infeed:for=5ms"]}),
                "no such cable",
            ),
        ] {
            let error = ask(request).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let told = segment.join().unwrap();
        assert!(
            told[0].contains("infeed") && told[1].contains("FrameLoss"),
            "{told:?}"
        );
        assert_eq!(told[2], "Clear");
        // Nobody answers any more.
        drop(place);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_request_is_told_and_the_next_client_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sim.sock");
        let place = Place::at(&path, None).unwrap();
        let (out, _orders) = sync_channel(8);
        let machine = crate::commands::built_in_machine().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let say = move |text: &str| tell.send(text.to_owned()).unwrap();
        serve(&place, machine, out, say).unwrap();
        for (text, part) in [
            ("nonsense\n".to_owned(), "no JSON object"),
            ("nonsense\n".to_owned(), "no JSON object"),
            ("x".repeat(MAX_LINE), "longer than"),
            ("{\"request\":".to_owned(), ""),
        ] {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.contains(part), "{answer}");
            assert_eq!(answer.is_empty(), part.is_empty(), "{answer}");
        }
        // Each kind is said once.
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("no JSON object") && told[0].contains("further ones are counted"));
        assert!(told[1].contains("longer than"), "{told:?}");
    }
}
