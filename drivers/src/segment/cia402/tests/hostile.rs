//! Every state meets every controlword, and objects hold anything.

use super::super::objects::CONTROLWORD;
use super::super::state::{Command, Situation, State};
use super::*;
use crate::rng::Rng;

const STATES: [State; 8] = [
    State::NotReadyToSwitchOn,
    State::SwitchOnDisabled,
    State::ReadyToSwitchOn,
    State::SwitchedOn,
    State::OperationEnabled,
    State::QuickStopActive,
    State::FaultReactionActive,
    State::Fault,
];

#[test]
fn every_state_meets_every_controlword_and_goes_where_the_profile_lets_it() {
    use State::*;
    // Transitions of CiA 402 that a command may cause, within one step, at rest and with all times passed.
    let allowed = |from: State, to: State| {
        from == to
            || matches!(
                (from, to),
                (NotReadyToSwitchOn | Fault, SwitchOnDisabled)
                    | (SwitchOnDisabled, ReadyToSwitchOn)
                    | (ReadyToSwitchOn, SwitchOnDisabled | SwitchedOn)
                    | (
                        SwitchedOn,
                        SwitchOnDisabled | ReadyToSwitchOn | OperationEnabled
                    )
                    | (
                        OperationEnabled,
                        SwitchOnDisabled | ReadyToSwitchOn | SwitchedOn | QuickStopActive
                    )
                    | (QuickStopActive, SwitchOnDisabled | OperationEnabled)
                    | (FaultReactionActive, Fault)
            )
    };
    let mut seen = std::collections::BTreeSet::new();
    for state in STATES {
        for word in 0..=0xffff_i64 {
            for option in [0, 2, 6] {
                let mut machine = super::super::state::Machine::new();
                machine.state = state;
                let mut now = Situation {
                    now_ns: 0,
                    standstill: true,
                    powered: false,
                    error: state == Fault,
                    reset: word & 0x80 != 0,
                    quick_stop_option: option,
                    shutdown_option: option,
                    disable_option: option,
                };
                machine.step(Command::decode(word), &now);
                if machine.state == state {
                    now.now_ns = 1_000_000_000;
                    machine.step(Command::decode(word), &now);
                }
                assert!(
                    allowed(state, machine.state),
                    "{state:?} {word:#x} {:?}",
                    machine.state
                );
                seen.insert((state as u8, machine.state as u8));
                // A fault is left by its reset alone.
                assert_eq!(
                    state == Fault && machine.state != Fault,
                    state == Fault && now.reset
                );
                // The output stage is on in these alone.
                let on = matches!(machine.state, OperationEnabled | QuickStopActive);
                assert!(on || !machine.powered() || machine.enabling());
                // An error takes every state to the fault.
                now.error = true;
                machine.step(Command::decode(word), &now);
                if !now.reset {
                    assert!(matches!(machine.state, Fault | FaultReactionActive));
                }
            }
        }
    }
    assert_eq!(
        seen.len(),
        8 + 14 - 1,
        "all transitions of a command were seen: {seen:?}"
    );
}

#[test]
fn no_value_of_any_object_panics() {
    let mut rng = Rng::new(11, 1);
    let mut bench = Bench::new(0);
    bench.enable();
    for _ in 0..4_000 {
        let bits = rng.next_u64();
        let object = &OBJECTS[bits as usize % OBJECTS.len()];
        let extreme = [
            0,
            1,
            -1,
            i64::from(i32::MAX),
            i64::from(i32::MIN),
            rng.next_u64() as i64,
        ];
        let value = extreme[(bits >> 32) as usize % extreme.len()].to_le_bytes();
        let length = usize::from(object.bits / 8);
        let _ = bench
            .drive
            .write_object(object.index, object.subindex, &value[..length]);
        // What comes with the process data is not checked by any server.
        let slot = (bits >> 40) as usize % OBJECTS.len();
        if OBJECTS[slot].writable {
            let width = usize::from(OBJECTS[slot].bits / 8);
            let value = crate::segment::pdo::from_bytes(&value[..width], OBJECTS[slot].signed);
            bench.drive.first.values[slot] = value;
        }
        let word = [
            0x06,
            0x07,
            0x0f,
            0x1f,
            0x3f,
            0x5f,
            0x10f,
            0x80,
            0x0b,
            bits as i64 & 0xffff,
        ];
        let word = word[(bits >> 48) as usize % word.len()];
        bench.drive.first.values[CONTROLWORD] = word;
        let mode = [1, 3, 6, 8, 9, 10, (bits >> 56) as i8 as i64][(bits >> 20) as usize % 7];
        bench.set(0x6060, mode);
        bench.set(0x6040, word);
        bench.set(0x607a, i64::from(rng.next_u64() as i32 >> (bits % 32)));
        bench.cycles(3);
        let state = bench.plant.drive(0).unwrap().true_state();
        assert!(state.0.is_finite() && state.1.is_finite(), "{state:?}");
    }
}
