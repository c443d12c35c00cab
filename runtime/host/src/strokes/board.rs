//! The last strokes of every press, for whoever asks the control socket.

use super::{SentStroke, ShapeLine, ShortCurve, StrokeLine, shapes};
use crate::press_plan;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use twinstep_config::machine::Machine;
use twinstep_cycle::event::Source;
use twinstep_models::press::curve::Point;
use twinstep_models::press::evaluate::Object;
use twinstep_models::sample::Context;

/// Most strokes of a press that are kept.
pub const RECENT: usize = 16;
/// Most strokes of all presses in one status. Every press has its last one there, whatever that comes to.
pub const RECENT_IN_ALL: usize = 64;

/// A stroke as it is kept.
struct Kept {
    line: StrokeLine,
    curve: ShortCurve,
    context: Context,
}

/// A press with its objects and last strokes, the newest last.
struct Press {
    source: Source,
    name: String,
    objects: Vec<(String, Object)>,
    recent: VecDeque<Kept>,
}

/// See the module. Clones are the same board.
#[derive(Clone, Default)]
pub struct StrokeBoard(Arc<Mutex<Vec<Press>>>);

/// The curve of one stroke, with the objects that it was judged on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StrokeCurveLine {
    /// The stroke.
    pub stroke: StrokeLine,
    /// Travel in the direction of the way in (m).
    pub position_m: Vec<f64>,
    /// Force against it (N), as long.
    pub force_n: Vec<f64>,
    /// Index of the deepest point: up to there it is the way in.
    pub turn: usize,
    /// The objects of its recipe and part.
    pub shapes: Vec<ShapeLine>,
}

impl StrokeBoard {
    /// An empty board for the presses of `machine`.
    pub fn of(machine: &Machine) -> Self {
        let press = |(n, press): (usize, &twinstep_config::machine::Press)| Press {
            // There are at most 1024 axes and presses.
            source: Source::Axis((machine.axes.len() + n) as u16),
            name: press.axis.name.clone(),
            objects: press_plan::judged(machine, n),
            recent: VecDeque::with_capacity(RECENT),
        };
        let presses = machine.presses.iter().enumerate().map(press);
        Self(Arc::new(Mutex::new(presses.collect())))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Press>) -> T) -> T {
        // Whoever panicked has left whole strokes.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a stroke on the board; the oldest of that press goes.
    pub(crate) fn keep(&self, stroke: &SentStroke, line: StrokeLine) {
        self.with(|presses| {
            let source = stroke.record.source;
            let Some(press) = presses.iter_mut().find(|press| press.source == source) else {
                return;
            };
            if press.recent.len() >= RECENT {
                press.recent.pop_front();
            }
            press.recent.push_back(Kept {
                line,
                curve: stroke.curve.clone(),
                context: stroke.record.context,
            });
        });
    }

    /// The last strokes of every press, press by press, the newest last: at most [`RECENT`] each, [`RECENT_IN_ALL`] together.
    pub fn lines(&self) -> Vec<StrokeLine> {
        self.with(|presses| {
            let each = RECENT.min(RECENT_IN_ALL / presses.len().max(1)).max(1);
            let last = |press: &Press| {
                let from = press.recent.len().saturating_sub(each);
                let kept = press.recent.iter().skip(from);
                kept.map(|kept| kept.line.clone()).collect::<Vec<_>>()
            };
            presses.iter().flat_map(last).collect()
        })
    }

    /// The curve of stroke `stroke` of the press called `source`, the last one unless given.
    ///
    /// # Errors
    /// What is not there, in words.
    pub fn curve(&self, source: &str, stroke: Option<u64>) -> Result<StrokeCurveLine, String> {
        self.with(|presses| {
            let Some(press) = presses.iter().find(|press| press.name == source) else {
                let shown: String = source.chars().take(32).collect();
                return Err(format!("no press is called '{}'", shown.escape_default()));
            };
            let found = match stroke {
                None => press.recent.back(),
                Some(number) => press.recent.iter().find(|k| k.line.stroke == number),
            };
            let kept = found.ok_or_else(|| match (stroke, press.recent.back()) {
                (Some(number), Some(last)) => format!(
                    "stroke {number} of '{}' is not kept: its last one is {}",
                    press.name, last.line.stroke
                ),
                _ => format!("'{}' has made no stroke yet", press.name),
            })?;
            Ok(kept.draw(&press.objects))
        })
    }
}

