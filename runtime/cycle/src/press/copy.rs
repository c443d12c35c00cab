//! A press' state as a copy that costs as little as the stroke in progress is long.

use super::StrokeJudge;

impl StrokeJudge {
    /// Makes this the state of `from`.
    pub fn copy_from(&mut self, from: &Self) {
        let Self {
            segmenter,
            curve,
            evaluation,
            judged,
            strokes,
            context,
            residuals,
            sum,
            unknown,
            raised,
            finished,
        } = from;
        self.segmenter = *segmenter;
        self.curve.copy_from(curve);
        self.evaluation.clone_from(evaluation);
        self.judged = *judged;
        self.strokes = *strokes;
        self.context = *context;
        self.residuals = *residuals;
        self.sum = *sum;
        self.unknown = *unknown;
        self.raised = *raised;
        self.finished = *finished;
    }
}
