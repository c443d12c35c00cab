//! Who is told of the strokes of a run.

use crate::error::HostError;
use crate::names::RunInfo;
use crate::output::Output;
use crate::strokes::{StrokeBoard, StrokeSender, StrokeWriter};
use std::sync::Arc;
use twinstep_config::machine::Machine;

/// The board of the last strokes, and the thread that fills it; none where no stroke is judged.
pub(super) fn start(
    machine: &Machine,
    output: &Output,
    info: &Arc<RunInfo>,
    judged: bool,
) -> Result<(StrokeBoard, Option<(StrokeSender, StrokeWriter)>), HostError> {
    let board = StrokeBoard::of(machine);
    if !judged {
        return Ok((board, None));
    }
    // On a screen people watch events; lines of strokes are for programs, and for who replays a table of them.
    let lines = (output.json() || machine.recording.is_some()).then(|| output.clone());
    let writer = StrokeWriter::start(Arc::clone(info), board.clone(), lines)?;
    Ok((board, Some(writer)))
}
