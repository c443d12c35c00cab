//! What would be if the machine were otherwise: its motion program in closed loop and virtual time, on the numbers of the twin that is
//! compared with the machine in every cycle.

pub mod changes;
pub mod kept;
pub mod keys;
pub mod lines;
pub mod meter;
pub mod motor;
pub mod part;
pub mod plot;
pub mod recorded;
pub mod round;
pub mod servo;
pub mod servo_figures;
pub mod simulate;
pub mod text;
pub mod verdict;