impl Kept {
    fn draw(&self, objects: &[(String, Object)]) -> StrokeCurveLine {
        let points: Vec<Point> = self.curve.points().collect();
        let turn = self.curve.turn();
        let way_in = points.get(..=turn).unwrap_or_default();
        // What an object is counted from: of the stroke itself, which is exact.
        let deepest_m = self.line.block_position_m;
        let shape = |(name, object): &(String, Object)| {
            let said = self.line.objects.iter().find(|said| said.name == *name);
            let ok = said.is_none_or(|said| said.ok);
            shapes::shape(name, object, ok, way_in, deepest_m)
        };
        let judged = (objects.iter()).filter(|(_, object)| object.is_for(self.context));
        StrokeCurveLine {
            stroke: self.line.clone(),
            position_m: points.iter().map(|p| p.position_m).collect(),
            force_n: points.iter().map(|p| p.force_n).collect(),
            turn,
            shapes: judged.map(shape).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::StrokeWriter;
    use super::*;
    use crate::names::{Names, RunInfo};
    use twinstep_cycle::press::StrokeRecord;
    use twinstep_models::press::curve::{Curve, Sampling};
    use twinstep_models::press::evaluate::MAX_OBJECTS;
    use twinstep_models::press::evaluate::verdict::{Features, Verdict};
    use twinstep_models::press::tare::Tare;
    use twinstep_models::sample::CycleStamp;

    fn stroke(source: u16, number: u64) -> SentStroke {
        let mut features = Features::default();
        features.totals.block.position_m = 0.15;
        let mut curve = Curve::default();
        curve.begin(Sampling::EVERY);
        for (x, force_n) in [(0.148, 0.0), (0.15, 6_000.0), (0.148, 0.0)] {
            curve.push(Point {
                position_m: x,
                force_n,
            });
        }
        let mut short = ShortCurve::default();
        short.copy(&curve);
        SentStroke {
            record: StrokeRecord {
                stroke: number,
                stamp: CycleStamp::default(),
                source: Source::Axis(source),
                context: Context::of(0, 0),
                verdict: Verdict::default(),
                features,
                residual: None,
                tare: Tare::Off,
                unknown: None,
                outcomes: [None; MAX_OBJECTS],
            },
            curve: short,
        }
    }

    #[test]
    fn the_last_strokes_are_kept_with_curve_and_windows() {
        let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "cell").unwrap();
        let press = machine.axes.len() as u16;
        let name = machine.presses[0].axis.name.clone();
        let run = RunInfo::new(Names::of(&machine), "p".into(), 1.0, 0);
        let board = StrokeBoard::of(&machine);
        assert_eq!(board.lines(), []);
        assert!(board.curve(&name, None).unwrap_err().contains("no stroke"));
        let (mut sender, writer) = StrokeWriter::start(Arc::new(run), board.clone(), None).unwrap();
        for number in 1..=20 {
            sender.send_waiting(stroke(press, number));
        }
        // No press at all: nowhere to be put.
        sender.send_waiting(stroke(999, 1));
        assert_eq!(writer.stop(), 0);
        let numbers: Vec<u64> = board.lines().iter().map(|line| line.stroke).collect();
        assert_eq!(numbers, (5..=20).collect::<Vec<_>>());
        let curve = board.curve(&name, Some(7)).unwrap();
        assert_eq!((curve.stroke.stroke, curve.turn), (7, 1));
        assert_eq!((curve.position_m.len(), curve.force_n[1]), (3, 6_000.0));
        let block = curve.shapes.iter().find(|shape| shape.name == "block");
        // Counted from the deepest point.
        let corner = block.unwrap().outline[0][0].unwrap();
        assert!((corner - 0.1498).abs() < 1e-9, "{corner}");
        assert!(board.curve(&name, None).unwrap().stroke.stroke == 20);
        let gone = board.curve(&name, Some(4)).unwrap_err();
        assert!(gone.contains("not kept") && gone.contains("20"), "{gone}");
        assert!(board.curve("nobody", None).unwrap_err().contains("nobody"));
    }
}
