//! The twin of a servo axis.
//!
//! # Derivation
//! On the axis' own coordinate x (m), with the torque-forming current i (A) and the force constant kf = 2 pi Kt / feed (N/A):
//!
//! ```text
//! M x'' = kf i - Fc(v) - Fv v - Fs(v) - Fg - F_contact(x)
//! ```
//!
//! Position, velocity and current alone can tell only the ratios to kf, so the twin is written in currents:
//! `inertia = M / kf` (A s2/m), `coulomb = Fc / kf` (A), `viscous = Fv / kf` (A s/m), `gravity = Fg / kf` (A).
//!
//! Friction is Coulomb (asymmetric) + viscous + Stribeck. The Stribeck part takes the rational form
//! `Fs / (1 + (v / vs)^2)` (Armstrong-Helouvry, Dupont, Canudas de Wit 1994, section 2), which needs no exponential.
//!
//! The drive is the CiA 402 cascade in cyclic synchronous position mode: the reference reaches the drive after a dead time,
//! is interpolated over the cycle, and
//!
//! ```text
//! w  = kx (r - x) + kff r'          velocity reference
//! i* = kv (w - v) + q,  q' = ki (w - v)
//! i' = (i* - i) / tau_c,  |i*| <= limit
//! ```
//!
//! A controller that closes its loops once a cycle (`sampled`) computes i* from the position of the sample and the backward
//! difference to the one before, and holds it until the next.
//!
//! Drives in cyclic synchronous velocity or torque mode, and offsets: [`told`].

pub mod cascade;
pub mod load;
pub mod observer;
pub mod params;
mod part;
mod pieces;
mod quick;
pub mod range;
mod reference;
mod series;
mod steps;
pub mod stiff;
mod substeps;
#[cfg(test)]
mod tests;
pub mod told;
pub mod transition;
pub mod walk;

pub use cascade::{AxisState, Reference};
pub use params::{AxisParams, LaneParams};
